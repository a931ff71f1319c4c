// SPDX-License-Identifier: Apache-2.0

package deflate

import (
	"bytes"
	"compress/flate"
	"io"
	"testing"
)

func inflateAll(p []byte) (out []byte, end int64, err error) {
	d := newInflater()
	if err := d.reset(bytes.NewReader(p), 0, int64(len(p))); err != nil {
		return nil, 0, err
	}
	for {
		q, err := d.next()
		if err == io.EOF {
			end, _ := d.done()
			return out, end, nil
		}
		if err != nil {
			return out, 0, err
		}
		out = append(out, q...)
	}
}

// FuzzInflate holds the inflater against the standard library's: what it accepts
// the other accepts too, with the same bytes and the same end.
func FuzzInflate(f *testing.F) {
	for _, level := range []int{0, 1, 6, 9, flate.HuffmanOnly} {
		var b bytes.Buffer
		w, _ := flate.NewWriter(&b, level)
		_, _ = w.Write(bytes.Repeat([]byte("abcabcabd, and on, and on it goes "), 50))
		_ = w.Close()
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, p []byte) {
		got, end, err := inflateAll(p)
		r := bytes.NewReader(p)
		want, wantErr := io.ReadAll(flate.NewReader(r))
		if err != nil {
			return
		}
		if wantErr != nil || !bytes.Equal(got, want) {
			t.Fatalf("got %d bytes, the standard library %d bytes and %v", len(got), len(want), wantErr)
		}
		if left := int64(r.Len()); end != int64(len(p))-left {
			t.Fatalf("ends at %d, want %d", end, int64(len(p))-left)
		}
	})
}

// TestFixedCodesLast: those of fixed blocks stay as they are over dynamic blocks,
// and are made once.
func TestFixedCodesLast(t *testing.T) {
	contents := mixed()[:3000]
	plans := []byte{0, typeFixed, 100, 0, typeDynamic, 100, 0, typeFixed, 100, 0, typeFixed, 0, 0, typeDynamic, 100, 0, typeFixed, 100}
	fix := append([]byte{byte(len(plans))}, plans...)
	got, _, err := inflateAll(encoded(t, newRecipe(Zlib, 6), fix, contents, len(contents)))
	if err != nil || !bytes.Equal(got, contents) {
		t.Fatal(err)
	}
	d := newInflater()
	d.openFixed()
	made := &d.fixed.literal.entries[0]
	if d.openFixed(); &d.fixed.literal.entries[0] != made || d.codes != &d.fixed {
		t.Error("the codes were made again")
	}
	if n := testing.AllocsPerRun(10, d.openFixed); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
