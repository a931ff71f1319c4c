// SPDX-License-Identifier: Apache-2.0

package deflate

import "math/bits"

const (
	literalBits  = 10
	distanceBits = 9
	lengthBits   = 7
)

// A decoder maps the next bits of a stream to an entry: the first tableBits bits
// index it, longer codes go on in a second table behind it. An entry holds
//
//	bits 0-4    bits to consume (for a link: bits of the index of the second table)
//	bits 5-7    kind
//	bits 8-12   extra bits that follow
//	bits 13-31  value: literal, base of a length or distance, place of the second table
type decoder struct {
	tableBits uint
	entries   []uint32
}

const (
	kindLiteral = 0 << 5
	kindBase    = 1 << 5 // a length or a distance
	kindEnd     = 2 << 5
	kindLink    = 3 << 5
	kindInvalid = 4 << 5
	kindMask    = 7 << 5
)

func entry(kind, extra, value uint32) uint32 { return kind | extra<<8 | value<<13 }

func (e decoder) lookup(acc uint64) uint32 {
	x := e.entries[acc&(1<<e.tableBits-1)]
	if x&kindMask == kindLink {
		x = e.entries[x>>13+uint32(acc>>e.tableBits)&(1<<(x&31)-1)]
	}
	return x
}

// build makes the table of a canonical code from the lengths of its codes. It
// refuses codes that are oversubscribed or incomplete, except a single code of
// one bit, and, if none is allowed, no code at all.
func (e *decoder) build(lengths []uint8, meaning []uint32, tableBits uint, none bool) bool {
	e.tableBits = tableBits
	count := tally(lengths)
	if !acceptable(&count, len(lengths), none) {
		return false
	}
	e.clear()
	count[0] = 0
	var next [16]uint32
	for n, code := 1, uint32(0); n < 16; n++ {
		code = (code + uint32(count[n-1])) << 1
		next[n] = code
	}
	for symbol, n := range lengths {
		if n != 0 {
			e.add(next[n], uint(n), meaning[symbol])
			next[n]++
		}
	}
	return true
}

// tally is how many codes there are of each length.
func tally(lengths []uint8) (count [16]int) {
	for _, n := range lengths {
		count[n]++
	}
	return count
}

func acceptable(count *[16]int, symbols int, none bool) bool {
	left := 1
	for n := 1; n < 16; n++ {
		if left = left<<1 - count[n]; left < 0 {
			return false
		}
	}
	used := symbols - count[0]
	return left == 0 || used == 1 && count[1] == 1 || used == 0 && none
}

func (e *decoder) clear() {
	size := 1 << e.tableBits
	if cap(e.entries) < size {
		e.entries = make([]uint32, size, 2*size)
	}
	e.entries = e.entries[:size]
	for i := range e.entries {
		e.entries[i] = kindInvalid | 1
	}
}

func (e *decoder) add(code uint32, n uint, meaning uint32) {
	reversed := bits.Reverse32(code) >> (32 - n)
	if n <= e.tableBits {
		for i := reversed; i < 1<<e.tableBits; i += 1 << n {
			e.entries[i] = meaning | uint32(n)
		}
		return
	}
	const longest = 15
	root := reversed & (1<<e.tableBits - 1)
	second := longest - e.tableBits
	if e.entries[root]&kindMask != kindLink {
		e.entries[root] = kindLink | uint32(second) | uint32(len(e.entries))<<13
		for range 1 << second {
			e.entries = append(e.entries, kindInvalid|1)
		}
	}
	place := e.entries[root] >> 13
	for i := reversed >> e.tableBits; i < 1<<second; i += 1 << (n - e.tableBits) {
		e.entries[place+i] = meaning | uint32(n)
	}
}

// The tables of RFC 1951, section 3.2.5.
var (
	lengthBase    = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra   = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distanceBase  = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distanceExtra = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
	lengthOrder   = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

	literalMeaning  = literalMeanings()
	distanceMeaning = distanceMeanings()
	orderMeaning    = orderMeanings()
	fixedLengths    = fixedLiteralLengths()
	fixedDistances  = fixedDistanceLengths()
)

func literalMeanings() (m [288]uint32) {
	for i := range m {
		switch {
		case i < 256:
			m[i] = entry(kindLiteral, 0, uint32(i))
		case i == 256:
			m[i] = entry(kindEnd, 0, 0)
		case i < 286:
			m[i] = entry(kindBase, uint32(lengthExtra[i-257]), uint32(lengthBase[i-257]))
		default:
			m[i] = kindInvalid
		}
	}
	return m
}

func distanceMeanings() (m [32]uint32) {
	for i := range m {
		m[i] = kindInvalid
		if i < 30 {
			m[i] = entry(kindBase, uint32(distanceExtra[i]), uint32(distanceBase[i]))
		}
	}
	return m
}

func orderMeanings() (m [19]uint32) {
	for i := range m {
		m[i] = entry(kindLiteral, 0, uint32(i))
	}
	return m
}

func fixedLiteralLengths() (n [288]uint8) {
	for i := range n {
		switch {
		case i < 144:
			n[i] = 8
		case i < 256:
			n[i] = 9
		case i < 280:
			n[i] = 7
		default:
			n[i] = 8
		}
	}
	return n
}

func fixedDistanceLengths() (n [32]uint8) {
	for i := range n {
		n[i] = 5
	}
	return n
}
