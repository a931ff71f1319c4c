// SPDX-License-Identifier: Apache-2.0

package cover

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/waybill-project/waybill/delta/diff/internal/suffix"
	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

func noise(seed uint64, n, symbols int) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(random.IntN(symbols))
	}
	return out
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

type finderOf struct {
	name string
	make func(t testing.TB, base []byte) Finder
}

func finders() []finderOf {
	table := func(window, step int) func(testing.TB, []byte) Finder {
		return func(_ testing.TB, base []byte) Finder { return NewTable(base, All(base), window, step, nil) }
	}
	return []finderOf{
		{"coarse", table(24, 4)}, {"fine", table(12, 1)}, {"widest", table(32, 7)}, {"narrowest", table(8, 1)},
		{"sorted", func(t testing.TB, base []byte) Finder {
			array, err := suffix.New(context.Background(), base)
			if err != nil {
				t.Fatal(err)
			}
			return Sorted{array}
		}},
	}
}

// check wants covers to lie within both files, in order, without overlap.
func check(t testing.TB, covers []waybill1.Cover, base, result int) {
	t.Helper()
	end := 0
	for i, c := range covers {
		at, old, n := int(c.New), int(c.Old), int(c.Length)
		if n < 1 || at < end || at+n > result || old+n > base {
			t.Fatalf("cover %d of %d: %v behind %d, of %d and %d bytes", i, len(covers), c, end, base, result)
		}
		end = at + n
	}
}

// covered counts the bytes of the result that are predicted, and those rightly.
func covered(covers []waybill1.Cover, base, result []byte) (all, right int) {
	for _, c := range covers {
		for i := range c.Length {
			all++
			if base[c.Old+i] == result[c.New+i] {
				right++
			}
		}
	}
	return all, right
}

func TestCovers(t *testing.T) {
	a, b, coin := noise(1, 20000, 256), noise(2, 5000, 256), noise(3, 20000, 2)
	zeros := make([]byte, 30000)
	edited := bytes.Clone(a)
	for i := 7; i < len(edited); i += 61 {
		edited[i]++
	}
	for _, c := range []struct {
		name         string
		base, result []byte
		least        int // right bytes
	}{
		{"nothing", nil, nil, 0},
		{"from nothing", nil, a, 0},
		{"to nothing", a, nil, 0},
		{"one byte", a[:1], a[:1], 0},
		{"same", a, a, len(a)},
		{"edited", a, edited, len(a) * 9 / 10},
		{"grown", a, join(b, a[:9000], b, a[9000:], b), len(a) - 50},
		{"shrunk", join(b, a), a[100:], len(a) - 150},
		{"turned", join(a, b), join(b, a), len(a) + len(b) - 50},
		{"repeated", b, bytes.Repeat(b, 9), 9*len(b) - 500},
		{"zeros", zeros[:1000], zeros, 1000},
		{"zeros with ones", zeros, join(zeros[:999], []byte{1}, zeros[:7000], []byte{1}), 7000},
		{"coin", coin, noise(4, 20000, 2), 1000},
		{"unrelated", a, b, 0},
	} {
		for _, f := range finders() {
			for _, better := range []int{Near, Far} {
				covers, err := Covers(context.Background(), c.base, c.result, f.make(t, c.base), better)
				if err != nil {
					t.Fatal(err)
				}
				check(t, covers, len(c.base), len(c.result))
				if _, right := covered(covers, c.base, c.result); right < c.least && len(c.base) > 100 {
					t.Errorf("%s, %s: %d bytes are right, %d expected", c.name, f.name, right, c.least)
				}
			}
		}
	}
}

// TestTable: a table of a short base knows its places, but for those that another
// hides, and of a very long one the bits that tell places apart leave room for
// their numbers.
func TestTable(t *testing.T) {
	a := noise(1, 100, 256)
	for _, n := range []int{0, 1, 7, 8, 9, 31, 32, 33, 100} {
		for _, step := range []int{1, 3, 40, 1000} {
			for _, window := range []int{8, 12, 24, 32} {
				table := NewTable(a[:n], All(a[:n]), window, step, nil)
				for i := 0; i+window <= n; i += step {
					if at, length := table.Longest(a[i:n], 0); (at != i || length != n-i) && (length > 0 || i == 0) {
						t.Errorf("window %d, step %d of %d bytes: %d at %d, not %d", window, step, n, length, at, i)
					}
				}
				if at, length := table.Longest(a[:window-1], 0); at != 0 || length != 0 {
					t.Errorf("window %d: %d at %d for less", window, length, at)
				}
			}
		}
	}
	for n := range uint(34) {
		table := Table{shift: 36, bits: n}
		if check := uint64(table.check(1<<64 - 1)); check&(1<<n-1) != 0 || n < 32 && check == 0 {
			t.Errorf("%d bits: %#x", n, check)
		}
	}
}

