// SPDX-License-Identifier: Apache-2.0

package deflate

import "math/bits"

const (
	literalCodes  = 286
	distanceCodes = 30
	orderCodes    = 19
	endOfBlock    = 256
)

// A tree is a Huffman code built as zlib builds it: which of several optimal
// codes comes out is part of the format.
type tree struct {
	freq   [2*literalCodes + 1]uint32 // of symbols, then of inner nodes
	length [literalCodes + 2]uint8
	code   [literalCodes + 2]uint16 // bits reversed, as they are sent
	max    int                      // largest symbol that has a code

	parent [2*literalCodes + 1]uint16
	depth  [2*literalCodes + 1]uint8
	deep   [2*literalCodes + 1]uint8
	heap   [2*literalCodes + 1]uint16
	n, top int // size of the heap; nodes in order of frequency lie in heap[top:]
	levels [16]int
}

// before orders the heap: by frequency, then by depth.
func (t *tree) before(a, b uint16) bool {
	return t.freq[a] < t.freq[b] || t.freq[a] == t.freq[b] && t.depth[a] <= t.depth[b]
}

func (t *tree) sift(k int) {
	v := t.heap[k]
	for j := k << 1; j <= t.n; j <<= 1 {
		if j < t.n && t.before(t.heap[j+1], t.heap[j]) {
			j++
		}
		if t.before(v, t.heap[j]) {
			break
		}
		t.heap[k] = t.heap[j]
		k = j
	}
	t.heap[k] = v
}

// build makes code and length from the frequencies of symbols.
func (t *tree) build(symbols, limit int) {
	t.collect(symbols)
	for i := t.n / 2; i >= 1; i-- {
		t.sift(i)
	}
	node := uint16(symbols)
	for ; t.n >= 2; node++ {
		least := t.heap[1]
		t.heap[1] = t.heap[t.n]
		t.n--
		t.sift(1)
		next := t.heap[1]
		t.heap[t.top-1], t.heap[t.top-2] = least, next
		t.top -= 2
		t.freq[node] = t.freq[least] + t.freq[next]
		t.depth[node] = max(t.depth[least], t.depth[next]) + 1
		t.parent[least], t.parent[next] = node, node
		t.heap[1] = node
		t.sift(1)
	}
	t.top--
	t.heap[t.top] = t.heap[1]
	t.measure(symbols, limit)
	t.assign(symbols)
}

// collect fills the heap with the symbols that occur, at least two.
func (t *tree) collect(symbols int) {
	t.n, t.top, t.max = 0, len(t.heap), -1
	for i := range symbols {
		t.length[i] = 0
		if t.freq[i] != 0 {
			t.n++
			t.heap[t.n] = uint16(i)
			t.max = i
			t.depth[i] = 0
		}
	}
	for t.n < 2 {
		symbol := 0
		if t.max < 2 {
			t.max++
			symbol = t.max
		}
		t.n++
		t.heap[t.n] = uint16(symbol)
		t.freq[symbol], t.depth[symbol] = 1, 0
	}
}

// measure turns the tree into lengths, none above limit.
func (t *tree) measure(symbols, limit int) {
	t.levels = [16]int{}
	overflow := 0
	t.deep[t.heap[t.top]] = 0
	h := t.top + 1
	for ; h < len(t.heap); h++ {
		node := t.heap[h]
		n := int(t.deep[t.parent[node]]) + 1
		if n > limit {
			n = limit
			overflow++
		}
		t.deep[node] = uint8(n)
		if int(node) < symbols {
			t.levels[n]++
			t.length[node] = uint8(n)
		}
	}
	if overflow > 0 {
		t.flatten(symbols, limit, overflow)
	}
}

// flatten moves leaves down until the code fits limit, then gives the lengths out
// anew, longest first.
func (t *tree) flatten(symbols, limit, overflow int) {
	for ; overflow > 0; overflow -= 2 {
		n := limit - 1
		for t.levels[n] == 0 {
			n--
		}
		t.levels[n]--
		t.levels[n+1] += 2
		t.levels[limit]--
	}
	h := len(t.heap)
	for n := limit; n != 0; n-- {
		for left := t.levels[n]; left > 0; {
			h--
			if node := t.heap[h]; int(node) < symbols {
				t.length[node] = uint8(n)
				left--
			}
		}
	}
}

// assign gives out the canonical code of the lengths.
func (t *tree) assign(symbols int) {
	var count, next [16]int
	for _, n := range t.length[:symbols] {
		count[n]++
	}
	count[0] = 0
	for n, code := 1, 0; n < 16; n++ {
		code = (code + count[n-1]) << 1
		next[n] = code
	}
	for i, n := range t.length[:symbols] {
		if n != 0 {
			t.code[i] = bits.Reverse16(uint16(next[n])) >> (16 - n)
			next[n]++
		}
	}
}
