// SPDX-License-Identifier: Apache-2.0

package entropy

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

// phrase codes a bit, a number, a byte and so on, and returns what they are; a
// reader is given zeros.
func phrase(c *Coder, values []uint64) []uint64 {
	f, m := new(Memory).NewFlags(4, 256, 2), new(Memory).NewNumbers(3, 5)
	b := new(Memory).NewBytes(2, [Contexts]uint{4, 8, 8})
	out := make([]uint64, len(values))
	last := byte(0)
	for i, v := range values {
		switch i % 3 {
		case 0:
			v = uint64(f.Code(c, int(v&1), i&3, int(last), i>>1&1))
		case 1:
			v = m.Code(c, v, int(last)%3, i%5)
		default:
			v = uint64(b.Code(c, byte(v), i&1, &[Contexts]uint32{Hash(uint32(last), 0, 0), 1, 2}))
		}
		out[i], last = v, byte(v)
	}
	return out
}

func phrases() [][]uint64 {
	random := rand.New(rand.NewPCG(3, 4))
	noise, ones := make([]uint64, 300), make([]uint64, 900)
	for i := range noise {
		noise[i] = random.Uint64() >> (17 + random.IntN(47))
	}
	for i := range ones {
		ones[i] = 1<<47 - 1
	}
	return [][]uint64{nil, {0}, {1}, ones[:3], noise, ones, make([]uint64, 3000), append(make([]uint64, 900), noise...)}
}

func written(values []uint64) (coded []byte, normal []uint64) {
	w := NewWriter()
	normal = phrase(w, values)
	return w.Bytes(), normal
}

func read(coded []byte, n int) (values []uint64, finished bool) {
	c := NewReader(pieces(coded))
	values = phrase(c, make([]uint64, n))
	return values, c.Finished()
}

// TestEnd: values have one coding; it cannot be cut, extended, or end otherwise.
func TestEnd(t *testing.T) {
	for _, values := range phrases() {
		coded, normal := written(values)
		read := func(p []byte) bool {
			got, finished := read(p, len(values))
			return finished && slices.Equal(got, normal)
		}
		if !read(coded) {
			t.Fatalf("%d values in %d bytes are not read back", len(values), len(coded))
		}
		for n := range len(coded) {
			if read(coded[:n]) {
				t.Fatalf("%d of %d bytes are finished", n, len(coded))
			}
		}
		for n := 1; n < 10; n++ {
			for _, b := range []byte{0, 1, 255} {
				longer := append([]byte{}, coded...)
				for range n {
					longer = append(longer, b)
				}
				if read(longer) {
					t.Fatalf("%d bytes %d behind the end are finished", n, b)
				}
			}
		}
		for bit := range 8 * min(len(coded), 40) {
			other := append([]byte{}, coded...)
			other[bit/8] ^= 1 << (bit % 8)
			if read(other) {
				t.Fatalf("bit %d of %d bytes means nothing", bit, len(coded))
			}
		}
	}
}

// TestBlocks: where a block ends makes no difference; a bit more or less, there
// or at the end, does.
func TestBlocks(t *testing.T) {
	for _, n := range []int{blockLength - 1, blockLength, blockLength + 1, 2 * blockLength} {
		code := func(c *Coder) (wrong bool) {
			for i := range n {
				v := uint32(i*i) >> 3 & 255
				wrong = c.Bits(v, 8) != v || wrong
			}
			return wrong
		}
		w := NewWriter()
		code(w)
		coded := w.Bytes()
		same := func(p []byte) bool {
			r := NewReader(pieces(p))
			return !code(r) && r.Finished()
		}
		if !same(coded) || same(coded[:len(coded)-1]) || same(append(coded[:len(coded):len(coded)], 0)) {
			t.Fatalf("%d symbols in %d bytes", n, len(coded))
		}
		border := min(len(coded), blockLength+stateBytes-3)
		for bit := 8 * (border - 12); bit < 8*min(border+12, len(coded)); bit++ {
			other := bytes.Clone(coded)
			other[bit/8] ^= 1 << (bit % 8)
			if same(other) {
				t.Fatalf("%d symbols: bit %d of %d bytes means nothing", n, bit, len(coded))
			}
		}
	}
}

// TestStates: no input makes a state leave its bounds, whatever sizes symbols
// have, nor after an error.
func TestStates(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	for round := range 100 {
		input := make([]byte, random.IntN(200))
		for i := range input {
			input[i] = byte(random.Uint32()) & byte(-(round & 1))
		}
		c, f, m := NewReader(pieces(input)), new(Memory).NewFlags(1, 1, 1), new(Memory).NewNumbers(1, 1)
		for i := range 2 * blockLength / 3 {
			switch i % 3 {
			case 0:
				c.Bit(0, []uint32{1, 1<<scale - 1, 40000}[i/3%3])
			case 1:
				f.Code(c, 0, 0, 0, 0)
			default:
				if v := m.Code(c, 0, 0, 0); v >= 1<<47 {
					t.Fatalf("%d is read", v)
				}
			}
			if c.state < lowest || c.state >= lowest<<32 {
				t.Fatalf("state %#x", c.state)
			}
		}
		if c.Err() == nil {
			t.Fatal("no error")
		}
	}
}

// TestEndStops: a reader of nothing learns so within a few thousand bits.
func TestEndStops(t *testing.T) {
	for _, p := range []uint32{1, 22, 32768, 65514, 65535} {
		c := NewReader(pieces(nil))
		n := 0
		for ; c.Err() == nil; n++ {
			if c.Bit(0, p); n > 1<<22 {
				t.Fatalf("no end at probability %d", p)
			}
		}
		if !errors.Is(c.Err(), ErrEnd) {
			t.Fatal(c.Err())
		}
	}
}

func TestSourceFails(t *testing.T) {
	trouble := errors.New("trouble")
	first := true
	c := NewReader(func() ([]byte, error) {
		if first {
			first = false
			return []byte{1, 2, 3, 4, 5}, nil
		}
		return nil, trouble
	})
	for range 1000 {
		c.Bit(0, 32768)
	}
	if c.Err() != trouble || c.Finished() {
		t.Fatal(c.Err(), c.Finished())
	}
}

// TestNumberTooLarge: what no reader takes is not written.
func TestNumberTooLarge(t *testing.T) {
	for _, v := range []uint64{1 << 47, 1 << 63, 1<<64 - 1} {
		c := NewWriter()
		if new(Memory).NewNumbers(1, 1).Code(c, v, 0, 0); !errors.Is(c.Err(), ErrRange) {
			t.Errorf("%d: %v", v, c.Err())
		}
	}
}

// FuzzPhrase: what is read and finished has no other bytes, and whatever is
// written is read back.
func FuzzPhrase(f *testing.F) {
	for _, values := range phrases() {
		coded, _ := written(values)
		f.Add(coded, uint16(len(values)))
	}
	f.Fuzz(func(t *testing.T, coded []byte, n uint16) {
		values, finished := read(coded, int(n%4096))
		again, normal := written(values)
		if finished && (!slices.Equal(values, normal) || !bytes.Equal(coded, again)) {
			t.Fatal("what was finished is written otherwise")
		}
		if got, ok := read(again, len(values)); !ok || !slices.Equal(got, normal) {
			t.Fatal("what was written is not read back")
		}
	})
}
