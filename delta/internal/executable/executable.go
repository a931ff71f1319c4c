// SPDX-License-Identifier: Apache-2.0

// Package executable knows what an executable is, where its references to
// addresses are, and how each kind of reference is written.
//
// Maker and reader of a patch both run it, on the same bytes, and must come to
// the same result: every rule here is frozen, computed with integers, bounded
// in time and memory by the file's length, and free of panics whatever the
// bytes are. A wrong guess costs bytes of a patch, never correctness.
//
// Open reads the tables of a file once; Scan then lists the references in any
// window of it; Put writes one of them for another target. ELF, PE and Mach-O
// files with 64-bit little-endian code for x86-64 and arm64 are known.
package executable

import (
	"encoding/binary"
	"errors"
)

var (
	// ErrUnknown: the file is no executable that this package knows.
	ErrUnknown = errors.New("not an executable of a known kind")
	// ErrMalformed: bytes that are no encoded Layout.
	ErrMalformed = errors.New("malformed executable layout")
)

// MaxSize is the longest file that is taken for an executable, in bytes.
const MaxSize = 4 << 30

// Kind is how a reference is written.
type Kind uint8

// The kinds of references. Their numbers are part of the patch format.
const (
	None        Kind = iota
	Rel32            // x86-64: distance from the end of the field
	Rel32Imm1        // the same, one byte of the instruction follows the field
	Rel32Imm2        // two bytes follow
	Rel32Imm4        // four bytes follow
	Branch26         // arm64 B and BL: distance in words, 26 bits
	Page21           // arm64 ADRP: distance in 4 KiB pages, 21 bits
	Low12            // arm64 ADD, LDR, STR after an ADRP: low 12 bits, scaled
	Abs64            // 64-bit address
	Place64          // 64-bit address of what a relocation changes
	Abs32            // 32-bit address of an image below 2 GiB
	PC32             // 32-bit distance from the start of the field
	Neg32            // 32-bit distance back from the field
	Chain36          // Mach-O chained fixup: address in the low 36 bits
	ChainBase36      // Mach-O chained fixup: distance from the image base
	Page12           // PE base relocation: low 12 bits in a 16-bit entry
	Uleb2            // Mach-O rebase: distance from the segment's start, 2 times 7 bits
	Uleb3            // 3 times 7 bits
	Uleb4            // 4 times 7 bits
	Base32           // Base32+i: 32-bit distance from base i, in its unit
	Kinds       = Base32 + Kind(Bases)
)

// Bases that a layout knows; zero where a file has none.
const (
	BaseImage         = iota // first address of the image
	BaseNames                // .dynstr
	BaseSymbolNames          // .strtab
	BaseUnwind               // .eh_frame_hdr
	BaseText                 // Go: runtime.text
	BaseTypes                // Go: runtime.types
	BaseRodata               // Go: runtime.rodata
	BaseFunctionData         // Go: go:func.*
	BaseFunctionNames        // Go: runtime.funcnametab
	BaseUnits                // Go: runtime.cutab, in entries
	BaseFiles                // Go: runtime.filetab
	BasePCs                  // Go: runtime.pctab
	BaseFunctions            // Go: runtime.pclntab, function table
	BaseIndex                // Go: the same table, in entries
	Bases
)

// unit is how many bytes one step of a Base32 field is.
func unit(base int) uint64 {
	switch base {
	case BaseUnits:
		return 4
	case BaseIndex:
		return 8
	}
	return 1
}

// Width is the length of the field in bytes: 2, 3, 4 or 8.
func (k Kind) Width() int { return int(widths[k]) }

var widths = widthTable()

func widthTable() (t [256]uint8) {
	for k := range t {
		t[k] = 4
	}
	t[Abs64], t[Place64], t[Chain36], t[ChainBase36] = 8, 8, 8, 8
	t[Page12], t[Uleb2], t[Uleb3] = 2, 2, 3
	return t
}

// Reference is one field that refers to an address.
type Reference struct {
	Offset int64  // of the field in the file
	Target uint64 // address that it refers to
	Kind   Kind
}

// after is the distance from a Rel32 field to the end of its instruction.
func (k Kind) after() uint64 {
	switch k {
	case Rel32Imm1:
		return 5
	case Rel32Imm2:
		return 6
	case Rel32Imm4:
		return 8
	}
	return 4
}

// Put writes into field, which holds the old field's bytes and lies at address
// at, the value that refers to target. Bits that are no part of the reference
// stay. A target out of the field's reach is cut to the field's bits.
func (l *Layout) Put(k Kind, field []byte, at, target uint64) {
	le := binary.LittleEndian
	switch k {
	case None:
	case Rel32, Rel32Imm1, Rel32Imm2, Rel32Imm4:
		le.PutUint32(field, uint32(target-at-k.after()))
	case Abs64, Place64:
		le.PutUint64(field, target)
	case Abs32:
		le.PutUint32(field, uint32(target))
	case PC32:
		le.PutUint32(field, uint32(target-at))
	case Neg32:
		le.PutUint32(field, uint32(at-target))
	case Branch26, Page21, Low12:
		le.PutUint32(field, putARM64(k, le.Uint32(field), at, target))
	case Chain36:
		le.PutUint64(field, le.Uint64(field)&^low36|target&low36)
	case ChainBase36:
		le.PutUint64(field, le.Uint64(field)&^low36|(target-l.Bases[BaseImage])&low36)
	case Page12:
		le.PutUint16(field, le.Uint16(field)&0xf000|uint16(target&0xfff))
	case Uleb2, Uleb3, Uleb4:
		if i := l.Find(target); i >= 0 {
			putUleb(field[:k.Width()], target-l.Segments[i].Address)
		}
	default:
		if base := int(k - Base32); base < Bases {
			le.PutUint32(field, uint32((target-l.Bases[base])/unit(base)))
		}
	}
}

const low36 = 1<<36 - 1

// Target is what the field at address at refers to. For Page21 it is the page;
// Low12, Page12 and Uleb do not tell alone (ok is false).
func (l *Layout) Target(k Kind, field []byte, at uint64) (target uint64, ok bool) {
	le := binary.LittleEndian
	if len(field) < k.Width() {
		return 0, false
	}
	switch k {
	case None, Low12, Page12, Uleb2, Uleb3, Uleb4:
		return 0, false
	case Rel32, Rel32Imm1, Rel32Imm2, Rel32Imm4:
		return at + k.after() + uint64(int64(int32(le.Uint32(field)))), true
	case Abs64, Place64:
		return le.Uint64(field), true
	case Abs32:
		return uint64(le.Uint32(field)), true
	case PC32:
		return at + uint64(int64(int32(le.Uint32(field)))), true
	case Neg32:
		return at - uint64(le.Uint32(field)), true
	case Branch26, Page21:
		return targetARM64(k, le.Uint32(field), at), true
	case Chain36:
		return le.Uint64(field) & low36, true
	case ChainBase36:
		return le.Uint64(field)&low36 + l.Bases[BaseImage], true
	}
	base := int(k - Base32)
	if base >= Bases {
		return 0, false
	}
	return l.Bases[base] + uint64(int64(int32(le.Uint32(field))))*unit(base), true
}
