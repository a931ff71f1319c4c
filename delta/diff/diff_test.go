// SPDX-License-Identifier: Apache-2.0

package diff_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/waybill-project/waybill/delta"
	"github.com/waybill-project/waybill/delta/diff"
)

func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func repeat(period []byte, n int) []byte {
	return bytes.Repeat(period, n/len(period)+1)[:n]
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// program is like compiled code: short instructions from a small set with
// four-byte addresses that all move by shift.
func program(n int, shift uint32) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]byte, 0, n+16)
	for len(out) < n {
		at := r.Uint32N(1<<20) + shift
		out = append(out, byte(r.Uint32N(8))*31, 0xe8, byte(at), byte(at>>8), byte(at>>16), 0)
		for range r.IntN(12) {
			out = append(out, byte(r.Uint32N(32))*7)
		}
	}
	return out[:n]
}

type files struct {
	name      string
	old, new  []byte
	patchMost int // bytes; what a working engine needs and then some
}

func samples() []files {
	a, b, c := noise(1, 40<<10), noise(2, 40<<10), noise(3, 5000)
	zeros := make([]byte, 300<<10)
	code := program(200<<10, 0)
	return []files{
		{"empty to empty", nil, nil, 80},
		{"empty to one byte", nil, []byte{7}, 150},
		{"one byte to empty", []byte{7}, nil, 80},
		{"one byte to another", []byte{7}, []byte{8}, 150},
		{"one byte alike", []byte{7}, []byte{7}, 150},
		{"empty to random", nil, c, 6000},
		{"shorter than a seed", []byte("0123456789"), []byte("0123x456789"), 200},
		{"identical", a, a, 200},
		{"inserted in front", a, join(c, a), 5950},
		{"inserted in the middle", join(a, b), join(a, c, b), 5950},
		{"removed", join(a, c, b), join(a, b), 200},
		{"exchanged", join(a, b), join(b, a), 300},
		{"unrelated", a, b, 42 << 10},
		{"truncated", a, a[:1000], 300},
		{"code moved", code, join(program(3000, 77), program(200<<10, 77)), 100 << 10},
		{"zero section kept", join(a, zeros, b), join(a, c, zeros, b), 6000},
		{"zero section grown", join(a, zeros, b), join(a, zeros, zeros, c, b), 6000},
		{"zero section gone", join(a, zeros, b), join(a, b), 300},
		{"2 MiB of zeros", make([]byte, 2<<20), make([]byte, 2<<20), 300},
		{"2 MiB of zeros from nothing", nil, make([]byte, 2<<20), 300},
		{"period of 2048", repeat(a[:2048], 1<<20+99), repeat(a[:2048], 2<<20), 600},
		{"long run within code", join(code, make([]byte, 3<<20), a), join(code, c, make([]byte, 3<<20), b[:100], a), 6200},
		{"text with a period of 3", repeat([]byte("abc"), 2<<20), repeat([]byte("abcabd"), 2<<20), 3000},
	}
}

func mustMake(t testing.TB, old, new []byte, opts *diff.Options) []byte {
	t.Helper()
	return mustMakeFormat(t, delta.BSDiff4, old, new, opts)
}

func mustMakeFormat(t testing.TB, format string, old, new []byte, opts *diff.Options) []byte {
	t.Helper()
	var out bytes.Buffer
	err := diff.Make(context.Background(), format, bytes.NewReader(old), bytes.NewReader(new), int64(len(old)), int64(len(new)), &out, opts)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func mustApply(t testing.TB, old, new, patch []byte) {
	t.Helper()
	if err := applyFormat(delta.BSDiff4, old, new, patch); err != nil {
		t.Fatal(err)
	}
}

func applyFormat(format string, old, new, patch []byte) error {
	info := delta.Info{
		Format:       format,
		BaseLength:   int64(len(old)),
		BaseSHA256:   sha256.Sum256(old),
		ResultLength: int64(len(new)),
		ResultSHA256: sha256.Sum256(new),
		PatchLength:  int64(len(patch)),
	}
	return delta.Apply(context.Background(), info, bytes.NewReader(old), bytes.NewReader(patch), io.Discard, nil)
}

func TestMake(t *testing.T) {
	for _, f := range samples() {
		t.Run(f.name, func(t *testing.T) {
			patch := mustMake(t, f.old, f.new, nil)
			mustApply(t, f.old, f.new, patch)
			if len(patch) > f.patchMost {
				t.Fatalf("patch of %d bytes, expected at most %d", len(patch), f.patchMost)
			}
			if again := mustMake(t, f.old, f.new, nil); !bytes.Equal(patch, again) {
				t.Fatal("second patch differs")
			}
		})
	}
}

func TestMakeBlocksOnly(t *testing.T) {
	for _, f := range samples() {
		t.Run(f.name, func(t *testing.T) {
			small := &diff.Options{Budget: diff.Budget{Memory: 48<<20 + 3*int64(len(f.old)+len(f.new))}}
			patch := mustMake(t, f.old, f.new, small)
			mustApply(t, f.old, f.new, patch)
			if len(patch) > f.patchMost*3/2 {
				t.Fatalf("patch of %d bytes, expected at most %d", len(patch), f.patchMost*3/2)
			}
		})
	}
}

var errDevice = errors.New("device trouble")

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errDevice }
func (broken) Write([]byte) (int, error)         { return 0, errDevice }

