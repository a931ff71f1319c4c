// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"context"
	"errors"
	"math/bits"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/waybill-project/waybill/delta"
)

func random(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// hostile are pairs with more matches than sense.
func hostile(n int) map[string][2][]byte {
	letters := func(seed byte) []byte {
		b := random(seed, n)
		for i := range b {
			b[i] &= 1
		}
		return b
	}
	periodic := func(p []byte) []byte { return bytes.Repeat(p, n/len(p)+1)[:n] }
	words, r := random(3, n), rand.New(rand.NewPCG(1, 2))
	var shuffled []byte
	for len(shuffled) < n {
		at := r.IntN(n - 16)
		shuffled = append(shuffled, words[at:at+9+r.IntN(7)]...)
	}
	return map[string][2][]byte{
		"two letters":   {letters(1), letters(2)},
		"shuffled":      {words, shuffled},
		"near periods":  {periodic(random(4, 30)), periodic(random(4, 31))},
		"other periods": {periodic(random(5, 2048)), periodic(random(6, 2048))},
		"runs":          {periodic([]byte("aaaabaaac")), periodic([]byte("aaabaaaac"))},
		"zeros":         {make([]byte, n), make([]byte, n)},
		"noise":         {random(7, n), random(8, n)},
		"shrunk":        {words, words[n/2 : n/2+n/9]},
		"grown":         {words[:n/9], append(bytes.Clone(words[:n/2]), words...)},
	}
}

// Matches lie within base and result, ascend and do not overlap; the patch is
// one that readers accept, and the same on one core.
func TestAlignHostile(t *testing.T) {
	for name, c := range hostile(1 << 18) {
		t.Run(name, func(t *testing.T) {
			patches := make([][]byte, 2)
			for i, find := range []matcher{align, matchBlocks} {
				matches, err := find(context.Background(), c[0], c[1])
				if err != nil {
					t.Fatal(err)
				}
				checkMatches(t, c[0], c[1], matches)
				if patches[i], err = writeBSDiff4(context.Background(), c[0], c[1], matches); err != nil {
					t.Fatal(err)
				}
				if err := (pair{base: c[0], result: c[1]}).check(context.Background(), delta.BSDiff4, patches[i]); err != nil {
					t.Fatal(err)
				}
			}
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			matches, err := align(context.Background(), c[0], c[1])
			if err != nil {
				t.Fatal(err)
			}
			again, err := writeBSDiff4(context.Background(), c[0], c[1], matches)
			if err != nil || !bytes.Equal(again, patches[0]) {
				t.Fatalf("another patch on one core, error %v", err)
			}
		})
	}
}

func checkMatches(t *testing.T, base, result []byte, matches []match) {
	t.Helper()
	at := 0
	for _, m := range matches {
		if m.n <= 0 || m.new < at || m.new+m.n > len(result) || m.old < 0 || m.old+m.n > len(base) {
			t.Fatalf("match %+v behind byte %d", m, at)
		}
		at = m.new + m.n
	}
}

// countdown is a context that ends when it has been asked often enough.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

// Every step of making a patch looks at the context.
func TestMatchersStop(t *testing.T) {
	pair := hostile(1 << 18)["shuffled"]
	for _, find := range []matcher{align, matchBlocks} {
		asked := 0
		for left := 0; ; left = left*5/4 + 1 {
			_, err := find(&countdown{context.Background(), left}, pair[0], pair[1])
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			asked++
		}
		if asked < 3 {
			t.Errorf("stopped at %d places only", asked)
		}
	}
}

func TestForget(t *testing.T) {
	a := &aligner{result: make([]byte, 100), crowded: 5, segments: []segment{
		{before: -1, diag: nowhere}, {before: 0, start: 10, diag: 1}, {before: 0, start: 11, diag: 2}, {before: 2, start: 12, diag: 3}, {before: 2, start: 13, diag: 4}}}
	a.paths = []path{{segment: segment{before: 3, start: 50, diag: 9}, node: -1}, {segment: a.segments[2], node: 2}}
	for i := range a.back {
		a.back[i].node = 2
	}
	want := a.covers()
	a.forget()
	if got := a.covers(); len(a.segments) != 3 || !slices.Equal(got, want) {
		t.Errorf("%d segments left, covers %v, want %v", len(a.segments), got, want)
	}
}

func TestLog2(t *testing.T) {
	for n := uint64(1); n < 1<<60; n = n*9/7 + 1 {
		got := log2(n)
		if whole := bits.Len64(n) - 1; got < whole*bit || got >= (whole+1)*bit {
			t.Errorf("log2(%d) = %d/64", n, got)
		}
	}
	if log2(1<<40) != 40*bit || log2(3)-log2(2) != 37 {
		t.Errorf("log2(1<<40) = %d/64, log2(1.5) = %d/64", log2(1<<40), log2(3)-log2(2))
	}
}
