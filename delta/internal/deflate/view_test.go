// SPDX-License-Identifier: Apache-2.0

package deflate

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"runtime"
	"slices"
	"testing"
)

func described(t testing.TB, file []byte) (*View, []byte) {
	t.Helper()
	v, err := Describe(context.Background(), bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	return v, whole(t, v)
}

func whole(t testing.TB, v *View) []byte {
	t.Helper()
	p, err := io.ReadAll(io.NewSectionReader(v, 0, v.Size()))
	if err != nil || int64(len(p)) != v.Size() {
		t.Fatalf("read %d of %d bytes: %v", len(p), v.Size(), err)
	}
	return p
}

func rebuilt(view []byte, length, piece int) ([]byte, error) {
	var b bytes.Buffer
	w := NewWriter(&b, int64(length))
	for len(view) > 0 {
		n := min(piece, len(view))
		if _, err := w.Write(view[:n]); err != nil {
			return nil, err
		}
		view = view[n:]
	}
	err := w.Close()
	return b.Bytes(), err
}

func gzipped(stream, contents []byte) []byte {
	p := append([]byte{0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3, 'n', 0}, stream...)
	p = binary.LittleEndian.AppendUint32(p, crc32.ChecksumIEEE(contents))
	return binary.LittleEndian.AppendUint32(p, uint32(len(contents)))
}

// archive has members of several encoders, one that is stored, one without
// contents, and one with a descriptor; before lies in front of it.
func archive(t testing.TB, before string, contents []byte) []byte {
	t.Helper()
	step := len(contents) / 7
	var b bytes.Buffer
	b.WriteString(before)
	w := zip.NewWriter(&b)
	w.SetOffset(int64(len(before)))
	for i, r := range []recipe{newRecipe(Zlib, 6), newRecipe(Zlib, 9), newRecipe(Zlib, 1), newRecipe(Chromium, 9), newRecipe(Gzip, 6)} {
		part := contents[i*step : (i+2)*step]
		stream := encode(r, part)
		h := &zip.FileHeader{Name: fmt.Sprintf("dir/%d", i), Method: zip.Deflate, CRC32: crc32.ChecksumIEEE(part),
			CompressedSize64: uint64(len(stream)), UncompressedSize64: uint64(len(part)), Extra: []byte{9, 9, 1, 0, 5}[:i%2*5]}
		if i == 2 {
			h.Flags |= 8
		}
		m, err := w.CreateRaw(h)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = m.Write(stream)
	}
	m, _ := w.CreateHeader(&zip.FileHeader{Name: "stored", Method: zip.Store})
	_, _ = m.Write(contents[:99])
	_, _ = w.Create("empty")
	m, _ = w.Create("of Go's encoder")
	_, _ = m.Write(contents[:step])
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func encode(r recipe, contents []byte) []byte {
	var b bytes.Buffer
	e := newEncoder(&b, maxOffset)
	_ = e.reset(r, nil, int64(len(contents)))
	_ = e.write(contents)
	return b.Bytes()
}

func flushed(contents []byte) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, 6)
	for i := 0; i < len(contents); i += 1_000 {
		_, _ = w.Write(contents[i:min(i+1_000, len(contents))])
		_ = w.Flush()
	}
	_ = w.Close()
	return b.Bytes()
}

func files(t testing.TB, contents []byte) map[string][]byte {
	one := gzipped(encode(newRecipe(Zlib, 6), contents), contents)
	return map[string][]byte{
		"zip":              archive(t, "", contents),
		"zip behind a run": archive(t, "#!/bin/sh\nexec java -jar $0\n", contents),
		"plain zip":        plainZip(t, contents),
		"gzip":             one,
		"gzip twice":       append(bytes.Clone(one), one...),
		"gzip and garbage": append(bytes.Clone(one), "garbage"...),
		"gzip cut":         one[:len(one)-5],
		"flushed":          gzipped(flushed(contents), contents),
		"stored blocks":    gzipped(goFlate(0, contents), contents),
		"of Go's encoder":  gzipped(goFlate(9, contents), contents),
	}
}

// plainZip has one member and neither data descriptors nor anything between the
// stream and the directory.
func plainZip(t testing.TB, contents []byte) []byte {
	t.Helper()
	stream := encode(newRecipe(Zlib, 6), contents)
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	m, err := w.CreateRaw(&zip.FileHeader{Name: "a", Method: zip.Deflate, CRC32: crc32.ChecksumIEEE(contents),
		CompressedSize64: uint64(len(stream)), UncompressedSize64: uint64(len(contents))})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = m.Write(stream)
	_ = w.Close()
	return b.Bytes()
}

