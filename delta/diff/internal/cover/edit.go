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