// TestCoversSegments: a result of several segments is found as a whole.
func TestCoversSegments(t *testing.T) {
	a := noise(1, 1<<20, 256)
	result := bytes.Repeat(a, 2*segment/len(a)+1)
	covers, err := Covers(context.Background(), a, result, NewTable(a, All(a), 24, 4, nil), Near)
	if err != nil {
		t.Fatal(err)
	}
	check(t, covers, len(a), len(result))
	if _, right := covered(covers, a, result); right < len(result)-2000 {
		t.Errorf("%d of %d bytes", right, len(result))
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if again, err := Covers(context.Background(), a, result, NewTable(a, All(a), 24, 4, nil), Near); err != nil || !slices.Equal(again, covers) {
		t.Errorf("%d covers by one core, %d by several, %v", len(again), len(covers), err)
	}
}

func TestCoversCancelled(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	a := noise(1, 10000, 256)
	if _, err := Covers(ended, a, a, NewTable(a, All(a), 12, 1, nil), Near); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestWithout(t *testing.T) {
	covers := []waybill1.Cover{{New: 0, Old: 5, Length: 10}, {New: 10, Old: 50, Length: 10}, {New: 25, Old: 0, Length: 5}}
	for _, c := range []struct {
		from, to int64
		want     []waybill1.Cover
	}{
		{0, 30, nil},
		{30, 99, covers},
		{20, 25, covers},
		{7, 7, []waybill1.Cover{{New: 0, Old: 5, Length: 7}, {New: 7, Old: 12, Length: 3}, covers[1], covers[2]}},
		{0, 10, covers[1:]},
		{3, 5, []waybill1.Cover{{New: 0, Old: 5, Length: 3}, {New: 5, Old: 10, Length: 5}, covers[1], covers[2]}},
		{9, 26, []waybill1.Cover{{New: 0, Old: 5, Length: 9}, {New: 26, Old: 1, Length: 4}}},
		{15, 1 << 40, []waybill1.Cover{covers[0], {New: 10, Old: 50, Length: 5}}},
	} {
		if got := Without(covers, c.from, c.to); !slices.Equal(got, c.want) {
			t.Errorf("without [%d, %d): %v, want %v", c.from, c.to, got, c.want)
		}
	}
}

func TestLongest(t *testing.T) {
	covers := []waybill1.Cover{{New: 0, Old: 5, Length: 3}, {New: 10, Old: 50, Length: 9}, {New: 25, Old: 0, Length: 5}, {New: 40, Old: 1, Length: 3}}
	for n, want := range [][]waybill1.Cover{nil, covers[1:2], covers[1:3], covers[:3], covers, covers} {
		if got := Longest(covers, n); !slices.Equal(got, want) {
			t.Errorf("longest %d: %v, want %v", n, got, want)
		}
	}
}

func FuzzCovers(f *testing.F) {
	f.Add([]byte("the quick brown fox jumps over the lazy dog"), []byte("the lazy dog jumps over the quick brown fox"), uint16(4), uint16(9))
	f.Add(make([]byte, 200), make([]byte, 300), uint16(0), uint16(300))
	f.Add(noise(1, 300, 3), noise(2, 500, 3), uint16(100), uint16(50))
	f.Fuzz(func(t *testing.T, base, result []byte, from, length uint16) {
		if len(base)+len(result) > 32<<10 {
			return
		}
		for _, finder := range finders() {
			for _, better := range []int{Near, Far} {
				covers, err := Covers(context.Background(), base, result, finder.make(t, base), better)
				if err != nil {
					t.Fatal(err)
				}
				check(t, covers, len(base), len(result))
				to := int64(from) + int64(length)
				cut := Without(covers, int64(from), to)
				check(t, cut, len(base), len(result))
				for _, c := range cut {
					if int64(c.New) < to && int64(c.New+c.Length) > int64(from) && length > 0 {
						t.Fatalf("%v is left of what was cut out: [%d, %d)", c, from, to)
					}
				}
				check(t, Longest(covers, int(length%32)), len(base), len(result))
			}
		}
	})
}

// counted counts the searches.
type counted struct {
	Finder
	n int
}

func (c *counted) Longest(p []byte, want int) (at, length int) {
	c.n++
	return c.Finder.Longest(p, want)
}

func TestFewLettersAreNotSearchedEverywhere(t *testing.T) {
	base, result := noise(1, 1<<20, 2), noise(2, 1<<20, 2)
	array, err := suffix.New(context.Background(), base)
	if err != nil {
		t.Fatal(err)
	}
	for name, finder := range map[string]Finder{"table": NewTable(base, All(base), 16, 1, nil), "sorted": Sorted{array}} {
		c := &counted{Finder: finder}
		covers, err := Covers(context.Background(), base, result, c, Far)
		if err != nil {
			t.Fatal(err)
		}
		check(t, covers, len(base), len(result))
		if c.n > len(result)/4 {
			t.Errorf("%s: %d searches", name, c.n)
		}
	}
}

func TestTableOfUsedRoom(t *testing.T) {
	base, result := noise(1, 1<<16, 4), noise(2, 1<<14, 4)
	copy(result[1000:], base[5000:9000])
	room := make([]uint32, TableSize(len(base), 1)+100)
	for i := range room {
		room[i] = uint32(i) * 0x9e3779b1
	}
	fresh, again := NewTable(base, All(base), 12, 1, nil), NewTable(base, All(base), 12, 1, room)
	for i := range result {
		at, n := fresh.Longest(result[i:], 0)
		if at2, n2 := again.Longest(result[i:], 0); at != at2 || n != n2 {
			t.Fatalf("byte %d: %d bytes at %d, with used room %d at %d", i, n, at, n2, at2)
		}
	}
}
