// SPDX-License-Identifier: Apache-2.0

package diff_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/delta"
)

func TestMakeVCDIFF(t *testing.T) {
	for _, f := range samples() {
		t.Run(f.name, func(t *testing.T) {
			patch := mustMakeFormat(t, delta.VCDIFF, f.old, f.new, nil)
			if err := applyFormat(delta.VCDIFF, f.old, f.new, patch); err != nil {
				t.Fatal(err)
			}
			if len(patch) > f.patchMost {
				t.Errorf("%d bytes, want at most %d", len(patch), f.patchMost)
			}
		})
	}
}

func TestXdelta3AppliesOurs(t *testing.T) {
	xdelta3 := tool(t, "xdelta3", "xdelta3")
	for _, f := range samples() {
		t.Run(f.name, func(t *testing.T) {
			dir := t.TempDir()
			old := write(t, filepath.Join(dir, "old"), f.old)
			patch := write(t, filepath.Join(dir, "patch"), mustMakeFormat(t, delta.VCDIFF, f.old, f.new, nil))
			run(t, xdelta3, "-d", "-s", old, patch, filepath.Join(dir, "new"))
			got, err := os.ReadFile(filepath.Join(dir, "new"))
			if err != nil || !bytes.Equal(got, f.new) {
				t.Fatalf("xdelta3 made something else: %v", err)
			}
		})
	}
}

func TestWeApplyXdelta3(t *testing.T) {
	xdelta3 := tool(t, "xdelta3", "xdelta3")
	for _, options := range []string{"-n -A -S none", "-A -S none", "-S none", "-9 -S none", "-1 -S none", "-S none -W 16384", "-S none -W 16777216", "-S none -N", "-S none -A=anything/at/all"} {
		t.Run(options, func(t *testing.T) {
			for _, f := range samples() {
				dir := t.TempDir()
				args := append([]string{"-e", "-D"}, strings.Fields(options)...)
				out := filepath.Join(dir, "patch")
				args = append(args, "-s", write(t, filepath.Join(dir, "old"), f.old), write(t, filepath.Join(dir, "new"), f.new), out)
				run(t, xdelta3, args...)
				patch, err := os.ReadFile(out)
				if err != nil {
					t.Fatal(err)
				}
				if err := applyFormat(delta.VCDIFF, f.old, f.new, patch); err != nil {
					t.Errorf("%s: %v", f.name, err)
				}
			}
		})
	}
}

// What we do not read of xdelta3 is refused by its name.
func TestWeRefuseOfXdelta3(t *testing.T) {
	xdelta3 := tool(t, "xdelta3", "xdelta3")
	old, new := bytes.Repeat(noise(1, 2000), 10), bytes.Repeat(noise(2, 2000), 10)
	for _, c := range []struct{ options, want string }{
		{"-S djw", "secondary compression"},
		{"-S lzma", "secondary compression"},
		{"-S none", "unpacked"},
	} {
		t.Run(c.options, func(t *testing.T) {
			dir := t.TempDir()
			base, result := old, new
			if c.want == "unpacked" {
				base, result = gzipped(t, old), gzipped(t, new)
			}
			out := filepath.Join(dir, "patch")
			args := append([]string{"-e"}, strings.Fields(c.options)...)
			run(t, xdelta3, append(args, "-s", write(t, filepath.Join(dir, "old.gz"), base), write(t, filepath.Join(dir, "new.gz"), result), out)...)
			patch, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			err = applyFormat(delta.VCDIFF, base, result, patch)
			if !errors.Is(err, delta.ErrUnsupported) || !strings.Contains(err.Error(), c.want) {
				t.Fatal(err)
			}
		})
	}
}

func gzipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
