// SPDX-License-Identifier: Apache-2.0

package entropy

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

func pieces(data []byte) func() ([]byte, error) {
	return func() ([]byte, error) {
		n := min(len(data), 1000)
		piece := data[:n]
		data = data[n:]
		return piece, nil
	}
}

func TestRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const n = 20000
	flags, numbers, text := make([]int, n), make([]uint64, n), make([]byte, n)
	for i := range n {
		if random.IntN(50) == 0 {
			flags[i] = 1
		}
		numbers[i] = random.Uint64() >> (17 + random.IntN(47))
		text[i] = byte(random.IntN(4) * random.IntN(60))
	}
	run := func(c *Coder) ([]int, []uint64, []byte) {
		f, m, b := new(Memory).NewFlags(4, 256, 1), new(Memory).NewNumbers(2, 3), new(Memory).NewBytes(2, [Contexts]uint{8, 8, 9})
		of, om, ob := make([]int, n), make([]uint64, n), make([]byte, n)
		last := byte(0)
		for i := range n {
			of[i] = f.Code(c, flags[i]&^boolInt(c.Reading()), i&3, int(last), 0)
			v := numbers[i]
			if c.Reading() {
				v = 0
			}
			om[i] = m.Code(c, v, i&1, i%3)
			x := text[i]
			if c.Reading() {
				x = 0
			}
			ob[i] = b.Code(c, x, i&1, &[Contexts]uint32{Hash(1, uint32(last), 0), 7, Hash(uint32(i&7), 0, 2)})
			last = ob[i]
		}
		return of, om, ob
	}
	w := NewWriter()
	run(w)
	coded := w.Bytes()
	r := NewReader(pieces(coded))
	of, om, ob := run(r)
	for i := range n {
		if of[i] != flags[i] || om[i] != numbers[i] {
			t.Fatalf("at %d: %d %d instead of %d %d", i, of[i], om[i], flags[i], numbers[i])
		}
	}
	if !bytes.Equal(ob, text) {
		t.Fatal("bytes differ")
	}
	if !r.Finished() {
		t.Fatalf("not finished: %v", r.Err())
	}
	t.Logf("%d values in %d bytes", n, len(coded))
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func BenchmarkRead(b *testing.B) {
	const n = 1 << 16
	random := rand.New(rand.NewPCG(5, 6))
	text := make([]byte, n)
	for i := range text {
		text[i] = byte(random.IntN(8) * random.IntN(8))
	}
	flags := func(c *Coder) {
		m := new(Memory).NewFlags(256, 256, 256)
		for i, v := range text {
			m.Code(c, boolInt(v > 20), i&255, i>>3&255, i>>6&255)
		}
	}
	bytes := func(c *Coder) {
		m := new(Memory).NewBytes(1, [Contexts]uint{8, 10, 10})
		last := uint32(0)
		for i, v := range text {
			last = uint32(m.Code(c, v, 0, &[Contexts]uint32{0, Hash(last&15, 0, 0), Hash(uint32(i&15), 0, 0)}))
		}
	}
	for name, code := range map[string]func(c *Coder){"flags": flags, "bytes": bytes} {
		b.Run(name, func(b *testing.B) {
			w := NewWriter()
			code(w)
			coded := w.Bytes()
			b.SetBytes(n)
			b.ResetTimer()
			for range b.N {
				code(NewReader(pieces(coded)))
			}
		})
	}
}
