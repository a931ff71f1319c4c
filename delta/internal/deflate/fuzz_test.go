// SPDX-License-Identifier: Apache-2.0

package deflate

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"testing"
)

// addFiles adds small files: large ones would take all the time there is.
func addFiles(f *testing.F) {
	for _, file := range files(f, mixed()[:1500]) {
		f.Add(file)
	}
	f.Add(gzipped(encode(newRecipe(Zlib, 9), short), short))
}

var short = []byte("contents that are short, short, short, short")

// FuzzOpen: any file has a view or none, and both ways to read it agree.
func FuzzOpen(f *testing.F) {
	addFiles(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		v, err := Open(bytes.NewReader(file), int64(len(file)))
		if errors.Is(err, ErrNone) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		want := whole(t, v)
		for off := len(want) - 1; off >= 0; off -= 1 + len(want)/7 {
			p := make([]byte, min(300, len(want)-off))
			if _, err := v.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, want[off:off+len(p)]) {
				t.Fatalf("at %d: %v", off, err)
			}
		}
	})
}

// FuzzRoundTrip: a file that can be described comes back.
func FuzzRoundTrip(f *testing.F) {
	addFiles(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		v, err := Describe(context.Background(), bytes.NewReader(file), int64(len(file)))
		if errors.Is(err, ErrNone) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := rebuilt(whole(t, v), len(file), 1+len(file)/3)
		if err != nil || !bytes.Equal(got, file) {
			t.Fatalf("%d bytes of %d: %v", len(got), len(file), err)
		}
	})
}

// FuzzWriter: whatever is written, there is an error or a file, of a size that
// what was written allows.
func FuzzWriter(f *testing.F) {
	for _, file := range files(f, mixed()[:1500]) {
		_, view := described(f, file)
		f.Add(view)
	}
	_, view := described(f, gzipped(flushed(short), short))
	f.Add(view)
	f.Fuzz(func(t *testing.T, view []byte) {
		n := new(counter)
		w := NewWriter(n, int64(len(view)))
		_, err := w.Write(view)
		if closed := w.Close(); err == nil && closed != nil && !errors.Is(closed, ErrCorrupt) || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatal(err, closed)
		}
		if int(*n) > 64*len(view)+1000 {
			t.Fatalf("%d bytes make %d", len(view), *n)
		}
	})
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// TestHostileViews: each change to a view is noticed, and none costs memory.
func TestHostileViews(t *testing.T) {
	contents := mixed()[:9000]
	_, view := described(t, gzipped(encode(newRecipe(Zlib, 6), contents), contents))
	recipes := headSize + recordSize
	put32 := func(i int, v uint32) func([]byte) {
		return func(p []byte) { binary.LittleEndian.PutUint32(p[i:], v) }
	}
	put := func(i int, v ...byte) func([]byte) {
		return func(p []byte) { copy(p[i:], v) }
	}
	for name, change := range map[string]func([]byte){
		"magic":                  put(0, 'x'),
		"version":                put(4, 2),
		"kind":                   put(5, 3),
		"flags":                  put(6, 1),
		"no streams":             put32(8, 0),
		"many streams":           put32(8, MaxStreams+1),
		"streams without table":  put32(8, MaxStreams),
		"negative tail":          put32(16, 1<<31),
		"huge tail":              put32(16, 1<<8),
		"negative directory":     put32(24, 1<<31),
		"huge gap":               put(headSize+4, 255),
		"huge length":            put(headSize+9, 255),
		"no length":              put(headSize+5, 0, 0, 0, 0, 0),
		"no recipes":             put32(recipes, 0),
		"huge recipes":           put32(recipes, 1<<31),
		"no run":                 put(recipes+4, 0),
		"long run":               put(recipes+4, 2),
		"unknown family":         put(recipes+5, 0x76),
		"level 0":                put(recipes+5, 0),
		"level 10":               put(recipes+5, 10),
		"corrections not there":  put(recipes+5, 0x86),
		"length a byte too long": put32(headSize+5, 9001),
	} {
		p := bytes.Clone(view)
		change(p)
		if got, err := rebuilt(p, len(p), len(p)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

// overlapping is a header, behind its length in bits, that gives 258 codes one bit.
func overlapping() []byte {
	w := newBlockWriter()
	w.put(14<<10, 14)
	for i := range 18 {
		w.put(map[uint8]uint64{1: 1, 16: 1}[lengthOrder[i]], 3)
	}
	w.put(0, 1)
	for range 42 {
		w.put(7, 3) // six times the length before
	}
	w.put(5, 3)
	bits := uint64(len(w.out)*8) + uint64(w.n)
	w.align()
	return append(binary.AppendUvarint(nil, bits), w.out...)
}

// TestHostileCorrections writes streams with corrections that say what cannot be.
func TestHostileCorrections(t *testing.T) {
	contents := mixed()[:9000]
	with := func(plans, fixes []byte) []byte {
		return append(append(binary.AppendUvarint(nil, uint64(len(plans))), plans...), fixes...)
	}
	for name, fix := range map[string][]byte{
		"longer than there is":    {200},
		"endless number":          bytes.Repeat([]byte{0x80}, 20),
		"plan without a block":    with([]byte{0}, nil),
		"plan of a kind unknown":  with([]byte{0, 8, 1}, nil),
		"block without end":       with([]byte{0, 2, 0xff, 0xff, 0x7f}, nil),
		"stored beyond the end":   with([]byte{0, 4, 0xff, 0xff, 3}, nil),
		"stored too long":         with([]byte{0, 4, 0x80, 0x80, 4}, nil),
		"last before the end":     with([]byte{0, 6, 1}, nil),
		"header not there":        with([]byte{0, 7, 1, 100}, nil),
		"header too long":         with([]byte{0, 7, 1, 0xff, 0xff, 3}, nil),
		"header that is none":     with([]byte{0, 7, 1, 16, 255, 255}, nil),
		"codes that overlap":      with(append([]byte{0, 3, 1}, overlapping()...), nil),
		"blocks behind the last":  with([]byte{50, 6, 1}, nil),
		"token without a kind":    with(nil, []byte{0}),
		"token of a kind unknown": with(nil, []byte{0, 4}),
		"distance not there":      with(nil, []byte{0, 1, 0}),
		"distance too far":        with(nil, []byte{0, 1, 0, 128}),
		"token behind the end":    with(nil, []byte{0xff, 0xff, 3, 0}),
	} {
		e := newEncoder(io.Discard, maxOffset)
		err := e.reset(newRecipe(Zlib, 6), fix, int64(len(contents)))
		if err == nil {
			err = e.write(contents)
		}
		if !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
