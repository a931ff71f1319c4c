// SPDX-License-Identifier: Apache-2.0

// Package suffix finds the longest matches of byte strings in a text. New
// sorts all suffixes of the text in linear time, whatever the text, by induced
// sorting (G. Nong, S. Zhang, W. H. Chan: Linear Suffix Array Construction by
// Almost Pure Induced-Sorting, DCC 2009).
package suffix

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
)

var errLong = errors.New("text is too long for a suffix array")

// Array is the suffix array of a text, and an index of the first two bytes.
type Array struct {
	text  []byte
	order []int32
	pairs []int32 // pairs[c]: how many suffixes begin with less than c, two bytes in big-endian order
}

// New sorts the suffixes of a text of less than 2 GiB, which must not change
// while the Array is used. It takes 4 bytes of memory per byte of text (for a
// few contrived texts up to 6) and ends early with the cause if ctx does.
func New(ctx context.Context, text []byte) (*Array, error) {
	if len(text) > math.MaxInt32 {
		return nil, errLong
	}
	a := &Array{text: text, order: make([]int32, len(text))}
	if err := Sort(ctx, text, a.order); err != nil {
		return nil, err
	}
	a.index()
	return a, nil
}

// Sort writes the places of all suffixes of text in their order to order, which
// is as long as the text.
func Sort(ctx context.Context, text []byte, order []int32) error {
	clear(order)
	return sortSuffixes(ctx, text, 256, order, make([]int32, 512))
}

// Order returns the places of all suffixes in their order. It must not be changed.
func (a *Array) Order() []int32 { return a.order }

// index counts where the suffixes that begin with each pair of bytes are. The
// last byte counts as one with a zero behind it, of which it is the first.
func (a *Array) index() {
	a.pairs = make([]int32, 1<<16+1)
	for i, c := range a.text {
		pair := int(c) << 8
		if i+1 < len(a.text) {
			pair += int(a.text[i+1])
		}
		a.pairs[pair+1]++
	}
	for i := range 1 << 16 {
		a.pairs[i+1] += a.pairs[i]
	}
}

// Longest returns where the text holds the longest prefix of p that it holds
// at all, and the length of that. Of several places it takes the first found,
// the same each time; the length is 0 if the text does not hold p[0].
func (a *Array) Longest(p []byte) (pos, length int) {
	if len(p) == 0 {
		return 0, 0
	}
	if len(p) > 1 {
		pair := int(p[0])<<8 + int(p[1])
		lo, hi := int(a.pairs[pair]), int(a.pairs[pair+1])
		if lo < hi && int(a.order[lo]) == len(a.text)-1 {
			lo++
		}
		if lo < hi {
			return a.search(p, lo, hi)
		}
	}
	if lo := a.pairs[int(p[0])<<8]; lo < a.pairs[(int(p[0])+1)<<8] {
		return int(a.order[lo]), 1
	}
	return 0, 0
}

// search finds p between suffixes of which all in [lo, hi) begin with two of
// its bytes. The bytes that p shares with both borders are not compared again.
func (a *Array) search(p []byte, lo, hi int) (pos, length int) {
	below, above := 2, 2
	pos, length = int(a.order[lo]), 2
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		at := int(a.order[mid])
		n := min(below, above)
		n += Common(a.text[at+n:], p[n:])
		if n > length {
			pos, length = at, n
		}
		switch {
		case n == len(p):
			return pos, length
		case at+n == len(a.text) || a.text[at+n] < p[n]:
			lo, below = mid+1, n
		default:
			hi, above = mid, n
		}
	}
	return pos, length
}

// Common is the length of the longest common prefix of a and b.
func Common(a, b []byte) int {
	n := min(len(a), len(b))
	a, b = a[:n], b[:n]
	i := 0
	for ; i+8 <= n; i += 8 {
		if x := binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:]); x != 0 {
			return i + bits.TrailingZeros64(x)/8
		}
	}
	for i < n && a[i] == b[i] {
		i++
	}
	return i
}
