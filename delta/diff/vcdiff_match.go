// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"encoding/binary"
	"math/bits"
)

const (
	vcdiffSeed   = 8  // bytes that the base is looked up by
	vcdiffWays   = 8  // places that are kept for one hash
	vcdiffDepth  = 16 // places of the target that are tried
	vcdiffNearby = 4  // of which so many are tried although they are no longer

	// In a text of few letters every place has many alike. Of those that are tried
	// first none is much worse than the best of all.
	vcdiffFew      = 14      // bytes of a match by chance in such a text
	vcdiffSpare    = 1 << 23 // places that are tried in a window before there are fewer
	vcdiffFewWays  = 1
	vcdiffFewDepth = 5
)

// vcdiffSource finds places of the base by their first bytes. A slot holds the
// number of a place plus 1 below, and bits of the hash above to spare most
// looks at the base.
type vcdiffSource struct {
	base  []byte
	step  int
	slots []uint32
	shift int // of a hash to its first slot
	low   int // bits of a slot that hold the number
}

func newVCDIFFSource(base []byte, most int) *vcdiffSource {
	step := 1
	for len(base)/step > most {
		step *= 2
	}
	places := max(0, len(base)-vcdiffSeed+step) / step
	width := vcdiffTable(places)
	s := &vcdiffSource{base: base, step: step, slots: make([]uint32, 1<<width), shift: 64 - width, low: bits.Len(uint(places))}
	for i := range places {
		s.insert(i)
	}
	return s
}

// vcdiffTable is the number of slots for so many places, as a power of two.
func vcdiffTable(places int) int { return max(8, bits.Len(uint(places))) }

func (s *vcdiffSource) insert(i int) {
	first, tag := s.slot(binary.LittleEndian.Uint64(s.base[i*s.step:]))
	for way := range s.slots[first : first+vcdiffWays] {
		if slot := &s.slots[first+way]; *slot == 0 {
			*slot = tag | uint32(i+1)
			return
		}
	}
	s.slots[first+i%vcdiffWays] = tag | uint32(i+1)
}

// slot returns the first slot for a seed, and its hash's bits for a slot.
func (s *vcdiffSource) slot(seed uint64) (first int, tag uint32) {
	h := seed * 0x9e3779b97f4a7c15
	h = (h ^ h>>29) * 0xbf58476d1ce4e5b9
	return int(h>>s.shift) &^ (vcdiffWays - 1), uint32(h) >> s.low << s.low
}

// find appends the places of the base that begin like p, of so many ways.
func (s *vcdiffSource) find(to []int, p []byte, ways int) []int {
	if len(p) < vcdiffSeed {
		return to
	}
	seed := binary.LittleEndian.Uint64(p)
	first, tag := s.slot(seed)
	for _, slot := range s.slots[first : first+ways] {
		if slot == 0 || slot>>s.low<<s.low != tag {
			continue
		}
		at := (int(slot&(1<<s.low-1)) - 1) * s.step
		if binary.LittleEndian.Uint64(s.base[at:]) == seed {
			to = append(to, at)
		}
	}
	return to
}

// vcdiffChains finds earlier places of a target window by their first four
// bytes: heads by hash and, for each place, the one before it.
type vcdiffChains struct {
	heads, before []uint32
	shift         int
}

func newVCDIFFChains(window int) *vcdiffChains {
	width := max(8, min(22, bits.Len(uint(window))))
	return &vcdiffChains{heads: make([]uint32, 1<<width), before: make([]uint32, window), shift: 32 - width}
}

// insert notes a place and returns the last one with the same hash plus 1, or 0.
func (c *vcdiffChains) insert(target []byte, at int) uint32 {
	if at+4 > len(target) {
		return 0
	}
	head := &c.heads[binary.LittleEndian.Uint32(target[at:])*0x9e3779b1>>c.shift]
	last := *head
	c.before[at] = last
	*head = uint32(at + 1)
	return last
}

// sameLength is the number of equal first bytes, at most limit.
func sameLength(a, b []byte, limit int) int {
	limit = min(limit, len(a), len(b))
	n := 0
	for n+8 <= limit {
		if x := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)/8
		}
		n += 8
	}
	for n < limit && a[n] == b[n] {
		n++
	}
	return n
}
