// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/waybill-project/waybill/repo/layout"
)

var write = flag.Bool("write", false, "write testdata/repository anew")

// The repository that the examples read is the one that this code makes.
func TestExampleRepository(t *testing.T) {
	s := newSim(t)
	s.add("targets", "app/1.0.0/linux-amd64/app", []byte("hello from version 1.0.0\n"))
	s.release("targets")
	files := map[string][]byte{"root.json": s.objects[layout.Root(1)]}
	for name, data := range s.objects {
		files[name] = data
	}
	for name, data := range files {
		path := filepath.Join("testdata", "repository", filepath.FromSlash(name))
		if *write {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%s is not up to date (%v): run with -write", path, err)
		}
	}
}
