// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"github.com/waybill-project/waybill/delta/internal/deflate"
	"github.com/waybill-project/waybill/delta/internal/entropy"
	"github.com/waybill-project/waybill/delta/internal/executable"
)

// with returns the patch behind another header.
func with(t testing.TB, patch []byte, change func(h *Header)) []byte {
	t.Helper()
	h, at, err := ReadHeader(bytes.NewReader(patch), int64(len(patch)))
	if err != nil {
		t.Fatal(err)
	}
	change(h)
	return append(h.append(nil), patch[at:]...)
}

// coded is a patch of this header and what code writes.
func coded(h Header, code func(c *entropy.Coder)) []byte {
	c := entropy.NewWriter()
	if code != nil {
		code(c)
	}
	return append(h.append(nil), c.Bytes()...)
}

func coverCount(n uint64) func(c *entropy.Coder) {
	return func(c *entropy.Coder) { c.Memory.NewNumbers(1, 1).Code(c, n, 0, 0) }
}

// wide writes covers as if base and result had no end.
func wide(covers ...Cover) func(c *entropy.Coder) {
	return func(c *entropy.Coder) {
		far := &Header{ResultLength: MaxLength}
		if _, err := codeCovers(context.Background(), c, covers, far, MaxLength); err != nil {
			panic(err)
		}
	}
}

func layoutIn(file []byte) (*executable.Layout, error) {
	f, err := executable.Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	return &f.Layout, nil
}

