// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"context"
	"testing"
)

func TestByChance(t *testing.T) {
	coin := random(1, 1<<20)
	for i := range coin {
		coin[i] &= 1
	}
	for _, c := range []struct {
		name        string
		text        []byte
		least, most int
	}{
		{"nothing", nil, 0, 0},
		{"one byte", []byte{7}, 0, 0},
		{"random", random(1, 1<<20), 3, 3},
		{"two letters", coin, 25, 25},
		{"zeros", make([]byte, 1<<20), 1000, 2000},
		{"text", bytes.Repeat([]byte("the quick brown fox jumps over the lazy dog\n"), 1000), 4, 5},
	} {
		if got := byChance(c.text); got < c.least || got > c.most {
			t.Errorf("%s: %d", c.name, got)
		}
	}
}

func TestMatchesByChanceAreFew(t *testing.T) {
	const n = 1 << 20
	pair := hostile(n)["two letters"]
	_, seeds, err := alignFirst(context.Background(), pair[0], pair[1])
	if err != nil || len(seeds) > spareChances+n/chanceStride {
		t.Errorf("%d matches, error %v", len(seeds), err)
	}
}

// What is in common is longer than chance has it, and found between the places
// that are still searched.
func TestMatchesBesideChance(t *testing.T) {
	const n = 1 << 20
	pair := hostile(n)["two letters"]
	copy(pair[1][n-5000:], pair[0][1000:5000])
	covers, err := align(context.Background(), pair[0], pair[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range covers {
		if m.old-m.new == 1000-(n-5000) && m.n > 3900 {
			return
		}
	}
	t.Errorf("not among %d covers", len(covers))
}
