// SPDX-License-Identifier: Apache-2.0

package executable

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Data directories of the PE format that are used.
const (
	peExports    = 0
	peImports    = 1
	peExceptions = 3
	peRelocs     = 5
	peDelayed    = 13

	peDirectories = 16
	peSection     = 40
	peEntry       = 112 // of the first directory in the optional header
	maxImports    = 512
	maxThunks     = 1 << 16
)

// portable is what the headers of a PE file tell.
type portable struct {
	*File
	w, jump     *window
	image       uint64
	directories [peDirectories][2]uint32 // address from the image base, length
}

// peHeaders returns the second header, which is at at, and the optional one behind
// it, which lasts until w is read again and is nil unless it is that of a program
// of 64 bits.
func peHeaders(w *window) (machine Machine, at int64, h, o []byte) {
	le := binary.LittleEndian
	at = int64(le.Uint32(w.at(0, 64)[60:]))
	if h = bytes.Clone(w.at(at, 24)); h == nil || string(h[:4]) != "PE\x00\x00" {
		return 0, 0, nil, nil
	}
	switch le.Uint16(h[4:]) {
	case 0x8664:
		machine = AMD64
	case 0xaa64:
		machine = ARM64
	default:
		return 0, 0, nil, nil
	}
	if o = w.at(at+24, int(le.Uint16(h[20:]))); len(o) < peEntry || le.Uint16(o) != 0x20b {
		return 0, 0, nil, nil
	}
	return machine, at, h, o
}

func (f *File) openPE(w *window) bool {
	le := binary.LittleEndian
	machine, at, h, o := peHeaders(w)
	if o == nil {
		return false
	}
	f.Container, f.Machine = PE, machine
	length, o := len(o), bytes.Clone(o)
	p := &portable{File: f, w: w, jump: newWindow(w.r, w.size, wide), image: le.Uint64(o[24:])}
	for i := range min(int(min(le.Uint32(o[108:]), peDirectories)), (length-peEntry)/8) {
		p.directories[i] = [2]uint32{le.Uint32(o[peEntry+8*i:]), le.Uint32(o[peEntry+8*i+4:])}
	}
	f.Segments = append(f.Segments, Segment{Length: min(int64(le.Uint32(o[60:])), f.Size), Address: p.image, Memory: 4096})
	f.Segments[0].Memory = max(4096, uint64(f.Segments[0].Length))
	if p.image&0xfff != 0 {
		return false
	}
	sections := p.sections(at+24+int64(length), int(le.Uint16(h[6:])))
	if sections == nil || !f.settle() {
		return false
	}
	f.Bases[BaseImage] = p.image
	p.tables()
	p.program(sections)
	if w.err == nil {
		w.err = p.jump.err
	}
	f.arrange()
	return true
}

// sections reads the section table into segments; the sections keep what is
// needed of them.
func (p *portable) sections(off int64, n int) []section {
	le := binary.LittleEndian
	var sections []section
	for i := range min(n, maxSegments-1) {
		b := p.w.at(off+int64(i)*peSection, peSection)
		if b == nil {
			return nil
		}
		memory, addr := uint64(le.Uint32(b[8:])), p.image+uint64(le.Uint32(b[12:]))
		s := section{name: text(b[:8]), addr: addr, size: int64(le.Uint32(b[16:])), off: int64(le.Uint32(b[20:])), link: le.Uint32(b[36:])}
		if memory == 0 {
			memory = uint64(s.size)
		}
		s.size = min(s.size, int64(memory+4095)&^4095)
		if s.off > p.Size || s.size > p.Size-s.off {
			return nil
		}
		if s.size == 0 {
			s.off = p.endOfSegments()
		}
		p.Segments = append(p.Segments, Segment{Offset: s.off, Length: s.size, Address: addr, Memory: max(memory, uint64(s.size)),
			Executable: s.link>>29&1 == 1, Writable: s.link>>31 == 1})
		sections = append(sections, s)
	}
	return sections
}

