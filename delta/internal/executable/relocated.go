// SPDX-License-Identifier: Apache-2.0

package executable

import "encoding/binary"

// What a mark of relocated data means.
var relocatedFields = palette{1: {Abs64, 0}}

// relocated makes data of an image that a loader moves hold addresses only
// where relocations say so; nothing changes for a file without relocations.
func (f *File) relocated(w *window, sections []section) {
	tables := 0
	for i := range sections {
		if k := sections[i].kind; (k == elfRela || k == elfRelr) && sections[i].size > 0 {
			tables++
		}
	}
	if f.fixed || tables == 0 {
		return
	}
	for i := range f.areas {
		if a := &f.areas[i]; a.rule == ruleWords && a.addr&3 == 0 && f.allow(a, &relocatedFields) {
			a.rule = ruleMarks
		}
	}
	f.places = f.Size / 8
	for i := range sections {
		switch s := &sections[i]; s.kind {
		case elfRela:
			f.relocatedBy(w, s)
		case elfRelr:
			f.relocatedByBits(w, s)
		}
	}
}

func (f *File) relocatedBy(w *window, s *section) {
	for off := s.off; off+24 <= s.off+s.size && f.places > 0; off += 24 {
		b := w.at(off, 24)
		if b == nil {
			return
		}
		f.place(binary.LittleEndian.Uint64(b))
	}
}

// relocatedByBits reads the compact form: an address, then words of 63 bits for
// the words behind it (gABI, SHT_RELR).
func (f *File) relocatedByBits(w *window, s *section) {
	var next uint64
	for off := s.off; off+8 <= s.off+s.size && f.places > 0; off += 8 {
		b := w.at(off, 8)
		if b == nil {
			return
		}
		v := binary.LittleEndian.Uint64(b)
		f.places--
		if v&1 == 0 {
			f.place(v)
			next = v + 8
			continue
		}
		for bit := range uint64(63) {
			if v>>(bit+1)&1 == 1 {
				f.place(next + 8*bit)
			}
		}
		next += 63 * 8
	}
}

// place marks the word at addr.
func (f *File) place(addr uint64) {
	f.places--
	off, ok := f.Offset(addr)
	if !ok {
		return
	}
	i := f.span(off)
	if i == len(f.areas) {
		return
	}
	if a := &f.areas[i]; off >= a.start && a.palette == &relocatedFields && (off-a.start)&3 == 0 {
		a.mark(off, 1)
	}
}
