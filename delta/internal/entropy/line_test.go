// SPDX-License-Identifier: Apache-2.0

package entropy

import (
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

func (l *line) lane(i int) int { return int(l[i/4] >> (16 * (i % 4)) & lane0) }

// lineOf is a line that was adapted so often and whose lanes are as at says.
func lineOf(seen int, at func(i int) int) (l line) {
	l[0] = uint64(seen)
	for i := 1; i < 16; i++ {
		l[i/4] |= uint64(at(i)) << (16 * (i % 4))
	}
	return l
}

// TestAdaptOrder: adapting keeps lanes within [0, full], and in order: what it does
// to a lane of each value rises with the value, and is more for lanes above v.
func TestAdaptOrder(t *testing.T) {
	for seen := range seenMost + 1 {
		below, above := 0, 0
		for c := range full + 1 {
			v := c & 15
			l := lineOf(seen, func(int) int { return c })
			l.adapt(&paces[seen], v)
			if l.lane(0) != min(seen+1, seenMost) {
				t.Fatalf("%d times and one are %d", seen, l.lane(0))
			}
			for i := 1; i < 16; i++ {
				low := &below
				if i > v {
					low = &above
				}
				if l.lane(i) < *low || l.lane(i) > full {
					t.Fatalf("lane %d of %d becomes %d, after %d times", i, c, l.lane(i), seen)
				}
			}
			if v < 15 {
				above = l.lane(15)
			}
			if v > 0 {
				below = l.lane(1)
			}
			if below > above {
				t.Fatalf("%d becomes %d below, %d above", c, below, above)
			}
		}
	}
}

// TestShares: the eighths of each share are 8.
func TestShares(t *testing.T) {
	for i, k := range shares {
		if k.first > 7 || k.second < 1 || k.second > 7 || k.third < 1 || k.third > 7 || k.first+k.second+k.third != 8 {
			t.Errorf("%d: %v", i, k)
		}
	}
}

// TestParts: the steepest lines, in all shares, leave each value two places or
// more, one behind the other, and a reader at their borders finds it.
func TestParts(t *testing.T) {
	var known []share
	for i := range 256 {
		b := blend{uint16(i>>4) << 12, uint16(i&15) << 12}
		if slices.Contains(known, *b.share()) {
			continue
		}
		known = append(known, *b.share())
		for steps := range 1 << 12 {
			var l [3]line
			for j := range l {
				step := steps >> (4 * j) & 15
				l[j] = lineOf(steps%64, func(i int) int {
					if i > step {
						return full
					}
					return 0
				})
			}
			checkParts(t, b, l)
		}
	}
}

// checkParts wants each value to be coded by its places, and only by these.
func checkParts(t *testing.T, b blend, l [3]line) {
	t.Helper()
	var s nibbles
	code := func(c *Coder, v int) int {
		k := l
		for i := range s {
			s[i] = b
		}
		return s.code(c, v, &k[0], &k[1], &k[2])
	}
	w := Coder{left: 16, block: make([]uint32, 0, 16)}
	for v := range 16 {
		code(&w, v)
	}
	at := uint64(0)
	for v, part := range w.block {
		start, size := uint64(part>>scale), uint64(part&(1<<scale-1))+1
		if start != at || size < 2 {
			t.Fatalf("%d of %v, %v: %d from %d on, not %d", v, b, l, size, start, at)
		}
		at += size
		for _, place := range []uint64{start, at - 1} {
			r := Coder{reading: true, left: 1, state: lowest<<24 | place}
			if got := code(&r, 0); got != v || r.state != lowest<<8*size+place-start {
				t.Fatalf("%d at %d of %v, %v: %d, state %d", v, place, b, l, got, r.state)
			}
		}
	}
	if at != 1<<scale {
		t.Fatalf("%v, %v: %d places", b, l, at)
	}
}

// plainLine is a line as the format describes it.
type plainLine struct {
	c    [17]int
	seen int
}

func newPlainLine() (l plainLine) {
	for i := range l.c {
		l.c[i] = 2047 * i
	}
	return l
}

func (l *plainLine) adapt(v int) {
	r := min(bits.Len(uint(l.seen+1)), 4)
	for i := 1; i < 16; i++ {
		l.c[i] -= l.c[i] >> r
		if i > v {
			l.c[i] += 32752 >> r
		}
	}
	l.seen = min(l.seen+1, 63)
}

// bounds are those of the 16 values by three lines, in 32768ths.
func bounds(b blend, l [3]*plainLine) (e [17]int) {
	w2 := min(max((int(b.third>>12)+1)/2, 1), 7)
	w1 := min(max((2*int(b.second>>12)+1)*(8-w2)+16, 32)/32, 8-w2)
	w0 := 8 - w2 - w1
	for i := 1; i < 16; i++ {
		e[i] = l[0].c[i]>>3*w0 + l[1].c[i]>>3*w1 + l[2].c[i]>>3*w2 + i
	}
	e[16] = 1 << 15
	return e
}

// TestNibbles: what is coded is as the format describes it, for lines that were
// adapted to noise, to few values, and to those that are expected least.
func TestNibbles(t *testing.T) {
	const n = 5
	random := rand.New(rand.NewPCG(7, 8))
	for round := range 60 {
		tables, plain := [3][]line{new(Memory).newLines(n), new(Memory).newLines(n), new(Memory).newLines(n)}, [3][n]plainLine{}
		for i := range plain {
			for j := range plain[i] {
				plain[i][j] = newPlainLine()
			}
		}
		s, blends := new(Memory).newBlends(1)[0], new(Memory).newBlends(1)[0]
		w := NewWriter()
		for range 3000 {
			var l [3]*line
			var p [3]*plainLine
			for i := range l {
				j := random.IntN(n)
				l[i], p[i] = &tables[i][j], &plain[i][j]
			}
			b := &blends[8*bits.Len(uint(p[2].seen))+bits.Len(uint(p[1].seen))]
			e := bounds(*b, p)
			v := valueFor(random, round, e)
			s.code(w, v, l[0], l[1], l[2])
			size := e[v+1] - e[v]
			if part := w.block[len(w.block)-1]; part != uint32(2*e[v]<<16|2*size-1) {
				t.Fatalf("%d is coded by %#x, not %d at %d", v, part, size, e[v])
			}
			prefer(&b.second, p[1].c[v+1]-p[1].c[v] > size)
			prefer(&b.third, p[2].c[v+1]-p[2].c[v] > size)
			for i := range p {
				p[i].adapt(v)
				if want := lineOf(p[i].seen, func(j int) int { return p[i].c[j] }); *l[i] != want {
					t.Fatalf("%v, not %v", *l[i], want)
				}
			}
		}
		if s != blends {
			t.Fatal("blends differ")
		}
	}
}

// TestOneLine: a line that is named three times adapts three times, at the pace
// that it had before, and counts to 63 still.
func TestOneLine(t *testing.T) {
	l, want, s, w := new(Memory).newLines(1), new(Memory).newLines(1), new(Memory).newBlends(1)[0], NewWriter()
	for range 100 {
		s.code(w, 5, &l[0], &l[0], &l[0])
		p := &paces[want[0][0]&seenMost]
		for range 3 {
			want[0].adapt(p, 5)
		}
		if l[0] != want[0] || l[0].lane(0) > seenMost {
			t.Fatalf("%v, not %v", l[0], want[0])
		}
	}
}

func valueFor(random *rand.Rand, round int, e [17]int) int {
	least := 0
	for v := range 16 {
		if e[v+1]-e[v] < e[least+1]-e[least] {
			least = v
		}
	}
	switch round % 4 {
	case 0:
		return random.IntN(16)
	case 1:
		return round / 4
	case 2:
		return random.IntN(2) * 15
	}
	return least
}

func prefer(part *uint16, better bool) {
	target := 0
	if better {
		target = 65535
	}
	*part = uint16(int(*part) + (target-int(*part))>>5)
}