// program adds the sections, and Go's tables, which have no section of their own.
func (p *portable) program(sections []section) {
	for i := range sections {
		s := &sections[i]
		if code := s.link>>29&1 == 1; code || s.link>>31 == 1 {
			p.cover(s.area(0), s.size, code)
		}
	}
	for i := range sections {
		s := &sections[i]
		switch {
		case s.size == 0 || s.name == ".rsrc" || s.name == ".reloc":
		case s.link>>29&1 == 1:
			p.add(s.area(p.instructions()))
		case s.link>>31 == 1:
			p.add(s.area(ruleWords))
		default:
			p.readOnly(s)
		}
	}
}

func (p *portable) readOnly(s *section) {
	if off, ok := p.goMagic(s); ok {
		p.goTables(p.w, off)
		if len(p.Bases) > 0 && p.Bases[BaseText] != 0 {
			p.add(s.area(ruleWords))
			return
		}
	}
	p.add(s.area(ruleWords | ruleJumps))
}

// goMagic searches a section for the header of Go's function table.
func (p *portable) goMagic(s *section) (int64, bool) {
	for off := s.off; off+goHeader <= s.off+s.size; {
		b := p.w.at(off, int(min(wide, s.off+s.size-off)))
		for i := 0; i+goHeader <= len(b); i += 16 {
			if binary.LittleEndian.Uint32(b[i:])|1 == 0xfffffff1 {
				if addr, ok := p.Address(off + int64(i)); ok {
					if _, ok := p.goTable(b[i:i+goHeader], addr); ok {
						return off + int64(i), true
					}
				}
			}
		}
		if len(b) <= goHeader {
			break
		}
		off += (int64(len(b)) - goHeader + 15) &^ 15
	}
	return 0, false
}

const imageField = Base32 + BaseImage

var (
	peFunctions64  = &table{12, []column{{0, imageField, always}, {4, imageField, always}, {8, imageField, always}}}
	peFunctionsARM = &table{8, []column{{0, imageField, always}, {4, imageField, plainUnwind}}}
	peDescriptors  = &table{20, []column{{0, imageField, always}, {12, imageField, always}, {16, imageField, always}}}
	peDelays       = &table{32, []column{{4, imageField, always}, {8, imageField, always}, {12, imageField, always}, {16, imageField, always}, {20, imageField, always}, {24, imageField, always}}}
	peThunks       = &table{8, []column{{0, imageField, always}}}
	peNames        = &table{4, []column{{0, imageField, always}}}
	peExportTable  = &table{40, []column{{12, imageField, always}, {28, imageField, always}, {32, imageField, always}, {36, imageField, always}}}
)

// tables adds what the data directories point to.
func (p *portable) tables() {
	functions := peFunctions64
	if p.Machine == ARM64 {
		functions = peFunctionsARM
	}
	p.directory(peExceptions, functions)
	p.directory(peImports, nil)
	p.relocations()
	p.imports(p.directories[peImports], 20, 0, 16, peDescriptors)
	p.imports(p.directories[peDelayed], 32, 16, 12, peDelays)
	p.exports()
}

// directory reserves the table of a data directory.
func (p *portable) directory(i int, t *table) {
	if d := p.directories[i]; t != nil && d[1] > 0 {
		from := p.image + uint64(d[0])
		p.reserve(from, from+uint64(d[1])/uint64(t.stride)*uint64(t.stride), ruleTable, t)
	}
}

// imports reserves the descriptors of imports and the lists of names that they
// point to at bytes names and addresses.
func (p *portable) imports(d [2]uint32, stride, names, addresses int, t *table) {
	off, ok := p.Offset(p.image + uint64(d[0]))
	if !ok || d[1] == 0 {
		return
	}
	n := uint64(0)
	left := int64(maxThunks)
	for ; n < maxImports; n++ {
		b := p.w.at(off+int64(n)*int64(stride), stride)
		if b == nil || binary.LittleEndian.Uint32(b[addresses:]) == 0 {
			break
		}
		list := p.image + uint64(binary.LittleEndian.Uint32(b[names:]))
		count := p.thunks(list, left)
		left -= count
		p.reserve(list, list+uint64(count)*8, ruleTable, peThunks)
		if stride == 20 { // delayed ones hold addresses, which words finds
			list = p.image + uint64(binary.LittleEndian.Uint32(b[addresses:]))
			p.reserve(list, list+uint64(count)*8, ruleTable, peThunks)
		}
	}
	p.reserve(p.image+uint64(d[0]), p.image+uint64(d[0])+n*uint64(stride), ruleTable, t)
}

