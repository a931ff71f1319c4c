// SPDX-License-Identifier: Apache-2.0

package executable

import (
	"cmp"
	"io"
	"slices"
	"sort"
)

// rule says how references are found in an area.
type rule uint16

const (
	ruleAMD64  rule = 1 << iota // instructions
	ruleARM64                   // instructions
	ruleWords                   // aligned 64-bit addresses
	ruleChain                   // aligned chained fixups
	ruleJumps                   // aligned 32-bit distances into code
	ruleExcept                  // aligned 32-bit distances to writable pointers
	ruleTable                   // records of one length
	ruleMarks                   // fields found by Open
	ruleRelocs                  // PE base relocations
	ruleRebase                  // Mach-O rebase program
)

// area is a range of the file with one way of finding references.
type area struct {
	start, end int64
	addr       uint64 // of start
	rule       rule
	table      *table   // ruleTable
	palette    *palette // ruleMarks: what each mark means
	marks      []byte   // ruleMarks: 4 bits for each 4 bytes
}

// table describes records of one length.
type table struct {
	stride  int64
	columns []column
}

type column struct {
	at   int64
	kind Kind
	test test
}

// test is what else must hold for a column to be a reference.
type test uint8

const (
	always      test = iota
	relative         // ELF relocation whose addend is an address
	pointerTag       // ELF dynamic entry whose value is an address
	plainUnwind      // arm64 PE function whose unwind data is not packed
)

// palette gives the field that a mark stands for: its kind, and how many bytes
// behind the start of the marked word it begins.
type palette [16]struct {
	kind  Kind
	shift uint8
}

// File is an opened executable: its layout, and what Scan needs to know.
type File struct {
	Layout
	special       []area // found by content; they go before areas
	blocks        []relocBlock
	ordinals      []uint64 // addresses of Mach-O segments, as numbered
	areas         []area
	code, codeEnd uint64 // addresses of instructions
	data, dataEnd uint64 // addresses of writable bytes
	fixed         bool   // the image is never moved
	small         bool   // instructions hold 32-bit addresses
	budget        int64  // bytes that marks may still take
	walks         int64  // bytes of tables that may still be walked
	places        int64  // relocations that may still be followed
	pointers      Kind   // how data holds addresses: Abs64, Chain36, ChainBase36
}

const maxAreas = 2048

// maxMarks bounds the memory of marks of a file of n bytes.
func maxMarks(n int64) int64 { return min(n/16+4<<20, 12<<20) }

// Open reads the tables of an executable of size bytes: ErrUnknown if it is
// none, or the error of r. Damaged tables are left out.
func Open(r io.ReaderAt, size int64) (*File, error) {
	if size < 64 || size > MaxSize {
		return nil, ErrUnknown
	}
	f := &File{Layout: Layout{Size: size}, pointers: Abs64, budget: maxMarks(size), walks: size}
	w := newWindow(r, size, wide)
	known := f.open(w)
	if w.err != nil {
		return nil, w.err
	}
	if !known || !f.check() {
		return nil, ErrUnknown
	}
	return f, nil
}

func (f *File) open(w *window) bool {
	head := w.at(0, 64)
	switch {
	case head == nil:
		return false
	case string(head[:4]) == "\x7fELF":
		return f.openELF(w)
	case head[0] == 0xcf && head[1] == 0xfa:
		return f.openMachO(w)
	case head[0] == 'M' && head[1] == 'Z':
		return f.openPE(w)
	}
	return false
}

// add notes an area; empty ones and what is not wholly in the file are ignored.
func (f *File) add(a area) {
	if a.start < 0 || a.end > f.Size || a.start >= a.end || len(f.areas) >= maxAreas {
		return
	}
	addr, ok := f.Address(a.start)
	if !ok {
		return
	}
	if i := f.Find(addr); i >= 0 {
		a.end = min(a.end, f.Segments[i].Offset+f.Segments[i].Length)
	}
	a.addr = addr
	f.areas = append(f.areas, a)
}

// arrange sorts the areas and makes them disjoint: special ones go first, then
// what was added first. Areas that only hold words are cut, others left out.
func (f *File) arrange() {
	slices.SortStableFunc(f.areas, func(a, b area) int { return cmp.Compare(a.start, b.start) })
	kept := disjoint(f.special, f.Size)
	fixed := len(kept)
	var end int64
	for _, a := range f.areas {
		if a.start < end {
			continue
		}
		end = a.end
		for _, b := range kept[:fixed] {
			if b.start >= a.end || b.end <= a.start {
				continue
			}
			if a.rule&^(ruleWords|ruleJumps|ruleExcept|ruleChain) != 0 {
				a.end = a.start
				break
			}
			if head := a; head.start < b.start {
				head.end = b.start
				kept = append(kept, head)
			}
			a.addr += uint64(min(b.end, a.end) - a.start)
			a.start = min(b.end, a.end)
		}
		if a.start < a.end {
			kept = append(kept, a)
		}
	}
	slices.SortStableFunc(kept, func(a, b area) int { return cmp.Compare(a.start, b.start) })
	f.areas, f.special = kept, nil
}

// disjoint sorts areas and drops those that overlap an earlier one.
func disjoint(areas []area, size int64) []area {
	slices.SortStableFunc(areas, func(a, b area) int { return cmp.Compare(a.start, b.start) })
	kept := areas[:0]
	var end int64
	for _, a := range areas {
		if a.start >= end && a.start < a.end && a.end <= size {
			kept, end = append(kept, a), a.end
		}
	}
	return slices.Clip(kept)
}

// span is the index of the first area that ends behind off.
func (f *File) span(off int64) int {
	return sort.Search(len(f.areas), func(i int) bool { return f.areas[i].end > off })
}

// allow gives an area memory for marks; false if that is too much.
func (f *File) allow(a *area, p *palette) bool {
	need := (a.end - a.start + 7) / 8
	if need > f.budget {
		return false
	}
	f.budget -= need
	a.marks, a.palette = make([]byte, need), p
	a.rule |= ruleMarks
	return true
}

// walk allows a table to be walked; false if as much as the whole file was.
func (f *File) walk(a *area) bool {
	f.walks -= a.end - a.start
	return f.walks >= 0
}

// mark notes that the word at file offset off of the area holds field code.
// A word keeps the mark that it got last.
func (a *area) mark(off int64, code byte) {
	if off < a.start || off >= a.end {
		return
	}
	w := (off - a.start) >> 2
	shift := w & 1 * 4
	a.marks[w>>1] = a.marks[w>>1]&^(15<<shift) | code<<shift
}

// code is the mark of the word at file offset off.
func (a *area) code(off int64) byte {
	if off < a.start || off >= a.end {
		return 0
	}
	w := (off - a.start) >> 2
	return a.marks[w>>1] >> (w & 1 * 4) & 15
}

// cover notes addresses of code and of writable data.
func (f *File) cover(s area, length int64, executable bool) {
	addr, ok := f.Address(s.start)
	if !ok || addr >= Unmapped {
		return
	}
	low, high := &f.data, &f.dataEnd
	if executable {
		low, high = &f.code, &f.codeEnd
	}
	if *high == 0 || addr < *low {
		*low = addr
	}
	*high = max(*high, addr+uint64(length))
}
