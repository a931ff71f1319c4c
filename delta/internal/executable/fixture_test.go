// SPDX-License-Identifier: Apache-2.0

package executable

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// fixture is a file that is put together by hand.
type fixture []byte

func (f fixture) bytes(off int, b ...byte)          { copy(f[off:], b) }
func (f fixture) text(off int, s string)            { copy(f[off:], s) }
func (f fixture) u16(off int, v ...uint16)          { put(f, off, v, 2) }
func (f fixture) u32(off int, v ...uint32)          { put(f, off, v, 4) }
func (f fixture) u64(off int, v ...uint64)          { put(f, off, v, 8) }
func (f fixture) i32(off int, at, to int)           { f.u32(off, uint32(to-at)) }
func (f fixture) branch(off int, op uint32, to int) { f.u32(off, op|uint32((to-off)>>2)&0x3ffffff) }

func put[T uint16 | uint32 | uint64](f fixture, off int, values []T, width int) {
	for i, v := range values {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], uint64(v))
		copy(f[off+i*width:], b[:width])
	}
}

// smallELF is a shared object: code at 0x1000, read-only data at 0x2000, data
// at file offset 0x3000 and address 0x4000, sections behind.
func smallELF() fixture {
	f := make(fixture, 0x3800)
	f.text(0, "\x7fELF\x02\x01\x01")
	f.u16(16, 3, 62)
	f.u64(32, 64, 0x3400)
	f.u16(52, 64, 56, 3, 64, 10, 9)
	segment := func(i int, flags uint32, off, addr, size, memory uint64) {
		f.u32(64+56*i, 1, flags)
		f.u64(72+56*i, off, addr, addr, size, memory)
	}
	segment(0, 5, 0, 0, 0x2000, 0x2000)
	segment(1, 4, 0x2000, 0x2000, 0x1000, 0x1000)
	segment(2, 6, 0x3000, 0x4000, 0x100, 0x300)
	const names = "\x00.text\x00.rodata\x00.eh_frame\x00.eh_frame_hdr\x00.rela.dyn\x00.dynsym\x00.dynstr\x00.data\x00.shstrtab\x00"
	f.text(0x3300, names)
	section := func(i int, name string, kind, flags uint32, addr, off, size uint64, link uint32) {
		f.u32(0x3400+64*i, uint32(bytes.Index([]byte(names), []byte(name+"\x00"))), kind)
		f.u64(0x3400+64*i+8, uint64(flags), addr, off, size)
		f.u32(0x3400+64*i+40, link)
	}
	section(1, ".text", 1, 6, 0x1000, 0x1000, 0x40, 0)
	section(2, ".rodata", 1, 2, 0x2000, 0x2000, 0x20, 0)
	section(3, ".eh_frame", 1, 2, 0x2100, 0x2100, 0x40, 0)
	section(4, ".eh_frame_hdr", 1, 2, 0x2200, 0x2200, 20, 0)
	section(5, ".rela.dyn", 4, 2, 0x2300, 0x2300, 48, 6)
	section(6, ".dynsym", 11, 2, 0x2400, 0x2400, 48, 7)
	section(7, ".dynstr", 3, 2, 0x2500, 0x2500, 32, 0)
	section(8, ".data", 1, 3, 0x4000, 0x3000, 0x100, 0)
	section(9, ".shstrtab", 3, 0, 0, 0x3300, uint64(len(names)), 0)
	f.bytes(0x1000, 0xe8)
	f.i32(0x1001, 0x1005, 0x1020)              // call
	f.bytes(0x1005, 0x48, 0x8d, 0x05)          // lea
	f.i32(0x1008, 0x100c, 0x2000)              //
	f.bytes(0x100c, 0x80, 0x3d, 0, 0, 0, 0, 1) // cmp byte [rip+x], 1
	f.i32(0x100e, 0x1013, 0x4200)
	f.bytes(0x1013, 0xc3)
	for i := range 4 { // jump table
		f.i32(0x2000+4*i, 0x2000, 0x1010+4*i)
	}
	f.u32(0x2100, 20, 0)
	f.text(0x2108, "\x01zR\x00\x01\x78\x10\x01\x1b")
	f.u32(0x2118, 20, 0x1c)
	f.i32(0x2120, 0x2120, 0x1000)
	f.u32(0x2124, 0x20)
	f.bytes(0x2200, 1, 0x1b, 3, 0x3b)
	f.i32(0x2204, 0x2204, 0x2100)
	f.u32(0x2208, 1)
	f.i32(0x220c, 0x2200, 0x1000)
	f.i32(0x2210, 0x2200, 0x2118)
	f.u64(0x2300, 0x4010, 8, 0x1020, 0x4018, 1<<32|6, 0x1020)
	f.u32(0x2418, 5, 0x12)
	f.u64(0x2420, 0x1020, 4)
	f.u64(0x3010, 0x1020, 0, 0x1024)
	return f
}

