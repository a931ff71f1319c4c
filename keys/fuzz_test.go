// SPDX-License-Identifier: Apache-2.0

package keys

import (
	"errors"
	"path/filepath"
	"testing"
)

// FuzzCheckPrivate reads key files up to the passphrase, which costs too much to try.
func FuzzCheckPrivate(f *testing.F) {
	files, err := filepath.Glob("testdata/*")
	if err != nil || len(files) == 0 {
		f.Fatal(files, err)
	}
	for _, name := range files {
		f.Add(testdata(f, filepath.Base(name)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := CheckPrivate(data); err != nil && !errors.Is(err, ErrUnsupported) {
			t.Fatalf("untyped error: %v", err)
		}
	})
}
