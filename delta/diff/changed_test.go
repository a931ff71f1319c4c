// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"github.com/waybill-project/waybill/delta/diff/internal/cover"
	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// TestChanged: short pieces of what was kept are not found, those of what changed
// are, and so are those at the ends of what was kept.
func TestChanged(t *testing.T) {
	old := words(1, 40_000)
	new := slices.Concat(old[:20_000], words(2, 500), old[21_000:])
	w := &writing{base: old, result: new, level: Default}
	finder, err := w.changed(context.Background(), old, new, []span{{0, int64(len(new))}})
	if err != nil {
		t.Fatal(err)
	}
	found := func(from, to int) (n int) {
		for at := from; at < to; at++ {
			piece := append(bytes.Clone(old[at:at+20]), make([]byte, 12)...)
			if where, length := finder.Longest(piece, 0); length == 20 && where == at {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		what     string
		from, to int
		want     bool
	}{
		{"kept", 1000, 19_000, false}, {"changed", 20_000, 20_980, true}, {"end", 19_800, 19_980, true}, {"start", 21_000, 21_200, true},
		{"kept behind it", 22_000, 39_000, false},
	} {
		if n := found(c.from, c.to); n > 0 != c.want || c.want && n < (c.to-c.from)/8 { // one place of several has the room in the table
			t.Errorf("%s: %d of %d places are known", c.what, n, c.to-c.from)
		}
	}
}

func TestKept(t *testing.T) {
	old := words(1, 30_000)
	new := bytes.Clone(old[100:])
	new[5000] ^= 1
	new[6000] ^= 1
	got := appendKept(nil, old, new, waybill1.Cover{New: 0, Old: 100, Length: uint32(len(new))})
	want := []span{{100 + keptEnds, 5100 - keptEnds}, {6101 + keptEnds, 30_000 - keptEnds}}
	if !slices.Equal(got, want) {
		t.Error(got)
	}
	if rest := others(got, int64(len(old))); !slices.Equal(rest, []span{{0, want[0].from}, {want[0].to, want[1].from}, {want[1].to, 30_000}}) {
		t.Error(rest)
	}
	if rest := others([]span{{50, 90}, {0, 60}}, 90); len(rest) != 0 {
		t.Error(rest)
	}
}

// TestKnown: what has little of the base is told from what has much.
func TestKnown(t *testing.T) {
	old := words(1, 200_000)
	tables := cover.Tables{cover.NewTable(old, cover.All(old), 32, 8, nil)}
	for _, c := range []struct {
		name string
		new  []byte
		want bool
	}{
		{"the same", old, true}, {"half of it", slices.Concat(old[50_000:150_000], words(2, 100_000)), true}, {"a part", old[99_000:101_000], true},
		{"other text", words(2, 200_000), false}, {"a hundredth", slices.Concat(words(2, 198_000), old[:2000]), false}, {"zeros", make([]byte, 9999), false},
	} {
		if known(tables, 8, c.new, []span{{0, 10}, {10, int64(len(c.new))}}) != c.want {
			t.Errorf("%s: not %v", c.name, c.want)
		}
	}
}