// TestPlainDirectory: numbers in a directory right behind the last stream are
// those expected, whatever its contents.
func TestPlainDirectory(t *testing.T) {
	contents := mixed()
	for n := range 20 {
		file := plainZip(t, contents[:1000+n])
		v, err := Open(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		view := make([]byte, v.Size())
		if _, err := v.ReadAt(view, 0); err != nil {
			t.Fatal(err)
		}
		entry := view[bytes.LastIndex(view, []byte("PK\x01\x02")):]
		if !bytes.Equal(entry[16:28], make([]byte, 12)) {
			t.Fatalf("%d bytes: sum and lengths left as %x", 1000+n, entry[16:28])
		}
	}
}

func goFlate(level int, contents []byte) []byte {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, level)
	_, _ = w.Write(contents)
	_ = w.Close()
	return b.Bytes()
}

func TestFilesComeBack(t *testing.T) {
	streams := map[string]int{"zip": 6, "zip behind a run": 6, "gzip twice": 2}
	for name, file := range files(t, mixed()) {
		t.Run(name, func(t *testing.T) {
			v, view := described(t, file)
			if want := max(streams[name], 1); v.Streams() != want {
				t.Errorf("%d streams, want %d", v.Streams(), want)
			}
			for _, piece := range []int{1, 1000, len(view)} {
				got, err := rebuilt(view, len(file), piece)
				if err != nil || !bytes.Equal(got, file) {
					t.Fatalf("pieces of %d: %d bytes of %d, %v", piece, len(got), len(file), err)
				}
			}
			if _, err := rebuilt(view[:len(view)-1], len(file), 1000); !errors.Is(err, ErrCorrupt) {
				t.Errorf("cut: %v", err)
			}
			if _, err := rebuilt(append(view, 0), len(file), 1000); !errors.Is(err, ErrCorrupt) {
				t.Errorf("with a byte too many: %v", err)
			}
		})
	}
}

// TestExpectedNumbersAreZero: checksums, lengths and offsets cost nothing.
func TestExpectedNumbersAreZero(t *testing.T) {
	contents := mixed()
	_, view := described(t, gzipped(encode(newRecipe(Zlib, 6), contents), contents))
	if !bytes.HasSuffix(view, make([]byte, 8)) {
		t.Errorf("the trailer of gzip is % x", view[len(view)-8:])
	}
	_, view = described(t, archive(t, "", contents))
	at := bytes.LastIndex(view, []byte("dir/0")) - centralSize
	if got := view[at+16 : at+28]; !bytes.Equal(got, make([]byte, 12)) {
		t.Errorf("the directory has % x", got)
	}
	at = bytes.LastIndex(view, []byte("dir/1")) - centralSize
	if got := view[at+42 : at+46]; !bytes.Equal(got, make([]byte, 4)) {
		t.Errorf("the offset in the directory is % x", got)
	}
}

// TestReadAtAgrees reads at places all over, far more than the cache holds.
func TestReadAtAgrees(t *testing.T) {
	contents := bytes.Repeat(mixed(), 20)
	for name, file := range map[string][]byte{"zip": archive(t, "", mixed()), "large": gzipped(encode(newRecipe(Zlib, 1), contents), contents)} {
		v, err := Open(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		want := whole(t, v)
		s := sequence(1)
		for range 300 {
			off := int(s.next()) % len(want)
			p := make([]byte, s.next()%5000)
			n, err := v.ReadAt(p, int64(off))
			if !bytes.Equal(p[:n], want[off:min(off+len(p), len(want))]) || (err == io.EOF) != (n < len(p)) {
				t.Fatalf("%s: %d bytes at %d: %d, %v", name, len(p), off, n, err)
			}
		}
	}
}

func TestOpenIsDescribeWithoutRecipes(t *testing.T) {
	file := archive(t, "", mixed())
	v, err := Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	base := whole(t, v)
	d, view := described(t, file)
	front := headSize + recordSize*d.Streams()
	if !bytes.Equal(base[:front], view[:front]) {
		t.Error("the tables differ")
	}
	for _, end := range []string{"dir/4", "stored"} {
		if i, j := bytes.LastIndex(base, []byte(end)), bytes.LastIndex(view, []byte(end)); !bytes.Equal(base[i:], view[j:]) {
			t.Errorf("the views differ behind %q", end)
		}
	}
}

func TestNothingToSee(t *testing.T) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_ = w.Close()
	for _, file := range [][]byte{nil, {0}, []byte("PK\x03\x04"), make([]byte, 100_000), b.Bytes(),
		append([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3}, make([]byte, 100)...)} {
		if _, err := Open(bytes.NewReader(file), int64(len(file))); !errors.Is(err, ErrNone) {
			t.Errorf("%d bytes: %v", len(file), err)
		}
	}
}

