// SPDX-License-Identifier: Apache-2.0

package executable

import "encoding/binary"

// Kinds of Go types with bytes behind the common part (internal/abi, type.go).
const (
	goArray     = 17
	goChan      = 18
	goFunc      = 19
	goInterface = 20
	goMap       = 21
	goPointer   = 22
	goSlice     = 23
	goStruct    = 25
	goKinds     = 26
	goType      = 48  // bytes of the common part
	goLongest   = 136 // of the longest type with its methods' description
)

// walkTypes marks the offsets in type descriptors. They are recognised by their
// shape, as not all are listed anywhere.
func (g *goProgram) walkTypes() {
	start, ok := g.Offset(g.types)
	if !ok {
		return
	}
	a := g.marked(start)
	if a == nil {
		return
	}
	for off := start; off+goType <= a.end; {
		b := g.w.at(off, int(min(goLongest, a.end-off)))
		if b == nil || g.work <= 0 {
			return
		}
		if !g.isType(b) {
			off += 8
			continue
		}
		off += g.mark(a, off, b)
	}
}

// isType tells whether b starts with what only a type descriptor has.
func (g *goProgram) isType(b []byte) bool {
	le := binary.LittleEndian
	kind := b[23] & 31
	if kind == 0 || kind > goKinds || b[21] == 0 || b[21] > 64 || b[21]&(b[21]-1) != 0 || b[22] == 0 || b[22] > 64 {
		return false
	}
	size, pointers := le.Uint64(b), le.Uint64(b[8:])
	if pointers > size || size > 1<<40 || pointers&7 != 0 || le.Uint32(b[16:]) == 0 {
		return false
	}
	name, to := uint64(le.Uint32(b[40:])), uint64(le.Uint32(b[44:]))
	if name == 0 || name >= g.typesTo-g.types || to >= g.typesTo-g.types {
		return false
	}
	return g.pointer(b[24:], true) && g.pointer(b[32:], pointers == 0) && g.hasElements(kind, b)
}

// hasElements checks the pointers to other types.
func (g *goProgram) hasElements(kind byte, b []byte) bool {
	elements := 0
	switch kind {
	case goArray, goMap:
		elements = 2
	case goChan, goPointer, goSlice:
		elements = 1
	}
	if len(b) < goType+8*elements {
		return false
	}
	for i := range elements {
		if v := g.address(binary.LittleEndian.Uint64(b[goType+8*i:])); v-g.types >= g.typesTo-g.types {
			return false
		}
	}
	return true
}

// pointer tells whether b holds an address of the image, or zero where allowed.
func (g *goProgram) pointer(b []byte, zero bool) bool {
	v := binary.LittleEndian.Uint64(b)
	return v == 0 && zero || v != 0 && g.inside(g.address(v))
}

// mark marks the type descriptor b at off and returns its length.
func (g *goProgram) mark(a *area, off int64, b []byte) int64 {
	le := binary.LittleEndian
	a.mark(off+40, goTypes)
	a.mark(off+44, goTypes)
	g.work -= 8
	n := int64(goType)
	switch b[23] & 31 {
	case goArray:
		n = 72
	case goChan:
		n = 64
	case goFunc, goPointer, goSlice:
		n = 56
	case goInterface:
		n = 80
		if len(b) >= 80 {
			g.methods(g.address(le.Uint64(b[56:])), int64(le.Uint64(b[64:])), goTypes, goTypes)
		}
	case goStruct:
		n = 80
	case goMap:
		n = 88
		if len(b) >= 112 && le.Uint64(b[80:])|le.Uint64(b[88:])|le.Uint64(b[96:]) < 1<<24 {
			n = 112
		}
	}
	if b[20]&1 == 0 || int64(len(b)) < n+16 {
		return n
	}
	a.mark(off+n, goTypes)
	count, shift := int64(le.Uint16(b[n+4:])), int64(le.Uint32(b[n+8:]))
	addr, _ := g.Address(off + n)
	g.methods(addr+uint64(shift), count, goTypes, goTypes, goText, goText)
	return n + 16
}

// methods marks count records of 4-byte fields at addr.
func (g *goProgram) methods(addr uint64, count int64, codes ...byte) {
	off, ok := g.Offset(addr)
	if !ok || count < 0 || count > 1<<16 || count > g.work {
		return
	}
	a := g.File.marked(off)
	if a == nil || off&3 != 0 {
		return
	}
	g.work -= count * int64(len(codes))
	for range count {
		for _, code := range codes {
			a.mark(off, code)
			off += 4
		}
	}
}
