// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/delta/diff"
)

// TestMain makes this program a tool too, if it is called as one.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "tool" {
		os.Exit(tool(os.Args[2], os.Args[3:]))
	}
	os.Exit(m.Run())
}

func tool(how string, args []string) int {
	switch how {
	case "copy":
		data, err := os.ReadFile(args[0])
		if err == nil {
			err = os.WriteFile(args[1], data, 0o600)
		}
		if err != nil {
			fmt.Println(err)
			return 1
		}
	case "spoil":
		_ = os.WriteFile(args[1], []byte("something else"), 0o600)
	case "fail":
		fmt.Println("tool: this is why")
		fmt.Println("and more")
		return 3
	case "stand":
		c := make(chan os.Signal, 1)
		signal.Notify(c, os.Interrupt)
		<-c
	case "hungry":
		data := make([]byte, 48<<20)
		for i := range data {
			data[i] = byte(i)
		}
	}
	return 0
}

func self(t *testing.T, how string, args ...string) Command {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return append(Command{path, "tool", how}, args...)
}

// fake copies the new file into the patch and the patch into the result, unless
// it is told to do otherwise.
func fake(t *testing.T, made, applied string) Tool {
	return Tool{
		Name: "fake", Variant: "v1",
		Make:  func(j Job) []Command { return []Command{self(t, made, j.New, j.Patch)} },
		Apply: func(j Job) []Command { return []Command{self(t, "nothing"), self(t, applied, j.Patch, j.Result)} },
	}
}

