// SPDX-License-Identifier: Apache-2.0

package executable

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// Numbers of the ELF specification (gABI chapters 4 and 5) that are used.
const (
	elfHeader   = 64
	elfProgram  = 56
	elfSection  = 64
	maxSections = 1024
	maxNames    = 32 << 10

	elfSymbols  = 2
	elfStrings  = 3
	elfRela     = 4
	elfDynamic  = 6
	elfNote     = 7
	elfNoBits   = 8
	elfDynSyms  = 11
	elfInit     = 14
	elfFini     = 15
	elfPreinit  = 16
	elfRelr     = 19
	elfProgBits = 1
	elfUnwind   = 0x70000001 // SHT_X86_64_UNWIND
)

type section struct {
	kind, link uint32
	flags      uint64
	addr       uint64
	off, size  int64
	name       string
}

func (s *section) executable() bool { return s.flags&4 != 0 }
func (s *section) writable() bool   { return s.flags&1 != 0 }
func (s *section) loaded() bool     { return s.flags&2 != 0 }
func (s *section) area(r rule) area { return area{start: s.off, end: s.off + s.size, rule: r} }

// elfMachine reads a file's header, without what is behind its magic number: false
// unless it is that of a program or library of 64 bits.
func elfMachine(h []byte) (Machine, bool) {
	le := binary.LittleEndian
	kind := le.Uint16(h[16:])
	if h[4] != 2 || h[5] != 1 || h[6] != 1 || le.Uint16(h[54:]) != elfProgram || kind != 2 && kind != 3 {
		return 0, false
	}
	switch le.Uint16(h[18:]) {
	case 62:
		return AMD64, true
	case 183:
		return ARM64, true
	}
	return 0, false
}

func (f *File) openELF(w *window) bool {
	le := binary.LittleEndian
	h := bytes.Clone(w.at(0, elfHeader))
	machine, ok := elfMachine(h)
	if !ok {
		return false
	}
	f.Container, f.Machine = ELF, machine
	if !f.elfSegments(w, le.Uint64(h[32:]), int(le.Uint16(h[56:]))) {
		return false
	}
	f.fixed = le.Uint16(h[16:]) == 2
	f.small = f.fixed && f.high <= 1<<31
	sections := elfSections(w, h)
	if len(sections) == 0 {
		f.elfWithoutSections()
	}
	f.elfAreas(w, sections)
	f.small = f.small && f.Bases[BaseText] == 0 // Go's instructions hold none
	f.arrange()
	f.relocated(w, sections)
	return true
}

func (f *File) elfSegments(w *window, off uint64, n int) bool {
	le := binary.LittleEndian
	for i := range min(n, maxSegments) {
		p := w.at(int64(off&(1<<62-1))+int64(i)*elfProgram, elfProgram)
		if p == nil {
			return false
		}
		if le.Uint32(p) != 1 || le.Uint64(p[40:]) == 0 {
			continue
		}
		s := Segment{Offset: int64(le.Uint64(p[8:])), Length: int64(le.Uint64(p[32:])),
			Address: le.Uint64(p[16:]), Memory: le.Uint64(p[40:])}
		s.Executable, s.Writable = p[4]&1 != 0, p[4]&2 != 0
		if s.Offset < 0 || s.Length < 0 || s.Offset > f.Size || s.Length > f.Size-s.Offset {
			return false
		}
		f.Segments = append(f.Segments, s)
	}
	if !f.settle() {
		return false
	}
	f.Bases[BaseImage] = f.low
	return true
}

// elfSections reads the section table; none if it is damaged.
func elfSections(w *window, h []byte) []section {
	le := binary.LittleEndian
	off, n, names := int64(le.Uint64(h[40:])), int(le.Uint16(h[60:])), int(le.Uint16(h[62:]))
	if le.Uint16(h[58:]) != elfSection || n > maxSections || names >= n {
		return nil
	}
	table := bytes.Clone(newWindow(w.r, w.size, maxSections*elfSection).at(off, n*elfSection))
	if table == nil {
		return nil
	}
	sections := make([]section, n)
	for i := range sections {
		t := table[i*elfSection:]
		sections[i] = section{kind: le.Uint32(t[4:]), flags: le.Uint64(t[8:]), addr: le.Uint64(t[16:]),
			off: int64(le.Uint64(t[24:])), size: int64(le.Uint64(t[32:])), link: le.Uint32(t[40:])}
		s := &sections[i]
		if s.off < 0 || s.size < 0 || s.off > w.size || s.size > w.size-s.off {
			s.kind, s.off, s.size = elfNoBits, 0, 0
		}
	}
	elfNames(w, table, sections, &sections[names])
	return sections
}

