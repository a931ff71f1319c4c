// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"context"
	"os"
	"sync"
	"testing"

	"github.com/waybill-project/waybill/conformance"
)

// scratch is in memory where there is such a folder: clients wait for the disk at
// every file.
func scratch(t testing.TB) string {
	for _, parent := range []string{"/dev/shm", ""} {
		if dir, err := os.MkdirTemp(parent, "conformance"); err == nil {
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			return dir
		}
	}
	t.Fatal("no folder to work in")
	return ""
}

// check holds a client against all cases, a few at a time.
func check(t testing.TB, client conformance.Client) map[string]error {
	cases, err := conformance.Cases()
	if err != nil {
		t.Fatal(err)
	}
	dir := scratch(t)
	out := map[string]error{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	todo := make(chan conformance.Case)
	for range 4 {
		wg.Go(func() {
			for c := range todo {
				box, err := os.MkdirTemp(dir, "case")
				if err == nil {
					err = c.Check(context.Background(), client, box)
				}
				_ = os.RemoveAll(box)
				mu.Lock()
				out[c.Name] = err
				mu.Unlock()
			}
		})
	}
	for _, c := range cases {
		todo <- c
	}
	close(todo)
	wg.Wait()
	return out
}

func TestWaybill(t *testing.T) {
	for name, err := range check(t, waybill{}) {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGoTUF(t *testing.T) {
	for name, err := range check(t, goTUF{}) {
		if err != nil {
			t.Logf("%s: %v", name, err)
		}
	}
}
