// SPDX-License-Identifier: Apache-2.0

package delta_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/waybill-project/waybill/delta"
)

var errDevice = errors.New("device trouble")

// failing reads until the given offset, then fails.
type failing struct {
	data []byte
	from int64
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.from {
		return 0, errDevice
	}
	return bytes.NewReader(f.data).ReadAt(p, off)
}

// once reads each byte well the first time, and after that as fn says.
type once struct {
	data []byte
	seen *int
	fn   func(p []byte, off int64) (int, error)
}

func (o once) ReadAt(p []byte, off int64) (int, error) {
	*o.seen++
	if *o.seen <= 2 {
		return bytes.NewReader(o.data).ReadAt(p, off)
	}
	return o.fn(p, off)
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errDevice }

func TestApplyBlamesTheRightParty(t *testing.T) {
	p, result := sample()
	patch := p.patch(t)
	good := bytes.NewReader(patch)
	src := bytes.NewReader(base)
	second := func(fn func([]byte, int64) (int, error)) io.ReaderAt {
		return once{data: base, seen: new(int), fn: fn}
	}
	cases := []struct {
		name        string
		base, patch io.ReaderAt
		out         io.Writer
		want        error
	}{
		{"base at once", failing{base, 0}, good, io.Discard, errDevice},
		{"base while hashing", failing{base, 1000}, good, io.Discard, errDevice},
		{"base after hashing", second(func([]byte, int64) (int, error) { return 0, errDevice }), good, io.Discard, errDevice},
		{"base became shorter", second(func([]byte, int64) (int, error) { return 0, io.EOF }), good, io.Discard, delta.ErrBaseMismatch},
		{"base became other", second(bytes.NewReader(noise(9, 1000)).ReadAt), good, io.Discard, delta.ErrResultMismatch},
		{"base reader panics", second(func([]byte, int64) (int, error) { panic("bug") }), good, io.Discard, delta.ErrCorrupt},
		{"patch at once", src, failing{patch, 0}, io.Discard, errDevice},
		{"patch in a stream", src, failing{patch, 33}, io.Discard, errDevice},
		{"output", src, good, failingWriter{}, errDevice},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			err := delta.Apply(context.Background(), describe(base, result, patch), c.base, c.patch, c.out, nil)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if c.want == errDevice && errors.Is(err, delta.ErrCorrupt) {
				t.Fatalf("device trouble blamed on the patch: %v", err)
			}
		})
	}
}

// cancelling ends its context after some writes.
type cancelling struct {
	cancel context.CancelFunc
	left   int
}

func (c *cancelling) Write(p []byte) (int, error) {
	if c.left--; c.left == 0 {
		c.cancel()
	}
	return len(p), nil
}

func TestApplyCancelled(t *testing.T) {
	result := make([]byte, 4<<20)
	p := parts{control: []int64{0, int64(len(result)), 0}, extra: result, resultLength: int64(len(result))}
	patch := p.patch(t)
	for _, writes := range []int{0, 1, 10} {
		ctx, cancel := context.WithCancel(context.Background())
		if writes == 0 {
			cancel()
		}
		out := &cancelling{cancel: cancel, left: writes}
		err := delta.Apply(ctx, describe(nil, result, patch), nil, bytes.NewReader(patch), out, nil)
		cancel()
		if !errors.Is(err, context.Canceled) || errors.Is(err, delta.ErrCorrupt) {
			t.Fatalf("after %d writes: %v", writes, err)
		}
		if out.left < -1 {
			t.Fatalf("%d writes after the end of the context", -out.left)
		}
	}
}

func TestApplyMemoryLimit(t *testing.T) {
	p, result := sample()
	patch := p.patch(t)
	info := describe(base, result, patch)
	need, err := delta.Memory(info)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		allowed int64
		want    error
	}{{0, nil}, {need, nil}, {math.MaxInt64, nil}, {need - 1, delta.ErrMemory}, {1, delta.ErrMemory}, {-1, delta.ErrMemory}} {
		err := delta.Apply(context.Background(), info, bytes.NewReader(base), bytes.NewReader(patch), io.Discard, &delta.Limits{Memory: c.allowed})
		if !errors.Is(err, c.want) {
			t.Fatalf("%d bytes allowed: %v", c.allowed, err)
		}
	}
}

// highest samples the live heap at every write.
type highest struct{ heap uint64 }

func (h *highest) Write(p []byte) (int, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	h.heap = max(h.heap, m.HeapAlloc)
	return len(p), nil
}

func TestApplyStaysWithinItsMemory(t *testing.T) {
	const size, tail = 12 << 20, 2 << 20
	old, extra := noise(7, size), noise(8, tail)
	p := parts{
		control:      []int64{size - tail, tail, 0},
		packedDiff:   packLevel(t, make([]byte, size-tail), 9),
		packedExtra:  packLevel(t, extra, 9),
		resultLength: size,
	}
	patch := p.patch(t)
	result := append(bytes.Clone(old[:size-tail]), extra...)
	info := describe(old, result, patch)
	result, p = nil, parts{}
	need, err := delta.Memory(info)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	var out highest
	if err := delta.Apply(context.Background(), info, bytes.NewReader(old), bytes.NewReader(patch), &out, nil); err != nil {
		t.Fatal(err)
	}
	if used := int64(out.heap) - int64(before.HeapAlloc); used > need {
		t.Fatalf("heap grew by %d bytes, %d declared", used, need)
	}
}

func TestMemoryAndFormats(t *testing.T) {
	if !slices.Equal(delta.Formats(), []string{"waybill1", "bsdiff4", "vcdiff"}) {
		t.Fatal(delta.Formats())
	}
	if !slices.Equal(delta.UpdateFormats(), []string{"waybill1", "bsdiff4"}) {
		t.Fatal(delta.UpdateFormats())
	}
	for _, f := range delta.Formats() {
		if n, err := delta.Memory(delta.Info{Format: f}); err != nil || n <= 0 || n > delta.DefaultMemory {
			t.Fatalf("%s: %d, %v", f, n, err)
		}
	}
	if _, err := delta.Memory(delta.Info{Format: "vcdiff2"}); !errors.Is(err, delta.ErrUnsupported) {
		t.Fatal(err)
	}
}
