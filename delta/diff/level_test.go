// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"compress/bzip2"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/waybill-project/waybill/delta"
)

func noise(n int) []byte {
	random := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(random.Uint32())
	}
	return data
}

// Streams of every size around the limits of a block keep their content, and claim as little as they can.
func TestLowerLevel(t *testing.T) {
	for _, c := range []struct {
		name string
		data []byte
		want byte
	}{
		{"empty", nil, '1'},
		{"short", []byte("short"), '1'},
		{"long run", make([]byte, 4<<20), '1'},
		{"runs of four", bytes.Repeat([]byte("aaaabbbb"), 15_000), '2'},
		{"just one block", noise(levelUnit - levelSlack - 2000), '1'},
		{"over one block", noise(levelUnit), '2'},
		{"half", noise(450_000), '5'},
		{"more than any block", noise(1_000_000), '9'},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := newPacked()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Write(c.data); err != nil {
				t.Fatal(err)
			}
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
			stream := p.data.Bytes()
			if err := lowerLevel(stream); err != nil {
				t.Fatal(err)
			}
			if stream[3] != c.want {
				t.Errorf("level %c, want %c", stream[3], c.want)
			}
			got, err := io.ReadAll(bzip2.NewReader(bytes.NewReader(stream)))
			if err != nil || !bytes.Equal(got, c.data) {
				t.Errorf("%d bytes of %d, error %v", len(got), len(c.data), err)
			}
		})
	}
}

// A small change of a large file must not need the memory of a large change.
func TestSmallPatchesAreCheapToApply(t *testing.T) {
	base := noise(2 << 20)
	result := bytes.Clone(base)
	copy(result[1<<20:], noise(5000))
	var patch bytes.Buffer
	err := Make(context.Background(), delta.BSDiff4, bytes.NewReader(base), bytes.NewReader(result),
		int64(len(base)), int64(len(result)), &patch, nil)
	if err != nil {
		t.Fatal(err)
	}
	at := uint64(32)
	for _, length := range []uint64{binary.LittleEndian.Uint64(patch.Bytes()[8:]), binary.LittleEndian.Uint64(patch.Bytes()[16:]), 0} {
		if header := string(patch.Bytes()[at : at+4]); header != "BZh1" {
			t.Errorf("stream at byte %d is %q", at, header)
		}
		at += length
	}
}
