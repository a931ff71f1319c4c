// SPDX-License-Identifier: Apache-2.0

package bench

import "testing"

// TestPeakIsOfTheChild: what this process uses must not count for its children.
func TestPeakIsOfTheChild(t *testing.T) {
	ballast := make([]byte, 128<<20)
	for i := range ballast {
		ballast[i] = byte(i)
	}
	idle, err := Run(t.Context(), self(t, "nothing")...)
	if err != nil {
		t.Fatal(err)
	}
	hungry, err := Run(t.Context(), self(t, "hungry")...)
	if err != nil {
		t.Fatal(err)
	}
	small, err := Run(t.Context(), "true")
	if err != nil {
		t.Fatal(err)
	}
	if small.Peak <= 0 || small.Peak > 8<<20 || idle.Peak > 64<<20 || hungry.Peak < idle.Peak/2+48<<20 {
		t.Fatalf("true %d, idle %d, hungry %d, beside %d", small.Peak, idle.Peak, hungry.Peak, len(ballast))
	}
}
