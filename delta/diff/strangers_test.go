// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"context"
	"testing"
)

func TestStrangers(t *testing.T) {
	base, result := random(1, 300_000), random(2, 200_000)
	with := func(text []byte, from, at, n int) []byte {
		text = bytes.Clone(text)
		copy(text[at:], base[from:][:n])
		return text
	}
	for _, c := range []struct {
		name         string
		base, result []byte
		want         bool
	}{
		{"nothing in common", base, result, true},
		{"of one byte", make([]byte, 100_000), bytes.Repeat([]byte{1}, 100_000), true},
		{"seven bytes", base, with(result, 5000, 100_000, 7), true},
		{"eight bytes", base, with(result, 5000, 100_000, 8), false},
		{"the last eight bytes", base, with(result, len(base)-8, len(result)-8, 8), false},
		{"a hundred bytes", base, with(result, 5000, 100_000, 100), false},
		{"all", base, base, false},
		{"short", base, base[:7], true},
		{"no base", nil, result, true},
		{"no result", base, nil, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			filter, err := newFilter(context.Background(), c.base)
			if err != nil {
				t.Fatal(err)
			}
			got, err := strangers(context.Background(), filter, c.base, c.result)
			if err != nil || got != c.want {
				t.Errorf("got %v, %v", got, err)
			}
			for i := 0; i+8 <= len(c.base); i++ {
				if !filter.has(c.base[i:]) {
					t.Fatal("the filter forgot a place")
				}
			}
		})
	}
}
