// SPDX-License-Identifier: Apache-2.0

package cover

import (
	"cmp"
	"slices"

	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// Without cuts the bytes [from, to) of the result out of the covers.
func Without(covers []waybill1.Cover, from, to int64) []waybill1.Cover {
	var kept []waybill1.Cover
	for _, c := range covers {
		start, end := int64(c.New), int64(c.New)+int64(c.Length)
		if end <= from || start >= to {
			kept = append(kept, c)
			continue
		}
		if start < from {
			kept = append(kept, waybill1.Cover{New: c.New, Old: c.Old, Length: uint32(from - start)})
		}
		if end > to {
			kept = append(kept, waybill1.Cover{New: uint32(to), Old: c.Old + uint32(to-start), Length: uint32(end - to)})
		}
	}
	return kept
}

// Longest keeps the n longest covers.
func Longest(covers []waybill1.Cover, n int) []waybill1.Cover {
	kept := slices.Clone(covers)
	slices.SortStableFunc(kept, func(a, b waybill1.Cover) int { return cmp.Compare(b.Length, a.Length) })
	kept = kept[:min(n, len(kept))]
	slices.SortFunc(kept, func(a, b waybill1.Cover) int { return cmp.Compare(a.New, b.New) })
	return kept
}

// A cover is worth its place if so many of its bytes are equal: on the diagonal
// of one of the last covers, right behind the last one in the base, elsewhere.
const (
	worthRecent = 8
	worthBehind = 12
	worthElse   = 14
	surelyWorth = 64 // bytes, equal or not
)

// worthwhile leaves out the covers that cost more than the bytes they save.
func worthwhile(base, result []byte, covers []waybill1.Cover) []waybill1.Cover {
	kept := covers[:0]
	var recent [4]uint32 // diagonals, the last first
	behind := uint32(0)
	for _, c := range covers {
		diagonal := c.Old - c.New
		i := slices.Index(recent[:], diagonal)
		worth := worthElse
		switch {
		case i >= 0:
			worth = worthRecent
		case c.Old == behind:
			worth = worthBehind
		}
		if c.Length < surelyWorth && equal(base[c.Old:][:c.Length], result[c.New:][:c.Length]) < worth {
			continue
		}
		if i < 0 {
			i = len(recent) - 1
		}
		copy(recent[1:i+1], recent[:i])
		recent[0] = diagonal
		kept = append(kept, c)
		behind = c.Old + c.Length
	}
	return kept
}

// equal counts the bytes that a and b, of one length, have in common.
func equal(a, b []byte) int {
	n := 0
	for i, v := range a {
		if b[i] == v {
			n++
		}
	}
	return n
}
