// SPDX-License-Identifier: Apache-2.0

package bzip2

const (
	groupSize  = 50 // symbols that share a table
	tablesMost = 6
	rounds     = 7
	lane       = 10 // bits; a group of the longest codes fits
)

// coding is how the symbols of a block are written: Huffman tables, and which
// of them each group of symbols uses.
type coding struct {
	tables    [][]byte // lengths of codes in bits, by symbol
	selectors []byte
}

// chooseTables searches for the tables that make the block smallest. More
// rounds gain less than a thousandth.
func chooseTables(symbols []uint16, alphabet int) *coding {
	c := start(symbols, alphabet, tablesFor(len(symbols)))
	for range rounds {
		c.assign(symbols)
		c.fit(symbols, alphabet)
	}
	return c
}

// tablesFor is how many tables pay for a number of symbols.
func tablesFor(symbols int) int {
	switch {
	case symbols < 200:
		return 2
	case symbols < 600:
		return 3
	case symbols < 1200:
		return 4
	case symbols < 2400:
		return 5
	}
	return tablesMost
}

// start makes n tables that each prefer a part of the alphabet; the parts are
// about equally frequent.
func start(symbols []uint16, alphabet, n int) *coding {
	counts := make([]int, alphabet)
	for _, s := range symbols {
		counts[s]++
	}
	c := &coding{selectors: make([]byte, (len(symbols)+groupSize-1)/groupSize)}
	from, left := 0, len(symbols)
	for part := n; part > 0; part-- {
		to, sum := from, 0
		for to < alphabet && (sum < left/part || to == from) {
			sum += counts[to]
			to++
		}
		if part == 1 {
			to = alphabet
		}
		table := make([]byte, alphabet)
		for s := range table {
			if s < from || s >= to {
				table[s] = 15
			}
		}
		c.tables = append(c.tables, table)
		from, left = to, left-sum
	}
	return c
}

// assign gives each group of symbols the table that is best for it.
func (c *coding) assign(symbols []uint16) {
	packed := make([]uint64, len(c.tables[0]))
	for s := range packed {
		for t, table := range c.tables {
			packed[s] |= uint64(table[s]) << (t * lane)
		}
	}
	for i := range c.selectors {
		var sums uint64
		for _, s := range group(symbols, i) {
			sums += packed[s]
		}
		best, least := 0, uint64(1)<<lane
		for t := range c.tables {
			if n := sums >> (t * lane) & (1<<lane - 1); n < least {
				best, least = t, n
			}
		}
		c.selectors[i] = byte(best)
	}
}

func group(symbols []uint16, i int) []uint16 {
	return symbols[i*groupSize : min((i+1)*groupSize, len(symbols))]
}

// fit makes each table the best for the groups that it was given.
func (c *coding) fit(symbols []uint16, alphabet int) {
	counts := make([][]int, len(c.tables))
	for t := range counts {
		counts[t] = make([]int, alphabet)
	}
	for i, t := range c.selectors {
		of := counts[t]
		for _, s := range group(symbols, i) {
			of[s]++
		}
	}
	for t, of := range counts {
		c.tables[t] = codeLengths(of)
	}
}

// ranks are the selectors by how recently each was used.
func (c *coding) ranks() []int {
	front := [tablesMost]byte{0, 1, 2, 3, 4, 5}
	ranks := make([]int, len(c.selectors))
	for i, t := range c.selectors {
		at := 0
		for front[at] != t {
			at++
		}
		copy(front[1:at+1], front[:at])
		front[0] = t
		ranks[i] = at
	}
	return ranks
}

func (c *coding) write(w *bitWriter, symbols []uint16) {
	w.write(uint64(len(c.tables)), 3)
	w.write(uint64(len(c.selectors)), 15)
	for _, n := range c.ranks() {
		w.write(1<<(n+1)-2, uint(n+1))
	}
	codes := make([][]uint32, len(c.tables))
	for t, table := range c.tables {
		writeTable(w, table)
		codes[t] = canonical(table)
	}
	for i, t := range c.selectors {
		table, code := c.tables[t], codes[t]
		for _, s := range group(symbols, i) {
			w.write(uint64(code[s]), uint(table[s]))
		}
	}
}

// writeTable writes the lengths as steps up (10) and down (11), 0 ends each.
func writeTable(w *bitWriter, table []byte) {
	last := table[0]
	w.write(uint64(last), 5)
	for _, n := range table {
		for ; last < n; last++ {
			w.write(2, 2)
		}
		for ; last > n; last-- {
			w.write(3, 2)
		}
		w.write(0, 1)
	}
}
