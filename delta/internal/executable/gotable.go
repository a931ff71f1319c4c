// SPDX-License-Identifier: Apache-2.0

package executable

import "encoding/binary"

// The tables of the Go linker, as Go 1.18 to 1.26 write them (cmd/link's pcln.go
// and symtab.go, runtime's symtab.go).

// What a mark of a Go table means. The heads are marks of the second kind: where
// function data of a kind begins.
const (
	goText = 1 + iota
	goFunctions
	goFunctionNames
	goPCs
	goUnits
	goFunctionData
	goTypes
	goRodata
	goIndex
	goTree    // head: inlined calls
	goObjects // head: stack objects
	goOther   // head: anything else
)

var goFields = palette{
	goText:          {Base32 + BaseText, 0},
	goFunctions:     {Base32 + BaseFunctions, 0},
	goFunctionNames: {Base32 + BaseFunctionNames, 0},
	goPCs:           {Base32 + BasePCs, 0},
	goUnits:         {Base32 + BaseUnits, 0},
	goFunctionData:  {Base32 + BaseFunctionData, 0},
	goTypes:         {Base32 + BaseTypes, 0},
	goRodata:        {Base32 + BaseRodata, 0},
	goIndex:         {Base32 + BaseIndex, 0},
}

var (
	goUnitTable = &table{4, []column{{0, Base32 + BaseFiles, always}}}
	goTypeLinks = &table{4, []column{{0, Base32 + BaseTypes, always}}}
)

const (
	goHeader  = 72     // length of the table's header
	goModule  = 48 * 8 // length of the part of module data that is used
	maxGoFunc = 1 << 22
)

// goProgram is what the header of the function table and module data tell;
// addresses unless named otherwise.
type goProgram struct {
	*File
	w, jump        *window
	table          uint64
	old            bool // Go 1.18 and 1.19
	count          int64
	names, units   uint64
	files, pcs     uint64
	functions      uint64
	functionsEnd   uint64
	index          uint64 // findfunctab
	text, textEnd  uint64
	types, typesTo uint64
	links          uint64
	linkCount      uint64
	rodata, data   uint64
	work           int64 // marks that may still be set
}

// goTable reads the header of Go's function table at h, as long as goHeader.
func (f *File) goTable(h []byte, addr uint64) (*goProgram, bool) {
	le := binary.LittleEndian
	magic := le.Uint32(h)
	if magic != 0xfffffff0 && magic != 0xfffffff1 || h[4] != 0 || h[5] != 0 || h[7] != 8 {
		return nil, false
	}
	g := &goProgram{File: f, table: addr, old: magic == 0xfffffff0}
	n := le.Uint64(h[8:])
	parts := [5]uint64{}
	for i := range parts {
		parts[i] = le.Uint64(h[32+8*i:])
		if parts[i] > uint64(f.Size) || i > 0 && parts[i] < parts[i-1] {
			return nil, false
		}
	}
	if n == 0 || n > maxGoFunc {
		return nil, false
	}
	g.count = int64(n)
	g.names, g.units, g.files = addr+parts[0], addr+parts[1], addr+parts[2]
	g.pcs, g.functions = addr+parts[3], addr+parts[4]
	return g, true
}

// goTables finds the tables of a Go program whose function table is at off, and
// adds and marks them.
func (f *File) goTables(w *window, off int64) {
	addr, ok := f.Address(off)
	h := w.at(off, goHeader)
	if !ok || h == nil {
		return
	}
	g, ok := f.goTable(h, addr)
	if !ok {
		return
	}
	g.w, g.jump = w, newWindow(w.r, w.size, narrow)
	if f.Bases[BaseText] != 0 || !g.module() {
		return
	}
	g.bases()
	g.work = f.Size / 4
	g.areas()
	g.walk()
	g.walkTypes()
	if w.err == nil {
		w.err = g.jump.err
	}
}

// module finds module data: the table's address, then the slice of names.
func (g *goProgram) module() bool {
	le := binary.LittleEndian
	for i := range g.Segments {
		s := &g.Segments[i]
		if !s.Writable {
			continue
		}
		for off := s.Offset; off+goModule <= s.Offset+s.Length; {
			b := g.w.at(off, int(min(wide, s.Offset+s.Length-off)))
			if b == nil {
				return false
			}
			for i := 0; i+16 <= len(b); i += 8 {
				if g.address(le.Uint64(b[i:])) == g.table && g.address(le.Uint64(b[i+8:])) == g.names {
					if g.fields(off + int64(i)) {
						return true
					}
					b = g.w.at(off, len(b))
				}
			}
			off += max(int64(len(b))&^7-8, 8)
		}
	}
	return false
}

