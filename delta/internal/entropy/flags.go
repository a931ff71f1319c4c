// SPDX-License-Identifier: Apache-2.0

package entropy

import "slices"

// A slot is an adaptive probability: 22 bits of it, then how often it was
// adapted, in 10 bits. Its first values count for more.
type slot uint32

const (
	even      slot = 1 << 31
	slotLimit      = 255
)

var rates = rateTable()

// rateTable is 65536/(n+1.5), for n adaptations so far, without its last bit,
// which says whether n still grows.
func rateTable() (t [slotLimit + 1]int32) {
	for n := range t {
		t[n] = int32(65536*2/(2*n+3)) | 1
	}
	t[slotLimit] &^= 1
	return t
}

// toward moves s to a bit's value, 0 or 1<<22-1.
func (s slot) toward(value int64) slot {
	rate := rates[s&slotLimit]
	move := (value - int64(s>>10)) * int64(rate) >> 16
	return s + slot(move<<10) + slot(rate&1)
}

// Flags codes single bits by what three contexts expect.
type Flags struct {
	slots  [3][]slot
	blends nibbles
}

// NewFlags returns a model whose contexts have so many values.
func (m *Memory) NewFlags(first, second, third int) *Flags {
	return &Flags{slots: [3][]slot{m.newSlots(first), m.newSlots(second), m.newSlots(third)}, blends: evenNibbles()}
}

// Clone returns a model that goes on from here by itself.
func (f *Flags) Clone() *Flags {
	other := *f
	for i, t := range f.slots {
		other.slots[i] = slices.Clone(t)
	}
	return &other
}

// certain is the least probability that is coded, in 65536ths.
const certain = 24

// Code codes a bit in the given contexts.
func (f *Flags) Code(c *Coder, bit, first, second, third int) int {
	p0, p1, p2 := &f.slots[0][first], &f.slots[1][second], &f.slots[2][third]
	s0, s1, s2 := *p0, *p1, *p2
	b := &f.blends[s0>>29<<3|s2>>29]
	k := b.share()
	p := (uint32(s0>>10)*uint32(k.first) + uint32(s1>>10)*uint32(k.second) + uint32(s2>>10)*uint32(k.third)) >> 9
	bit = c.Bit(bit, min(max(p, certain), 1<<scale-certain))
	one := int64(bit)<<22 - int64(bit)
	flip := int64(bit) - 1
	d1 := (int64(s1) - int64(s0)) ^ flip
	d2 := (int64(s2) - int64(p<<16)) ^ flip
	b.learn(^(d1 >> 63), ^(d2 >> 63))
	*p0, *p1, *p2 = s0.toward(one), s1.toward(one), s2.toward(one)
	return bit
}
