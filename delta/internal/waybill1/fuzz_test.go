// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"bytes"
	"context"
	"errors"
	"testing"
)

// bases are fixed, so that a patch is all that a fuzzer changes.
func bases(t testing.TB) [][]byte {
	return [][]byte{nil, text(1, 3000), elf(0), macho(1), gz(t, text(1, 3000)), archive(t, text(1, 2000), elf(0), []byte("x"))}
}

// FuzzApply feeds patches whose lengths are right, since whoever applies a patch
// knows them.
func FuzzApply(f *testing.F) {
	bases := bases(f)
	for i, base := range bases {
		for _, result := range [][]byte{nil, base, edited(base, 100), text(2, 500)} {
			s := sample{base: base, result: result}
			if n := min(len(base), len(result)) - 5; n > 0 {
				s.covers = []Cover{{5, 0, uint32(n)}}
			}
			f.Add(s.patch(f), uint8(i))
		}
		if len(base) > 0 {
			f.Add(sample{base: base, result: text(2, 500), primer: Primer{1, int64(len(base)) - 1}}.patch(f), uint8(i))
		}
	}
	program := sample{base: bases[2], result: elf(64), covers: []Cover{{0, 0, 0x5000}}, regions: true}
	signed := sample{base: bases[3], result: macho(2), covers: []Cover{{0, 0, 0x6000}}, regions: true}
	packed := sample{base: bases[4], result: gz(f, text(2, 3000)), covers: []Cover{{53, 60, 2000}}, baseView: true, resultView: true}
	f.Add(program.patch(f), uint8(2))
	f.Add(signed.patch(f), uint8(3))
	f.Add(packed.patch(f), uint8(4))
	f.Fuzz(func(t *testing.T, patch []byte, i uint8) {
		base := bases[int(i)%len(bases)]
		h, _, err := ReadHeader(bytes.NewReader(patch), int64(len(patch)))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if h.ResultLength > 1<<18 || h.ViewLength > 1<<18 {
			return
		}
		patch = with(t, patch, func(h *Header) { h.BaseLength = int64(len(base)) })
		first, err := apply(base, patch, h.ResultLength)
		if int64(len(first)) > h.ResultLength {
			t.Fatalf("%d bytes for %d", len(first), h.ResultLength)
		}
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		again, err := apply(base, patch, h.ResultLength)
		if err != nil || !bytes.Equal(first, again) || int64(len(first)) != h.ResultLength {
			t.Fatalf("%d bytes for %d, then %d, %v", len(first), h.ResultLength, len(again), err)
		}
	})
}

// FuzzWrite feeds results and covers: what is written makes the result.
func FuzzWrite(f *testing.F) {
	bases := bases(f)
	for i, base := range bases {
		f.Add(edited(base, 50), []byte{1, 0, 100, 0, 3, 255}, uint8(i), false, i%2 == 1)
	}
	f.Add(elf(64), []byte{0, 0, 240, 1, 0, 200}, uint8(2), true, false)
	f.Add(macho(2), []byte{0, 0, 240, 1, 0, 200}, uint8(3), true, true)
	f.Fuzz(func(t *testing.T, result, where []byte, i uint8, regions, primed bool) {
		if len(result) > 40<<10 {
			return
		}
		s := sample{base: bases[int(i)%len(bases)], result: result, covers: coversOf(where, len(bases[int(i)%len(bases)]), len(result))}
		h := s.header()
		if primed {
			h.Primer = Primer{h.BaseLength / 4, h.BaseLength / 2}
		}
		if regions {
			if l, err := layoutIn(result); err == nil {
				h.Images = []Region{{OldLength: h.BaseLength, New: l}}
			}
		}
		patch, err := Write(context.Background(), h, bytes.NewReader(s.base), h.BaseLength, result, s.covers)
		if err != nil {
			return // a base without executable, covered page hashes
		}
		got, err := apply(s.base, patch, int64(len(result)))
		if err != nil || !bytes.Equal(got, result) {
			t.Fatalf("%d bytes for %d: %v", len(got), len(result), err)
		}
	})
}

// coversOf makes covers of three bytes each: gap, place, length.
func coversOf(where []byte, base, result int) (covers []Cover) {
	at := 0
	for ; len(where) >= 3 && base > 0; where = where[3:] {
		at += int(where[0])
		old := int(where[1]) * base / 256
		n := min(int(where[2])*int(where[2])+1, base-old, result-at)
		if n < 1 {
			break
		}
		covers = append(covers, Cover{uint32(at), uint32(old), uint32(n)})
		at += n
	}
	return covers
}
