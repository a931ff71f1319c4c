// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"testing"

	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// TestWorthReading: short covers far off are left out where they are many, in a
// long stream.
func TestWorthReading(t *testing.T) {
	const size = 32 << 20
	covers := func(far int) (all []waybill1.Cover) {
		for i := range far {
			at := uint32(i * 4000)
			all = append(all,
				waybill1.Cover{New: at, Old: at, Length: 3900},
				waybill1.Cover{New: at + 3950, Old: uint32(i*7919*4096) % (size - 100), Length: 20})
		}
		return all
	}
	all := []span{{0, size}}
	for name, c := range map[string]struct {
		long     []span
		far      int
		all, few bool // how many covers are kept
	}{
		"few":                  {all, 100, true, false},
		"many":                 {all, 4000, false, true},
		"many in short ones":   {nil, 4000, true, false},
		"many beside long one": {[]span{{size - 1, size}}, 4000, true, false},
	} {
		w := &writing{base: make([]byte, size), long: c.long}
		given := covers(c.far)
		kept := w.worthReading(given)
		if len(given) != 2*c.far || c.all != (len(kept) == len(given)) || c.few != (len(kept) < c.far*6/5) || len(kept) < c.far {
			t.Errorf("%s: %d of %d covers kept", name, len(kept), len(given))
		}
	}
}
