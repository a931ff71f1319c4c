// SPDX-License-Identifier: Apache-2.0

package diff_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/waybill-project/waybill/delta"
	"github.com/waybill-project/waybill/delta/diff"
)

func TestParseLevel(t *testing.T) {
	for name, want := range map[string]diff.Level{"fast": diff.Fast, "default": diff.Default, "best": diff.Best} {
		if got, err := diff.ParseLevel(name); err != nil || got != want || got.String() != name {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "Fast", "9", "Level(9)"} {
		if got, err := diff.ParseLevel(name); err == nil {
			t.Errorf("%q is %v", name, got)
		}
	}
	var zero diff.Level
	if zero != diff.Default || diff.Level(9).String() != "Level(9)" {
		t.Errorf("%v, %v", zero, diff.Level(9))
	}
}

func TestMakeAtEveryLevel(t *testing.T) {
	old, new := program(100<<10, 0), program(100<<10, 77)
	for _, level := range []diff.Level{diff.Fast, diff.Default, diff.Best} {
		mustApply(t, old, new, mustMake(t, old, new, &diff.Options{Level: level}))
	}
	for _, level := range []diff.Level{-1, 3} {
		err := diff.Make(context.Background(), delta.BSDiff4, nil, nil, 0, 0, &bytes.Buffer{}, &diff.Options{Level: level})
		if err == nil {
			t.Errorf("%v was taken", level)
		}
	}
}

// Progress only grows, to a total that stays, and gets there.
func TestMakeProgress(t *testing.T) {
	for _, f := range samples() {
		t.Run(f.name, func(t *testing.T) {
			var last, all int64
			calls := 0
			mustMake(t, f.old, f.new, &diff.Options{Progress: func(done, total int64) {
				if done <= last || done > total || (calls > 0 && total != all) {
					t.Fatalf("%d of %d after %d of %d", done, total, last, all)
				}
				last, all = done, total
				calls++
			}})
			if last != all || (len(f.new) > 0) != (calls > 0) {
				t.Fatalf("ended at %d of %d after %d calls", last, all, calls)
			}
		})
	}
}
