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
		f, m, b := NewFlags(2, 4, 256, 1), NewNumbers(2, 3), NewBytes(2, [Contexts]uint{8, 8, 9, 4, 4, 4})
		of, om, ob := make([]int, n), make([]uint64, n), make([]byte, n)
		last := byte(0)
		for i := range n {
			of[i] = f.Code(c, flags[i]&^boolInt(c.Reading()), i&1, i&3, int(last), 0)
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

func BenchmarkBytes(b *testing.B) {
	m := NewBytes(1, [Contexts]uint{14, 14, 14, 14, 14, 14})
	c := NewWriter()
	ctx := new([Contexts]uint32)
	b.SetBytes(1)
	for i := range b.N {
		for j := range ctx {
			ctx[j] = Hash(uint32(j), uint32(i>>j)&255, 3)
		}
		m.Code(c, byte(i), 0, ctx)
		if len(c.out) > 1<<20 {
			c.out = c.out[:0]
		}
	}
}

func BenchmarkFlags(b *testing.B) {
	m := NewFlags(1, 256, 256, 256)
	c := NewWriter()
	for i := range b.N {
		m.Code(c, 0, 0, i&255, i>>3&255, i>>6&255)
	}
}
