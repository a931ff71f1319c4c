// SPDX-License-Identifier: Apache-2.0

package executable

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"testing"
)

func TestReferences(t *testing.T) {
	const mach, pe = 1 << 32, 0x140000000
	for _, c := range []struct {
		name string
		file fixture
		want []Reference
	}{
		{"elf", smallELF(), []Reference{
			{0x1001, 0x1020, Rel32}, {0x1008, 0x2000, Rel32}, {0x100e, 0x4200, Rel32Imm1},
			{0x2000, 0x1010, PC32}, {0x2004, 0x1018, PC32}, {0x2008, 0x1020, PC32}, {0x200c, 0x1028, PC32},
			{0x211c, 0x2100, Neg32}, {0x2120, 0x1000, PC32},
			{0x2204, 0x2100, PC32}, {0x220c, 0x1000, Base32 + BaseUnwind}, {0x2210, 0x2118, Base32 + BaseUnwind},
			{0x2300, 0x4010, Place64}, {0x2310, 0x1020, Abs64}, {0x2318, 0x4018, Place64},
			{0x2418, 0x2505, Base32 + BaseNames}, {0x2420, 0x1020, Abs64},
			{0x3010, 0x1020, Abs64},
		}},
		{"macho", smallMachO(), []Reference{
			{0x1000, mach + 0x1020, Branch26}, {0x1004, mach + 0x2028, Page21}, {0x100c, mach + 0x2028, Low12},
			{0x1010, mach + 0x2010, Page21}, {0x1014, mach + 0x2010, Low12},
			{0x2010, mach + 0x1000, Abs64}, {0x3007, mach + 0x2090, Uleb2}, {0x300b, mach + 0x2110, Uleb2},
		}},
		{"pe", smallPE(), []Reference{
			{0x402, pe + 0x1010, Rel32}, {0x610, pe + 0x1006, Abs64}, {0x618, pe + 0x2000, Abs64},
			{0x800, pe + 0x1000, Base32}, {0x804, pe + 0x1007, Base32}, {0x808, pe + 0x3040, Base32},
			{0xa00, pe + 0x2000, Base32}, {0xa08, pe + 0x2010, Page12}, {0xa0a, pe + 0x2018, Page12},
		}},
		{"go", smallGo(), goReferences()},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := open(t, c.file)
			got := scanAll(f, c.file, 1<<16)
			for i := range max(len(got), len(c.want)) {
				if i >= len(got) || i >= len(c.want) || got[i] != c.want[i] {
					t.Fatalf("reference %d: got %x, want %x", i, got[min(i, len(got)):], c.want[min(i, len(c.want)):])
				}
			}
			checkIdentity(t, f, c.file, got)
		})
	}
}

func goReferences() []Reference {
	const types, text, table = 0x402000, 0x401000, 0x402200
	const names, pcs, functions, data = table + 72, table + 104, table + 112, 0x4022e0
	base := func(off int64, base int, target uint64) Reference { return Reference{off, target, Base32 + Kind(base)} }
	return []Reference{
		{0x1001, 0x401020, Rel32}, {0x1008, 0x402000, Rel32}, {0x100e, 0x404200, Rel32Imm1},
		{0x2028, text, Abs64}, base(0x2030, BaseTypes, types+0x100), base(0x2034, BaseTypes, types+0x110),
		base(0x2058, BaseTypes, types+0x120), base(0x2068, BaseTypes, types+0x130), base(0x206c, BaseTypes, types+0x140),
		base(0x2070, BaseText, text+0x10), base(0x2074, BaseText, text+0x20),
		base(0x2258, BaseFiles, table+100),
		base(0x2270, BaseText, text+0x10), base(0x2274, BaseFunctions, functions+16), base(0x2278, BaseText, text+0x40),
		base(0x2280, BaseText, text+0x10), base(0x2284, BaseFunctionNames, names+1),
		base(0x2290, BasePCs, pcs+2), base(0x2294, BasePCs, pcs+3), base(0x2298, BasePCs, pcs+4), base(0x22a0, BaseUnits, table+92),
		base(0x22ac, BasePCs, pcs+5), base(0x22b4, BasePCs, pcs+6), base(0x22c4, BaseFunctionData, data+0x20),
		base(0x22f4, BaseRodata, types+0x44),
		base(0x2304, BaseFunctionNames, names+1), base(0x2314, BaseFunctionNames, names+1),
	}
}