// TestBombsStayRaw: what inflates to far more than the file is not looked at.
func TestBombsStayRaw(t *testing.T) {
	zeros := make([]byte, inflationFree*3/2)
	file := gzipped(encode(newRecipe(Zlib, 1), zeros), zeros)
	if _, err := Open(bytes.NewReader(file), int64(len(file))); !errors.Is(err, ErrNone) {
		t.Errorf("%d bytes: %v", len(file), err)
	}
}

// TestInflationIsBounded: reads in no order inflate as much as they may, and not
// for long.
func TestInflationIsBounded(t *testing.T) {
	contents := make([]byte, 6<<20)
	file := gzipped(encode(newRecipe(Zlib, 1), contents), contents)
	v, err := Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	const most = 40 << 20
	v.Limit(most)
	s, reads, p := sequence(1), 0, make([]byte, 1)
	for ; err == nil; reads++ {
		_, err = v.ReadAt(p, int64(s.next())%(v.Size()-1))
	}
	if reads < 10 || reads > 1000 || !errors.Is(err, ErrWork) || v.left < -outputSize {
		t.Errorf("%d reads, %d more than allowed: %v", reads, -v.left, err)
	}
}

// TestSpentBudgetEndsTheScan: once the contents are too long, members that are
// short in the file are not inflated at all.
func TestSpentBudgetEndsTheScan(t *testing.T) {
	zeros := make([]byte, inflationFree*5/4)
	bomb, short := encode(newRecipe(Zlib, 1), zeros), encode(newRecipe(Zlib, 1), zeros[:pageSize])
	file := slices.Concat(bomb, short, short)
	ends := []int64{int64(len(bomb)), int64(len(bomb) + len(short)), int64(len(file))}
	s := scan{r: bytes.NewReader(file), size: 1000}
	c := &container{kind: kindZip, streams: []candidate{{0, ends[0]}, {ends[0], ends[1]}, {ends[1], ends[2]}}}
	if err := s.run(context.Background(), c); err != nil || len(s.streams) != 0 || s.budget < -outputSize {
		t.Errorf("%d streams, budget %d: %v", len(s.streams), s.budget, err)
	}
}

// TestDescribeEndsInAStream: one long stream does not outlast the context.
func TestDescribeEndsInAStream(t *testing.T) {
	contents := mixed()
	file := gzipped(encode(newRecipe(Zlib, 9), contents), contents)
	ctx, cancel := context.WithCancel(context.Background())
	r := readerFunc(func(p []byte, off int64) (int, error) {
		if off > int64(len(file)/2) && off < int64(len(file)-len(p)) {
			cancel()
		}
		return bytes.NewReader(file).ReadAt(p, off)
	})
	if _, err := Describe(ctx, r, int64(len(file))); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

type readerFunc func(p []byte, off int64) (int, error)

func (f readerFunc) ReadAt(p []byte, off int64) (int, error) { return f(p, off) }

// TestMemoryIsBounded holds a view of as many streams as there may be, with many
// checkpoints, to what the package aims at.
func TestMemoryIsBounded(t *testing.T) {
	small := []byte("a stream among very many")
	contents := bytes.Repeat(mixed(), 150)
	large := gzipped(encode(newRecipe(Zlib, 1), contents), contents)
	contents = nil
	file := large
	for range MaxStreams {
		file = append(file, gzipped(goStored(small), small)...)
	}
	before := heap()
	v, err := Open(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 1<<20)
	for off := int64(0); off < v.Size(); off += 3 << 20 {
		if _, err := v.ReadAt(p, off); err != nil && err != io.EOF {
			t.Fatal(err)
		}
	}
	if used := heap() - before; used > 24<<20 {
		t.Errorf("the view holds %d KiB", used>>10)
	}
	runtime.KeepAlive(v)
}

// goStored is a stream of one stored block.
func goStored(p []byte) []byte {
	return append([]byte{1, byte(len(p)), 0, ^byte(len(p)), 0xff}, p...)
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