// smallMachO is an arm64 program with code at 0x1000 of __TEXT, pointers in
// __DATA, a segment without memory, a rebase program and a signature of one
// page size.
func smallMachO() fixture {
	const base = 1 << 32
	f := make(fixture, 0x3400)
	f.u32(0, 0xfeedfacf, 0x0100000c, 0, 2, 7, 72+152+152+72+72+48+16)
	at := 32
	segment := func(name string, addr, memory, off, size uint64, protection, sections uint32) {
		f.u32(at, machSegment, 72+80*sections)
		f.text(at+8, name)
		f.u64(at+24, addr, memory, off, size)
		f.u32(at+56, protection, protection, sections)
		at += 72
	}
	section := func(name, segment string, addr, size uint64, off, flags uint32) {
		f.text(at, name)
		f.text(at+16, segment)
		f.u64(at+32, addr, size)
		f.u32(at+48, off, 0, 0, 0, flags)
		at += 80
	}
	segment("__PAGEZERO", 0, base, 0, 0, 0, 0)
	segment("__TEXT", base, 0x2000, 0, 0x2000, 5, 1)
	section("__text", "__TEXT", base+0x1000, 0x40, 0x1000, 0x80000400)
	segment("__DATA", base+0x2000, 0x1000, 0x2000, 0x1000, 3, 1)
	section("__data", "__DATA", base+0x2000, 0x40, 0x2000, 0)
	segment("__DWARF", base+0x3000, 0, 0x2fc0, 0x40, 7, 0) // as Go's linker writes it
	segment("__LINKEDIT", base+0x3000, 0x1000, 0x3000, 0x400, 1, 0)
	f.u32(at, machDyldOnly, 48, 0x3000, 16)
	f.u32(at+48, machSignature, 16, 0x3100, 0x200)
	f.branch(0x1000, 0x94000000, 0x1020)
	f.u32(0x1004, 0xb0000000)             // adrp x0, next page
	f.u32(0x1008, 0xd503201f)             // nop
	f.u32(0x100c, 0x91000000|0x28<<10)    // add x0, x0, #0x28
	f.u32(0x1010, 0xb0000001)             // adrp x1, next page
	f.u32(0x1014, 0xf9400022|0x10>>3<<10) // ldr x2, [x1, #0x10]
	f.u64(0x2010, base+0x1000)
	f.bytes(0x3000, 0x11, 0x22, 0x90, 0x80, 0x00, 0x51, 0x22, 0x90, 0x01, 0x51, 0x22, 0x90, 0x02, 0x51, 0)
	signature(f)
	return f
}

func signature(f fixture) {
	be := binary.BigEndian
	b := f[0x3100:]
	be.PutUint32(b, 0xfade0cc0)
	be.PutUint32(b[8:], 1)
	be.PutUint32(b[16:], 20)
	d := b[20:]
	be.PutUint32(d, 0xfade0c02)
	be.PutUint32(d[16:], 64)     // hashes
	be.PutUint32(d[28:], 4)      // how many
	be.PutUint32(d[32:], 0x3100) // limit
	d[36], d[37], d[39] = 32, 2, 12
}

