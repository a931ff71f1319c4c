// SPDX-License-Identifier: Apache-2.0

package entropy

import "testing"

// TestSlots: a slot of any probability stays within its 22 bits and does not
// move away from the bit, nor past it; its count ends at the limit.
func TestSlots(t *testing.T) {
	const most = 1<<22 - 1
	check := func(p, n int) {
		s := slot(p<<10 | n)
		zero, one := s.toward(0), s.toward(most)
		if zero>>10 > s>>10 || one>>10 < s>>10 {
			t.Fatalf("%d after %d: %d for 0, %d for 1", p, n, zero>>10, one>>10)
		}
		if count := slot(min(n+1, slotLimit)); zero&1023 != count || one&1023 != count {
			t.Fatalf("%d and one are %d, %d", n, zero&1023, one&1023)
		}
	}
	for n := range slotLimit + 1 {
		for p := 0; p <= most; p += 509 {
			check(p, n)
			check(most-p, n)
		}
		for p := range 1000 {
			check(p, n)
			check(most-p, n)
		}
	}
}

// TestBlend: what a blend learns keeps its parts within 16 bits, and goes toward
// what was better.
func TestBlend(t *testing.T) {
	for part := range 1 << 16 {
		b := blend{uint16(part), uint16(part)}
		b.learn(-1, 0)
		if int(b.second) < part || int(b.third) > part || part-int(b.third) > 1<<11 || int(b.second)-part > 1<<11 {
			t.Fatalf("%d becomes %d, %d", part, b.second, b.third)
		}
	}
}

// TestCertain: the most certain contexts leave both bits places enough.
func TestCertain(t *testing.T) {
	for bit := range 2 {
		f, w := new(Memory).NewFlags(1, 1, 1), NewWriter()
		for range 5000 {
			f.Code(w, bit, 0, 0, 0)
		}
		f.Code(w, 1-bit, 0, 0, 0)
		if size := w.block[5000]&(1<<scale-1) + 1; size != certain {
			t.Errorf("%d after so many of %d has %d places", 1-bit, bit, size)
		}
	}
}
