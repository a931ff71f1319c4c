// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"bufio"
	"context"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/waybill-project/waybill/conformance"
)

type result struct {
	conformance.Case
	err error
}

// One run of each client serves all tests.
var (
	waybillResults = sync.OnceValue(func() []result { return results(waybill{}) })
	goTUFResults   = sync.OnceValue(func() []result { return results(goTUF{}) })
)

// TestMain works in memory where there is such a folder: clients wait for the disk
// at every file.
func TestMain(m *testing.M) {
	if len(os.Args) == 6 && os.Args[1] == "apply" {
		applyMain(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	}
	os.Exit(inMemory(m))
}

func inMemory(m *testing.M) int {
	if dir, err := os.MkdirTemp("/dev/shm", "conformance"); err == nil {
		defer os.RemoveAll(dir)
		os.Setenv("TMPDIR", dir)
	}
	return m.Run()
}

// results holds a client against all cases, a few at a time.
func results(client conformance.Client) []result {
	cases, err := conformance.Cases()
	if err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "conformance")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	out := make([]result, len(cases))
	todo := make(chan int)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range todo {
				out[i] = result{cases[i], hold(cases[i], client, dir)}
			}
		})
	}
	for i := range cases {
		todo <- i
	}
	close(todo)
	wg.Wait()
	return out
}

func hold(c conformance.Case, client conformance.Client, dir string) error {
	box, err := os.MkdirTemp(dir, "case")
	if err != nil {
		return err
	}
	defer os.RemoveAll(box)
	return c.Check(context.Background(), client, box)
}

// prove wants exactly the known cases to fail.
func prove(t *testing.T, results []result, known map[string]string) {
	for _, r := range results {
		t.Run(r.Family+"/"+r.Name, func(t *testing.T) {
			switch reason := known[r.Name]; {
			case r.err != nil && reason == "":
				t.Errorf("%v\n%s (%s)", r.err, r.Shows, r.Source)
			case r.err == nil && reason != "":
				t.Errorf("passes, though known to fail: %s", reason)
			}
		})
	}
}

// caseNames and patchNames are what a list of known failures can name.
func caseNames(t *testing.T) (names []string) {
	for _, c := range all(t) {
		names = append(names, c.Name)
	}
	return names
}

func patchNames(t *testing.T) (names []string) {
	patches, err := conformance.Patches()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range patches {
		names = append(names, p.Format+"/"+p.Name)
	}
	return names
}

// reasons reads lines of one of the names and why it fails; nil without a path.
func reasons(t *testing.T, path string, names []string) map[string]string {
	if path == "" {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		name, reason, _ := strings.Cut(s.Text(), " ")
		if name == "" || name == "#" {
			continue
		}
		if out[name] = reason; reason == "" {
			t.Errorf("%s has no reason", name)
		}
	}
	for name := range out {
		if !slices.Contains(names, name) {
			t.Errorf("%s is no case", name)
		}
	}
	return out
}
