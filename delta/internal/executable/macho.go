// SPDX-License-Identifier: Apache-2.0

package executable

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// Load commands and section types of Mach-O (mach-o/loader.h, fixup-chains.h).
const (
	machSegment   = 0x19
	machSymbols   = 0x02
	machSignature = 0x1d
	machFixups    = 0x80000034
	machRebases   = 0x22
	machDyldOnly  = 0x80000022

	machHeader   = 32
	machCommands = 1024
)

type machCommand struct {
	kind uint32
	b    []byte // the command from its start
}

// machLoad reads the header's machine and the load commands.
func machLoad(w *window) (machine Machine, commands []machCommand, ok bool) {
	le := binary.LittleEndian
	h := w.at(0, machHeader)
	if h == nil || le.Uint32(h) != 0xfeedfacf {
		return 0, nil, false
	}
	switch le.Uint32(h[4:]) {
	case 0x01000007:
		machine = AMD64
	case 0x0100000c:
		machine = ARM64
	default:
		return 0, nil, false
	}
	n, size := le.Uint32(h[16:]), le.Uint32(h[20:])
	if n > machCommands || size > wide {
		return 0, nil, false
	}
	b := bytes.Clone(w.at(machHeader, int(size)))
	for range n {
		if len(b) < 8 {
			return 0, nil, false
		}
		length := le.Uint32(b[4:])
		if length < 8 || int64(length) > int64(len(b)) {
			return 0, nil, false
		}
		commands = append(commands, machCommand{le.Uint32(b), b[:length]})
		b = b[length:]
	}
	return machine, commands, true
}

func (f *File) openMachO(w *window) bool {
	machine, commands, ok := machLoad(w)
	if !ok {
		return false
	}
	f.Container, f.Machine = MachO, machine
	var sections []section
	for _, c := range commands {
		if c.kind == machSegment && !f.machSegment(c.b, &sections) {
			return false
		}
	}
	if !f.settle() {
		return false
	}
	f.Bases[BaseImage] = f.low
	for _, c := range commands {
		switch {
		case c.kind == machFixups && len(c.b) >= 16:
			f.machChains(w, int64(binary.LittleEndian.Uint32(c.b[8:])))
		case (c.kind == machRebases || c.kind == machDyldOnly) && len(c.b) >= 16:
			off, n := int64(binary.LittleEndian.Uint32(c.b[8:])), int64(binary.LittleEndian.Uint32(c.b[12:]))
			f.add(area{start: off, end: off + n, rule: ruleRebase})
		case c.kind == machSymbols && len(c.b) >= 24:
			f.machSymbols(c.b)
		}
	}
	f.machAreas(w, sections)
	f.Hashes = signatureHashes(w, commands)
	f.arrange()
	return true
}

// machSegment reads a segment command and its sections.
func (f *File) machSegment(b []byte, sections *[]section) bool {
	le := binary.LittleEndian
	if len(b) < 72 {
		return false
	}
	s := Segment{Offset: int64(le.Uint64(b[40:])), Length: int64(le.Uint64(b[48:])), Address: le.Uint64(b[24:]), Memory: le.Uint64(b[32:])}
	protection := le.Uint32(b[60:])
	f.ordinals = append(f.ordinals, s.Address)
	if s.Memory == 0 || s.Length == 0 && protection == 0 { // Go's __DWARF; __PAGEZERO
		return true
	}
	if s.Offset < 0 || s.Length < 0 || s.Offset > f.Size || s.Length > f.Size-s.Offset || len(f.Segments) >= maxSegments {
		return false
	}
	s.Memory = max(s.Memory, uint64(s.Length))
	s.Executable, s.Writable = protection&4 != 0, protection&2 != 0
	if s.Length == 0 {
		s.Offset = f.endOfSegments()
	}
	f.Segments = append(f.Segments, s)
	for i := 72; i+80 <= len(b) && len(*sections) < maxSections; i += 80 {
		t := b[i : i+80]
		sec := section{name: text(t[16:32]) + "," + text(t[:16]), addr: le.Uint64(t[32:]), size: int64(le.Uint64(t[40:])),
			off: int64(le.Uint32(t[48:])), flags: uint64(le.Uint32(t[64:])), link: protection}
		if sec.size > 0 && sec.off >= s.Offset && sec.off-s.Offset <= s.Length && sec.size <= s.Length-(sec.off-s.Offset) {
			*sections = append(*sections, sec)
		}
	}
	return true
}

// endOfSegments is where a segment without bytes is taken to lie.
func (f *File) endOfSegments() int64 {
	if n := len(f.Segments); n > 0 {
		return f.Segments[n-1].Offset + f.Segments[n-1].Length
	}
	return 0
}

func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}

var machSymbolTable = &table{16, []column{{0, Base32 + BaseSymbolNames, always}, {8, Abs64, always}}}

func (f *File) machSymbols(b []byte) {
	le := binary.LittleEndian
	off, n := int64(le.Uint32(b[8:])), int64(le.Uint32(b[12:]))
	f.Bases[BaseSymbolNames], _ = f.Address(int64(le.Uint32(b[16:])))
	f.add(area{start: off, end: off + 16*n, rule: ruleTable, table: machSymbolTable})
}

