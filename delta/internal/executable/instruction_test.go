// SPDX-License-Identifier: Apache-2.0

package executable

import (
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// codeFile is a program that is all code: size bytes at address base.
func codeFile(m Machine, code []byte, base uint64) *File {
	f := &File{Layout: Layout{Container: ELF, Machine: m, Size: int64(len(code))}, pointers: Abs64}
	f.Segments = []Segment{{0, int64(len(code)), base, 1 << 24, true, false}}
	f.settle()
	f.areas = []area{{start: 0, end: int64(len(code)), addr: base, rule: f.instructions()}}
	f.code, f.codeEnd = base, base+1<<24
	return f
}

func TestAMD64(t *testing.T) {
	for _, c := range []struct {
		code string // the field's bytes are 10 20 30 00 or such
		at   int    // -1: no reference
		kind Kind
	}{
		{"e8 10203000", 1, Rel32},
		{"66 2e 0f1f840000000000 e9 10203000", 11, Rel32},
		{"f2 e8 10203000", 2, Rel32},
		{"0f85 10203000", 2, Rel32},
		{"488b05 10203000", 3, Rel32},
		{"ff15 10203000", 2, Rel32},
		{"803d 10203000 01", 2, Rel32Imm1},
		{"66813d 10203000 0102", 3, Rel32Imm2},
		{"48c705 10203000 01020304", 3, Rel32Imm4},
		{"f605 10203000 01", 2, Rel32Imm1},
		{"f71d 10203000", 2, Rel32},
		{"c5f96f05 10203000", 4, Rel32},
		{"c4e37d1905 10203000 01", 5, Rel32Imm1},
		{"62f17c481005 10203000", 6, Rel32},
		{"660f3a0f05 10203000 08", 5, Rel32Imm1},
		{"0f3800 05 10203000", 4, Rel32},
		{"c3", -1, 0},
		{"b8 e8102030", -1, 0},
		{"48b8 e810203000e81020", -1, 0},
		{"8b84e8 e8102030", -1, 0},
		{"c8 e81020", -1, 0},
		{"a1 e810203000e81020", -1, 0},
		{"eb e8", -1, 0},
		{"e8 10203070", -1, 0}, // outside the image
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(c.code, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		n := len(b)
		for len(b) < 100 {
			b = append(b, 0x90)
		}
		for _, length := range []int{n, len(b)} { // with and without bytes behind
			f := codeFile(AMD64, b[:length], 0x400000)
			refs, _ := f.Scan(nil, b[:length], 0, 0, length)
			if c.at < 0 && len(refs) > 0 || c.at >= 0 && (len(refs) != 1 || refs[0].Offset != int64(c.at) || refs[0].Kind != c.kind) {
				t.Errorf("%s: got %x", c.code, refs)
			}
			checkIdentity(t, f, b[:length], refs)
		}
	}
}

func TestAMD64Absolute(t *testing.T) {
	for code, want := range map[string]int{
		"bf 10205000": 1, "48c70424 10205000": 4, "68 10205000": 1, "4881f9 10205000": 3, "483d 10205000": 2,
		"ff24c5 10205000": 3, "8b81 10205000": 2, "48b8 1020500000000000": 2,
		"3d 10205000": -1, "81c1 10205000": -1, "05 10205000": -1, "bf 00005000": -1, "bf 10201000": -1,
	} {
		b, err := hex.DecodeString(strings.ReplaceAll(code, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		f := codeFile(AMD64, b, 0x400000)
		f.small = true
		refs, _ := f.Scan(nil, b, 0, 0, len(b))
		if want < 0 && len(refs) > 0 || want >= 0 && (len(refs) != 1 || refs[0].Offset != int64(want) || refs[0].Target != 0x502010) {
			t.Errorf("%s: got %x", code, refs)
		}
		checkIdentity(t, f, b, refs)
	}
}

// Lookups by the first bytes must find what one instruction after the other has.
func TestAMD64Lookups(t *testing.T) {
	code := make([]byte, 40<<10)
	f := codeFile(AMD64, code, 0)
	f.Segments[0].Memory, f.low, f.high, f.code, f.codeEnd = 1<<62, 0, 1<<62, 0, 1<<62
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 100 {
		for i := range code {
			code[i] = byte(random.Uint32())
			if round&2 != 0 && random.IntN(2) == 0 {
				code[i] = "\x48\x66\x67\x0f\x41\xf2\x8b\xb8\xc7\xf7\x81\x84\x04\x05\x25\xa1"[code[i]&15]
			}
		}
		f.small = round&1 != 0
		got, _ := f.Scan(nil, code, 0, 0, len(code))
		d := amd64{scan: scan{f: f, to: len(code)}, p: append(code, make([]byte, lookahead)...), limit: len(code)}
		for i := 0; i < len(code); {
			i = d.instruction(i)
		}
		if !slices.Equal(got, d.refs) {
			t.Fatalf("round %d: %d references instead of %d", round, len(got), len(d.refs))
		}
	}
}

func TestARM64(t *testing.T) {
	const base, nop = 0x400000, 0xd503201f
	low := Low12
	for _, c := range []struct {
		name string
		code []uint32
		want []Reference
	}{
		{"bl forward", []uint32{0x94000004}, []Reference{{0, base + 16, Branch26}}},
		{"b back", []uint32{nop, nop, 0x17fffffe}, []Reference{{8, base, Branch26}}},
		{"b outside", []uint32{0x16000000}, nil},
		{"adrp alone", []uint32{0x90000003}, []Reference{{0, base, Page21}}},
		{"adrp add", []uint32{0xb0000003, 0x91048c64}, []Reference{{0, base + 0x1123, Page21}, {4, base + 0x1123, low}}},
		{"ldr 64", []uint32{0xb0000003, 0xf9408064}, []Reference{{0, base + 0x1100, Page21}, {4, base + 0x1100, low}}},
		{"ldr 128", []uint32{0xb0000003, 0x3dc00464}, []Reference{{0, base + 0x1010, Page21}, {4, base + 0x1010, low}}},
		{"ldr s", []uint32{0xb0000003, 0xbd400464}, []Reference{{0, base + 0x1004, Page21}, {4, base + 0x1004, low}}},
		{"two users", []uint32{0xb0000003, nop, 0x91048c64, 0x91049065},
			[]Reference{{0, base + 0x1123, Page21}, {8, base + 0x1123, low}, {12, base + 0x1124, low}}},
		{"too far", []uint32{0xb0000003, nop, nop, nop, nop, 0x91048c64}, []Reference{{0, base + 0x1000, Page21}}},
		{"other register", []uint32{0xb0000003, 0x91048c84}, []Reference{{0, base + 0x1000, Page21}}},
		{"offset beyond the page", []uint32{0xb0000003, 0xf9480064}, []Reference{{0, base + 0x1000, Page21}}},
	} {
		var b []byte
		for _, w := range c.code {
			b = binary.LittleEndian.AppendUint32(b, w)
		}
		f := codeFile(ARM64, b, base)
		refs, _ := f.Scan(nil, b, 0, 0, len(b))
		if len(refs) != len(c.want) {
			t.Fatalf("%s: got %x", c.name, refs)
		}
		for i := range refs {
			if refs[i] != c.want[i] {
				t.Errorf("%s: got %x, want %x", c.name, refs[i], c.want[i])
			}
		}
		checkIdentity(t, f, b, refs)
	}
}

func TestPut(t *testing.T) {
	l := &Layout{Segments: []Segment{{0, 0x1000, 0x10000, 0x100000, true, false}}, Size: 0x1000}
	l.Bases[BaseUnits], l.Bases[BaseImage] = 0x2000, 0x10000
	for _, c := range []struct {
		kind       Kind
		field      string
		at, target uint64
		want       string
	}{
		{Rel32, "00000000", 0x1000, 0x2000, "fc0f0000"},
		{Rel32Imm1, "00000000", 0x1000, 0x2000, "fb0f0000"},
		{Rel32Imm4, "00000000", 0x1000, 0xf00, "f8feffff"},
		{Branch26, "00000094", 0x1000, 0x0ffc, "ffffff97"},
		{Page21, "03000090", 0x1fff, 0x5008, "230000 90"},
		{Low12, "640040f9", 0, 0x1238, "641c41f9"},
		{Abs64, "0000000000000000", 0, 0x1234, "3412000000000000"},
		{Abs32, "00000000", 0, 0x1234, "34120000"},
		{PC32, "00000000", 0x1000, 0x0f00, "00ffffff"},
		{Neg32, "00000000", 0x1000, 0x0f00, "00010000"},
		{Chain36, "000000000000f07f", 0, 0x1234, "341200000000f07f"},
		{ChainBase36, "000000000000f07f", 0, 0x11234, "341200000000f07f"},
		{Page12, "00a0", 0, 0x12345, "45a3"},
		{Uleb3, "000000", 0, 0x10081, "818100"},
		{Base32 + BaseUnits, "00000000", 0, 0x2010, "04000000"},
	} {
		field, _ := hex.DecodeString(c.field)
		l.Put(c.kind, field, c.at, c.target)
		if got := hex.EncodeToString(field); got != strings.ReplaceAll(c.want, " ", "") {
			t.Errorf("%s: got %s, want %s", kindName(c.kind), got, c.want)
		}
	}
}
