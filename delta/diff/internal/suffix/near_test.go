// SPDX-License-Identifier: Apache-2.0

package suffix_test

import (
	"bytes"
	"testing"

	"github.com/waybill-project/waybill/delta/diff/internal/suffix"
)

// TestNear: of the places that are equally good, the nearest is taken.
func TestNear(t *testing.T) {
	text := letters(1, 20000, 3)
	a, err := suffix.New(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	for n := 2; n < 9; n++ {
		p := append(bytes.Clone(text[9000:9000+n]), 'x')
		for _, want := range []int{0, 5000, 19999} {
			pos, length := a.Near(p, want, len(text))
			if length != n {
				t.Fatalf("%d of %d bytes found", length, n)
			}
			for at := range text {
				if bytes.HasPrefix(text[at:], p[:n]) && max(at-want, want-at) < max(pos-want, want-pos) {
					t.Fatalf("%d bytes for %d: at %d, but %d is nearer", n, want, pos, at)
				}
			}
		}
	}
}
