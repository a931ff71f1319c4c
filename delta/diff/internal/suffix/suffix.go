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

// Array is the suffix array of a text. Of every 16th suffix in order the first
// bytes are at hand, so that few steps of a search look at the text.
type Array struct {
	text  []byte
	order []int32
	keys  []uint64 // of order[0], order[sampled], ...
	pairs []int32  // pairs[c]: how many of keys begin with two bytes less than c
}

const sampled = 16

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

func (a *Array) index() {
	a.keys = make([]uint64, (len(a.order)+sampled-1)/sampled)
	a.pairs = make([]int32, 1<<16+1)
	for i := range a.keys {
		a.keys[i] = key(a.text[a.order[i*sampled]:])
		a.pairs[a.keys[i]>>48+1]++
	}
	for i := range 1 << 16 {
		a.pairs[i+1] += a.pairs[i]
	}
}

// key is the first eight bytes, big-endian, with zeros behind a shorter p. Keys
// are in the order of what they are made of, but some are equal.
func key(p []byte) (k uint64) {
	if len(p) >= 8 {
		return binary.BigEndian.Uint64(p)
	}
	for i := range 8 {
		k <<= 8
		if i < len(p) {
			k |= uint64(p[i])
		}
	}
	return k
}

// Longest returns where the text holds the longest prefix of p that it holds
// at all, and the length of that. Of several places it takes the first found,
// the same each time; the length is 0 if the text does not hold p[0].
func (a *Array) Longest(p []byte) (pos, length int) {
	k := key(p)
	lo, hi := a.between(k, int(a.pairs[k>>48]), int(a.pairs[k>>48+1]))
	first := max(0, (lo-1)*sampled)
	return a.search(p, first, min(hi*sampled+1, len(a.order)))
}

// between returns the first of keys in [lo, hi) that is not below k, and the
// first behind it that is above.
func (a *Array) between(k uint64, lo, hi int) (from, to int) {
	for last := hi; lo < last; {
		if mid := int(uint(lo+last) / 2); a.keys[mid] < k {
			lo = mid + 1
		} else {
			last = mid
		}
	}
	for from = lo; lo < hi; {
		if mid := int(uint(lo+hi) / 2); a.keys[mid] <= k {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return from, lo
}

// search finds p between suffixes of which [lo, hi) holds both neighbours. The
// bytes that p shares with both borders are not compared again.
func (a *Array) search(p []byte, lo, hi int) (pos, length int) {
	below, above := 0, 0
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
