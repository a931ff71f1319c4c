// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"context"

	"github.com/waybill-project/waybill/delta/diff/internal/cover"
	"github.com/waybill-project/waybill/delta/diff/internal/suffix"
	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// changed is a finder for ranges of new, whose table of short windows, by far the
// larger one, knows only what did not stay as it was: a short piece of text that
// occurs often is rarely from where all of it was kept.
func (w *writing) changed(ctx context.Context, old, new []byte, ranges []span) (cover.Finder, error) {
	coarse, fine := shape{32, 8}, shape{12, 1}
	tables := w.tables(old, coarse)
	if !known(tables, coarse.step, new, ranges) {
		return w.tables(old, shapes(Default)...), nil
	}
	var kept []span
	for _, s := range ranges {
		covers, err := cover.Covers(ctx, old, new[s.from:s.to], tables, w.better(s))
		if err != nil {
			return nil, err
		}
		for _, c := range covers {
			kept = appendKept(kept, old, new[s.from:s.to], c)
		}
	}
	var changed []cover.Range
	for _, s := range others(kept, int64(len(old))) {
		changed = append(changed, cover.Range{From: int(s.from), To: int(s.to)})
	}
	room := w.room[cover.TableSize(len(old), coarse.step):]
	return append(tables, cover.NewTable(old, changed, fine.window, fine.step, room)), nil
}

// known reports whether the base has an eighth of a sample of ranges of new: what has
// less kept little. Tables know one of so many places.
func known(in cover.Tables, of int, new []byte, ranges []span) bool {
	const samples = 1 << 10
	found, all := 0, 0
	for at := range sampled(ranges, total(ranges)/samples|1) {
		all++
		if _, n := in.Longest(new[at:], int(at)); n > 0 {
			found++
		}
	}
	return found >= all/8/of
}

// What stayed as it was is known at its ends, and if it is short.
const (
	keptLeast = 4 << 10
	keptEnds  = 256
)

// appendKept adds the ranges of the base in which a cover is right for long.
func appendKept(kept []span, old, new []byte, c waybill1.Cover) []span {
	a, b := old[c.Old:][:c.Length], new[c.New:][:c.Length]
	for i := 0; i < len(a); i++ {
		n := suffix.Common(a[i:], b[i:])
		if n >= keptLeast {
			from := int64(c.Old) + int64(i)
			kept = append(kept, span{from + keptEnds, from + int64(n) - keptEnds})
		}
		i += n
	}
	return kept
}