func TestMakeRefuses(t *testing.T) {
	for _, format := range delta.Formats() {
		t.Run(format, func(t *testing.T) { testMakeRefuses(t, format) })
	}
}

func testMakeRefuses(t *testing.T, usual string) {
	data := noise(1, 1000)
	src := bytes.NewReader(data)
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	cases := []struct {
		name           string
		ctx            context.Context
		format         string
		old, new       io.ReaderAt
		oldLen, newLen int64
		budget         diff.Budget
		want           error
		failingOut     bool
	}{
		{name: "unknown format", format: "vcdiff2", want: delta.ErrUnsupported},
		{name: "ended context", ctx: ended, want: context.Canceled},
		{name: "too little memory", budget: diff.Budget{Memory: 1 << 20}, want: diff.ErrBudget},
		{name: "negative memory", budget: diff.Budget{Memory: -1}, want: diff.ErrBudget},
		{name: "too little time", budget: diff.Budget{Time: -1}, want: diff.ErrBudget},
		{name: "too long a base", oldLen: 2 << 30, want: diff.ErrBudget},
		{name: "too long a result", newLen: 2 << 30, want: diff.ErrBudget},
		{name: "base length overflows", oldLen: math.MaxInt64, want: diff.ErrBudget},
		{name: "result length overflows", newLen: math.MaxInt64, want: diff.ErrBudget},
		{name: "negative base length", oldLen: -1, want: diff.ErrBudget},
		{name: "negative result length", newLen: -1, want: diff.ErrBudget},
		{name: "base ends early", oldLen: 1001, want: io.ErrUnexpectedEOF},
		{name: "result ends early", newLen: 1001, want: io.ErrUnexpectedEOF},
		{name: "base unreadable", old: broken{}, want: errDevice},
		{name: "result unreadable", new: broken{}, want: errDevice},
		{name: "output unwritable", failingOut: true, want: errDevice},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			var w io.Writer = &out
			if c.failingOut {
				w = broken{}
			}
			ctx, format, old, new := c.ctx, c.format, c.old, c.new
			if ctx == nil {
				ctx = context.Background()
			}
			if format == "" {
				format = usual
			}
			if old == nil {
				old = src
			}
			if new == nil {
				new = src
			}
			oldLen, newLen := c.oldLen, c.newLen
			if oldLen == 0 {
				oldLen = 1000
			}
			if newLen == 0 {
				newLen = 1000
			}
			err := diff.Make(ctx, format, old, new, oldLen, newLen, w, &diff.Options{Budget: c.budget})
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if out.Len() > 0 {
				t.Fatalf("%d bytes written", out.Len())
			}
		})
	}
}

func TestMakeWithoutBase(t *testing.T) {
	data := noise(1, 1000)
	var out bytes.Buffer
	if err := diff.Make(context.Background(), delta.BSDiff4, nil, bytes.NewReader(data), 0, 1000, &out, nil); err != nil {
		t.Fatal(err)
	}
	mustApply(t, nil, data, out.Bytes())
}

func FuzzMake(f *testing.F) {
	for _, s := range samples() {
		if len(s.old)+len(s.new) < 4<<10 {
			f.Add(s.old, s.new)
		}
	}
	text := []byte("the quick brown fox jumps over the lazy dog and runs away from it")
	f.Add(text, join(text[20:], text, text[:30]))
	f.Fuzz(func(t *testing.T, old, new []byte) {
		if len(old)+len(new) > 64<<10 {
			return
		}
		mustApply(t, old, new, mustMake(t, old, new, &diff.Options{Budget: diff.Budget{Time: time.Minute}}))
	})
}

func BenchmarkMake(b *testing.B) {
	old, new := program(2<<20, 0), join(program(3000, 77), program(2<<20, 77))
	for name, memory := range map[string]int64{"best": 0, "blocks": 48<<20 + 6*int64(len(new))} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(new)))
			b.ReportAllocs()
			var patch []byte
			for b.Loop() {
				patch = mustMake(b, old, new, &diff.Options{Budget: diff.Budget{Memory: memory}})
			}
			b.ReportMetric(float64(len(patch)), "patch-bytes")
		})
	}
}
