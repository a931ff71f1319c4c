// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/waybill-project/waybill/delta/internal/deflate"
	"github.com/waybill-project/waybill/delta/internal/executable"
)

func noise(seed uint64, n int) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(random.Uint32())
	}
	return out
}

// text is n bytes that compress to about a third.
func text(seed uint64, n int) []byte {
	random := rand.New(rand.NewPCG(seed, 2))
	var out []byte
	for len(out) < n {
		word := noise(uint64(random.IntN(200)), 2+random.IntN(7))
		for _, b := range word {
			out = append(out, 'a'+b%26)
		}
		out = append(out, ' ')
	}
	return out[:n]
}

func le(p []byte, off int, v uint64, width int) {
	for i := range width {
		p[off+i] = byte(v >> (8 * i))
	}
}

// elf is a shared object with code at pad+0x1000, which calls what lies behind
// a gap, and addresses with relocations.
func elf(pad int) []byte {
	const names = "\x00.text\x00.data\x00.rela.dyn\x00.shstrtab\x00"
	code, data, rela, sections := 0x1000, 0x3000, 0x4000, 0x5000
	f := make([]byte, 0x5400)
	copy(f, "\x7fELF\x02\x01\x01")
	for _, v := range [][3]uint64{{16, 3, 2}, {18, 62, 2}, {32, 64, 8}, {40, uint64(sections), 8}, {54, 56, 2}, {56, 2, 2}, {58, 64, 2}, {60, 5, 2}, {62, 4, 2}} {
		le(f, int(v[0]), v[1], int(v[2]))
	}
	segment := func(i int, flags, off, addr, size uint64) {
		le(f, 64+56*i, 1|flags<<32, 8)
		for j, v := range []uint64{off, addr, addr, size, size} {
			le(f, 72+56*i+8*j, v, 8)
		}
	}
	segment(0, 5, 0, 0, uint64(data))
	segment(1, 6, uint64(data), uint64(data)+0x1000, uint64(sections-data))
	section := func(i int, name string, kind, flags, addr, off, size uint64) {
		at := sections + 64*i
		le(f, at, uint64(bytes.Index([]byte(names), []byte(name+"\x00")))|kind<<32, 8)
		for j, v := range []uint64{flags, addr, off, size} {
			le(f, at+8+8*j, v, 8)
		}
	}
	section(1, ".text", 1, 6, uint64(code), uint64(code), 0x1800)
	section(2, ".data", 1, 3, uint64(data)+0x1000, uint64(data), 0x800)
	section(3, ".rela.dyn", 4, 2, uint64(rela)+0x1000, uint64(rela), 24*40)
	section(4, ".shstrtab", 3, 0, 0, uint64(sections)+0x300, uint64(len(names)))
	copy(f[sections+0x300:], names)
	random := rand.New(rand.NewPCG(7, 7))
	for at := code; at < code+0x1000; at += 8 {
		to := code + random.IntN(0x1000)
		if to >= code+0x800 {
			to += pad
		}
		f[at+pad*(boolInt(at >= code+0x800))] = 0xe8
		from := at + pad*boolInt(at >= code+0x800)
		le(f, from+1, uint64(uint32(to-from-5)), 4)
		copy(f[from+5:], []byte{0x90, byte(random.IntN(3)), 0x90})
	}
	for i := range 40 {
		le(f, data+8*i, uint64(code+i*8+pad*boolInt(i > 20)), 8)
		le(f, rela+24*i, uint64(data+0x1000+8*i), 8)
		le(f, rela+24*i+8, 8, 8)
		le(f, rela+24*i+16, uint64(code+i*8), 8)
	}
	return f
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// macho is an arm64 program with a signature that ends with right page hashes.
func macho(seed uint64) []byte {
	const base, signature = 1 << 32, 0x6100
	f := make([]byte, 0x6400)
	for i, v := range []uint64{0xfeedfacf, 0x0100000c, 0, 2, 3, 72*2 + 80 + 16} {
		le(f, 4*i, v, 4)
	}
	at := 32
	segment := func(name string, addr, off, size, protection, sections uint64) {
		le(f, at, 0x19|(72+80*sections)<<32, 8)
		copy(f[at+8:], name)
		for i, v := range []uint64{addr, size, off, size} {
			le(f, at+24+8*i, v, 8)
		}
		le(f, at+56, protection|protection<<32, 8)
		le(f, at+64, sections, 4)
		at += 72
	}
	segment("__TEXT", base, 0, 0x6000, 5, 1)
	copy(f[at:], "__text")
	copy(f[at+16:], "__TEXT")
	le(f, at+32, base+0x1000, 8)
	le(f, at+40, 0x4000, 8)
	le(f, at+48, 0x1000, 4)
	le(f, at+64, 0x80000400, 4)
	at += 80
	segment("__LINKEDIT", base+0x6000, 0x6000, 0x400, 1, 0)
	le(f, at, 0x1d|16<<32, 8)
	le(f, at+8, signature|0x300<<32, 8)
	random := rand.New(rand.NewPCG(seed, 3))
	for i := 0x1000; i < 0x5000; i += 4 {
		le(f, i, uint64(0x94000000|uint32((0x1000+random.IntN(0x1000)*4-i)/4)&0x3ffffff), 4)
	}
	be := binary.BigEndian
	b := f[signature:]
	be.PutUint32(b, 0xfade0cc0)
	be.PutUint32(b[8:], 1)
	be.PutUint32(b[16:], 20)
	d := b[20:]
	be.PutUint32(d, 0xfade0c02)
	be.PutUint32(d[16:], 64)
	be.PutUint32(d[28:], 7)
	be.PutUint32(d[32:], signature)
	d[36], d[37], d[39] = 32, 2, 12
	for i := range 7 {
		sum := sha256.Sum256(f[i*4096 : min((i+1)*4096, signature)])
		copy(d[64+32*i:], sum[:])
	}
	return f
}

// pressed is a deflate stream that zlib would write at level 6.
func pressed(t testing.TB, contents []byte) []byte {
	t.Helper()
	view := append([]byte("wbvu\x01\x02\x00\x00\x01\x00\x00\x00"), make([]byte, 16+5)...)
	view = binary.LittleEndian.AppendUint32(view, uint32(len(contents)))
	view = append(view, 0, 2, 0, 0, 0, 1, 6)
	var out bytes.Buffer
	w := deflate.NewWriter(&out, int64(len(contents)))
	if _, err := w.Write(append(view, contents...)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func gz(t testing.TB, contents []byte) []byte {
	out := append([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"), pressed(t, contents)...)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(contents))
	return binary.LittleEndian.AppendUint32(out, uint32(len(contents)))
}

// rawArchive is a zip of n members with the same stream, and one with another.
func rawArchive(t testing.TB, n int, stream, last []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i := range n + 1 {
		if i == n {
			stream = last
		}
		f, err := w.CreateRaw(&zip.FileHeader{Name: "x", Method: zip.Deflate, CompressedSize64: uint64(len(stream)), UncompressedSize64: 1})
		if err == nil {
			_, err = f.Write(stream)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// archive is a zip of members with these contents.
func archive(t testing.TB, members ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for i, m := range members {
		p := pressed(t, m)
		f, err := w.CreateRaw(&zip.FileHeader{Name: string(rune('a'+i%26)) + "/member", Method: zip.Deflate, CRC32: crc32.ChecksumIEEE(m),
			CompressedSize64: uint64(len(p)), UncompressedSize64: uint64(len(m))})
		if err == nil {
			_, err = f.Write(p)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(flate.NewReader(bytes.NewReader(pressed(t, []byte("x"))))); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// sample is a patch to be made and what it leads from and to.
type sample struct {
	name         string
	base, result []byte // files
	covers       []Cover
	regions      bool // one image in each
	baseView     bool
	resultView   bool
	primer       Primer
}

func (s sample) header() Header {
	h := Header{BaseLength: int64(len(s.base)), ResultLength: int64(len(s.result))}
	sum := sha256.Sum256(s.base)
	copy(h.BaseSum[:], sum[:])
	sum = sha256.Sum256(s.result)
	copy(h.ResultSum[:], sum[:])
	return h
}

func whole(t testing.TB, v *deflate.View, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, v.Size())
	if _, err := v.ReadAt(out, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return out
}

// sides returns what the covers see.
func (s sample) sides(t testing.TB) (Header, []byte, []byte) {
	t.Helper()
	h, base, result := s.header(), s.base, s.result
	h.Primer = s.primer
	if s.baseView {
		h.Views |= BaseView
		v, err := deflate.Open(bytes.NewReader(base), int64(len(base)))
		base = whole(t, v, err)
	}
	if s.resultView {
		v, err := deflate.Describe(context.Background(), bytes.NewReader(result), int64(len(result)))
		result = whole(t, v, err)
		h.Views, h.ViewLength = h.Views|ResultView, int64(len(result))
	}
	if s.regions {
		h.Images = []Region{{OldLength: int64(len(base)), New: layoutOf(t, result)}}
	}
	return h, base, result
}

func (s sample) patch(t testing.TB) []byte {
	t.Helper()
	h, base, result := s.sides(t)
	patch, err := Write(context.Background(), h, bytes.NewReader(base), int64(len(base)), result, s.covers)
	if err != nil {
		t.Fatalf("%s: %v", s.name, err)
	}
	return patch
}

func apply(base, patch []byte, length int64) ([]byte, error) {
	var out bytes.Buffer
	err := Apply(context.Background(), bytes.NewReader(base), int64(len(base)), length, bytes.NewReader(patch), int64(len(patch)), &out)
	return out.Bytes(), err
}

// edited changes every step-th byte.
func edited(p []byte, step int) []byte {
	out := bytes.Clone(p)
	for i := step / 2; i < len(out); i += step {
		out[i] += 3
	}
	return out
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func samples(t testing.TB) []sample {
	n, m, w := noise(1, 3000), noise(2, 150<<10), text(3, 70<<10)
	old, new := elf(0), elf(64)
	signed, resigned := macho(1), macho(2)
	page := executableHashes(t, resigned)
	return []sample{
		{name: "nothing"},
		{name: "empty base", result: n},
		{name: "empty base, text", result: w},
		{name: "empty result", base: n},
		{name: "one byte", base: []byte{1}, result: []byte{2}, covers: []Cover{{0, 0, 1}}},
		{name: "no covers", base: n, result: w[:5000]},
		{name: "same", base: w, result: w, covers: []Cover{{0, 0, uint32(len(w))}}},
		{name: "edited", base: w, result: edited(w, 77), covers: []Cover{{0, 0, uint32(len(w))}}},
		{name: "edited to the last byte", base: n, result: edited(n, 2), covers: []Cover{{0, 0, 3000}}},
		{name: "all different", base: n, result: edited(n, 1), covers: []Cover{{0, 0, 3000}}},
		{name: "first and last byte", base: n, result: join(n[2999:], n[:1]), covers: []Cover{{0, 2999, 1}, {1, 0, 1}}},
		{name: "overlapping in the base", base: n, result: join(n[:2000], n[1000:], n[1500:1600]), covers: []Cover{{0, 0, 2000}, {2000, 1000, 2000}, {4000, 1500, 100}}},
		{name: "backwards", base: n, result: join(n[2000:], n[1000:2000], n[:1000]), covers: []Cover{{0, 2000, 1000}, {1000, 1000, 1000}, {2000, 0, 1000}}},
		{name: "gaps", base: n, result: join(w[:7], n[:500], w[7:9], n[700:], w[9:40]), covers: []Cover{{7, 0, 500}, {509, 700, 2300}}},
		{name: "pieces", base: m, result: join(n[:1], m, n[1:70]), covers: []Cover{{1, 0, uint32(len(m))}}},
		{name: "border of pieces", base: m, result: join(m[:pieceSize], m[:pieceSize+1]), covers: []Cover{{0, 0, pieceSize}, {pieceSize, 0, pieceSize + 1}}},
		{name: "stored", base: n, result: join(m, w[:1000], n), covers: []Cover{{uint32(len(m)) + 1000, 0, 3000}}},
		{name: "stored behind coded", base: nil, result: join(w, m)},
		{name: "zeros", base: make([]byte, 1000), result: make([]byte, 200<<10), covers: []Cover{{0, 0, 1000}}},
		{name: "elf", base: old, result: new, covers: []Cover{{0, 0, 0x1800}, {0x1840, 0x1800, 0x7c0}, {0x2000, 0x1fc0, 0x3400}}, regions: true},
		{name: "elf with gaps", base: old, result: new, covers: []Cover{{3, 3, 0x1003}, {0x1843, 0x1803, 0x777}, {0x2fff, 0x2fff, 0x2401}}, regions: true},
		{name: "elf without covers", base: old, result: new, regions: true},
		{name: "elf covered elsewhere", base: old, result: new, covers: []Cover{{0, 0x1001, 0x1000}, {0x1000, 0x1001, 0x1000}, {0x3000, 1, 0x1800}}, regions: true},
		{name: "signed", base: signed, result: resigned, covers: []Cover{{0, 0, uint32(page)}, {uint32(page) + 7*32, uint32(page) + 7*32, uint32(len(signed)-page) - 7*32}}, regions: true},
		{name: "signed, not covered", base: signed, result: resigned, regions: true},
		{name: "primed", base: w, result: join(w[:5000], text(4, 3000), w[5000:]), covers: []Cover{{0, 0, 5000}, {8000, 5000, uint32(len(w)) - 5000}}, primer: Primer{0, int64(len(w))}},
		{name: "primed by a byte", base: n, result: n[1:9], primer: Primer{2999, 1}},
		{name: "primed, with nothing to code", base: n, result: n, covers: []Cover{{0, 0, 3000}}, primer: Primer{0, 3000}},
		{name: "primed by contents", base: gz(t, w), result: gz(t, text(4, 20<<10)), baseView: true, resultView: true, primer: Primer{52, 40 << 10}},
		{name: "gzip from nothing", base: nil, result: gz(t, w), resultView: true},
		{name: "gzip from plain", base: w, result: gz(t, w), covers: []Cover{{53, 0, uint32(len(w))}}, resultView: true},
		{name: "plain from gzip", base: gz(t, w), result: w, covers: []Cover{{0, 52, uint32(len(w))}}, baseView: true},
		{name: "gzip from gzip", base: gz(t, w), result: gz(t, edited(w, 999)), covers: []Cover{{54, 52, uint32(len(w))}}, baseView: true, resultView: true},
		{name: "archive", base: archive(t, w, n, old), result: archive(t, n, edited(w, 500), new), covers: []Cover{{200, 100, 60000}}, baseView: true, resultView: true},
	}
}

func executableHashes(t testing.TB, file []byte) int {
	t.Helper()
	h, ok := executable.FindPageHashes(bytes.NewReader(file), int64(len(file)))
	if !ok || h.Count != 7 {
		t.Fatal("no page hashes")
	}
	return int(h.At)
}
