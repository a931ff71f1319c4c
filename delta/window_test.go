// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func TestAddBytes(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 2))
	for length := range 67 {
		dst, src := make([]byte, length+3), make([]byte, length)
		for i := range dst {
			dst[i] = byte(random.Uint32())
		}
		for i := range src {
			src[i] = byte(random.Uint32())
		}
		want := bytes.Clone(dst)
		for i, b := range src {
			want[i] += b
		}
		if addBytes(dst, src); !bytes.Equal(dst, want) {
			t.Fatalf("%d bytes: %x, want %x", length, dst, want)
		}
	}
}
