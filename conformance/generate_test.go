// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"bytes"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/waybill-project/waybill/conformance/internal/generate"
)

var write = flag.Bool("write", false, "make the corpus anew")

// TestGenerate wants the corpus to be what the generators make. To change it, change
// them and run
//
//	go test ./conformance -run Generate -write
func TestGenerate(t *testing.T) {
	want := generate.Cases()
	maps.Copy(want, generate.Patches())
	if *write {
		rewrite(t, want)
	}
	have := map[string]bool{}
	for _, dir := range []string{"cases", "patches", "shared"} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name := filepath.ToSlash(path)
			have[name] = true
			data, err := os.ReadFile(path)
			if !bytes.Equal(data, want[name]) || want[name] == nil {
				t.Errorf("%s is not what the generators make", name)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	size := 0
	for name, content := range want {
		size += len(content)
		if !have[name] {
			t.Errorf("%s is missing", name)
		}
	}
	t.Logf("%d files, %d bytes", len(want), size)
	if len(want) > 8000 || size > 8<<20 {
		t.Errorf("%d files, %d bytes: too much", len(want), size)
	}
}

func rewrite(t *testing.T, files map[string][]byte) {
	for _, dir := range []string{"cases", "patches", "shared"} {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	for name, content := range files {
		path := filepath.FromSlash(name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
