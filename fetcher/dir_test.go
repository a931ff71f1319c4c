// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/repo/layout"
)

func TestDirSource(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	for path, data := range map[string]string{
		filepath.Join(dir, "targets", "a b"): "space", filepath.Join(dir, "metadata", "1...%2Fx.json"): "slash", secret: "secret",
	} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(secret, filepath.Join(dir, "targets", "link")); err != nil {
		t.Log(err) // Windows without the privilege
	}
	src := NewDirSource(dir)
	for name, want := range map[string]string{layout.Target("a b", ""): "space", layout.Versioned("../x", 1): "slash"} {
		resp, err := src.Open(context.Background(), name, Request{Offset: 2})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(got) != want[2:] || resp.Size != int64(len(want)) {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, name := range []string{"targets/link", "targets/../targets/a", "/etc/passwd", "targets/%2e%2e/x", "targets", "targets/"} {
		if _, err := src.Open(context.Background(), name, Request{}); err == nil {
			t.Errorf("%s opened", name)
		}
	}
	if _, err := src.Open(context.Background(), "metadata/2.root.json", Request{}); !errors.Is(err, fs.ErrNotExist) ||
		strings.Contains(err.Error(), "statat") || strings.Count(err.Error(), "2.root.json") != 1 {
		t.Error(err)
	}
	if _, err := NewDirSource(filepath.Join(dir, "unmounted")).Open(context.Background(), "metadata/2.root.json", Request{}); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("unmounted: %v", err)
	}
}
