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
	"github.com/waybill-project/waybill/delta"
	"github.com/waybill-project/waybill/delta/diff"
)

var (
	write  = flag.Bool("write", false, "make the corpus anew")
	remake = flag.Bool("remake", false, "make the honest patches of waybill1 anew, while the format is not in use")
)

// honestDir has the honest patches of waybill1, which are not made again: what was
// a patch once is one for ever.
const honestDir = "internal/generate/waybill1"

// TestGenerate wants the corpus to be what the generators make. To change it, change
// them and run
//
//	go test ./conformance -run Generate -write
//
// or, if what the bytes of a waybill1 patch mean has changed, with -write -remake.
func TestGenerate(t *testing.T) {
	want := generate.Cases()
	maps.Copy(want, generate.Patches(honestPatches(t)))
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

func honestPatches(t *testing.T) map[string][]byte {
	out := map[string][]byte{}
	for name, p := range generate.Waybill1Pairs() {
		path := filepath.Join(honestDir, name)
		if *remake {
			var patch bytes.Buffer
			err := diff.Make(t.Context(), delta.Waybill1, bytes.NewReader(p.Base), bytes.NewReader(p.Result),
				int64(len(p.Base)), int64(len(p.Result)), &patch, nil)
			if err == nil {
				err = os.WriteFile(path, patch.Bytes(), 0o644)
			}
			if err != nil {
				t.Fatal(name, err)
			}
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = data
	}
	return out
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
