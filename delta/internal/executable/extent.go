// SPDX-License-Identifier: Apache-2.0

package executable

import "encoding/binary"

// Extent is what the headers of an executable tell before it is opened.
type Extent struct {
	Container Container
	Machine   Machine
	Length    int64 // of the file, as far as headers, sections and signature reach
}

const peCertificates = 4

// Measure looks for an executable at the start of data, which may go on behind
// it. It serves who looks for executables in other files; what Open makes of
// one does not depend on it. Time is bounded whatever the headers say.
func Measure(data []byte) (Extent, bool) {
	w := &window{size: int64(len(data)), buf: data, held: len(data)}
	head := w.at(0, 64)
	var e Extent
	ok := false
	switch {
	case head == nil:
	case string(head[:4]) == "\x7fELF":
		ok = e.elf(w, head)
	case head[0] == 0xcf && head[1] == 0xfa:
		ok = e.machO(w)
	case head[0] == 'M' && head[1] == 'Z':
		ok = e.pe(w)
	}
	return e, ok && e.Length >= 64 && e.Length <= MaxSize
}

// reach takes in a part of the file; false if data has not got it.
func (e *Extent) reach(w *window, off, n int64) bool {
	if off < 0 || n < 0 || off > w.size || n > w.size-off {
		return false
	}
	e.Length = max(e.Length, off+n)
	return true
}

func (e *Extent) elf(w *window, h []byte) bool {
	le := binary.LittleEndian
	machine, ok := elfMachine(h)
	if !ok {
		return false
	}
	e.Container, e.Machine = ELF, machine
	off, n := int64(le.Uint64(h[32:])), min(int(le.Uint16(h[56:])), maxSegments)
	if !e.reach(w, off, int64(n)*elfProgram) {
		return false
	}
	for i := range n {
		p := w.at(off+int64(i)*elfProgram, elfProgram)
		if le.Uint32(p) == 1 && !e.reach(w, int64(le.Uint64(p[8:])), int64(le.Uint64(p[32:]))) {
			return false
		}
	}
	off, n = int64(le.Uint64(h[40:])), int(le.Uint16(h[60:]))
	if le.Uint16(h[58:]) != elfSection || n > maxSections || !e.reach(w, off, int64(n)*elfSection) {
		return true
	}
	for i := range n {
		if s := w.at(off+int64(i)*elfSection, elfSection); le.Uint32(s[4:]) != elfNoBits {
			e.reach(w, int64(le.Uint64(s[24:])), int64(le.Uint64(s[32:])))
		}
	}
	return true
}

func (e *Extent) machO(w *window) bool {
	le := binary.LittleEndian
	machine, commands, ok := machLoad(w)
	if !ok {
		return false
	}
	e.Container, e.Machine = MachO, machine
	for _, c := range commands {
		switch {
		case c.kind == machSegment && len(c.b) >= 72:
			if !e.reach(w, int64(le.Uint64(c.b[40:])), int64(le.Uint64(c.b[48:]))) {
				return false
			}
		case c.kind == machSignature && len(c.b) >= 16:
			e.reach(w, int64(le.Uint32(c.b[8:])), int64(le.Uint32(c.b[12:])))
		}
	}
	return true
}

func (e *Extent) pe(w *window) bool {
	le := binary.LittleEndian
	machine, at, h, o := peHeaders(w)
	sections := at + 24 + int64(len(o))
	if o == nil || !e.reach(w, 0, sections) {
		return false
	}
	e.Container, e.Machine = PE, machine
	for i := range min(int(le.Uint16(h[6:])), maxSegments-1) {
		s := w.at(sections+int64(i)*peSection, peSection)
		if s == nil || !e.reach(w, int64(le.Uint32(s[20:])), int64(le.Uint32(s[16:]))) {
			return false
		}
	}
	e.peBehind(w, h, o)
	return true
}

// peBehind takes in what lies behind the sections: symbols and certificates.
func (e *Extent) peBehind(w *window, h, o []byte) {
	le := binary.LittleEndian
	if symbols := int64(le.Uint32(h[8:])); symbols > 0 {
		names := symbols + int64(le.Uint32(h[12:]))*18
		if n := w.at(names, 4); n != nil {
			e.reach(w, names, int64(le.Uint32(n)))
		}
	}
	if d := peEntry + 8*peCertificates; len(o) >= d+8 && le.Uint32(o[108:]) > peCertificates {
		e.reach(w, int64(le.Uint32(o[d:])), int64(le.Uint32(o[d+4:])))
	}
}
