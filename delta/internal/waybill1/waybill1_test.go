// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(s.name, func(t *testing.T) {
			patch := s.patch(t)
			got, err := apply(s.base, patch, int64(len(s.result)))
			if err != nil || !bytes.Equal(got, s.result) {
				t.Fatalf("%d bytes of %d, %v", len(got), len(s.result), err)
			}
			h, at, err := ReadHeader(bytes.NewReader(patch), int64(len(patch)))
			if want := s.header(); err != nil || h.BaseLength != want.BaseLength || h.BaseSum != want.BaseSum || h.ResultSum != want.ResultSum {
				t.Fatalf("%+v, %v", h, err)
			}
			if again := s.patch(t); !bytes.Equal(again, patch) {
				t.Fatal("the second patch differs")
			}
			t.Logf("%d of %d bytes, %d of them header, %d stored", len(patch), len(s.result), at, h.Stored)
		})
	}
}

// small are the samples whose patches and results are short.
func small(t testing.TB) (list []sample) {
	for _, s := range samples(t) {
		if len(s.result) < 30<<10 && len(s.patch(t)) < 5000 {
			list = append(list, s)
		}
	}
	return list
}

// harmless wants a damaged patch to be refused, or to make something of the
// right length at most.
func harmless(t *testing.T, s sample, patch []byte) {
	t.Helper()
	got, err := apply(s.base, patch, int64(len(s.result)))
	if len(got) > len(s.result) {
		t.Fatalf("%d bytes for %d", len(got), len(s.result))
	}
	if err != nil && !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	if err == nil && len(got) != len(s.result) {
		t.Fatalf("%d bytes for %d without an error", len(got), len(s.result))
	}
}

func step(n int) int { return max(1, n/40) }

func TestCut(t *testing.T) {
	for _, s := range small(t) {
		patch := s.patch(t)
		for n := 0; n < len(patch); n += step(len(patch)) {
			harmless(t, s, patch[:n])
			var out bytes.Buffer
			err := Apply(context.Background(), bytes.NewReader(s.base), int64(len(s.base)), int64(len(s.result)), bytes.NewReader(patch[:n]), int64(len(patch)), &out)
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%s: %d bytes that pass for %d: %v", s.name, n, len(patch), err)
			}
		}
		for _, more := range [][]byte{{0}, {0, 0, 0}, make([]byte, 5000)} {
			if _, err := apply(s.base, join(patch, more), int64(len(s.result))); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%s: with %d more bytes: %v", s.name, len(more), err)
			}
		}
		harmless(t, s, join(patch, []byte{255}))
		harmless(t, s, join(patch, patch))
	}
}

// TestFlipped: a bit of what is coded or stored that is another makes something
// else.
func TestFlipped(t *testing.T) {
	for _, s := range small(t) {
		patch := s.patch(t)
		_, header, err := ReadHeader(bytes.NewReader(patch), int64(len(patch)))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(patch); i += step(len(patch)) {
			patch[i] ^= 1 << (i % 8)
			harmless(t, s, patch)
			if got, err := apply(s.base, patch, int64(len(s.result))); err == nil && int64(i) >= header && bytes.Equal(got, s.result) {
				t.Fatalf("%s: byte %d of %d means nothing", s.name, i, len(patch))
			}
			patch[i] ^= 1 << (i % 8)
		}
	}
}

func TestLengths(t *testing.T) {
	for _, s := range small(t) {
		patch := s.patch(t)
		for _, n := range []int64{-1 << 62, -1, 0, 1, 5, 1 << 32, 1 << 62} {
			if base := int64(len(s.base)); n != base {
				err := Apply(context.Background(), bytes.NewReader(s.base), n, int64(len(s.result)), bytes.NewReader(patch), int64(len(patch)), io.Discard)
				if !errors.Is(err, ErrCorrupt) {
					t.Fatalf("%s: base of %d bytes: %v", s.name, n, err)
				}
			}
			if n != int64(len(s.result)) {
				if _, err := apply(s.base, patch, n); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("%s: result of %d bytes: %v", s.name, n, err)
				}
			}
			if n != int64(len(patch)) {
				err := Apply(context.Background(), bytes.NewReader(s.base), int64(len(s.base)), int64(len(s.result)), bytes.NewReader(patch), n, io.Discard)
				if !errors.Is(err, ErrCorrupt) {
					t.Fatalf("%s: patch of %d bytes: %v", s.name, n, err)
				}
			}
		}
	}
}

var errTrouble = errors.New("trouble")

// fault fails the n-th call, counted from 0.
type fault struct {
	r     io.ReaderAt
	w     io.Writer
	n     int
	calls int
}