func pairs(t *testing.T, files map[string]string) []Pair {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found, err := Pairs(dir)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestMeasure(t *testing.T) {
	pair := pairs(t, map[string]string{"a/old": "one", "a/new": "twotwo"})[0]
	kept := t.TempDir()
	row, err := Measure(t.Context(), pair, fake(t, "copy", "copy"), &Options{Runs: 3, Keep: kept})
	if err != nil || row.Status != OK || row.PatchLength != 6 || row.Tool != "fake" || row.Variant != "v1" {
		t.Fatalf("%+v, %v", row, err)
	}
	for _, c := range []*Cost{row.Make, row.Apply} {
		if c.CPU <= 0 || c.Wall <= 0 {
			t.Fatalf("%+v", c)
		}
	}
	if data, err := os.ReadFile(filepath.Join(kept, "a", "fake-v1.patch")); err != nil || string(data) != "twotwo" {
		t.Fatalf("kept %q, %v", data, err)
	}
}

func TestMeasureTellsWhatWentWrong(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	pair := pairs(t, map[string]string{"a/old": "one", "a/new": "two"})[0]
	for _, c := range []struct{ made, applied, status, detail string }{
		{"fail", "copy", Failed, "make: exit status 3: tool: this is why"},
		{"copy", "fail", Failed, "apply: exit status 3: tool: this is why"},
		{"nothing", "copy", Failed, "apply: exit status 1: open "},
		{"copy", "nothing", Failed, "open "},
		{"copy", "spoil", Wrong, "differs from the new file"},
		{"stand", "copy", Timeout, "make took longer than 2s"},
		{"copy", "stand", Timeout, "apply took longer than 2s"},
	} {
		t.Run(c.made+" "+c.applied, func(t *testing.T) {
			limit := time.Minute
			if c.status == Timeout {
				limit = 2 * time.Second
			}
			row, err := Measure(t.Context(), pair, fake(t, c.made, c.applied), &Options{Timeout: limit, Keep: t.TempDir()})
			if err != nil || row.Status != c.status || !strings.Contains(row.Detail, c.detail) {
				t.Fatalf("%+v, %v", row, err)
			}
			if row.PatchLength != 0 || row.Make != nil || row.Apply != nil {
				t.Fatalf("figures of a failure: %+v", row)
			}
		})
	}
	if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
}

func TestMeasureMissingProgram(t *testing.T) {
	pair := pairs(t, map[string]string{"a/old": "one", "a/new": "two"})[0]
	none := Tool{Name: "none", Programs: []string{"no-such-program"}, Make: func(Job) []Command { return []Command{{"no-such-program"}} }}
	if m := none.Missing(); len(m) != 1 {
		t.Fatal(m)
	}
	if row, err := Measure(t.Context(), pair, none, nil); err != nil || row.Status != Failed {
		t.Fatalf("%+v, %v", row, err)
	}
}

func TestMeasureCancelled(t *testing.T) {
	pair := pairs(t, map[string]string{"a/old": "one", "a/new": "two"})[0]
	ctx, cancel := context.WithCancel(t.Context())
	standing := fake(t, "stand", "copy")
	then := standing.Make
	standing.Make = func(j Job) []Command {
		cancel()
		return then(j)
	}
	if _, err := Measure(ctx, pair, standing, nil); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestPairs(t *testing.T) {
	elf, other := "\x7fELF\x02\x01\x01\x00", "\xca\xfe\xba\xbe\x00\x00\x00\x41"
	macho, universal := "\xcf\xfa\xed\xfe\x0c\x00\x00\x01", "\xca\xfe\xba\xbe\x00\x00\x00\x02"
	found := pairs(t, map[string]string{
		"pairs/b-elf/old": elf, "pairs/b-elf/new": elf + "more",
		"pairs/a-class/old": other, "pairs/a-class/new": other,
		"pairs/c-became/old": "#!/bin/sh", "pairs/c-became/new": elf,
		"pairs/d-pe/old": "MZ345678", "pairs/d-pe/new": "MZ345678",
		"pairs/e-macho/old": macho, "pairs/e-macho/new": universal,
		"pairs/f-empty/old": "", "pairs/f-empty/new": "",
		"pairs/half/old": elf, "pairs/file": elf, "pairs/dir/old/x": elf, "pairs/dir/new/x": elf,
		"ignored/old": elf, "ignored/new": elf,
	})
	var got []string
	for _, p := range found {
		got = append(got, fmt.Sprintf("%s %s %d %d", p.Name, p.Kind, p.OldLength, p.NewLength))
	}
	want := "a-class other 8 8; b-elf executable 8 12; c-became other 9 8; d-pe executable 8 8; e-macho executable 8 8; f-empty other 0 0"
	if strings.Join(got, "; ") != want {
		t.Fatalf("got %s", strings.Join(got, "; "))
	}
	if _, err := Pairs(t.TempDir()); err == nil {
		t.Fatal("an empty folder has pairs")
	}
	if _, err := Pairs(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestMeans(t *testing.T) {
	cost := func(cpu float64) *Cost { return &Cost{CPU: cpu} }
	result := func(kind string, rows ...Row) Result {
		r := Result{Pair: Pair{Kind: kind, NewLength: 2e6}}
		for _, row := range rows {
			if row.Status == "" {
				row.Status, row.Make, row.Apply = OK, cost(2), cost(0.5)
			}
			r.Add(row)
		}
		return r
	}
	ours := func(n int64) Row { return Row{Tool: "waybill1", Variant: "best", PatchLength: n} }
	bsdiff := func(n int64) Row { return Row{Tool: Baseline, PatchLength: n} }
	got := Means([]Result{
		result(Executable, bsdiff(100), ours(50)),
		result(Executable, bsdiff(100), ours(200)),
		result(Executable, Row{Tool: Baseline, Status: Timeout}, ours(7)),
		result(Executable, bsdiff(100), Row{Tool: "waybill1", Variant: "best", Status: Failed}),
		result(Other, bsdiff(100), ours(10)),
	})
	want := []Mean{
		{Executable, Baseline, "", 3, 1, 3, 1, 4},
		{Executable, "waybill1", "best", 3, 1, 2, 1, 4},
		{Other, Baseline, "", 1, 1, 1, 1, 4},
		{Other, "waybill1", "best", 1, 0.1, 1, 1, 4},
	}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, m := range got {
		if math.Abs(m.Relative-want[i].Relative) > 1e-9 {
			t.Errorf("%+v, want %+v", m, want[i])
		}
		m.Relative = want[i].Relative
		if m != want[i] {
			t.Errorf("%+v, want %+v", m, want[i])
		}
	}
	if rate(5, 0) != 0 {
		t.Error("a rate without a time")
	}
}

func TestMedian(t *testing.T) {
	got := *median([]Cost{{3, 30, 100}, {1, 10, 300}, {2, 40, 200}})
	if got != (Cost{2, 30, 200}) {
		t.Errorf("%+v", got)
	}
	if got := *median([]Cost{{1, 2, 4}, {2, 4, 8}}); got != (Cost{1.5, 3, 6}) {
		t.Errorf("%+v", got)
	}
}

// Members of the objects are only added to.
func TestJSON(t *testing.T) {
	r := Result{Pair: Pair{Name: "a", Kind: Other, OldLength: 1, NewLength: 2, Old: "/secret"}}
	r.Add(Row{Tool: "t", Variant: "v", Status: OK, PatchLength: 3, Make: &Cost{1, 2, 3}, Apply: &Cost{4, 5, 0}})
	text, err := json.Marshal(r)
	want := `{"name":"a","kind":"other","old_length":1,"new_length":2,"rows":[{"tool":"t","variant":"v","status":"ok","patch_length":3,` +
		`"make":{"cpu_seconds":1,"wall_seconds":2,"peak_bytes":3},"apply":{"cpu_seconds":4,"wall_seconds":5}}]}`
	if err != nil || string(text) != want {
		t.Fatalf("%s, %v", text, err)
	}
}

func TestOurs(t *testing.T) {
	tool := Ours("/bin/waybill", "bsdiff4", diff.Fast, "--memory", "1GiB")
	j := Job{Old: "o", New: "n", Patch: "p", Result: "r", OldSHA256: "1", NewSHA256: "2", Timeout: time.Minute}
	made, applied := strings.Join(tool.Make(j)[0], " "), strings.Join(tool.Apply(j)[0], " ")
	if made != "/bin/waybill delta make o n -o p --format bsdiff4 --level fast --timeout 1m0s --memory 1GiB" {
		t.Error(made)
	}
	if applied != "/bin/waybill delta apply o p -o r --base-sha256 1 --sha256 2" || tool.String() != "bsdiff4-fast" {
		t.Error(applied)
	}
}
