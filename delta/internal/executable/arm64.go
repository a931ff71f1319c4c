// SPDX-License-Identifier: Apache-2.0

package executable

import "encoding/binary"

// reach is how many instructions an ADRP may be away from its consumer.
const reach = 4

func (s *scan) arm64(refs []Reference) []Reference {
	base := s.a.addr + uint64(s.off-s.a.start)
	i := s.from + int(-(base+uint64(s.from))&3)
	for end := min(s.to, len(s.p)-3); i < end; i += 4 {
		w := binary.LittleEndian.Uint32(s.p[i:])
		var k Kind
		var target uint64
		at := base + uint64(i)
		switch {
		case w&0x7c000000 == 0x14000000:
			k, target = Branch26, targetARM64(Branch26, w, at)
			if target-s.f.code >= s.f.codeEnd-s.f.code {
				continue
			}
		case w&0x9f000000 == 0x90000000:
			k, target = Page21, targetARM64(Page21, w, at)+s.forward(i, w&31)
		case w&0xffc00000 == 0x91000000 || w&0x3b000000 == 0x39000000:
			page, ok := s.backward(i, w>>5&31, at)
			low := offsetARM64(w)
			if !ok || low > 4095 {
				continue
			}
			k, target = Low12, page+low
		}
		if k != None && s.f.inside(target) {
			refs = append(refs, Reference{Offset: s.off + int64(i), Target: target, Kind: k})
			s.from = i + 4
		}
	}
	return refs
}

// consumes tells whether w adds its offset to register r.
func consumes(w, r uint32) bool {
	return (w&0xffc00000 == 0x91000000 || w&0x3b000000 == 0x39000000) && w>>5&31 == r
}

// forward is the low part that the first consumer of register r behind the ADRP
// at index i adds; zero without one.
func (s *scan) forward(i int, r uint32) uint64 {
	for n := 1; n <= reach && i+4*n+4 <= len(s.p); n++ {
		w := binary.LittleEndian.Uint32(s.p[i+4*n:])
		if consumes(w, r) {
			if low := offsetARM64(w); low < 4096 {
				return low
			}
			return 0
		}
		if w&0x9f00001f == 0x90000000|r {
			return 0
		}
	}
	return 0
}

// backward is the page that the nearest ADRP before index i put into register r.
func (s *scan) backward(i int, r uint32, at uint64) (uint64, bool) {
	for n := 1; n <= reach && i-4*n >= s.low; n++ {
		w := binary.LittleEndian.Uint32(s.p[i-4*n:])
		if w&0x9f00001f == 0x90000000|r {
			return targetARM64(Page21, w, at-uint64(4*n)), true
		}
	}
	return 0, false
}

// scaleARM64 is the shift of the offset of an ADD, LDR or STR.
func scaleARM64(w uint32) uint {
	switch {
	case w&0xffc00000 == 0x91000000:
		return 0
	case w&0x04800000 == 0x04800000: // 128-bit SIMD
		return 4
	}
	return uint(w >> 30)
}

func offsetARM64(w uint32) uint64 { return uint64(w>>10&0xfff) << scaleARM64(w) }

func targetARM64(k Kind, w uint32, at uint64) uint64 {
	if k == Branch26 {
		return at + uint64(int64(int32(w<<6)>>4))
	}
	pages := int64(int32(w>>5<<13|w>>29&3<<11) >> 11)
	return at&^0xfff + uint64(pages)<<12
}

func putARM64(k Kind, w uint32, at, target uint64) uint32 {
	switch k {
	case Branch26:
		return w&^0x3ffffff | uint32((target-at)>>2)&0x3ffffff
	case Page21:
		d := uint32(target>>12 - at>>12)
		return w&0x9f00001f | d&3<<29 | d>>2&0x7ffff<<5
	}
	return w&^(0xfff<<10) | uint32(target&0xfff)>>scaleARM64(w)<<10
}