// TestCuts: with context around it, a window gives what the whole file gives.
func TestCuts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, file := range []fixture{smallELF(), smallMachO(), smallPE(), smallGo()} {
		f := open(t, file)
		whole := scanAll(f, file, len(file))
		for range 200 {
			var cut []Reference
			for from := 0; from < len(file); {
				to := min(len(file), from+1+random.IntN(300))
				low, high := max(0, from-Before), min(len(file), to+After)
				var next int
				cut, next = f.Scan(cut, file[low:high], int64(low), from-low, to-low)
				from = low + next
			}
			if !slices.Equal(cut, whole) {
				t.Fatalf("cut file gives %x, whole %x", cut, whole)
			}
		}
	}
}

// TestSelf opens the test's own executable, with all the tables of Go.
func TestSelf(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		if _, err := Open(bytes.NewReader(data), int64(len(data))); !errors.Is(err, ErrUnknown) {
			t.Fatal(err)
		}
		return
	}
	f := open(t, data)
	refs := scanAll(f, data, 128<<10)
	checkIdentity(t, f, data, refs)
	var counts [Kinds]int
	for _, r := range refs {
		counts[r.Kind]++
	}
	for _, base := range []int{BaseText, BaseTypes, BaseFunctionData, BaseFunctionNames, BaseUnits, BaseFiles, BasePCs, BaseFunctions} {
		if counts[Base32+Kind(base)] < 100 {
			t.Errorf("only %d references of kind %s", counts[Base32+Kind(base)], kindName(Base32+Kind(base)))
		}
	}
}

func TestUnknown(t *testing.T) {
	wrong := smallELF()
	wrong[4] = 1
	base := smallPE()
	base[88+24] = 0x40
	for name, data := range map[string][]byte{
		"image base": base, "empty": {}, "zeros": make([]byte, 4096), "32 bits": wrong, "text": bytes.Repeat([]byte("text "), 100),
		"elf header": smallELF()[:64], "pe header": smallPE()[:100], "macho header": smallMachO()[:80],
	} {
		if _, err := Open(bytes.NewReader(data), int64(len(data))); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDamagedSections: what a section table says beyond the file is ignored.
func TestDamagedSections(t *testing.T) {
	for _, value := range []uint64{1 << 63, 1<<64 - 1, 1 << 62, 0x3800, 0x37ff} {
		for section := range 10 {
			for field := 24; field <= 32; field += 8 {
				file := smallELF()
				file.u64(0x3400+64*section+field, value)
				f := open(t, file)
				checkIdentity(t, f, file, scanAll(f, file, 1<<16))
			}
		}
	}
}

// failing fails the reads from a position on.
type failing struct {
	io.ReaderAt
	from int64
}

var errDisk = errors.New("disk failed")

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.from {
		return 0, errDisk
	}
	return f.ReaderAt.ReadAt(p, off)
}

// TestReadErrors: a failed read is an error, not another result.
func TestReadErrors(t *testing.T) {
	for _, file := range []fixture{smallELF(), smallMachO(), smallPE(), smallGo()} {
		if _, err := Open(failing{bytes.NewReader(file), 100}, int64(len(file))); !errors.Is(err, errDisk) {
			t.Errorf("%v", err)
		}
	}
}

func TestPageHashes(t *testing.T) {
	file := smallMachO()
	want := PageHashes{At: 0x3100 + 20 + 64, Count: 4, PageSize: 4096, Limit: 0x3100}
	h, ok := FindPageHashes(bytes.NewReader(file), int64(len(file)))
	if !ok || *h != want {
		t.Fatalf("got %+v", h)
	}
	l, _, err := ParseLayout(open(t, file).Append(nil))
	if err != nil || l.Hashes == nil || *l.Hashes != want {
		t.Fatalf("layout has %+v, %v", l, err)
	}
	file[0x3100+20+37] = 1 // SHA-1
	if h, ok := FindPageHashes(bytes.NewReader(file), int64(len(file))); ok {
		t.Fatalf("got %+v", h)
	}
}
