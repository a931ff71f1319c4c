// SPDX-License-Identifier: Apache-2.0

package entropy

import (
	"bytes"
	"testing"
)

// TestReuse: models of a memory that others had before code as those of a new one,
// whether it is large enough for them or not.
func TestReuse(t *testing.T) {
	text := bytes.Repeat([]byte("signed, sealed, delivered "), 99)
	write := func(m *Memory, bits uint) []byte {
		c := NewWriter()
		f, n, b := m.NewFlags(4, 256, 1<<bits), m.NewNumbers(2, 1<<(bits/2)), m.NewBytes(2, [Contexts]uint{bits, bits, bits})
		for i, v := range text {
			f.Code(c, int(v&1), i&3, int(v), int(v>>2))
			n.Code(c, uint64(v)<<(i%30), i&1, i>>1&1)
			b.Code(c, v, i&1, &[Contexts]uint32{Hash(uint32(v), 0, 0), Hash(uint32(i&15), 1, 0), 0})
		}
		return c.Bytes()
	}
	used := new(Memory)
	for _, bits := range []uint{6, 6, 9, 8, 6, 9} {
		used.Reuse()
		if !bytes.Equal(write(used, bits), write(new(Memory), bits)) {
			t.Errorf("%d bits: coded otherwise", bits)
		}
	}
}
