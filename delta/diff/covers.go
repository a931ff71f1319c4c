// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"github.com/waybill-project/waybill/delta/diff/internal/cover"
	"github.com/waybill-project/waybill/delta/diff/internal/suffix"
	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// span is a range of bytes.
type span struct{ from, to int64 }

// covers searches each image in what it was, and the rest in all of the base:
// readers of an archive would have to inflate much for the little that one
// executable has of another.
func (w *writing) covers(ctx context.Context, old, new []byte) ([]waybill1.Cover, error) {
	var all []waybill1.Cover
	rest := outside(w.header.Images, int64(len(new)))
	for _, i := range w.header.Images {
		in := span{i.NewAt, i.NewAt + i.New.Size}
		covers, err := w.search(ctx, w.level, old, span{i.OldAt, i.OldAt + i.OldLength}, new, in)
		if err != nil {
			return nil, err
		}
		all = append(all, covers...)
		if i.OldLength < int64(len(old)) {
			rest = append(rest, gaps(in, covers)...)
		}
	}
	level := w.level
	if level == Best && total(rest) < int64(len(new))/8 {
		level = Default
	}
	covers, err := w.search(ctx, level, old, span{0, int64(len(old))}, new, rest...)
	for _, c := range covers {
		if c.Length >= strayLength || !within(w.header.Images, int64(c.New)) {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b waybill1.Cover) int { return cmp.Compare(a.New, b.New) })
	return all, err
}

// What an image has of other places is looked for in gaps between its covers,
// and worth the way there, from so many bytes on.
const (
	strayGap    = 1 << 10
	strayLength = 256
)

// search finds the covers of ranges of new in a range of old.
func (w *writing) search(ctx context.Context, level Level, old []byte, in span, new []byte, ranges ...span) ([]waybill1.Cover, error) {
	if len(ranges) == 0 {
		return nil, nil
	}
	old = old[in.from:in.to]
	finder, err := w.finder(ctx, level, old, new, ranges)
	if err != nil {
		return nil, err
	}
	var all []waybill1.Cover
	for _, s := range ranges {
		covers, err := cover.Covers(ctx, old, new[s.from:s.to], finder, w.better(s))
		if err != nil {
			return nil, err
		}
		for _, c := range covers {
			all = append(all, waybill1.Cover{New: c.New + uint32(s.from), Old: c.Old + uint32(in.from), Length: c.Length})
		}
	}
	return all, nil
}

// outside lists the ranges of a result that no image has.
func outside(images []waybill1.Region, length int64) []span {
	var in []span
	for _, i := range images {
		in = append(in, span{i.NewAt, i.NewAt + i.New.Size})
	}
	return others(in, length)
}

// others lists what ranges, in any order, leave of so many bytes.
func others(ranges []span, length int64) (rest []span) {
	slices.SortFunc(ranges, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	at := int64(0)
	for _, r := range append(ranges, span{length, length}) {
		if at < r.from {
			rest = append(rest, span{at, r.from})
		}
		at = max(at, r.to)
	}
	return rest
}

// gaps lists the long ranges that covers leave open.
func gaps(in span, covers []waybill1.Cover) []span {
	ranges, _ := uncovered(in, covers)
	return slices.DeleteFunc(ranges, func(s span) bool { return s.to-s.from < strayGap })
}

// uncovered lists the ranges that covers leave open, and where in the base each would
// be, behind the cover before it.
func uncovered(in span, covers []waybill1.Cover) (ranges []span, places []place) {
	at, old := in.from, int64(0)
	add := func(to int64) {
		if at < to {
			ranges, places = append(ranges, span{at, to}), append(places, place{old, to - at})
		}
	}
	for _, c := range covers {
		add(int64(c.New))
		at, old = int64(c.New)+int64(c.Length), int64(c.Old)+int64(c.Length)
	}
	add(in.to)
	return ranges, places
}

func within(images []waybill1.Region, at int64) bool {
	return slices.ContainsFunc(images, func(i waybill1.Region) bool { return at >= i.NewAt && at < i.NewAt+i.New.Size })
}

func total(ranges []span) int64 {
	n := int64(0)
	for _, s := range ranges {
		n += s.to - s.from
	}
	return n
}

// sampled yields every step-th place of ranges laid end to end.
func sampled(ranges []span, step int64) iter.Seq[int64] {
	return func(yield func(int64) bool) {
		over := int64(0)
		for _, s := range ranges {
			at := s.from + over
			for ; at < s.to; at += step {
				if !yield(at) {
					return
				}
			}
			over = at - s.to
		}
	}
}

// better is for a range of the result.
func (w *writing) better(s span) int {
	if !within(w.header.Images, s.from) && isText(w.result[s.from:s.to]) {
		return cover.Far
	}
	return cover.Near
}

// finder finds in old what ranges of new have, all of an image or others.
func (w *writing) finder(ctx context.Context, level Level, old, new []byte, ranges []span) (cover.Finder, error) {
	switch {
	case level == Best:
		array, err := suffix.New(ctx, old)
		return cover.Sorted{Array: array}, err
	case level == Default && !within(w.header.Images, ranges[0].from):
		return w.changed(ctx, old, new, ranges)
	}
	return w.tables(old, shapes(level)...), nil
}

// shape is that of a table: the bytes by which it knows a place, and from each
// place to the next.
type shape struct{ window, step int }

func shapes(level Level) []shape {
	switch level {
	case Fast:
		return []shape{{24, 4}}
	case Best:
		return nil
	}
	return []shape{{32, 4}, {12, 1}}
}

// tables makes tables of the memory of the last ones, which are of no more use.
func (w *writing) tables(old []byte, of ...shape) cover.Tables {
	w.reserve(len(old), of)
	var tables cover.Tables
	room := w.room
	for _, s := range of {
		n := cover.TableSize(len(old), s.step)
		tables = append(tables, cover.NewTable(old, cover.All(old), s.window, s.step, room[:n]))
		room = room[n:]
	}
	return tables
}

func (w *writing) reserve(length int, of []shape) {
	n := 0
	for _, s := range of {
		n += cover.TableSize(length, s.step)
	}
	if len(w.room) < n {
		w.room = make([]uint32, n)
	}
}
