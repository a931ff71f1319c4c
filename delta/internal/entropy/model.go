// SPDX-License-Identifier: Apache-2.0

package entropy

import "math/bits"

// mixRate is how fast weights, of which 65536 is one, follow what they missed.
const mixRate = 4

// Flags codes single bits, mixing what three contexts expect.
type Flags struct {
	slots   [3][]slot
	weights [][3]int32
}

// NewFlags returns a model whose contexts have so many values, and a choice of
// weights by a selector.
func NewFlags(selectors, first, second, third int) *Flags {
	f := &Flags{slots: [3][]slot{slots(first), slots(second), slots(third)}, weights: make([][3]int32, selectors)}
	for i := range f.weights {
		f.weights[i] = [3]int32{startWeight, startWeight, startWeight}
	}
	return f
}

const startWeight = 65536 * 3 / 8

// Code codes a bit in the given contexts.
func (f *Flags) Code(c *Coder, bit, selector, first, second, third int) int {
	s0, s1, s2 := &f.slots[0][first], &f.slots[1][second], &f.slots[2][third]
	w := &f.weights[selector]
	x0, x1, x2 := s0.stretch(), s1.stretch(), s2.stretch()
	p := squash(int32((int64(x0)*int64(w[0]) + int64(x1)*int64(w[1]) + int64(x2)*int64(w[2])) >> 16))
	bit = c.Bit(bit, p)
	miss := (int32(bit<<16) - int32(bit) - int32(p)) * mixRate
	w[0] += (x0*miss + 1<<17) >> 18
	w[1] += (x1*miss + 1<<17) >> 18
	w[2] += (x2*miss + 1<<17) >> 18
	one := int64(bit)<<22 - int64(bit)
	*s0, *s1, *s2 = s0.toward(one), s1.toward(one), s2.toward(one)
	return bit
}

// Contexts is how many contexts Bytes mixes.
const Contexts = 6

// Bytes codes bytes, mixing what its contexts expect.
type Bytes struct {
	tables  [Contexts][]line
	shifts  [Contexts]uint // a hash's top bits are the line
	weights [][Contexts]int32
}

// line is what a context knows about four bits: a tree that starts at 1.
type line [16]slot

// NewBytes returns a model whose contexts have tables of 1<<bits lines of 64
// bytes each. A byte uses two lines of each. A selector chooses weights.
func NewBytes(selectors int, bits [Contexts]uint) *Bytes {
	b := &Bytes{weights: make([][Contexts]int32, selectors*2)}
	for i := range b.weights {
		for j := range b.weights[i] {
			b.weights[i][j] = 65536 * 3 / (2*Contexts + 2)
		}
	}
	for i, n := range bits {
		table := make([]line, 1<<n)
		for j := range table[0] {
			table[0][j] = even
		}
		for done := 1; done < len(table); done *= 2 {
			copy(table[done:], table[:done])
		}
		b.tables[i], b.shifts[i] = table, 32-n
	}
	return b
}

// Hash makes a context of up to three numbers.
func Hash(a, b, c uint32) uint32 {
	h := a*0x9E3779B1 ^ (b+0x7F4A7C15)*0x85EBCA77 ^ (c+0x3C6EF372)*0xC2B2AE3D
	h ^= h >> 15
	return h * 0x2C1B3C6D
}

// Code codes a byte in the given contexts, which Hash made.
func (b *Bytes) Code(c *Coder, value byte, selector int, contexts *[Contexts]uint32) byte {
	high := b.nibble(c, int(value>>4), selector*2, contexts, 0)
	low := b.nibble(c, int(value&15), selector*2+1, contexts, uint32(high+1)*0x9E3779B1)
	return byte(high<<4 | low)
}

func (b *Bytes) line(i int, context uint32) *line {
	h := context * 0x2545F491
	return &b.tables[i][(h^h>>15)*0x9E3779B1>>b.shifts[i]]
}

// nibble is unrolled by hand: nearly all the time of a reader is spent here.
func (b *Bytes) nibble(c *Coder, value, selector int, contexts *[Contexts]uint32, salt uint32) int {
	l0, l1, l2 := b.line(0, contexts[0]+salt), b.line(1, contexts[1]+salt), b.line(2, contexts[2]+salt)
	l3, l4, l5 := b.line(3, contexts[3]+salt), b.line(4, contexts[4]+salt), b.line(5, contexts[5]+salt)
	w := &b.weights[selector]
	node := uint32(1)
	for shift := 3; shift >= 0; shift-- {
		s0, s1, s2, s3, s4, s5 := l0[node&15], l1[node&15], l2[node&15], l3[node&15], l4[node&15], l5[node&15]
		x0, x1, x2, x3, x4, x5 := s0.stretch(), s1.stretch(), s2.stretch(), s3.stretch(), s4.stretch(), s5.stretch()
		sum := int64(x0)*int64(w[0]) + int64(x1)*int64(w[1]) + int64(x2)*int64(w[2]) +
			int64(x3)*int64(w[3]) + int64(x4)*int64(w[4]) + int64(x5)*int64(w[5])
		p := squash(int32(sum >> 16))
		bit := c.Bit(value>>shift&1, p)
		miss := (int32(bit<<16) - int32(bit) - int32(p)) * mixRate
		w[0] += (x0*miss + 1<<17) >> 18
		w[1] += (x1*miss + 1<<17) >> 18
		w[2] += (x2*miss + 1<<17) >> 18
		w[3] += (x3*miss + 1<<17) >> 18
		w[4] += (x4*miss + 1<<17) >> 18
		w[5] += (x5*miss + 1<<17) >> 18
		one := int64(bit)<<22 - int64(bit)
		l0[node&15], l1[node&15], l2[node&15] = s0.toward(one), s1.toward(one), s2.toward(one)
		l3[node&15], l4[node&15], l5[node&15] = s3.toward(one), s4.toward(one), s5.toward(one)
		node = node<<1 | uint32(bit)
	}
	return int(node & 15)
}

// Numbers codes numbers below 1<<47: how many bits they have in two contexts,
// then the bits from the top.
type Numbers struct {
	length *Flags
	bits   *Flags
}

// NewNumbers returns a model for two contexts with so many values.
func NewNumbers(first, second int) *Numbers {
	return &Numbers{
		length: NewFlags(1, first*64, second*64, 64),
		bits:   NewFlags(1, 48*64, first*48*8, 48*64),
	}
}

// Code codes a number in the given contexts.
func (n *Numbers) Code(c *Coder, value uint64, first, second int) uint64 {
	size := bits.Len64(value)
	if size > 47 && !c.reading {
		c.fail()
		return 0
	}
	node := 1
	for shift := 5; shift >= 0; shift-- {
		node = node<<1 | n.length.Code(c, size>>shift&1, 0, first*64+node, second*64+node, node)
	}
	if size = node & 63; size == 0 {
		return 0
	}
	if size > 47 {
		c.fail()
		return 0
	}
	out := uint64(1)
	for shift := size - 2; shift >= 0; shift-- {
		top := int(min(out, 63))
		if out >= 16 {
			top = 16 + shift
		}
		near := 0
		if out < 8 {
			near = int(out)
		}
		out = out<<1 | uint64(n.bits.Code(c, int(value>>shift&1), 0, size*64+top, (first*48+size)*8+near, size*64+shift))
	}
	return out
}
