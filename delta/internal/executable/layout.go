// SPDX-License-Identifier: Apache-2.0

package executable

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// Machine is the instruction set.
type Machine uint8

// The machines that references are found for.
const (
	AMD64 Machine = 1
	ARM64 Machine = 2
)

// Container is the file format.
type Container uint8

// The file formats.
const (
	ELF   Container = 1
	PE    Container = 2
	MachO Container = 3
)

// Segment is one mapped piece: file bytes, then zeros up to Memory bytes.
type Segment struct {
	Offset, Length  int64 // in the file
	Address, Memory uint64
	Executable      bool
	Writable        bool
}

// Unmapped is the first of the stand-in addresses for file bytes that no
// segment maps: Unmapped plus the file offset.
const Unmapped = 1 << 60

const maxSegments = 128

// Layout is what a patch tells about the new file: which bytes are mapped
// where, and the addresses that tables count from.
type Layout struct {
	Container Container
	Machine   Machine
	Size      int64     // of the file
	Segments  []Segment // by Offset, which is also by Address; not overlapping
	Bases     [Bases]uint64
	Hashes    *PageHashes // of a Mach-O code signature; nil without one

	low, high uint64 // mapped addresses are in [low, high)
}

// Address of the file's byte at off; ok is false outside the file.
func (l *Layout) Address(off int64) (addr uint64, ok bool) {
	if off < 0 || off >= l.Size {
		return 0, false
	}
	for i := range l.Segments {
		s := &l.Segments[i]
		if off < s.Offset {
			break
		}
		if off-s.Offset < s.Length {
			return s.Address + uint64(off-s.Offset), true
		}
	}
	return Unmapped + uint64(off), true
}

// Offset in the file of the byte at addr; ok is false where the file has no
// byte for it, zero-filled memory included.
func (l *Layout) Offset(addr uint64) (off int64, ok bool) {
	if addr >= Unmapped {
		off = int64(addr - Unmapped)
		return off, off >= 0 && off < l.Size
	}
	if s := l.Find(addr); s >= 0 {
		seg := &l.Segments[s]
		if d := addr - seg.Address; d < uint64(seg.Length) {
			return seg.Offset + int64(d), true
		}
	}
	return 0, false
}

// Find is the index of the segment whose memory holds addr, or -1.
func (l *Layout) Find(addr uint64) int {
	for i := range l.Segments {
		s := &l.Segments[i]
		if addr-s.Address < s.Memory {
			return i
		}
	}
	return -1
}

// End is the address behind the last file byte of the segment that holds addr,
// and the segment's index: zero-filled memory moves with it.
func (l *Layout) End(addr uint64) (end uint64, segment int, ok bool) {
	i := l.Find(addr)
	if i < 0 {
		return 0, -1, false
	}
	return l.Segments[i].Address + uint64(l.Segments[i].Length), i, true
}

// settle sorts the segments, cuts overlaps, and computes the range; false if
// nothing sensible is left.
func (l *Layout) settle() bool {
	slices.SortStableFunc(l.Segments, func(a, b Segment) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Offset, b.Offset))
	})
	kept := l.Segments[:0]
	for _, s := range l.Segments {
		if len(kept) > 0 && !follow(&kept[len(kept)-1], &s) {
			return false
		}
		kept = append(kept, s)
	}
	l.Segments = kept
	return l.check()
}

// follow makes s begin where the segment before it ends, in the file and in
// memory, if they share bytes; false if their order differs.
func follow(before, s *Segment) bool {
	if s.Offset < before.Offset {
		return false
	}
	if over := before.Offset + before.Length - s.Offset; over > 0 {
		if over > s.Length || uint64(over) > s.Memory {
			return false
		}
		s.Offset, s.Length = s.Offset+over, s.Length-over
		s.Address, s.Memory = s.Address+uint64(over), s.Memory-uint64(over)
	}
	if gap := s.Address - before.Address; before.Memory > gap {
		if gap < uint64(before.Length) {
			return false
		}
		before.Memory = gap
	}
	return true
}

