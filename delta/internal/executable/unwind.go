// SPDX-License-Identifier: Apache-2.0

package executable

import (
	"bytes"
	"encoding/binary"
)

// What a mark of an unwind section means.
var unwindFields = palette{
	1: {Neg32, 0},
	2: {PC32, 0},
	3: {PC32, 1},
	4: {PC32, 2},
	5: {PC32, 3},
}

var unwindEntries = &table{8, []column{{0, Base32 + BaseUnwind, always}, {4, Base32 + BaseUnwind, always}}}
var unwindPointer = &table{4, []column{{0, PC32, always}}}

// maxMisses bounds the reads out of order; linkers write few common entries.
const maxMisses = 1 << 17

const relativePointer = 0x1b // DW_EH_PE_pcrel | DW_EH_PE_sdata4

// unwindIndex adds .eh_frame_hdr, if its encodings are those that linkers write.
func (f *File) unwindIndex(w *window, a area) {
	h := w.at(a.start, 12)
	if h == nil || !bytes.Equal(h[:4], []byte{1, relativePointer, 3, 0x3b}) {
		return
	}
	f.Bases[BaseUnwind], _ = f.Address(a.start)
	f.add(area{start: a.start + 4, end: a.start + 8, rule: ruleTable, table: unwindPointer})
	a.start, a.table = a.start+12, unwindEntries
	f.add(a)
}

// common is what a common information entry says about its records.
type common struct {
	off      int64 // in the file
	ok       bool  // whether the rest is known
	augments bool  // records have augmentation data
	code     byte  // encoding of the function's address
	language byte  // encoding of the exception table's address; 0 without
	personal int64 // distance to the personality's address; 0 without
}

// unwind walks .eh_frame (LSB core, section 10.6) and marks its pointers.
func (f *File) unwind(w *window, a area) {
	before := len(f.areas)
	f.add(a)
	if len(f.areas) == before {
		return
	}
	n := &f.areas[before]
	if !f.walk(n) || !f.allow(n, &unwindFields) {
		f.areas = f.areas[:before]
		return
	}
	u := unwinder{area: n, w: w, jump: newWindow(w.r, w.size, 64)}
	for off := n.start; off < n.end; {
		length := u.record(off)
		if length == 0 {
			break
		}
		off += length
	}
	if w.err == nil {
		w.err = u.jump.err
	}
}

type unwinder struct {
	*area
	w, jump *window
	recent  [64]common // by offset
	misses  int
}

// record marks the record at off; its length, or 0 if it is damaged.
func (u *unwinder) record(off int64) int64 {
	h := u.w.at(off, 8)
	if h == nil || u.misses > maxMisses {
		return 0
	}
	length, id := int64(binary.LittleEndian.Uint32(h)), int64(binary.LittleEndian.Uint32(h[4:]))
	switch {
	case length == 0:
		return 4
	case length < 4 || length >= 0xfffffff0 || length > u.end-off-4:
		return 0
	case id == 0:
		if c := u.common(off); c.personal != 0 {
			u.pointer(off + c.personal)
		}
	case id <= off+4-u.start && length >= 12:
		u.mark(off+4, 1)
		u.function(off, u.common(off+4-id))
	}
	return length + 4
}

// pointer marks a distance at any alignment.
func (u *unwinder) pointer(off int64) {
	u.mark(off, 2+byte((off-u.start)&3))
}

func (u *unwinder) function(off int64, c *common) {
	if !c.ok || c.code != relativePointer {
		return
	}
	u.pointer(off + 8)
	if c.augments && c.language == relativePointer {
		if b := u.w.at(off+16, 5); b != nil && b[0] >= 4 && b[0] < 128 && binary.LittleEndian.Uint32(b[1:]) != 0 {
			u.pointer(off + 17)
		}
	}
}

// common returns the entry at off, from those seen last if it is among them.
func (u *unwinder) common(off int64) *common {
	c := &u.recent[off>>2&63]
	if !c.ok || c.off != off {
		u.misses++
		*c = parseCommon(u.jump.at(off, int(min(64, u.end-off))))
		c.off, c.ok = off, true
	}
	return c
}

// parseCommon reads a common information entry; its encodings are 0 if it is of
// another shape.
func parseCommon(b []byte) (c common) {
	if len(b) < 16 || binary.LittleEndian.Uint32(b[4:]) != 0 || b[8] != 1 || b[9] != 'z' {
		return c
	}
	end := bytes.IndexByte(b[9:min(len(b), 18)], 0)
	if end < 0 {
		return c
	}
	augmentation := b[10 : 9+end]
	i := 10 + end
	for range 4 { // alignment of code and of data, return register, length
		for i < len(b) && b[i] >= 128 {
			i++
		}
		i++
	}
	c.augments = true
	for _, letter := range augmentation {
		if i >= len(b) {
			return common{}
		}
		switch letter {
		case 'R':
			c.code = b[i]
			i++
		case 'L':
			c.language = b[i]
			i++
		case 'P':
			if b[i]&0x7f != relativePointer {
				return common{}
			}
			c.personal = int64(i + 1)
			i += 5
		case 'S', 'B':
		default:
			return common{}
		}
	}
	return c
}