func elfNames(w *window, table []byte, sections []section, names *section) {
	text := w.at(names.off, int(min(names.size, maxNames)))
	for i := range sections {
		at := binary.LittleEndian.Uint32(table[i*elfSection:])
		if int64(at) < int64(len(text)) {
			name := text[at:min(len(text), int(at)+64)]
			if end := bytes.IndexByte(name, 0); end >= 0 {
				sections[i].name = string(name[:end])
			}
		}
	}
}

// elfWithoutSections takes segments for what sections would tell.
func (f *File) elfWithoutSections() {
	for i := range f.Segments {
		s := &f.Segments[i]
		a := area{start: s.Offset, end: s.Offset + s.Length, rule: ruleWords}
		if s.Executable {
			a.rule = f.instructions()
		}
		f.cover(a, s.Length, s.Executable)
		f.add(a)
	}
}

func (f *File) instructions() rule {
	if f.Machine == ARM64 {
		return ruleARM64
	}
	return ruleAMD64
}

func (f *File) elfAreas(w *window, sections []section) {
	for i := range sections {
		s := &sections[i]
		if s.loaded() && s.kind != elfNoBits && (s.executable() || s.writable()) {
			f.cover(s.area(0), s.size, s.executable())
		}
	}
	for i := range sections {
		s := &sections[i]
		switch s.kind {
		case elfNoBits, elfNote, elfStrings:
		case elfSymbols, elfDynSyms:
			f.elfSymbols(s, sections)
		case elfRela:
			f.add(area{start: s.off, end: s.off + s.size, rule: ruleTable, table: relocations})
		case elfDynamic:
			f.add(area{start: s.off, end: s.off + s.size, rule: ruleTable, table: dynamics})
		case elfRelr, elfInit, elfFini, elfPreinit:
			f.add(s.area(ruleWords))
		case elfProgBits, elfUnwind:
			f.elfProgram(w, s)
		}
	}
}

var (
	relocations = &table{24, []column{{0, Place64, always}, {16, Abs64, relative}}}
	dynamics    = &table{16, []column{{8, Abs64, pointerTag}}}
	symbols     = [2]*table{
		{24, []column{{0, Base32 + BaseNames, always}, {8, Abs64, always}}},
		{24, []column{{0, Base32 + BaseSymbolNames, always}, {8, Abs64, always}}},
	}
)

func (f *File) elfSymbols(s *section, sections []section) {
	base, t := BaseNames, symbols[0]
	if s.kind == elfSymbols {
		base, t = BaseSymbolNames, symbols[1]
	}
	if int64(s.link) < int64(len(sections)) {
		f.Bases[base], _ = f.Address(sections[s.link].off)
	}
	f.add(area{start: s.off, end: s.off + s.size, rule: ruleTable, table: t})
}

// elfProgram adds a section whose name or flags tell what it holds.
func (f *File) elfProgram(w *window, s *section) {
	switch {
	case !s.loaded():
	case s.executable():
		f.add(s.area(f.instructions()))
	case s.name == ".eh_frame":
		f.unwind(w, s.area(0))
	case s.name == ".eh_frame_hdr":
		f.unwindIndex(w, s.area(ruleTable))
	case s.name == ".gcc_except_table":
		f.add(s.area(ruleExcept))
	case strings.HasSuffix(s.name, ".gopclntab"):
		f.goTables(w, s.off)
	case s.writable():
		f.add(s.area(ruleWords))
	case f.fixed:
		f.add(s.area(ruleWords))
	default: // what a loader does not relocate has no addresses
		f.add(s.area(ruleJumps))
	}
}

// dynamicPointer tells whether the value of a dynamic entry is an address.
func dynamicPointer(tag uint64) bool {
	switch tag {
	case 3, 4, 5, 6, 7, 12, 13, 17, 23, 25, 26, 32, 36,
		0x6ffffef5, 0x6ffffff0, 0x6ffffffc, 0x6ffffffe:
		return true
	}
	return false
}