// machChains learns from the first segment with chained fixups how they are
// written; other forms than the two common ones are left alone.
func (f *File) machChains(w *window, off int64) {
	le := binary.LittleEndian
	f.pointers = None
	h := w.at(off, 8)
	if h == nil {
		return
	}
	starts := off + int64(le.Uint32(h[4:]))
	h = w.at(starts, 4)
	if h == nil {
		return
	}
	for i := range int64(min(le.Uint32(h), maxSegments)) {
		e := w.at(starts+4+4*i, 4)
		if e == nil {
			return
		}
		at := int64(le.Uint32(e))
		if s := w.at(starts+at, 8); at != 0 && s != nil {
			switch le.Uint16(s[6:]) {
			case 2:
				f.pointers = Chain36
			case 6:
				f.pointers = ChainBase36
			}
			return
		}
	}
}

// words is the rule for data that may hold pointers.
func (f *File) words() rule {
	switch f.pointers {
	case Abs64:
		return ruleWords
	case None:
		return 0
	}
	return ruleChain
}

func (f *File) machAreas(w *window, sections []section) {
	for i := range sections {
		s := &sections[i]
		code := s.flags&0x80000400 != 0
		if code || s.link&2 != 0 {
			f.cover(s.area(0), s.size, code)
		}
	}
	for i := range sections {
		s := &sections[i]
		switch s.flags & 0xff {
		case 1, 2, 0xc, 0x12: // zero-fill, strings
			continue
		}
		switch segment, name, _ := strings.Cut(s.name, ","); {
		case s.flags&0x80000400 != 0:
			f.add(s.area(f.instructions()))
		case name == "__gopclntab":
			f.goTables(w, s.off)
		case name == "__unwind_info":
			f.compactUnwind(w, s)
		case name == "__eh_frame":
			f.unwind(w, s.area(0))
		case name == "__gcc_except_tab":
			f.add(s.area(ruleExcept))
		case name == "__objc_methlist":
			f.add(s.area(ruleJumps | ruleExcept))
		case segment == "__TEXT":
			f.add(s.area(ruleJumps))
		default:
			f.add(s.area(f.words()))
		}
	}
}

// rebases scans dyld's rebase program for its usual step: set segment and
// offset, rebase some pointers (mach-o/loader.h, REBASE_OPCODE_).
func (s *scan) rebases(refs []Reference) []Reference {
	p := s.p
	for i := max(s.from, s.low+1, 1); i < s.to && i+3 < len(p); i++ {
		if p[i-1]&0xf0 != 0x20 || int(p[i-1]&15) >= len(s.f.ordinals) {
			continue
		}
		n, v := 0, uint64(0)
		for n < 4 && i+n < len(p) {
			v |= uint64(p[i+n]&127) << (7 * n)
			if n++; p[i+n-1] < 128 {
				break
			}
		}
		if n < 2 || i+n >= len(p) || p[i+n]>>4 != 5 || p[i+n-1] >= 128 || p[i+n-1] == 0 {
			continue
		}
		target := s.f.ordinals[p[i-1]&15] + v
		if j := s.f.Find(target); j < 0 || s.f.Segments[j].Address != s.f.ordinals[p[i-1]&15] {
			continue
		}
		refs = append(refs, Reference{Offset: s.off + int64(i), Target: target, Kind: Uleb2 + Kind(n-2)})
		s.from = i + n
		i += n
	}
	return refs
}

func putUleb(field []byte, v uint64) {
	for i := range field {
		field[i] = byte(v&127) | 128
		v >>= 7
	}
	field[len(field)-1] &= 127
}

// What a mark of compact unwind information means.
var imageFields = palette{1: {Base32 + BaseImage, 0}}

// compactUnwind marks the function offsets of __unwind_info
// (mach-o/compact_unwind_encoding.h); compressed pages count from their first
// function and need no marks.
func (f *File) compactUnwind(w *window, s *section) {
	le := binary.LittleEndian
	h := bytes.Clone(w.at(s.off, 28))
	before := len(f.areas)
	f.add(s.area(0))
	if h == nil || le.Uint32(h) != 1 || len(f.areas) == before || !f.walk(&f.areas[before]) || !f.allow(&f.areas[before], &imageFields) {
		f.areas = f.areas[:before]
		return
	}
	a := &f.areas[before]
	f.markWords(a, s.off+int64(le.Uint32(h[12:])), min(int64(le.Uint32(h[16:])), 16), 4)
	index, n := s.off+int64(le.Uint32(h[20:])), min(int64(le.Uint32(h[24:])), (a.end-a.start)/12)
	if n < 2 {
		return
	}
	f.markWords(a, index, n, 12)
	pages := newWindow(w.r, w.size, 64)
	first, last := w.at(index+8, 4), int64(0)
	if first != nil {
		last = int64(le.Uint32(first))
	}
	for i, left := int64(0), (a.end-a.start)/8; i < n && left > 0; i++ {
		e := w.at(index+12*i, 12)
		if e == nil {
			break
		}
		if i == n-1 { // behind the lists of exception tables
			f.markWords(a, s.off+last, (int64(le.Uint32(e[8:]))-last)/4, 4)
			break
		}
		page := s.off + int64(le.Uint32(e[4:]))
		if p := pages.at(page, 8); p != nil && le.Uint32(p) == 2 {
			count := min(int64(le.Uint16(p[6:])), 512)
			f.markWords(a, page+int64(le.Uint16(p[4:])), count, 8)
			left -= count
		}
	}
	if w.err == nil {
		w.err = pages.err
	}
}

// markWords marks n words, stride apart.
func (f *File) markWords(a *area, off, n, stride int64) {
	for ; n > 0 && off < a.end; n-- {
		a.mark(off, 1)
		off += stride
	}
}