// address is the address that a word of data holds.
func (g *goProgram) address(v uint64) uint64 {
	switch g.pointers {
	case Chain36:
		return v & low36
	case ChainBase36:
		return v&low36 + g.Bases[BaseImage]
	}
	return v
}

// fields reads module data at off.
func (g *goProgram) fields(off int64) bool {
	b := g.jump.at(off, goModule)
	if b == nil {
		return false
	}
	word := func(i int) uint64 { return g.address(binary.LittleEndian.Uint64(b[8*i:])) }
	late := 37
	if g.old {
		late = 35
	}
	length := binary.LittleEndian.Uint64(b[8*14:])
	if word(4) != g.units || word(7) != g.files || word(10) != g.pcs || word(13) != g.functions || length > uint64(g.Size) {
		return false
	}
	g.functionsEnd = g.functions + length
	g.index, g.text, g.textEnd = word(19), word(22), word(23)
	g.types, g.typesTo, g.rodata, g.data = word(late), word(late+1), word(late+2), word(late+3)
	late += 7 // sections of text
	if w := binary.LittleEndian.Uint64(b[8*late-16:]); w != binary.LittleEndian.Uint64(b[8*late-8:]) || w > 1<<16 {
		late++
	}
	g.links, g.linkCount = word(late), binary.LittleEndian.Uint64(b[8*late+8:])
	return g.text < g.textEnd && g.types < g.typesTo && g.typesTo-g.types < 1<<31 && g.inside(g.text) && g.inside(g.types)
}

func (g *goProgram) bases() {
	b := &g.Bases
	b[BaseText], b[BaseTypes], b[BaseRodata], b[BaseFunctionData] = g.text, g.types, g.rodata, g.data
	b[BaseFunctionNames], b[BaseUnits], b[BaseFiles] = g.names, g.units, g.files
	b[BasePCs], b[BaseFunctions], b[BaseIndex] = g.pcs, g.functions, g.functions
}

// areas adds the pieces that are marked. What lies in an earlier one shares it.
func (g *goProgram) areas() {
	g.piece(g.types, g.typesTo, ruleWords)
	g.piece(g.functions, g.functionsEnd, 0)
	end := g.index
	if end < g.data || end-g.data > 1<<28 {
		end = g.data
	}
	g.piece(g.data, end, 0)
	g.piece(g.index, g.index+g.buckets()*20, 0)
	g.reserve(g.units, g.files, ruleTable, goUnitTable)
	g.reserve(g.links, g.links+min(g.linkCount, maxGoFunc)*4, ruleTable, goTypeLinks)
	g.reserve(g.names, g.units, 0, nil)     // strings
	g.reserve(g.files, g.functions, 0, nil) // strings, varints
}

// reserve adds a piece that needs no marks.
func (f *File) reserve(from, to uint64, r rule, t *table) {
	if start, ok := f.Offset(from); ok && from < to && to-from < uint64(f.Size) {
		f.special = append(f.special, area{start: start, end: start + int64(to-from), addr: from, rule: r, table: t})
	}
}

func (g *goProgram) buckets() uint64 { return min((g.textEnd-g.text)>>12, 1<<20) }

func (g *goProgram) piece(from, to uint64, r rule) {
	start, ok := g.Offset(from)
	if !ok || from >= to || g.marked(start) != nil {
		return
	}
	i := g.Find(from)
	if i < 0 {
		return
	}
	a := area{start: start, end: start + int64(to-from), addr: from, rule: r | ruleMarks}
	a.end = min(a.end, g.Segments[i].Offset+g.Segments[i].Length)
	for j := range g.special {
		if s := &g.special[j]; s.start >= a.start {
			a.end = min(a.end, s.start)
		}
	}
	if g.allow(&a, &goFields) {
		g.special = append(g.special, a)
	}
}