func (f *fault) due() bool { f.calls++; return f.calls == f.n+1 }

func (f *fault) ReadAt(p []byte, off int64) (int, error) {
	if f.due() {
		return 0, errTrouble
	}
	return f.r.ReadAt(p, off)
}

func (f *fault) Write(p []byte) (int, error) {
	if f.due() {
		return 0, errTrouble
	}
	return f.w.Write(p)
}

// TestFaults: trouble with base, patch or output is reported as such, whenever
// it comes.
func TestFaults(t *testing.T) {
	for _, s := range samples(t) {
		patch := s.patch(t)
		for which := range 3 {
			for n := 0; ; n++ {
				never := 1 << 30
				base, in, out := &fault{r: bytes.NewReader(s.base), n: never}, &fault{r: bytes.NewReader(patch), n: never}, &fault{w: io.Discard, n: never}
				f := []*fault{base, in, out}[which]
				f.n = n
				err := Apply(context.Background(), base, int64(len(s.base)), int64(len(s.result)), in, int64(len(patch)), out)
				if f.calls <= n {
					break
				}
				if !errors.Is(err, errTrouble) || errors.Is(err, ErrCorrupt) {
					t.Fatalf("%s: call %d of file %d: %v", s.name, n, which, err)
				}
				if n > 6 {
					n += n / 2
				}
			}
		}
	}
}

// stopping ends a context at a call.
type stopping struct {
	fault
	cancel func()
}

func (s *stopping) ReadAt(p []byte, off int64) (int, error) {
	if s.due() {
		s.cancel()
	}
	return s.r.ReadAt(p, off)
}

func TestCancelled(t *testing.T) {
	for _, s := range samples(t) {
		patch := s.patch(t)
		for n := range 5 {
			ctx, cancel := context.WithCancel(context.Background())
			base := &stopping{fault{r: bytes.NewReader(s.base), n: n}, cancel}
			err := Apply(ctx, base, int64(len(s.base)), int64(len(s.result)), bytes.NewReader(patch), int64(len(patch)), io.Discard)
			if err != nil && !errors.Is(err, context.Canceled) || errors.Is(err, ErrCorrupt) {
				t.Fatalf("%s: at read %d: %v", s.name, n, err)
			}
			cancel()
		}
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		err := Apply(ended, bytes.NewReader(s.base), int64(len(s.base)), int64(len(s.result)), bytes.NewReader(patch), int64(len(patch)), io.Discard)
		if len(s.result) > 0 && !errors.Is(err, context.Canceled) {
			t.Fatalf("%s: %v", s.name, err)
		}
		if _, err := Write(ended, s.header(), bytes.NewReader(s.base), int64(len(s.base)), s.result, nil); len(s.result) > 0 && !errors.Is(err, context.Canceled) {
			t.Fatalf("%s: written: %v", s.name, err)
		}
	}
}

// TestWriteRefuses covers that are none.
func TestWriteRefuses(t *testing.T) {
	base := noise(1, 100)
	for name, covers := range map[string][]Cover{
		"empty":            {{0, 0, 0}},
		"past the result":  {{50, 0, 51}},
		"past the base":    {{0, 50, 51}},
		"at the end":       {{100, 0, 1}},
		"overlapping":      {{0, 0, 10}, {9, 20, 10}},
		"not in order":     {{10, 0, 10}, {0, 20, 5}},
		"far in the base":  {{0, 1<<32 - 1, 1}},
		"overflowing":      {{1<<32 - 1, 0, 1<<32 - 1}},
		"more than may be": make([]Cover, 100),
	} {
		s := sample{name: name, base: base, result: base, covers: covers}
		if _, err := Write(context.Background(), s.header(), bytes.NewReader(base), 100, base, covers); err == nil {
			t.Errorf("%s: written", name)
		}
	}
}

// TestNearlyRandom: what coding does not make shorter is stored, so that a patch
// is hardly longer than its result.
func TestNearlyRandom(t *testing.T) {
	for percent := range 12 {
		random := rand.New(rand.NewPCG(uint64(percent), 4))
		result := noise(9, 200_000)
		for i := range result {
			if random.IntN(100) < percent {
				result[i] = 7
			}
		}
		s := sample{base: text(1, 100), result: result}
		patch := s.patch(t)
		if len(patch) > len(result)+200 {
			t.Errorf("%d %% of one byte: %d bytes for %d", percent, len(patch), len(result))
		}
		got, err := apply(s.base, patch, int64(len(result)))
		if err != nil || !bytes.Equal(got, result) {
			t.Fatal(err)
		}
	}
}
