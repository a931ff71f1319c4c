// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/waybill-project/waybill/delta"
)

// tiny sizes lead small files through many windows, segments that slide over
// the base, and places that are left out.
func tiny() vcdiffSizes { return vcdiffSizes{window: 700, segment: 1500, places: 300} }

func checkVCDIFF(t *testing.T, base, result []byte, sizes vcdiffSizes) []byte {
	t.Helper()
	patch, err := encodeVCDIFF(context.Background(), base, result, sizes)
	if err != nil {
		t.Fatal(err)
	}
	p := pair{base: base, result: result}
	if err := p.check(context.Background(), delta.VCDIFF, patch); err != nil {
		t.Fatal(err)
	}
	return patch
}

// mixed is text with repeats at many distances, runs and pieces of the base.
func mixed(base []byte, n int) []byte {
	r := rand.New(rand.NewPCG(3, 4))
	out := []byte("begin")
	for len(out) < n {
		switch size := 1 + r.IntN(60); r.IntN(5) {
		case 0:
			out = append(out, bytes.Repeat([]byte{byte(r.IntN(4))}, size)...)
		case 1:
			from := r.IntN(len(out))
			out = append(out, out[from:min(from+size, len(out))]...)
		case 2:
			for range size {
				out = append(out, byte(r.Uint32()))
			}
		default:
			from := r.IntN(len(base))
			out = append(out, base[from:min(from+size*r.IntN(20), len(base))]...)
		}
	}
	return out[:n]
}

func TestVCDIFFWindowsAndSegments(t *testing.T) {
	base := random(1, 6000)
	for _, sizes := range []vcdiffSizes{vcdiffDefaults(), tiny(), {window: 1, segment: 1, places: 1}, {window: 3000, segment: 10000, places: 1000}} {
		t.Run(fmt.Sprint(sizes), func(t *testing.T) {
			n := 9000
			if sizes.window == 1 {
				n = 50 // readers bound the number of windows
			}
			checkVCDIFF(t, base, mixed(base, n), sizes)
		})
	}
}

// A result of several real windows, with what repeats across their border.
func TestVCDIFFLongResult(t *testing.T) {
	base := random(1, 5<<20)
	result := bytes.Join([][]byte{base[1<<20:], base[:3<<20], base, random(1, 1<<20)}, []byte("between"))
	if patch := checkVCDIFF(t, base, result, vcdiffDefaults()); len(patch) > 300 {
		t.Fatalf("%d bytes", len(patch))
	}
}

// Every copy of a length that has codes of its own, in every address mode.
func TestVCDIFFCodes(t *testing.T) {
	base := random(1, 40<<10)
	r := rand.New(rand.NewPCG(5, 6))
	seen := map[byte]bool{}
	s := &vcdiffSections{}
	var target []byte
	for range 30_000 {
		for n := r.IntN(6) - 1; n > 0; n-- {
			b := byte(r.Uint32())
			s.literal(b)
			target = append(target, b)
		}
		from := r.IntN(600) * 13 % 4000
		n := 4 + r.IntN(16)
		if r.IntN(4) == 0 {
			from = r.IntN(len(base) - 20)
		}
		if r.IntN(4) == 0 && len(target) > 100 {
			from = len(target) - 60
			s.copied(len(base)+from, len(base)+len(target), n)
			target = append(target, target[from:from+n]...)
			continue
		}
		s.copied(from, len(base)+len(target), n)
		target = append(target, base[from:from+n]...)
	}
	s.run('x', 300)
	target = append(target, bytes.Repeat([]byte("x"), 300)...)
	for _, b := range s.instructions {
		seen[b] = true
	}
	if len(seen) < 240 {
		t.Errorf("only %d of 256 codes used", len(seen))
	}
	patch := append([]byte{0xd6, 0xc3, 0xc4, 0, 0}, s.window(0, len(base), target)...)
	p := pair{base: base, result: target}
	if err := p.check(context.Background(), delta.VCDIFF, patch); err != nil {
		t.Fatal(err)
	}
}

func TestVCDIFFCancelled(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(ErrBudget)
	if _, err := encodeVCDIFF(ctx, nil, random(1, 100), vcdiffDefaults()); !errors.Is(err, ErrBudget) {
		t.Fatal(err)
	}
}

func FuzzMakeVCDIFF(f *testing.F) {
	f.Add([]byte("the quick brown fox jumps over the lazy dog"), []byte("jumps over the quick brown fox and the lazy dog"), uint16(20), uint16(20), uint16(8))
	f.Add(random(1, 300), mixed(random(1, 300), 500), uint16(700), uint16(200), uint16(30))
	f.Add([]byte{}, make([]byte, 600), uint16(65535), uint16(65535), uint16(65535))
	f.Fuzz(func(t *testing.T, base, result []byte, window, segment, places uint16) {
		if len(base)+len(result) > 64<<10 {
			return
		}
		sizes := vcdiffSizes{window: 1 + int(window), segment: 1 + int(segment), places: 1 + int(places)}
		if len(result)/sizes.window > 60+len(result)/1024 {
			return // more windows than readers take
		}
		checkVCDIFF(t, base, result, sizes)
	})
}