// smallPE is an x86-64 program with code, data, unwind table and relocations.
func smallPE() fixture {
	const base = 0x140000000
	f := make(fixture, 0xc00)
	f.text(0, "MZ")
	f.u32(60, 64)
	f.text(64, "PE\x00\x00")
	f.u16(68, 0x8664, 4)
	f.u16(84, 240)
	f.u16(88, 0x20b)
	f.u64(88+24, base)
	f.u32(88+60, 0x400)
	f.u32(88+108, 16)
	f.u32(88+112+8*peExceptions, 0x3000, 12)
	f.u32(88+112+8*peRelocs, 0x4000, 16)
	section := func(i int, name string, addr, off, flags uint32) {
		f.text(328+40*i, name)
		f.u32(328+40*i+8, 0x200, addr, 0x200, off)
		f.u32(328+40*i+36, flags)
	}
	section(0, ".text", 0x1000, 0x400, 0x60000020)
	section(1, ".data", 0x2000, 0x600, 0xc0000040)
	section(2, ".pdata", 0x3000, 0x800, 0x40000040)
	section(3, ".reloc", 0x4000, 0xa00, 0x42000040)
	f.bytes(0x400, 0x0f, 0x84, 0x0a, 0, 0, 0, 0xc3)
	f.u64(0x610, base+0x1006, base+0x2000)
	f.u32(0x800, 0x1000, 0x1007, 0x3040)
	f.u32(0xa00, 0x2000, 16)
	f.u16(0xa08, 0xa010, 0xa018, 0, 0)
	return f
}

func open(t testing.TB, data []byte) *File {
	t.Helper()
	f, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// smallGo is a program with the tables of Go 1.20 and later: code at 0x401000,
// types at 0x402000, the function table at 0x402200, module data at 0x404000.
func smallGo() fixture {
	const types, table, module = 0x402000, 0x402200, 0x404000
	f := smallELF()
	f.u16(16, 2, 62)
	for i, addr := range []uint64{0x400000, 0x402000, 0x404000} {
		f.u64(64+56*i+16, addr, addr)
	}
	clear(f[0x3400:])
	f.u64(64+56*2+32, 0x200, 0x300)
	f.u16(60, 4, 3)
	const names = "\x00.text\x00.gopclntab\x00"
	f.u32(0x34c0, 0, 3)
	f.u64(0x34d8, 0x3300, uint64(len(names)))
	f.text(0x3300, names)
	f.u32(0x3440, 1, 1)
	f.u64(0x3448, 6, 0x401000, 0x1000, 0x40)
	f.u32(0x3480, 7, 1)
	f.u64(0x3488, 2, table, 0x2200, 0x200)
	clear(f[0x2000:0x3200])
	f.text(0x3300, names)
	f.u64(0x2008, 16, 16) // a struct type with one method
	f.u32(0x2018, 0x1234, 25<<24|8<<16|8<<8|1)
	f.u64(0x2020, 0, 0x401000)
	f.u32(0x2030, 0x100, 0x110)
	f.u32(0x2058, 0x120, 1<<16|1, 16)
	f.u32(0x2068, 0x130, 0x140, 0x10, 0x20)
	f.u32(0x2200, 0xfffffff1, 8<<24|1<<16)
	f.u64(0x2208, 1, 1, 0, 72, 88, 96, 104, 112) // names, units, files, pcs, functions
	f.text(0x2249, "main.main\x00")
	f.u32(0x2258, 4, 1<<32-1)
	f.u32(0x2270, 0x10, 16, 0x40) // function table
	f.u32(0x2280, 0x10, 1, 0, 0, 2, 3, 4, 3, 1, 5, 4<<24)
	f.u32(0x22ac, 5, 0, 6)                   // pc data
	f.u32(0x22b8, 1<<32-1, 1<<32-1, 0, 0x20) // function data
	f.u32(0x22e0, 1, 0, 0, 0, 0, 0x44)       // stack objects
	f.u32(0x2300, 0, 1, 7, 9, 1, 1, 8, 10)   // inlined calls
	f.u64(0x3000, table, table+72, 16, 16, table+88, 2, 2, table+96, 8, 8, table+104, 8, 8, table+112, 0x58, 0x58, table+112, 1, 1)
	f.u64(0x3098, 0x402340, 0x401000, 0x401040, 0x401000, 0x402000)
	f.u64(0x3000+37*8, types, types+0x180, types, 0x4022e0, 0, 0, 0, 0)
	return f
}
