// SPDX-License-Identifier: Apache-2.0

package diff_test

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/waybill-project/waybill/delta"
	"github.com/waybill-project/waybill/delta/diff"
)

// TestMakeOfManyFiles: files that stayed or got another place cost next to nothing.
func TestMakeOfManyFiles(t *testing.T) {
	var files [][]byte
	for i := range 20 {
		files = append(files, noise(byte(i), 3000+1000*i))
	}
	edited := bytes.Clone(files[7])
	copy(edited[500:], "twenty bytes changed")
	pick := func(from [][]byte, at ...int) (picked [][]byte) {
		for _, i := range at {
			picked = append(picked, from[i])
		}
		return picked
	}
	for _, c := range []struct {
		name      string
		old, new  [][]byte
		patchMost int
	}{
		{"unchanged", files, files, 200},
		{"renamed to the front", files, append(pick(files, 19), files[:19]...), 300},
		{"order turned", files[:8], pick(files, 7, 6, 5, 4, 3, 2, 1, 0), 400},
		{"one removed", files, append(pick(files, 0, 1, 2), files[4:]...), 300},
		{"one edited and moved", files, append(append(pick(files, 0, 1), files[8:]...), edited), 600},
		{"one copied", files, append(pick(files, 3), files...), 300},
		{"one new of 4000 bytes", files[2:], files[1:], 5000},
	} {
		t.Run(c.name, func(t *testing.T) {
			old, new := concat(t, c.old), concat(t, c.new)
			var patch bytes.Buffer
			if err := diff.Make(context.Background(), delta.BSDiff4, old, new, old.Size(), new.Size(), &patch, nil); err != nil {
				t.Fatal(err)
			}
			mustApply(t, join(c.old...), join(c.new...), patch.Bytes())
			if patch.Len() > c.patchMost {
				t.Fatalf("patch of %d bytes, expected at most %d", patch.Len(), c.patchMost)
			}
		})
	}
}

func concat(t *testing.T, files [][]byte) *io.SectionReader {
	t.Helper()
	var parts []delta.Part
	for _, f := range files {
		parts = append(parts, delta.Part{ReaderAt: bytes.NewReader(f), Length: int64(len(f))})
	}
	all, err := delta.Concat(parts...)
	if err != nil {
		t.Fatal(err)
	}
	return all
}
