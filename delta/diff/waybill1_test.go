// SPDX-License-Identifier: Apache-2.0

package diff_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/delta"
	"github.com/waybill-project/waybill/delta/diff"
)

func levels() []diff.Level { return []diff.Level{diff.Fast, diff.Default, diff.Best} }

func level(l diff.Level) *diff.Options { return &diff.Options{Level: l} }

func packed(data []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(data)
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func zipped(members ...[]byte) []byte {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for i, m := range members {
		w, err := z.Create(string(rune('a' + i)))
		if err == nil {
			_, err = w.Write(m)
		}
		if err != nil {
			panic(err)
		}
	}
	if err := z.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

// own is the test's own executable, or a part of it.
func own(t testing.TB, from, to int) []byte {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data[min(from, len(data)):min(to, len(data))]
}

func waybill1Samples(t testing.TB) []files {
	code, a := program(60<<10, 0), noise(1, 30<<10)
	text := repeat([]byte("All the king's horses and all the king's men couldn't put it together again. "), 20<<10)
	edit := bytes.Clone(text)
	for i := 500; i < len(edit); i += 1500 {
		edit[i] = 'X'
	}
	self := own(t, 0, 300<<10)
	return []files{
		{"zip", zipped(code, a, text), zipped(a, edit, code), 4000},
		{"zip from nothing", nil, zipped(text, edit), 2000},
		{"zip to nothing", zipped(text, edit), nil, 80},
		{"zip that is cut", zipped(code, a), zipped(code, a)[:40000], 600},
		{"gzip", packed(code), packed(program(60<<10, 5)), 60 << 10},
		{"gzip of zeros", packed(nil), packed(make([]byte, 4<<20)), 4 << 10},
		{"gzip from its contents", text, packed(edit), 2000},
		{"contents from their gzip", packed(text), edit, 2000},
		{"head of an executable", self, join(self[:100<<10], a[:100], self[100<<10:]), 3000},
		{"executable from nothing", nil, self, 200 << 10},
		{"executable to nothing", self, nil, 80},
	}
}

func TestMakeWaybill1(t *testing.T) {
	for _, f := range append(samples(), waybill1Samples(t)...) {
		t.Run(f.name, func(t *testing.T) {
			for _, l := range levels() {
				patch := mustMakeFormat(t, delta.Waybill1, f.old, f.new, level(l))
				if err := applyFormat(delta.Waybill1, f.old, f.new, patch); err != nil {
					t.Fatal(l, err)
				}
				if most := f.patchMost*7/5 + len(f.new)/20; len(patch) > most {
					t.Errorf("%v: patch of %d bytes, expected at most %d", l, len(patch), most)
				}
			}
		})
	}
}

// TestMakeWaybill1Same: a program that did not change costs next to nothing.
func TestMakeWaybill1Same(t *testing.T) {
	self := own(t, 0, 300<<10)
	if patch := mustMakeFormat(t, delta.Waybill1, self, self, nil); len(patch) > 48 {
		t.Errorf("%d bytes", len(patch))
	}
}

// TestMakeWaybill1Determinism: the same patch on one core and on four.
func TestMakeWaybill1Determinism(t *testing.T) {
	code := program(300<<10, 0)
	for _, f := range append(waybill1Samples(t), files{"code", code, join(code[1000:], program(100<<10, 9)), 0}) {
		for _, l := range levels() {
			var patches [][]byte
			for _, n := range []int{1, 4, 4} {
				before := runtime.GOMAXPROCS(n)
				patches = append(patches, mustMakeFormat(t, delta.Waybill1, f.old, f.new, level(l)))
				runtime.GOMAXPROCS(before)
			}
			if !bytes.Equal(patches[0], patches[1]) || !bytes.Equal(patches[1], patches[2]) {
				t.Errorf("%s, %v: patches differ", f.name, l)
			}
		}
	}
}

// TestMakeWaybill1Budget: archives whose contents are over the budget are refused
// or seen as they are, and never cost more.
func TestMakeWaybill1Budget(t *testing.T) {
	old, new := zipped(make([]byte, 2<<20)), zipped(append(make([]byte, 2<<20), 1))
	for name, c := range map[string]struct {
		budget diff.Budget
		want   error
	}{
		"enough":       {diff.Budget{}, nil},
		"no memory":    {diff.Budget{Memory: 1 << 20}, diff.ErrBudget},
		"just nothing": {diff.Budget{Memory: 1}, diff.ErrBudget},
		"no time":      {diff.Budget{Time: time.Nanosecond}, diff.ErrBudget},
	} {
		var out bytes.Buffer
		err := diff.Make(context.Background(), delta.Waybill1, bytes.NewReader(old), bytes.NewReader(new), int64(len(old)), int64(len(new)), &out, &diff.Options{Budget: c.budget})
		if !errors.Is(err, c.want) || err != nil && out.Len() > 0 {
			t.Errorf("%s: %v, %d bytes", name, err, out.Len())
		}
	}
}

// TestMakeWaybill1ContentsOverBudget: archives whose contents are over the budget
// are compared as plain bytes, which need less, and the log says so.
func TestMakeWaybill1ContentsOverBudget(t *testing.T) {
	text := repeat([]byte("All the king's horses and all the king's men. "), 2<<20)
	old, new := zipped(text, noise(1, 90<<10)), zipped(noise(1, 90<<10), text)
	for name, c := range map[string]struct {
		old, new []byte
		memory   int64
		views    byte
	}{
		"both fit":            {old, new, 100 << 20, 3},
		"neither fits":        {old, new, 50 << 20, 0},
		"the result does not": {text, new, 65 << 20, 0},
		"the base does not":   {old, zipped([]byte("Humpty Dumpty sat on a wall")), 50 << 20, 0},
		"the result fits":     {text, new, 80 << 20, 2},
	} {
		var log strings.Builder
		opts := &diff.Options{Budget: diff.Budget{Memory: c.memory}, Logger: slog.New(slog.NewTextHandler(&log, nil))}
		patch := mustMakeFormat(t, delta.Waybill1, c.old, c.new, opts)
		if err := applyFormat(delta.Waybill1, c.old, c.new, patch); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if patch[4] != c.views || strings.Contains(log.String(), "archive") != (c.views == 0) {
			t.Errorf("%s: views %b, logged %q", name, patch[4], &log)
		}
	}
}

// A patch is refused for every other base and for every other result.
func TestWaybill1IsOfItsFiles(t *testing.T) {
	old, new := noise(1, 1000), join(noise(1, 500), noise(2, 500))
	patch := mustMakeFormat(t, delta.Waybill1, old, new, nil)
	for name, c := range map[string][2][]byte{"base": {noise(3, 1000), new}, "result": {old, noise(3, 1000)}, "turned round": {new, old}} {
		if err := applyFormat(delta.Waybill1, c[0], c[1], patch); !errors.Is(err, delta.ErrBaseMismatch) && !errors.Is(err, delta.ErrResultMismatch) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzMakeWaybill1(f *testing.F) {
	for _, s := range append(samples(), waybill1Samples(f)...) {
		if len(s.old)+len(s.new) < 8<<10 {
			for l := range levels() {
				f.Add(s.old, s.new, uint8(l))
			}
		}
	}
	f.Add(zipped([]byte("one, two, three, four")), zipped([]byte("one, two, free, four")), uint8(0))
	f.Fuzz(func(t *testing.T, old, new []byte, l uint8) {
		if len(old)+len(new) > 32<<10 {
			return
		}
		patch := mustMakeFormat(t, delta.Waybill1, old, new, level(levels()[l%3]))
		if err := applyFormat(delta.Waybill1, old, new, patch); err != nil {
			t.Fatal(err)
		}
		description, err := delta.Inspect(bytes.NewReader(patch), int64(len(patch)))
		if err != nil || description.Format != delta.Waybill1 || description.ResultLength != int64(len(new)) {
			t.Fatal(description, err)
		}
	})
}
