// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

func TestIsText(t *testing.T) {
	lines := bytes.Repeat([]byte("func main() {\r\n\tprintln(\"\u00e9t\u00e9\")\n}\n"), 1000)
	for _, c := range []struct {
		name string
		data []byte
		want bool
	}{
		{"nothing", nil, true},
		{"a line", []byte("one\n"), true},
		{"source", lines, true},
		{"source with a few zeros", slices.Concat(lines[:10000], make([]byte, 100), lines[10000:]), true},
		{"a short name with a zero", []byte("name\x00"), false},
		{"zeros", make([]byte, 1000), false},
		{"code", bytes.Repeat([]byte{0x48, 0x8b, 0x05, 0x10, 0x20, 0, 0, 0xe8, 0x7f, 0x45, 1, 0}, 9999), false},
	} {
		if isText(c.data) != c.want {
			t.Errorf("%s: not %v", c.name, c.want)
		}
	}
}

// words is n bytes of text that never repeats for long.
func words(seed uint64, n int) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	var out []byte
	for len(out) < n {
		for range 2 + random.IntN(8) {
			out = append(out, byte('a'+random.IntN(26)))
		}
		out = append(out, " \n"[random.IntN(8)/7])
	}
	return out[:n]
}

// TestPrime: a primer is around what was inserted, if both are text, and no longer
// than it is worth.
func TestPrime(t *testing.T) {
	text := words(1, 300_000)
	long := words(2, 6<<20)
	program := bytes.Repeat([]byte{0x48, 0x8b, 0x05, 0, 1, 2, 3}, 30_000)
	inserted := func(base []byte, at int, new []byte) *writing {
		return &writing{base: base, result: slices.Concat(base[:at], new, base[at:])}
	}
	for _, c := range []struct {
		name string
		w    *writing
		at   int // where it was inserted
		want waybill1.Primer
	}{
		{"at the start", inserted(text, 0, words(3, 10)), 0, waybill1.Primer{Length: primerSpare + 10*primerFactor}},
		{"in the middle", inserted(text, 150_000, words(3, 10)), 150_000, waybill1.Primer{At: 150_000 - (primerSpare+10*primerFactor)/2, Length: primerSpare + 10*primerFactor}},
		{"at the end", inserted(text, 300_000, words(3, 10)), 300_000, waybill1.Primer{At: 300_000 - primerSpare - 10*primerFactor, Length: primerSpare + 10*primerFactor}},
		{"much", inserted(text, 5, words(3, 9999)), 5, waybill1.Primer{Length: 300_000}},
		{"very much", inserted(long, 6<<20, words(3, 99999)), 6 << 20, waybill1.Primer{At: 6<<20 - waybill1.PrimerMost, Length: waybill1.PrimerMost}},
		{"code", inserted(text, 5, program), 5, waybill1.Primer{}},
		{"text in a program", inserted(program, 70_000, words(3, 100)), 70_000, waybill1.Primer{}},
		{"nothing", inserted(text, 5, nil), 5, waybill1.Primer{}},
		{"into next to nothing", inserted(text[:60], 5, words(3, 100)), 5, waybill1.Primer{}},
	} {
		n := len(c.w.result) - len(c.w.base)
		covers := slices.DeleteFunc([]waybill1.Cover{{New: 0, Old: 0, Length: uint32(c.at)}, {New: uint32(c.at + n), Old: uint32(c.at), Length: uint32(len(c.w.base) - c.at)}},
			func(c waybill1.Cover) bool { return c.Length == 0 })
		if kept := c.w.prime(covers); c.w.header.Primer != c.want || !slices.Equal(kept, covers) && len(c.w.base) > 60 {
			t.Errorf("%s: %+v of %d bytes, not %+v; %d covers", c.name, c.w.header.Primer, len(c.w.base), c.want, len(kept))
		}
	}
}

// TestWithoutShort: of short covers of text, those stay that go on where the one
// before would.
func TestWithoutShort(t *testing.T) {
	text := words(1, 5000)
	w := &writing{base: text, result: text}
	covers := []waybill1.Cover{
		{New: 10, Old: 10, Length: 5}, {New: 20, Old: 900, Length: shortText - 1}, {New: 100, Old: 1000, Length: shortText},
		{New: 150, Old: 1050, Length: 3}, {New: 160, Old: 160, Length: 3}, {New: 200, Old: 1100, Length: 9},
	}
	if got := w.withoutShort(covers); !slices.Equal(got, []waybill1.Cover{covers[0], covers[2], covers[3], covers[5]}) {
		t.Error(got)
	}
}

// TestDensest: what was inserted far off does not count.
func TestDensest(t *testing.T) {
	var list []place
	for _, at := range []int64{5000, 10, 5100, 5200, 9000} {
		list = append(list, place{at, 10})
	}
	if got := densest(list, 500); got != 5100 {
		t.Error(got)
	}
	if got := densest(append(list, place{9400, 100}), 500); got != 9200 {
		t.Error(got)
	}
}