// check verifies what every Layout promises and computes low and high.
func (l *Layout) check() bool {
	if l.Size < 1 || l.Size > MaxSize || len(l.Segments) < 1 || len(l.Segments) > maxSegments {
		return false
	}
	var off int64
	var addr uint64
	for i := range l.Segments {
		s := &l.Segments[i]
		if s.Offset < off || s.Length < 0 || s.Length > l.Size-s.Offset || s.Address < addr {
			return false
		}
		if s.Memory < uint64(s.Length) || s.Memory-uint64(s.Length) > MaxSize || s.Address > Unmapped-MaxSize*4 {
			return false
		}
		off, addr = s.Offset+s.Length, s.Address+s.Memory
	}
	l.low, l.high = l.Segments[0].Address, addr
	return l.high > l.low && (l.Hashes == nil || l.Hashes.check(l.Size))
}

// Append encodes the layout: varints, each relative to what went before.
func (l *Layout) Append(b []byte) []byte {
	b = append(b, byte(l.Container)<<4|byte(l.Machine))
	b = binary.AppendUvarint(b, uint64(l.Size))
	b = binary.AppendUvarint(b, uint64(len(l.Segments)))
	var off int64
	var addr uint64
	for i := range l.Segments {
		s := &l.Segments[i]
		b = binary.AppendUvarint(b, uint64(s.Offset-off)<<2|flag(s.Executable)<<1|flag(s.Writable))
		b = binary.AppendUvarint(b, uint64(s.Length))
		b = binary.AppendUvarint(b, s.Address-addr)
		b = binary.AppendUvarint(b, s.Memory-uint64(s.Length))
		off, addr = s.Offset+s.Length, s.Address+s.Memory
	}
	return l.appendBases(b)
}

func (l *Layout) appendBases(b []byte) []byte {
	var have, before uint64
	for i, base := range l.Bases {
		if base != 0 {
			have |= 1 << i
		}
	}
	b = binary.AppendUvarint(b, have<<1|flag(l.Hashes != nil))
	for _, base := range l.Bases {
		if base != 0 {
			b = binary.AppendVarint(b, int64(base-before))
			before = base
		}
	}
	if l.Hashes != nil {
		b = l.Hashes.append(b)
	}
	return b
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// ParseLayout reads what Append wrote and returns the bytes behind it. Only
// what Append writes is accepted.
func ParseLayout(b []byte) (*Layout, []byte, error) {
	d := &decoder{b: b}
	first := d.byte()
	l := &Layout{Container: Container(first >> 4), Machine: Machine(first & 15)}
	l.Size = d.length()
	n := d.uint()
	if n < 1 || n > maxSegments || l.Container < ELF || l.Container > MachO || l.Machine < AMD64 || l.Machine > ARM64 {
		return nil, nil, ErrMalformed
	}
	l.Segments = make([]Segment, n)
	d.segments(l.Segments)
	have := d.uint()
	var before uint64
	for i := range l.Bases {
		if have>>(i+1)&1 == 1 {
			before += uint64(d.int())
			l.Bases[i] = before
		}
	}
	if have&1 == 1 {
		l.Hashes = d.hashes()
	}
	if d.bad || !l.check() || !bytes.Equal(l.Append(nil), b[:len(b)-len(d.b)]) {
		return nil, nil, ErrMalformed
	}
	return l, d.b, nil
}

// decoder reads varints; bad stays set after the first failure.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.bad = true
		return 0
	}
	c := d.b[0]
	d.b = d.b[1:]
	return c
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.bad, d.b = true, nil
		return 0
	}
	d.b = d.b[n:]
	return v
}

// length reads a number of bytes of a file.
func (d *decoder) length() int64 {
	v := d.uint()
	if v > MaxSize {
		d.bad = true
		return 0
	}
	return int64(v)
}

func (d *decoder) segments(segments []Segment) {
	var off int64
	var addr uint64
	for i := range segments {
		s := &segments[i]
		v := d.uint()
		s.Executable, s.Writable = v>>1&1 == 1, v&1 == 1
		if v>>2 > MaxSize {
			d.bad = true
			return
		}
		s.Offset = off + int64(v>>2)
		s.Length = d.length()
		s.Address = addr + d.uint()
		s.Memory = uint64(s.Length) + uint64(d.length())
		off, addr = s.Offset+s.Length, s.Address+s.Memory
		if addr < s.Address || addr > Unmapped {
			d.bad = true
			return
		}
	}
}
