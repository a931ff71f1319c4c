// SPDX-License-Identifier: Apache-2.0

package suffix_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	stdsuffix "index/suffixarray"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/waybill-project/waybill/delta/diff/internal/suffix"
)

func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

// letters is noise of few letters.
func letters(seed byte, n, alphabet int) []byte {
	b := noise(seed, n)
	for i := range b {
		b[i] %= byte(alphabet)
	}
	return b
}

func fibonacci(n int) []byte {
	a, b := []byte("b"), []byte("a")
	for len(b) < n {
		a, b = b, append(bytes.Clone(b), a...)
	}
	return b[:n]
}

func texts() map[string][]byte {
	period := noise(3, 1021)
	return map[string][]byte{
		"empty":          {},
		"one":            {0},
		"two":            {255, 0},
		"two alike":      {9, 9},
		"banana":         []byte("banana"),
		"mississippi":    []byte("mississippi"),
		"zeros":          make([]byte, 3000),
		"high bytes":     bytes.Repeat([]byte{255}, 3000),
		"zeros and one":  append(make([]byte, 3000), 1),
		"one and zeros":  append([]byte{1}, make([]byte, 3000)...),
		"falling":        {9, 8, 7, 6, 5, 4, 3, 2, 1, 0},
		"rising":         {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 255},
		"period of 2":    bytes.Repeat([]byte("ab"), 1500),
		"period of 1021": bytes.Repeat(period, 5),
		"noise":          noise(1, 5000),
		"two letters":    letters(1, 5000, 2),
		"three letters":  letters(2, 5000, 3),
		"fibonacci":      fibonacci(5000),
		"alternating":    alternating(5000),
	}
}

// alternating has an LMS suffix at every other byte, with many names.
func alternating(n int) []byte {
	b := noise(7, n)
	for i := range b {
		b[i] &= 0x7f
		if i%2 == 1 {
			b[i] |= 0x80
		}
	}
	return b
}

func check(t *testing.T, text []byte) *suffix.Array {
	t.Helper()
	a, err := suffix.New(context.Background(), text)
	if err != nil {
		t.Fatal(err)
	}
	want := make([]int32, len(text))
	for i := range want {
		want[i] = int32(i)
	}
	slices.SortFunc(want, func(x, y int32) int { return bytes.Compare(text[x:], text[y:]) })
	if !slices.Equal(a.Order(), want) {
		t.Fatalf("text %q: order %v, want %v", text, a.Order(), want)
	}
	return a
}

// checkLongest compares with bytes.Index, prefix by prefix.
func checkLongest(t *testing.T, a *suffix.Array, text, p []byte) {
	t.Helper()
	pos, length := a.Longest(p)
	if length > 0 && (pos+length > len(text) || !bytes.Equal(text[pos:pos+length], p[:length])) {
		t.Fatalf("text %q: %q is not at %d", text, p[:length], pos)
	}
	if length < len(p) && bytes.Contains(text, p[:length+1]) {
		t.Fatalf("text %q: has more than %d bytes of %q", text, length, p)
	}
}

func TestOrder(t *testing.T) {
	for name, text := range texts() {
		t.Run(name, func(t *testing.T) { check(t, text) })
	}
}

func TestOrderOfAllShortTexts(t *testing.T) {
	for length := range 9 {
		text := make([]byte, length)
		var fill func(at int)
		fill = func(at int) {
			if at == length {
				check(t, text)
				return
			}
			for c := range 3 {
				text[at] = byte(c) * 127
				fill(at + 1)
			}
		}
		fill(0)
	}
}

func TestOrderOfManyTexts(t *testing.T) {
	for i := range 3_000 {
		text := noise(byte(i), 6+i%59)
		for j := range text {
			text[j] = byte(int(text[j])*(2+i%7)>>8) << (i % 5)
		}
		check(t, append(text, noise(byte(i>>8), 3)...))
	}
}

func TestLongest(t *testing.T) {
	for name, text := range texts() {
		t.Run(name, func(t *testing.T) {
			a := check(t, text)
			checkLongest(t, a, text, nil)
			for c := range 256 {
				checkLongest(t, a, text, []byte{byte(c)})
				checkLongest(t, a, text, []byte{byte(c), 0, 0})
				checkLongest(t, a, text, []byte{byte(c), 255, 3})
			}
			for at := 0; at < len(text); at += 97 {
				p := bytes.Clone(text[at:min(len(text), at+1+at%300)])
				checkLongest(t, a, text, p)
				p[len(p)/2]++
				checkLongest(t, a, text, p)
				checkLongest(t, a, text, append(bytes.Clone(text[at:]), 0, 1, 2))
			}
		})
	}
}

func TestNewStops(t *testing.T) {
	text := noise(1, 2<<20)
	ctx, cancel := context.WithCancelCause(context.Background())
	cause := errors.New("cause")
	cancel(cause)
	if _, err := suffix.New(ctx, text); !errors.Is(err, cause) {
		t.Errorf("ended context: %v", err)
	}
	if _, err := suffix.New(ctx, nil); !errors.Is(err, cause) {
		t.Errorf("ended context, no text: %v", err)
	}
}

func FuzzArray(f *testing.F) {
	for _, text := range texts() {
		if len(text) < 200 {
			f.Add(text, []byte("nab"))
		}
	}
	f.Add(fibonacci(300), fibonacci(120))
	f.Add(alternating(100), []byte{255})
	f.Fuzz(func(t *testing.T, text, p []byte) {
		if len(text) > 8<<10 {
			return
		}
		a := check(t, text)
		checkLongest(t, a, text, p)
		for i := range p {
			checkLongest(t, a, text, p[i:])
		}
	})
}

// BenchmarkNew measures files named by SUFFIX_BENCH, a glob pattern, beside the standard library.
func BenchmarkNew(b *testing.B) {
	inputs := map[string][]byte{"noise": noise(1, 4<<20), "zeros": make([]byte, 4<<20), "period": bytes.Repeat(noise(1, 2048), 2048), "fibonacci": fibonacci(4 << 20), "alternating": alternating(4 << 20)}
	names, _ := filepath.Glob(os.Getenv("SUFFIX_BENCH"))
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			b.Fatal(err)
		}
		inputs[filepath.Base(filepath.Dir(name))] = data
	}
	for name, text := range inputs {
		b.Run(fmt.Sprintf("%s/ours", name), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := suffix.New(context.Background(), text); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("%s/standard", name), func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				stdsuffix.New(text)
			}
		})
	}
}
