// SPDX-License-Identifier: Apache-2.0

package delta_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"testing/iotest"

	"github.com/waybill-project/waybill/delta"
)

func part(data []byte) delta.Part {
	return delta.Part{ReaderAt: bytes.NewReader(data), Length: int64(len(data))}
}

func TestConcat(t *testing.T) {
	data := noise(1, 3000)
	for _, cuts := range [][]int{{}, {0}, {3000}, {1}, {0, 0, 0}, {1000, 1000, 1000, 2000}, {1, 2, 3, 4, 2999, 3000}} {
		var parts []delta.Part
		from := 0
		for _, to := range append(cuts, len(data)) {
			parts = append(parts, part(data[from:to]))
			from = to
		}
		c, err := delta.Concat(parts...)
		if err != nil || c.Size() != int64(len(data)) {
			t.Fatalf("%v: %v", cuts, err)
		}
		if err := iotest.TestReader(c, data); err != nil {
			t.Fatalf("%v: %v", cuts, err)
		}
		random := rand.New(rand.NewPCG(1, 2))
		for range 300 {
			p := make([]byte, random.IntN(1500))
			off := random.Int64N(int64(len(data)) + 10)
			n, err := c.ReadAt(p, off)
			m, want := bytes.NewReader(data).ReadAt(p, off)
			if n != m || (err == nil) != (want == nil) && len(p) > 0 || !bytes.Equal(p[:n], data[min(off, 3000):][:n]) {
				t.Fatalf("%v: %d bytes at %d: %d, %v; want %d, %v", cuts, len(p), off, n, err, m, want)
			}
		}
	}
}

func TestConcatOfNothing(t *testing.T) {
	for _, parts := range [][]delta.Part{nil, {part(nil)}, {{}, {}}} {
		c, err := delta.Concat(parts...)
		if err != nil || c.Size() != 0 {
			t.Fatal(err)
		}
		if n, err := c.ReadAt(make([]byte, 1), 0); n != 0 || err != io.EOF {
			t.Fatal(n, err)
		}
	}
}

func TestConcatRefuses(t *testing.T) {
	one := part([]byte{1})
	for _, parts := range [][]delta.Part{{{Length: -1}}, {one, {Length: -1}}, {one, {Length: math.MaxInt64}}, {{Length: math.MinInt64}}} {
		if _, err := delta.Concat(parts...); err == nil {
			t.Errorf("%v was taken", parts)
		}
	}
	if c, err := delta.Concat(delta.Part{ReaderAt: one, Length: math.MaxInt64}); err != nil || c.Size() != math.MaxInt64 {
		t.Error(err)
	}
}

func TestConcatFaults(t *testing.T) {
	short := part([]byte("short"))
	short.Length = 9
	long := part([]byte("long and on"))
	long.Length = 4
	broken := delta.Part{ReaderAt: failing{nil, -1}, Length: 3}
	for _, c := range []struct {
		name  string
		parts []delta.Part
		want  string
		err   error
	}{
		{"shorter than said", []delta.Part{part([]byte("a ")), short, long}, "a short", io.EOF},
		{"longer than said", []delta.Part{long, part([]byte(" one"))}, "long one", io.EOF},
		{"device trouble", []delta.Part{long, broken, long}, "long", errDevice},
	} {
		t.Run(c.name, func(t *testing.T) {
			all, err := delta.Concat(c.parts...)
			if err != nil {
				t.Fatal(err)
			}
			p := make([]byte, 100)
			n, err := all.ReadAt(p, 0)
			if string(p[:n]) != c.want || !errors.Is(err, c.err) {
				t.Fatalf("%q, %v", p[:n], err)
			}
		})
	}
}

// A base of many files that changed since its description was signed is a wrong
// base, as a single file is.
func TestApplyToManyFiles(t *testing.T) {
	p, result := sample()
	patch := p.patch(t)
	info := describe(base, result, patch)
	run := func(parts ...delta.Part) error {
		c, err := delta.Concat(parts...)
		if err != nil {
			t.Fatal(err)
		}
		return delta.Apply(t.Context(), info, c, bytes.NewReader(patch), io.Discard, nil)
	}
	cut := part(base[100:200])
	cut.Length = 900
	if err := run(part(base[:100]), part(nil), part(base[100:])); err != nil {
		t.Error(err)
	}
	if err := run(part(base[:100]), cut); !errors.Is(err, delta.ErrBaseMismatch) {
		t.Error(err)
	}
	if err := run(part(base[:100]), part(base[101:])); !errors.Is(err, delta.ErrBaseMismatch) {
		t.Error(err)
	}
}
