// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"slices"
	"sort"
)

// Offsets maps offsets of the base to where their bytes went in the result, as
// the covers say it. Between two covers that of the nearer one counts.
type Offsets struct {
	segments []segment // by start
	index    []uint32  // of the last segment that starts at or before i<<shift
	shift    uint
}

// A segment begins at an offset of the base, its high 32 bits; the low ones are
// added to offsets, modulo 1<<32.
type segment uint64

func newSegment(start, move uint32) segment { return segment(start)<<32 | segment(move) }

func (s segment) start() uint32 { return uint32(s >> 32) }
func (s segment) move() uint32  { return uint32(s) }

// NewOffsets makes the map. Of covers that overlap in the base, the longer one
// counts from where it starts.
func NewOffsets(covers []Cover, baseLength int64) *Offsets {
	o := &Offsets{segments: make([]segment, len(covers))}
	for i, c := range covers {
		o.segments[i] = newSegment(c.Old, uint32(i))
	}
	slices.Sort(o.segments)
	o.lay(covers)
	o.buildIndex(baseLength)
	return o
}

// lay makes segments of the covers, whose order in the base o.segments is before.
func (o *Offsets) lay(covers []Cover) {
	var start, end, length uint32 // of the last segment's cover
	order := o.segments
	o.segments = order[:0]
	for n, next := range order {
		c := covers[next.move()]
		from, to := c.Old, c.Old+c.Length
		if n > 0 && from < end {
			if c.Length <= length {
				from = end
			}
			if from >= to {
				continue
			}
		}
		if n > 0 && from > end {
			from = end + (from-end)/2
		}
		if n == 0 {
			from = 0
		}
		s := newSegment(from, c.New-c.Old)
		if k := len(o.segments); k > 0 && from <= start {
			o.segments[k-1] = newSegment(o.segments[k-1].start(), s.move())
		} else if k == 0 || o.segments[k-1].move() != s.move() {
			o.segments = append(o.segments, s)
			start = from
		}
		end, length = to, c.Length
	}
}

func (o *Offsets) buildIndex(baseLength int64) {
	for baseLength>>o.shift > 1<<16 {
		o.shift++
	}
	o.index = make([]uint32, baseLength>>o.shift+2)
	k := 0
	for i := range o.index {
		for k+1 < len(o.segments) && int64(o.segments[k+1].start()) <= int64(i)<<o.shift {
			k++
		}
		o.index[i] = uint32(k)
	}
}

// Map returns where the byte at an offset of the base went, modulo 1<<32.
func (o *Offsets) Map(offset uint32) uint32 {
	if len(o.segments) == 0 {
		return offset
	}
	bucket := offset >> o.shift
	low, high := o.index[bucket], o.index[bucket+1]
	if high-low > 8 {
		low += uint32(sort.Search(int(high-low), func(i int) bool { return o.segments[int(low)+i+1].start() > offset }))
	} else {
		for low < high && o.segments[low+1].start() <= offset {
			low++
		}
	}
	return offset + o.segments[low].move()
}
