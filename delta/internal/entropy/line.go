// SPDX-License-Identifier: Apache-2.0

package entropy

import "math/bits"

// A line is what a context knows about the next four bits: lane i of 16, each
// 16 bits wide, is the part of 32752 that values below i have. Lane 0 counts
// how often the line was adapted. Lanes never decrease from 1 to 15.
type line [4]uint64

const (
	lanes    = 1<<48 | 1<<32 | 1<<16 | 1
	full     = 1<<15 - 16
	seenMost = 63
	lane0    = 1<<16 - 1
)

// evenLine expects nothing.
func evenLine() (l line) {
	for i := range 16 {
		l[i/4] |= uint64(i*full/16) << (16 * (i % 4))
	}
	return l
}

// A pace is how a line that was adapted so often goes on.
type pace struct {
	keep0, keep uint64 // the bits of its first word, and of others, that are left of a lane after shift
	shift       uint
	moves       *[16]line // by value: what the lanes gain, and the count
	class       int       // the size of the count in bits
}

var paces = paceTable()

func paceTable() (t [seenMost + 1]pace) {
	const slowest = 4
	var moves [slowest + 1][16]line
	for shift := range moves {
		moves[shift] = moveTable(max(shift, 1))
	}
	for n := range t {
		shift := min(bits.Len(uint(n+1)), slowest)
		keep := uint64(lanes * (1<<(16-shift) - 1))
		t[n] = pace{keep0: keep &^ lane0, keep: keep, shift: uint(shift), moves: &moves[shift], class: bits.Len(uint(n))}
	}
	moves[0] = moves[slowest]
	for v := range moves[0] {
		moves[0][v][0]--
	}
	t[seenMost].moves = &moves[0]
	return t
}

func moveTable(shift int) (t [16]line) {
	for v := range t {
		t[v][0] = 1
		for i := v + 1; i < 16; i++ {
			t[v][i/4] |= full >> shift << (16 * (i % 4))
		}
	}
	return t
}

// A blend knows which of three lines expects best: the second rather than the
// first, the third rather than these, each in 65536ths.
type blend struct{ second, third uint16 }

// A share is what the lines count for, in eighths.
type share struct{ first, second, third uint64 }

var shares = shareTable()

// shareTable is by the top 4 bits of a blend's parts.
func shareTable() (t [256]share) {
	for i := range t {
		third := min(max((i&15+1)/2, 1), 7)
		second := min(max((i>>4*2+1)*(8-third)+16, 32)>>5, 8-third)
		t[i] = share{uint64(8 - third - second), uint64(second), uint64(third)}
	}
	return t
}

func (b blend) share() *share { return &shares[uint8(b.second>>12<<4|b.third>>12)] }

// learn takes whether the second and the third were better: -1 if so, or 0.
func (b *blend) learn(second, third int64) {
	b.second += uint16((second&0xffff - int64(b.second)) >> 5)
	b.third += uint16((third&0xffff - int64(b.third)) >> 5)
}

// nibbles is a choice of blends.
type nibbles [64]blend

// evenNibbles believes all lines alike.
func evenNibbles() (s nibbles) {
	for i := range s {
		s[i] = blend{1 << 15, 1 << 15}
	}
	return s
}

const eighths = lanes * (1<<13 - 1)

// code codes four bits by three lines. Nearly all the time of a reader is spent
// here. The lanes of e are where the values start: below 1<<15, since an eighth of
// a lane is at most 4094, and each above the one before, whatever the lines are.
func (s *nibbles) code(c *Coder, v int, l0, l1, l2 *line) int {
	p0, p1, p2 := &paces[l0[0]&seenMost], &paces[l1[0]&seenMost], &paces[l2[0]&seenMost]
	b := &s[(p2.class<<3|p1.class)&63]
	k := b.share()
	var e [8]uint64
	e[0] = (l0[0]>>3&eighths*k.first+l1[0]>>3&eighths*k.second+l2[0]>>3&eighths*k.third)&^lane0 + 0x0003_0002_0001_0000
	e[1] = l0[1]>>3&eighths*k.first + l1[1]>>3&eighths*k.second + l2[1]>>3&eighths*k.third + 0x0007_0006_0005_0004
	e[2] = l0[2]>>3&eighths*k.first + l1[2]>>3&eighths*k.second + l2[2]>>3&eighths*k.third + 0x000b_000a_0009_0008
	e[3] = l0[3]>>3&eighths*k.first + l1[3]>>3&eighths*k.second + l2[3]>>3&eighths*k.third + 0x000f_000e_000d_000c
	e[4] = 1 << 15
	if c.reading {
		t := uint64(c.place()>>1)*lanes | lanes<<15
		sum := (t-e[0])>>15&lanes + (t-e[1])>>15&lanes + (t-e[2])>>15&lanes + (t-e[3])>>15&lanes
		v = int(sum*lanes>>48) - 1
	}
	v &= 15
	next := v + 1
	from := e[v>>2] >> (uint(v) * 16 & 63) & lane0
	size := e[next>>2]>>(uint(next)*16&63)&lane0 - from
	c.symbol(uint32(from<<1), uint32(size<<1))
	f1, f2 := l1.part(v), l2.part(v)
	b.learn((int64(size)-f1)>>63, (int64(size)-f2)>>63)
	l0.adapt(p0, v)
	l1.adapt(p1, v)
	l2.adapt(p2, v)
	return v
}

// part is that of a value.
func (l *line) part(v int) int64 {
	next := v + 1
	from := l[v>>2&3] >> (uint(v) * 16 & 63) & lane0
	to := l[next>>2&3] >> (uint(next) * 16 & 63) & lane0
	if v == 15 {
		to = full
	}
	if v == 0 {
		from = 0
	}
	return int64(to) - int64(from)
}

// learn adapts at the line's own pace.
func (l *line) learn(v int) { l.adapt(&paces[l[0]&seenMost], v) }

// adapt moves a line to a value.
func (l *line) adapt(p *pace, v int) {
	m, shift, keep := &p.moves[v&15], p.shift&63, p.keep
	l[0] += m[0] - l[0]>>shift&p.keep0
	l[1] += m[1] - l[1]>>shift&keep
	l[2] += m[2] - l[2]>>shift&keep
	l[3] += m[3] - l[3]>>shift&keep
}
