// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"slices"
	"sort"

	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// What a reader does in a long stream of a base's view (package deflate): it
// inflates in pages, from a checkpoint on or from where it was before, and keeps
// the last ones.
const (
	longStream  = 1 << 20 // bytes; also from one checkpoint to the next
	pageBits    = 16
	restart     = longStream >> pageBits // pages
	pagesKept   = 64
	cursorsKept = 4

	// What a reader may inflate as this simulates it, which is several times the
	// truth. Package waybill1 has a bound of its own; a patch beyond that fails when
	// it is tried, and the files are compared as plain bytes.
	inflateFactor = 20 // times the base's view
	inflateFree   = 4096
)

// worthRestart is how long a cover must be if a reader starts anew for it. Short
// ones save next to nothing, as measured, for milliseconds each.
func worthRestart() []uint32 { return []uint32{1, 24, 48, 192} }

// reading simulates which pages a reader has at hand. What it counts in is pages
// inflated; of those on the way from a checkpoint it knows nothing.
type reading struct {
	pages   map[int64]int64 // when each was inflated
	now     int64
	cursors [cursorsKept]int64 // pages that come next, the last used one first
}

// distance is how many pages are inflated for one, and the cursor that does it.
func (r *reading) distance(page int64) (pages int64, cursor int) {
	if at, ok := r.pages[page]; ok && r.now-at <= pagesKept {
		return 0, -1
	}
	for i, next := range r.cursors {
		if page >= next && page-next < restart {
			return page - next + 1, i
		}
	}
	return restart, cursorsKept - 1
}

func (r *reading) get(page int64) {
	n, cursor := r.distance(page)
	if n == 0 {
		return
	}
	r.now += n
	r.pages[page] = r.now
	copy(r.cursors[1:cursor+1], r.cursors[:cursor])
	r.cursors[0] = page + 1
}

// worthReading leaves out short covers, for which a reader would have to go
// elsewhere in a long stream, until what is left does not take too much work.
func (w *writing) worthReading(covers []waybill1.Cover) []waybill1.Cover {
	if len(w.long) == 0 {
		return covers
	}
	var kept []waybill1.Cover
	for _, shortest := range worthRestart() {
		r := &reading{pages: map[int64]int64{}}
		kept = slices.DeleteFunc(slices.Clone(covers), func(c waybill1.Cover) bool {
			return !r.take(c, shortest) && holds(w.long, int64(c.Old))
		})
		if r.now <= int64(len(w.base))>>pageBits*inflateFactor+inflateFree {
			break
		}
	}
	return kept
}

// take reads a cover, unless it is too short for what is to be inflated.
func (r *reading) take(c waybill1.Cover, shortest uint32) bool {
	first, last := int64(c.Old)>>pageBits, int64(c.Old+c.Length-1)>>pageBits
	if c.Length < shortest {
		for page := first; page <= last; page++ {
			if n, _ := r.distance(page); n > 1 {
				return false
			}
		}
	}
	for page := first; page <= last; page++ {
		r.get(page)
	}
	return true
}

// holds reports whether one of the ranges, which are in order, has the byte.
func holds(ranges []span, at int64) bool {
	i := sort.Search(len(ranges), func(i int) bool { return ranges[i].to > at })
	return i < len(ranges) && ranges[i].from <= at
}