// thunks counts the entries of a list that ends with zero, at most left.
func (p *portable) thunks(addr uint64, left int64) int64 {
	off, ok := p.Offset(addr)
	if !ok {
		return 0
	}
	for n := range left {
		b := p.jump.at(off+8*n, 8)
		if b == nil || binary.LittleEndian.Uint64(b) == 0 {
			return n
		}
	}
	return left
}

func (p *portable) exports() {
	d := p.directories[peExports]
	off, ok := p.Offset(p.image + uint64(d[0]))
	if !ok || d[1] < 40 {
		return
	}
	b := p.w.at(off, 40)
	if b == nil {
		return
	}
	le := binary.LittleEndian
	p.reserve(p.image+uint64(d[0]), p.image+uint64(d[0])+40, ruleTable, peExportTable)
	functions, names := p.image+uint64(le.Uint32(b[28:])), p.image+uint64(le.Uint32(b[32:]))
	p.reserve(functions, functions+4*uint64(le.Uint32(b[20:])), ruleTable, peNames)
	p.reserve(names, names+4*uint64(le.Uint32(b[24:])), ruleTable, peNames)
}

// relocBlock is the header of a block of base relocations.
type relocBlock struct {
	at   uint32 // offset from the start of the area
	page uint32 // from the image base
}

// relocations reserves the base relocations, up to the first damaged block.
func (p *portable) relocations() {
	d := p.directories[peRelocs]
	start, ok := p.Offset(p.image + uint64(d[0]))
	if !ok || int64(d[1]) > p.Size-start {
		return
	}
	at, blocks := uint32(0), []relocBlock(nil)
	for d[1] >= 8 && at <= d[1]-8 && p.budget >= 8 {
		b := p.w.at(start+int64(at), 8)
		if b == nil {
			break
		}
		page, size := binary.LittleEndian.Uint32(b), binary.LittleEndian.Uint32(b[4:])
		if size < 8 || size&3 != 0 || size > d[1]-at || size > 1<<16 || page&0xfff != 0 {
			break
		}
		blocks = append(blocks, relocBlock{at, page})
		p.budget -= 8
		at += size
	}
	p.blocks = blocks
	from := p.image + uint64(d[0])
	p.reserve(from, from+uint64(at), ruleRelocs, nil)
}

// relocs scans base relocations: pages, and 16-bit entries within them.
func (s *scan) relocs(refs []Reference) []Reference {
	blocks := s.f.blocks
	at := s.off + int64(s.from) - s.a.start
	n, _ := slices.BinarySearchFunc(blocks, at, func(b relocBlock, at int64) int {
		if int64(b.at) > at {
			return 1
		}
		return -1
	})
	for n = max(n-1, 0); n < len(blocks); n++ {
		b := blocks[n]
		i := int(int64(b.at) + s.a.start - s.off)
		if i >= s.to {
			break
		}
		end := s.to
		if n+1 < len(blocks) {
			end = min(end, i+int(blocks[n+1].at-b.at))
		}
		refs = s.field(refs, i, imageField)
		for j := max(i+8, s.from+(s.from-i)&1); j < end && j+2 <= len(s.p); j += 2 {
			e := binary.LittleEndian.Uint16(s.p[j:])
			target := s.f.Bases[BaseImage] + uint64(b.page) + uint64(e&0xfff)
			if e != 0 && s.f.inside(target) {
				refs = append(refs, Reference{Offset: s.off + int64(j), Target: target, Kind: Page12})
				s.from = j + 2
			}
		}
	}
	return refs
}