func layoutOf(t testing.TB, file []byte) *executable.Layout {
	t.Helper()
	l, err := layoutIn(file)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestHostile: patches that lie are corrupt.
func TestHostile(t *testing.T) {
	plain := sample{base: text(1, 3000), result: text(2, 3000), covers: []Cover{{10, 20, 1000}}}
	program := sample{base: elf(0), result: elf(64), covers: []Cover{{0, 0, 0x5000}}, regions: true}
	signed := sample{base: macho(1), result: macho(2), regions: true}
	packed := sample{base: gz(t, text(1, 3000)), result: gz(t, text(2, 3000)), covers: []Cover{{53, 60, 2000}}, baseView: true, resultView: true}
	page := uint32(executableHashes(t, signed.result))
	head := func(s sample) Header { h, _, _ := s.sides(t); return h }
	header := func(s sample, change func(h *Header)) func() []byte {
		return func() []byte { return with(t, s.patch(t), change) }
	}
	region := func(change func(r *Region, l *executable.Layout)) func() []byte {
		return header(program, func(h *Header) {
			l := *h.Images[0].New
			l.Segments = append([]executable.Segment{}, l.Segments...)
			h.Images[0].New = &l
			change(&h.Images[0], &l)
		})
	}
	covers := func(s sample, covers ...Cover) func() []byte {
		return func() []byte { return coded(head(s), wide(covers...)) }
	}
	for _, c := range []struct {
		name  string
		s     sample
		patch func() []byte
	}{
		{"result longer", plain, header(plain, func(h *Header) { h.ResultLength++ })},
		{"result shorter", plain, header(plain, func(h *Header) { h.ResultLength-- })},
		{"base longer", plain, header(plain, func(h *Header) { h.BaseLength++ })},
		{"stored", plain, header(plain, func(h *Header) { h.Stored = 1 })},
		{"stored all", plain, header(plain, func(h *Header) { h.Stored = 1 << 31 })},
		{"unknown view", plain, header(plain, func(h *Header) { h.Views = 8 })},
		{"number that is longer than it must be", plain, func() []byte {
			p := plain.patch(t)
			return slices.Concat(p[:6], []byte{p[6] | 0x80, 0}, p[7:])
		}},
		{"primer behind the base", plain, header(plain, func(h *Header) { h.Primer = Primer{3000, 1} })},
		{"primer past the base", plain, header(plain, func(h *Header) { h.Primer = Primer{1, 3000} })},
		{"primer far behind the base", plain, header(plain, func(h *Header) { h.Primer = Primer{MaxLength, 1} })},
		{"primer that is too long", sample{base: make([]byte, PrimerMost+1), result: plain.result}, func() []byte {
			return coded(Header{BaseLength: PrimerMost + 1, ResultLength: 3000, Primer: Primer{0, PrimerMost + 1}}, nil)
		}},
		{"primer of nothing", plain, func() []byte {
			p := plain.patch(t)
			_, at, _ := ReadHeader(bytes.NewReader(p), int64(len(p)))
			sums := at - 9 // and the number of images
			return slices.Concat(p[:4], []byte{primed}, p[5:sums], []byte{0, 0}, p[sums:])
		}},
		{"primer and images that need too much memory", sample{base: make([]byte, 1<<30), result: program.result}, func() []byte {
			h := Header{BaseLength: 1 << 30, ResultLength: int64(len(program.result)), Primer: Primer{0, 1}}
			for range 4 {
				h.Images = append(h.Images, Region{OldLength: 1 << 26, New: layoutOf(t, program.result)})
			}
			return coded(h, nil)
		}},
		{"view of nothing", plain, header(plain, func(h *Header) { h.ViewLength = 9 })},
		{"view of a plain base", plain, header(plain, func(h *Header) { h.Views = BaseView })},
		{"view of a plain result", plain, header(plain, func(h *Header) { h.Views, h.ViewLength = ResultView, h.ResultLength })},
		{"view without length", packed, header(packed, func(h *Header) { h.ViewLength = 0 })},
		{"view of 4 GiB", packed, header(packed, func(h *Header) { h.ViewLength = MaxLength })},
		{"view longer", packed, header(packed, func(h *Header) { h.ViewLength++ })},
		{"view shorter", packed, header(packed, func(h *Header) { h.ViewLength-- })},
		{"view not of the base", packed, header(packed, func(h *Header) { h.Views = ResultView })},
		{"file shorter than its view makes", sample{base: packed.base, result: packed.result[1:]}, header(packed, func(h *Header) { h.ResultLength-- })},
		{"file longer than its view makes", sample{base: packed.base, result: append([]byte{0}, packed.result...)}, header(packed, func(h *Header) { h.ResultLength++ })},
		{"image in a text", plain, header(plain, func(h *Header) { h.Images = []Region{{OldLength: 3000, New: layoutOf(t, elf(0)[:0x5400])}} })},
		{"image past the base", program, region(func(r *Region, _ *executable.Layout) { r.OldAt = 1 })},
		{"image far past the base", program, region(func(r *Region, _ *executable.Layout) { r.OldAt = MaxLength })},
		{"image without length", program, region(func(r *Region, _ *executable.Layout) { r.OldLength = 0 })},
		{"image of 4 GiB", program, region(func(r *Region, _ *executable.Layout) { r.OldLength = MaxLength })},
		{"image past the result", program, region(func(r *Region, _ *executable.Layout) { r.NewAt = 1 })},
		{"image far past the result", program, region(func(r *Region, _ *executable.Layout) { r.NewAt = MaxLength })},
		{"image larger than the result", program, region(func(_ *Region, l *executable.Layout) { l.Size++ })},
		{"image without segments", program, region(func(_ *Region, l *executable.Layout) { l.Segments = nil })},
		{"segment past the image", program, region(func(_ *Region, l *executable.Layout) { l.Segments[1].Length = l.Size })},
		{"segments in no order", program, region(func(_ *Region, l *executable.Layout) {
			l.Segments[0], l.Segments[1] = l.Segments[1], l.Segments[0]
		})},
		{"segment past all addresses", program, region(func(_ *Region, l *executable.Layout) { l.Segments[1].Address = math.MaxUint64 - 10 })},
		{"segment of much memory", program, region(func(_ *Region, l *executable.Layout) { l.Segments[1].Memory = 1 << 40 })},
		{"65 images", program, header(program, func(h *Header) {
			for len(h.Images) < 65 {
				h.Images = append(h.Images, h.Images[0])
			}
		})},
		{"images that need too much memory", sample{base: make([]byte, 1<<30), result: program.result}, func() []byte {
			h := Header{BaseLength: 1 << 30, ResultLength: int64(len(program.result))}
			for range 4 {
				h.Images = append(h.Images, Region{OldLength: 1 << 30, New: layoutOf(t, program.result)})
			}
			return coded(h, nil)
		}},
		{"page hashes past the file", signed, header(signed, func(h *Header) { h.Images[0].New.Hashes.At += 1 << 20 })},
		{"more pages than there are", signed, header(signed, func(h *Header) { h.Images[0].New.Hashes.Limit <<= 8 })},
		{"page hashes covered", signed, covers(signed, Cover{page + 10, 0, 1})},
		{"page hashes covered by a border", signed, covers(signed, Cover{page - 9, 0, 10})},
		{"no covers at all", plain, func() []byte { return coded(head(plain), nil) }},
		{"covers without end", plain, func() []byte { return coded(head(plain), coverCount(1<<40)) }},
		{"more covers than the result may have", plain, func() []byte { return coded(head(plain), coverCount(spareCovers+3000/bytesPerCover+1)) }},
		{"covers that do not come", plain, func() []byte { return coded(head(plain), coverCount(64)) }},
		{"cover of nothing", plain, func() []byte {
			return coded(head(plain), func(c *entropy.Coder) {
				coverCount(1)(c)
				k := newCoverCode(new(entropy.Memory))
				k.gap.Code(c, 0, 0, 0)
				k.codePlace(c, 0, 0)
				k.length.Code(c, 0, 0, 0)
			})
		}},
		{"cover past the result", plain, covers(plain, Cover{2999, 0, 2})},
		{"cover behind the result", plain, covers(plain, Cover{3001, 0, 1})},
		{"cover far behind the result", plain, covers(plain, Cover{MaxLength - 1, 0, 1})},
		{"cover past the base", plain, covers(plain, Cover{0, 2999, 2})},
		{"cover far behind the base", plain, covers(plain, Cover{0, MaxLength - 1, 1})},
		{"cover longer than all", plain, covers(plain, Cover{0, 0, MaxLength})},
		{"cover before the base", plain, func() []byte {
			return coded(head(plain), func(c *entropy.Coder) {
				coverCount(2)(c)
				k := newCoverCode(new(entropy.Memory))
				_, _ = k.code(c, Cover{0, 0, 10}, MaxLength, MaxLength)
				k.recent[0] = -50 // what the reader does not know
				k.ends[0] = -1
				_, _ = k.code(c, Cover{20, 3, 10}, MaxLength, MaxLength)
			})
		}},
		{"cover with a number of 50 bits", plain, func() []byte {
			return coded(head(plain), func(c *entropy.Coder) {
				coverCount(1)(c)
				for range 200 {
					c.Bits(1<<16-1, 16)
				}
			})
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			patch := c.patch()
			got, err := apply(c.s.base, patch, int64(len(c.s.result)))
			if !errors.Is(err, ErrCorrupt) || len(got) > len(c.s.result) {
				t.Fatalf("%d bytes for %d: %v", len(got), len(c.s.result), err)
			}
			t.Log(err)
		})
	}
}

// TestStops: once the coded section has ended early, no more than a piece is made.
func TestStops(t *testing.T) {
	base := make([]byte, 1<<20)
	for _, c := range []struct {
		name   string
		stored int64
		code   func(c *entropy.Coder)
	}{
		{"stored", 16 * pieceSize, coverCount(0)},
		{"literals", 0, coverCount(0)},
		{"covers", 0, wide(Cover{0, 0, 1 << 20})},
	} {
		h := Header{BaseLength: 1 << 20, ResultLength: 16 * pieceSize, Stored: c.stored}
		got, err := apply(base, append(coded(h, c.code), make([]byte, c.stored)...), h.ResultLength)
		if !errors.Is(err, ErrCorrupt) || len(got) > pieceSize {
			t.Errorf("%s: %d bytes, %v", c.name, len(got), err)
		}
	}
}

func heap() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

// peak is how many bytes f holds at once.
func peak(f func()) int64 {
	defer debug.SetGCPercent(debug.SetGCPercent(2))
	debug.FreeOSMemory()
	before, most := heap(), int64(0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		tick := time.NewTicker(200 * time.Microsecond)
		defer tick.Stop()
		for {
			most = max(most, heap()-before)
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	f()
	most = max(most, heap()-before)
	close(stop)
	<-stopped
	return most
}

// sparse is a file of zeros with something at its start.
type sparse struct {
	parts map[int64][]byte
	size  int64
}

func (s sparse) ReadAt(p []byte, off int64) (int, error) {
	clear(p)
	for at, part := range s.parts {
		if from := max(at, off); from < min(at+int64(len(part)), off+int64(len(p))) {
			copy(p[from-off:], part[from-at:])
		}
	}
	if off+int64(len(p)) > s.size {
		return int(max(0, s.size-off)), io.EOF
	}
	return len(p), nil
}

// vast is an executable of which as many words are marked as may be.
func vast() sparse {
	const data, marked = 160 << 20, 95 << 20
	f := elf(0)
	le(f, 64+56+32, data, 8)
	le(f, 64+56+40, data, 8)
	le(f, 40, 0x3000+data, 8)
	sections := bytes.Clone(f[0x5000:])
	le(sections, 64*2+32, marked, 8)
	le(sections, 64*4+24, 0x3000+data+0x300, 8)
	return sparse{map[int64][]byte{0: f[:0x5000], 0x3000 + data: sections}, 0x3000 + data + 0x400}
}

// TestMemory: what a patch makes a reader hold stays within Memory.
func TestMemory(t *testing.T) {
	big := vast()
	image, err := executable.Open(big, big.size)
	if err != nil {
		t.Fatal(err)
	}
	lots := manyMembers(t)
	for _, c := range []struct {
		name  string
		h     Header
		base  io.ReaderAt
		cover func(i int64) Cover // the i-th of as many as there may be
		view  []byte
	}{
		{"covers", Header{BaseLength: 1<<32 - 1, ResultLength: 1<<32 - 1}, sparse{size: 1<<32 - 1},
			func(i int64) Cover { return Cover{uint32(i * 2), uint32(i * 2663 % (1 << 24)), 1} }, nil},
		{"covers and an image", Header{BaseLength: big.size, ResultLength: 1<<32 - 1, Images: []Region{{OldLength: big.size, New: &image.Layout}}}, big,
			func(i int64) Cover { return Cover{uint32(i * 2), uint32(i * 2663 % (1 << 24)), 1} }, nil},
		{"covers and a view", Header{BaseLength: int64(len(lots)), ResultLength: 1 << 30, Views: BaseView | ResultView, ViewLength: 1 << 31}, bytes.NewReader(lots),
			func(i int64) Cover { return Cover{uint32(i*2) + 8<<20, uint32(i * 1009 % (1 << 20)), 1} }, manyStreams()},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := c.h.MaxCovers()
			covers := make([]Cover, n)
			for i := range covers {
				covers[i] = c.cover(int64(i))
			}
			patch := coded(c.h, func(k *entropy.Coder) {
				if _, err := codeCovers(context.Background(), k, covers, &c.h, MaxLength); err != nil {
					t.Fatal(err)
				}
				base, size, err := c.h.see(&baseFile{ctx: t.Context(), r: c.base, left: math.MaxInt64}, c.h.BaseLength)
				if err != nil {
					t.Fatal(err)
				}
				m := newMachine(context.Background(), k, base, size, nil)
				if err := m.take(covers, &c.h); err != nil {
					t.Fatal(err)
				}
				w := newWriter(m, c.view)
				if err := w.literals(0, int64(len(c.view))); err != nil {
					t.Fatal(err)
				}
			})
			covers = nil
			most := peak(func() {
				err = Apply(context.Background(), c.base, c.h.BaseLength, c.h.ResultLength, bytes.NewReader(patch), int64(len(patch)), io.Discard)
			})
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			t.Logf("%d covers in %d bytes: %.1f MiB: %v", n, len(patch), float64(most)/(1<<20), err)
			if most > Memory {
				t.Fatalf("%d bytes held", most)
			}
		})
	}
	if most := peak(func() {
		c := entropy.NewWriter()
		for _, covered := range []uint32{MaxLength / 1024, MaxLength / 2} { // what was too little for the second is there still
			makeModels(t, c, covered, Primer{})
		}
	}); most > modelMemory {
		t.Errorf("%d bytes of models", most)
	}
	if most := peak(func() { makeModels(t, entropy.NewWriter(), MaxLength/2, Primer{At: 1, Length: PrimerMost}) }); most > modelMemory+primerMemory || most < primerMemory {
		t.Errorf("%d bytes of models with a primer", most)
	}
	left := func(primers ...Primer) int64 {
		c := entropy.NewWriter()
		defer runtime.KeepAlive(c)
		debug.FreeOSMemory()
		before := heap()
		for _, p := range primers {
			makeModels(t, c, MaxLength/2, p)
		}
		debug.FreeOSMemory()
		return heap() - before
	}
	if after, never := left(Primer{At: 1, Length: PrimerMost}, Primer{}), left(Primer{}, Primer{}); after > never+1<<20 {
		t.Errorf("%d bytes are left for the next patch by one with a primer, %d by another", after, never)
	}
}

// makeModels makes what a reader needs next to covers and images.
func makeModels(t *testing.T, c *entropy.Coder, covered uint32, p Primer) {
	c.Memory.Reuse()
	base := bytes.NewReader(make([]byte, p.At+p.Length))
	m := newMachine(context.Background(), c, base, base.Size(), []Image{{New: &executable.Layout{}}})
	newCoverCode(c.Memory)
	if err := m.take([]Cover{{Length: covered}}, &Header{ResultLength: MaxLength, Primer: p}); err != nil {
		t.Error(err)
	}
	newReader(m, nil, section{})
}

// manyMembers is an archive with as many members as are seen, one of them long.
func manyMembers(t testing.TB) []byte {
	return rawArchive(t, deflate.MaxStreams/8*5, pressed(t, []byte("x")), pressed(t, make([]byte, 130<<20)))
}

// manyStreams is the start of a view with as many streams as there may be, of
// which the first has corrections of 4 MiB.
func manyStreams() []byte {
	const n = deflate.MaxStreams
	view := append([]byte("wbvu\x01\x01\x00\x00"), 0, 0, 2, 0)
	view = append(view, make([]byte, 16)...)
	for range n {
		view = append(view, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0)
	}
	recipes := []byte{1, 0x86, 0x80, 0x80, 0x80, 2, 0xff, 0xff, 7, 6}
	view = append(append(view, byte(len(recipes)), 0, 0, 0), recipes...)
	return append(view, make([]byte, 4<<20)...)
}

// counted counts the bytes that are read.
type counted struct {
	io.ReaderAt
	n int64
}

func (c *counted) ReadAt(p []byte, off int64) (int, error) {
	c.n += int64(len(p))
	return c.ReaderAt.ReadAt(p, off)
}

// TestWork: a short patch cannot make a reader inflate the base all the time.
func TestWork(t *testing.T) {
	const n = 20000
	s := sample{base: gz(t, text(1, 6<<20)), result: make([]byte, 4*n), baseView: true}
	for i := range uint32(n) {
		s.covers = append(s.covers, Cover{4 * i, i * 1_300_021 % (6 << 20), 1})
	}
	h, patch := s.header(), s.patch(t)
	base := &counted{ReaderAt: bytes.NewReader(s.base)}
	err := Apply(context.Background(), base, h.BaseLength, h.ResultLength, bytes.NewReader(patch), int64(len(patch)), io.Discard)
	if !errors.Is(err, ErrWork) || !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	t.Logf("%d bytes of patch, %d read of %d", len(patch), base.n, len(s.base))
	if most := readFree + (readFactor+2)*h.BaseLength; base.n > most {
		t.Errorf("%d bytes read, %d allowed", base.n, most)
	}
}

// TestEncodingWork: nor can it make a reader search for matches all the time, with
// a stream of literals that each come after a long search in vain.
func TestEncodingWork(t *testing.T) {
	contents := make([]byte, 100<<10)
	for i, random := 0, noise(1, len(contents)); i < len(contents); i += 40 + int(random[i])%57 {
		contents[i] = 1
	}
	fix := append([]byte{0}, make([]byte, 2*len(contents))...)
	view := append([]byte("wbvu\x01\x02\x00\x00\x01\x00\x00\x00"), make([]byte, 16+5)...)
	view = append(binary.LittleEndian.AppendUint32(view, uint32(len(contents))), 0)
	recipes := binary.AppendUvarint([]byte{1, 0x89}, uint64(len(fix)))
	view = append(binary.LittleEndian.AppendUint32(view, uint32(len(recipes))), recipes...)
	view = join(view, fix, contents)
	h := Header{ResultLength: 13 << 10, Views: ResultView, ViewLength: int64(len(view))}
	patch, err := Write(context.Background(), h, bytes.NewReader(nil), 0, view, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := apply(nil, patch, h.ResultLength); !errors.Is(err, ErrCorrupt) || !errors.Is(err, deflate.ErrCorrupt) {
		t.Fatalf("%d bytes from a patch of %d: %v", len(got), len(patch), err)
	}
}

// TestInflationWork: nor that it inflates all the time what is short in the file.
func TestInflationWork(t *testing.T) {
	const n, size = 2000, 14 << 20
	s := sample{base: gz(t, make([]byte, size)), result: make([]byte, 4*n), baseView: true}
	for i := range uint32(n) {
		s.covers = append(s.covers, Cover{4 * i, i * 6_300_021 % size, 1})
	}
	h, patch := s.header(), s.patch(t)
	base := &counted{ReaderAt: bytes.NewReader(s.base)}
	err := Apply(context.Background(), base, h.BaseLength, h.ResultLength, bytes.NewReader(patch), int64(len(patch)), io.Discard)
	if !errors.Is(err, ErrWork) {
		t.Fatal(err)
	}
	t.Logf("%d bytes of patch, %d read of %d", len(patch), base.n, len(s.base))
	if base.n > readFree {
		t.Error("it read too much rather than inflate too much")
	}
}
