// SPDX-License-Identifier: Apache-2.0

package diff_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gabstv/go-bsdiff/pkg/bsdiff"
	"github.com/gabstv/go-bsdiff/pkg/bspatch"
)

// tool finds a program of others, which is in a package of most systems.
func tool(t *testing.T, name, from string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	switch {
	case err == nil:
		return path
	case os.Getenv("CI") == "true":
		t.Fatalf("%s is not installed; CI needs the package %s", name, from)
	default:
		t.Skipf("%s is not installed; the package %s of most systems has it", name, from)
	}
	return ""
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
}

func write(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCBspatchAppliesOurs(t *testing.T) {
	bspatch := tool(t, "bspatch", "bsdiff")
	for _, f := range samples() {
		t.Run(f.name, func(t *testing.T) {
			dir := t.TempDir()
			old := write(t, filepath.Join(dir, "old"), f.old)
			patch := write(t, filepath.Join(dir, "patch"), mustMake(t, f.old, f.new, nil))
			run(t, bspatch, old, filepath.Join(dir, "new"), patch)
			got, err := os.ReadFile(filepath.Join(dir, "new"))
			if err != nil || !bytes.Equal(got, f.new) {
				t.Fatalf("bspatch made something else: %v", err)
			}
		})
	}
}

func TestWeApplyCBsdiff(t *testing.T) {
	bsdiff := tool(t, "bsdiff", "bsdiff")
	for _, f := range samples() {
		if len(f.old) == 0 || len(f.new) == 0 || len(f.new) > 1<<20 {
			continue // C bsdiff cannot map empty files, and is quadratic on the long ones
		}
		t.Run(f.name, func(t *testing.T) {
			dir := t.TempDir()
			out := filepath.Join(dir, "patch")
			run(t, bsdiff, write(t, filepath.Join(dir, "old"), f.old), write(t, filepath.Join(dir, "new"), f.new), out)
			patch, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			mustApply(t, f.old, f.new, patch)
		})
	}
}

func TestGoBspatchAppliesOurs(t *testing.T) {
	for _, f := range samples() {
		t.Run(f.name, func(t *testing.T) {
			got, err := bspatch.Bytes(f.old, mustMake(t, f.old, f.new, nil))
			if err != nil || !bytes.Equal(got, f.new) {
				t.Fatalf("go-bsdiff made something else: %v", err)
			}
		})
	}
}

// go-bsdiff, which follows the original closely, must not do better.
func TestNotLargerThanGoBsdiff(t *testing.T) {
	const spare = 60 // bytes; what chance may cost in a small patch
	for _, f := range samples() {
		if len(f.new) > 1<<20 {
			continue // minutes
		}
		theirs, err := bsdiff.Bytes(f.old, f.new)
		if err != nil {
			t.Fatal(err)
		}
		if ours := mustMake(t, f.old, f.new, nil); len(ours) > len(theirs)+spare {
			t.Errorf("%s: %d bytes, go-bsdiff %d", f.name, len(ours), len(theirs))
		}
	}
}

func TestWeApplyGoBsdiff(t *testing.T) {
	for _, f := range samples() {
		if len(f.new) > 1<<20 {
			continue // minutes
		}
		t.Run(f.name, func(t *testing.T) {
			patch, err := bsdiff.Bytes(f.old, f.new)
			if err != nil {
				t.Fatal(err)
			}
			mustApply(t, f.old, f.new, patch)
		})
	}
}
