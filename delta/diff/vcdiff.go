// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"context"
	"hash/adler32"
)

// vcdiffSizes bound the writer, in bytes but for places.
type vcdiffSizes struct {
	window  int // of the target; readers take 16 MiB
	segment int // of the base for one window; xdelta3 counts in 32 bits
	places  int // of the base that are looked up
}

func vcdiffDefaults() vcdiffSizes {
	return vcdiffSizes{window: 8 << 20, segment: 1 << 30, places: 32 << 20}
}

// vcdiffMemory is the need of the VCDIFF writer in bytes: the inputs, the table
// of the base's places, the patch while it grows, and the window of its check.
func vcdiffMemory(baseLen, resultLen int64) int64 {
	inputs := need(0, baseLen, 1, resultLen, 5)
	if inputs < 0 {
		return inputs
	}
	places := min(baseLen, int64(vcdiffDefaults().places))
	return inputs + 4<<vcdiffTable(int(places)) + 16<<20
}

// encodeVCDIFF makes a patch in the format delta.VCDIFF, in linear time: each
// window is cut where the bytes of its instructions are fewest, as far as the
// copies that were found allow.
func encodeVCDIFF(ctx context.Context, base, result []byte, sizes vcdiffSizes) ([]byte, error) {
	out := []byte{0xd6, 0xc3, 0xc4, 0, 0}
	index := newVCDIFFSource(base, sizes.places)
	chains := newVCDIFFChains(min(len(result), sizes.window))
	few := byChance(result) >= vcdiffFew
	var diag [2]int
	for at := 0; at == 0 || at < len(result); at += sizes.window {
		target := result[at:min(at+sizes.window, len(result))]
		from := max(0, min(at-sizes.segment/2, len(base)-sizes.segment))
		source := base[from:min(from+sizes.segment, len(base))]
		sections := &vcdiffSections{}
		p := &vcdiffParser{ctx: ctx, index: index, from: from, source: source, target: target, chains: chains, out: sections, fewLetters: few, diag: diag}
		if err := p.run(); err != nil {
			return nil, err
		}
		out = append(out, sections.window(from, len(source), target)...)
		diag = [2]int{p.diag[0] + len(target), p.diag[1] + len(target)}
	}
	return out, nil
}

// vcdiffSections are the three sections of a window while they are written.
type vcdiffSections struct {
	data, instructions, addresses []byte
	cache                         vcdiffCache

	pending []byte // bytes of an ADD that may still grow
	add     int    // size of the ADD that the last instruction is, if it may be paired
	copy    int    // mode plus 1 of the COPY of four bytes that it is, if so
}

// window lays out a whole window.
func (s *vcdiffSections) window(from, length int, target []byte) []byte {
	s.flush()
	const checksum = 4
	var head []byte
	for _, n := range []int{len(target), 0, len(s.data), len(s.instructions), len(s.addresses)} {
		head = appendVarint(head, n)
	}
	sum := adler32.Checksum(target)
	head = append(head, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
	start := []byte{checksum}
	if length > 0 {
		start = appendVarint(appendVarint([]byte{checksum | 1}, length), from)
	}
	start = appendVarint(start, len(head)+len(s.data)+len(s.instructions)+len(s.addresses))
	return bytes.Join([][]byte{start, head, s.data, s.instructions, s.addresses}, nil)
}

func (s *vcdiffSections) literal(b ...byte) { s.pending = append(s.pending, b...) }

// flush writes the pending ADD.
func (s *vcdiffSections) flush() {
	n := len(s.pending)
	if n == 0 {
		return
	}
	s.data = append(s.data, s.pending...)
	s.pending = s.pending[:0]
	s.add = n
	switch {
	case n == 1 && s.copy > 0:
		s.instructions[len(s.instructions)-1] = byte(247 + s.copy - 1)
		s.add = 0
	case n <= 17:
		s.instructions = append(s.instructions, byte(1+n))
	default:
		s.instructions = appendVarint(append(s.instructions, 1), n)
		s.add = 0
	}
	s.copy = 0
}

func (s *vcdiffSections) run(b byte, n int) {
	s.flush()
	s.data = append(s.data, b)
	s.instructions = appendVarint(append(s.instructions, 0), n)
	s.add, s.copy = 0, 0
}

func (s *vcdiffSections) copied(addr, here, n int) {
	s.flush()
	mode := s.address(addr, here)
	code, ok := vcdiffPair(s.add, n, mode)
	switch {
	case ok:
		s.instructions[len(s.instructions)-1] = code
	case n >= 4 && n <= 18:
		s.instructions = append(s.instructions, byte(19+16*mode+n-3))
	default:
		s.instructions = appendVarint(append(s.instructions, byte(19+16*mode)), n)
	}
	s.add, s.copy = 0, 0
	if n == 4 && !ok {
		s.copy = mode + 1
	}
}

// vcdiffPair is the code for an ADD and the COPY that follows it, if there is one.
func vcdiffPair(add, n, mode int) (code byte, ok bool) {
	switch {
	case add < 1 || add > 4 || n < 4:
		return 0, false
	case mode < vcdiffFirstSame && n <= 6:
		return byte(163 + 12*mode + 3*(add-1) + n - 4), true
	case mode >= vcdiffFirstSame && n == 4:
		return byte(235 + 4*(mode-vcdiffFirstSame) + add - 1), true
	}
	return 0, false
}

// address writes an address in the mode that takes fewest bytes.
func (s *vcdiffSections) address(addr, here int) int {
	mode, value := vcdiffSelf, addr
	if n := here - addr; n < value {
		mode, value = vcdiffHere, n
	}
	for i, near := range s.cache.near {
		if n := addr - near; n >= 0 && n < value {
			mode, value = vcdiffFirstNear+i, n
		}
	}
	slot := addr % len(s.cache.same)
	if value >= 0x80 && s.cache.same[slot] == addr {
		mode = vcdiffFirstSame + slot/256
		s.addresses = append(s.addresses, byte(slot))
	} else {
		s.addresses = appendVarint(s.addresses, value)
	}
	s.cache.use(addr)
	return mode
}

// Address modes: the address, its distance from here, its distance from one of
// the last four, or one that was used before.
const (
	vcdiffSelf = iota
	vcdiffHere
	vcdiffFirstNear
	vcdiffFirstSame = vcdiffFirstNear + 4
)

// vcdiffCache holds the addresses of earlier copies of a window.
type vcdiffCache struct {
	near [4]int
	next int
	same [3 * 256]int
}

func (c *vcdiffCache) use(addr int) {
	c.near[c.next] = addr
	c.next = (c.next + 1) % len(c.near)
	c.same[addr%len(c.same)] = addr
}

// appendVarint appends n with 7 bits a byte, the highest first.
func appendVarint(out []byte, n int) []byte {
	for shift := 7 * (varintLen(n) - 1); shift > 0; shift -= 7 {
		out = append(out, byte(n>>shift)|0x80)
	}
	return append(out, byte(n)&0x7f)
}

func varintLen(n int) int {
	length := 1
	for ; n >= 0x80; n >>= 7 {
		length++
	}
	return length
}