// marked is the marked area that holds the byte at off.
func (f *File) marked(off int64) *area {
	for i := range f.special {
		if a := &f.special[i]; a.marks != nil && off >= a.start && off < a.end {
			return a
		}
	}
	return nil
}

// walk marks the function table, its records, and what these refer to.
func (g *goProgram) walk() {
	start, ok := g.Offset(g.functions)
	if !ok {
		return
	}
	a := g.marked(start)
	if a == nil || g.count*8 > a.end-start {
		return
	}
	heads := g.heads()
	for i := range g.count {
		b := g.w.at(start+i*8, 8)
		if b == nil {
			return
		}
		a.mark(start+i*8, goText)
		a.mark(start+i*8+4, goFunctions)
		g.function(a, start+int64(binary.LittleEndian.Uint32(b[4:])), heads)
	}
	a.mark(start+g.count*8, goText)
	g.functionData(heads)
	if off, ok := g.Offset(g.index); ok && g.marked(off) != nil {
		x := g.marked(off)
		for i := range int64(g.buckets()) {
			x.mark(off+20*i, goIndex)
		}
	}
}

// heads is where function data begins, nil if it is not marked.
func (g *goProgram) heads() *area {
	if off, ok := g.Offset(g.data); ok {
		return g.marked(off)
	}
	return nil
}

// function marks one function's record.
func (g *goProgram) function(a *area, off int64, heads *area) {
	size := int64(44)
	if g.old {
		size = 40
	}
	b := g.jump.at(off, int(size))
	if b == nil || g.work <= 0 {
		return
	}
	pcs, datas := int64(binary.LittleEndian.Uint32(b[28:])), int64(b[size-1])
	if pcs > 32 || datas > 32 {
		return
	}
	for i, code := range [9]byte{goText, goFunctionNames, 0, 0, goPCs, goPCs, goPCs, 0, goUnits} {
		if code != 0 {
			a.mark(off+4*int64(i), code)
		}
	}
	for range pcs {
		a.mark(off+size, goPCs)
		size += 4
	}
	g.work -= pcs + datas + 9
	base, _ := g.Offset(g.data)
	for i := range datas {
		a.mark(off+size, goFunctionData)
		if v := g.jump.at(off+size, 4); v != nil && heads != nil {
			if d := binary.LittleEndian.Uint32(v); d != 1<<32-1 {
				heads.head(base+int64(d), i)
			}
		}
		size += 4
	}
}

// head notes where function data of a kind (internal/abi, FUNCDATA_) begins.
func (a *area) head(off int64, kind int64) {
	switch kind {
	case 2:
		a.mark(off, goObjects)
	case 3:
		a.mark(off, goTree)
	case 7:
		a.mark(off, goText)
	default:
		if a.code(off) == 0 {
			a.mark(off, goOther)
		}
	}
}

// functionData walks from head to head.
func (g *goProgram) functionData(a *area) {
	off, ok := g.Offset(g.data)
	if a == nil || !ok {
		return
	}
	off += (a.start - off) & 3
	for off < a.end {
		switch a.code(off) {
		case goTree:
			off = g.tree(a, off)
		case goObjects:
			off = g.objects(a, off)
		default:
			off += 4
		}
	}
}

// tree marks inlined calls until another head or no such record comes.
func (g *goProgram) tree(a *area, off int64) int64 {
	for first := true; ; first = false {
		b := g.w.at(off, 16)
		if b == nil || off+16 > a.end || b[1]|b[2]|b[3] != 0 {
			return off + 4
		}
		if name := binary.LittleEndian.Uint32(b[4:]); uint64(name) >= g.units-g.names || name == 0 {
			return off + 4
		}
		if !first && (a.code(off) != 0 || a.code(off+4)|a.code(off+8)|a.code(off+12) != 0) {
			return off
		}
		a.mark(off+4, goFunctionNames)
		off += 16
	}
}

// objects marks the records of stack objects.
func (g *goProgram) objects(a *area, off int64) int64 {
	b := g.w.at(off, 8)
	if b == nil {
		return off + 4
	}
	n := binary.LittleEndian.Uint64(b)
	off += 8
	if n > 4096 {
		return off
	}
	for range n {
		if off+16 > a.end || a.code(off)|a.code(off+4)|a.code(off+8)|a.code(off+12) != 0 {
			return off
		}
		a.mark(off+12, goRodata)
		off += 16
	}
	return off
}
