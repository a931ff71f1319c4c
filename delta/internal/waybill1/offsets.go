// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"cmp"
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

type segment struct {
	start uint32 // in the base
	move  uint32 // added to it, modulo 1<<32
}

// NewOffsets makes the map. Of covers that overlap in the base, the longer one
// counts from where it starts.
func NewOffsets(covers []Cover, baseLength int64) *Offsets {
	o := &Offsets{segments: make([]segment, 0, len(covers))}
	o.lay(covers, byBase(covers))
	o.buildIndex(baseLength)
	return o
}

// byBase is the order of the covers in the base.
func byBase(covers []Cover) []uint32 {
	order := make([]uint32, len(covers))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int {
		return cmp.Or(cmp.Compare(covers[a].Old, covers[b].Old), cmp.Compare(a, b))
	})
	return order
}

func (o *Offsets) lay(covers []Cover, byOld []uint32) {
	var start, end, length uint32 // of the last segment's cover
	for n, i := range byOld {
		c := covers[i]
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
		s := segment{from, c.New - c.Old}
		if k := len(o.segments); k > 0 && (from <= start || o.segments[k-1].move == s.move) {
			if from <= start {
				o.segments[k-1].move = s.move
			}
		} else {
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
		for k+1 < len(o.segments) && int64(o.segments[k+1].start) <= int64(i)<<o.shift {
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
		low += uint32(sort.Search(int(high-low), func(i int) bool { return o.segments[int(low)+i+1].start > offset }))
	} else {
		for low < high && o.segments[low+1].start <= offset {
			low++
		}
	}
	return offset + o.segments[low].move
}
