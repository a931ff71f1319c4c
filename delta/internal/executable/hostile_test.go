// SPDX-License-Identifier: Apache-2.0

package executable

import (
	"bytes"
	"io"
	"testing"
)

// counting counts the bytes that are read.
type counting struct {
	io.ReaderAt
	read int64
}

func (c *counting) ReadAt(p []byte, off int64) (int, error) {
	c.read += int64(len(p))
	return c.ReaderAt.ReadAt(p, off)
}

// TestHostileWork: files made to be walked again and again are read a bounded
// number of times.
func TestHostileWork(t *testing.T) {
	const size = 4 << 20
	sections := func(kind uint32, name string, fill func(f fixture)) fixture {
		f := make(fixture, size)
		copy(f, smallELF()[:0x1000])
		f.u64(40, size-1024*64)
		f.u16(60, 1000, 999)
		f.u64(64+32, 0x200000, 0x200000)
		f.u16(56, 1)
		fill(f)
		for i := range 999 {
			f.u32(size-1024*64+64*i, 0, kind)
			f.u64(size-1024*64+64*i+8, 2, 0x1000+uint64(i)*4, 0x1000+uint64(i)*4, 0x100000)
		}
		f.u32(size-1024*64+64*999+4, 3)
		f.u64(size-1024*64+64*999+24, 0x300000, 100)
		f.text(0x300000, name)
		return f
	}
	for name, file := range map[string]fixture{
		"relocations": sections(elfRela, "", func(fixture) {}),
		"bits": sections(elfRelr, "", func(f fixture) {
			for i := 0x1000; i < 0x100000; i += 8 {
				f.u64(i, 1<<64-1)
			}
		}),
		"unwind": sections(elfProgBits, ".eh_frame", func(f fixture) {
			for i := 0x1000; i < 0x200000; i += 16 {
				f.u32(i, 12, uint32(i*7919)%0x1000&^3)
			}
		}),
		"go": sections(elfProgBits, ".gopclntab", func(f fixture) { copy(f[0x1000:], smallGo()[0x2200:0x2400]) }),
	} {
		c := &counting{ReaderAt: bytes.NewReader(file)}
		f, err := Open(c, size)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if c.read > 32*size {
			t.Errorf("%s: %d bytes read of %d", name, c.read, size)
		}
		if memory := maxMarks(size) - f.budget; memory > maxMarks(size) {
			t.Errorf("%s: %d bytes of marks", name, memory)
		}
		checkIdentity(t, f, file, scanAll(f, file, 1<<16))
	}
}

func TestChains(t *testing.T) {
	const base = 1 << 32
	b := make(fixture, 64)
	b.u64(0, base+0x2000, 2<<51|(base+0x2008), 1<<63|5, 1<<36|(base+0x2000), 1<<51|0x2010)
	for kind, want := range map[Kind][]Reference{
		Chain36:     {{0, base + 0x2000, Chain36}, {8, base + 0x2008, Chain36}},
		ChainBase36: {{32, base + 0x2010, ChainBase36}},
	} {
		f := codeFile(ARM64, b, base)
		f.Bases[BaseImage], f.pointers, f.areas[0].rule = base, kind, ruleChain
		refs, _ := f.Scan(nil, b, 0, 0, len(b))
		if len(refs) != len(want) {
			t.Fatalf("got %x, want %x", refs, want)
		}
		for i := range want {
			if refs[i] != want[i] {
				t.Errorf("got %x, want %x", refs[i], want[i])
			}
		}
		checkIdentity(t, f, b, refs)
	}
}
