// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"bytes"
	"compress/bzip2"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"testing"
)

// FuzzStream: reading a section in parts, to its declared end, gives what bzip2
// makes of all of it, and whatever is wrong is a corrupt patch.
func FuzzStream(f *testing.F) {
	for _, seed := range []string{
		"425a683931415926535901e5b0e50000029d80001040001082002000210082b177245385090" + "01e5b0e50", "425a683917724538509000000000", "",
	} {
		if data, err := hex.DecodeString(seed); err == nil {
			f.Add(data, 3)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, part int) {
		if len(data) > 4 && data[3] > '1' {
			data[3] = '1' // more only costs memory
		}
		want, failed := io.ReadAll(io.LimitReader(bzip2.NewReader(bytes.NewReader(data)), 1<<20))
		if len(want) == 1<<20 {
			return
		}
		s := newStream("test", &section{ctx: context.Background(), r: bytes.NewReader(data), end: int64(len(data))})
		got := make([]byte, len(want))
		part = 1 + max(part, -part)%4096
		for at := 0; at < len(got); at += part {
			if err := s.fill(got[at:min(at+max(part, 1), len(got))]); err != nil {
				if failed == nil || !errors.Is(err, ErrCorrupt) {
					t.Fatalf("byte %d: %v (bzip2 says %v)", at, err, failed)
				}
				return
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatal("other content")
		}
		if err := s.finish(); (err == nil) != (failed == nil) || err != nil && !errors.Is(err, ErrCorrupt) {
			t.Fatalf("end: %v (bzip2 says %v)", err, failed)
		}
	})
}
