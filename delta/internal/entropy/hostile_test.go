// SPDX-License-Identifier: Apache-2.0

package entropy

import (
	"errors"
	"math/rand/v2"
	"testing"
)

// phrase codes n values of every model; as a reader it ignores values.
func phrase(c *Coder, values []byte) []byte {
	f, m := NewFlags(2, 4, 256, 2), NewNumbers(3, 5)
	b := NewBytes(2, [Contexts]uint{4, 8, 8, 1, 2, 3})
	out := make([]byte, len(values))
	last := byte(0)
	for i := range values {
		v := values[i]
		if c.Reading() {
			v = 0
		}
		switch i % 3 {
		case 0:
			v = byte(f.Code(c, int(v&1), i&1, i&3, int(last), i>>1&1))
		case 1:
			v = byte(m.Code(c, uint64(v), int(last)%3, i%5))
		default:
			v = b.Code(c, v, i&1, &[Contexts]uint32{Hash(uint32(last), 0, 0), 1, 2})
		}
		out[i], last = v, v
	}
	return out
}

func phrases() [][]byte {
	random := rand.New(rand.NewPCG(3, 4))
	noise := make([]byte, 300)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	ones := make([]byte, 900)
	for i := range ones {
		ones[i] = 255
	}
	return [][]byte{nil, {0}, {1}, {255, 255, 255}, noise, ones, make([]byte, 3000), append(make([]byte, 900), noise...)}
}

// normal is what phrase returns for values.
func normal(values []byte) []byte {
	c := NewWriter()
	return phrase(c, values)
}

// TestEnd: values have one coding; it cannot be cut, extended, or end otherwise.
func TestEnd(t *testing.T) {
	for _, values := range phrases() {
		w := NewWriter()
		phrase(w, values)
		coded := w.Bytes()
		read := func(p []byte) bool {
			c := NewReader(pieces(p))
			got := phrase(c, values)
			return c.Finished() && string(got) == string(normal(values))
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
		last := len(coded) - 1
		for bit := range 8 {
			other := append([]byte{}, coded...)
			other[last] ^= 1 << bit
			if read(other) {
				t.Fatalf("two last bytes mean the same")
			}
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

// FuzzPhrase: whatever bytes are read as, writing it again gives the same bytes.
func FuzzPhrase(f *testing.F) {
	for _, values := range phrases() {
		w := NewWriter()
		phrase(w, values)
		f.Add(w.Bytes(), uint16(len(values)))
	}
	f.Fuzz(func(t *testing.T, coded []byte, n uint16) {
		n %= 4096
		c := NewReader(pieces(coded))
		values := phrase(c, make([]byte, n))
		w := NewWriter()
		same := string(phrase(w, values)) == string(values) && string(w.Bytes()) == string(coded)
		if c.Finished() && !same {
			t.Fatal("what was finished is written otherwise")
		}
		r := NewReader(pieces(w.Bytes()))
		if got := phrase(r, make([]byte, n)); string(got) != string(phrase(NewWriter(), values)) || !r.Finished() {
			t.Fatal("what was written is not read back")
		}
	})
}
