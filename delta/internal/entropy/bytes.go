// SPDX-License-Identifier: Apache-2.0

package entropy

import "slices"

// Contexts is how many contexts Bytes blends.
const Contexts = 3

// Bytes codes bytes by what three contexts expect, the last one the most
// particular.
type Bytes struct {
	tables [Contexts][]line
	shifts [Contexts]uint // a hash's top bits are the line
	blends []nibbles
}

// NewBytes returns a model whose contexts have tables of 1<<bits lines of 32
// bytes each, bits from 1 to 31. A byte uses two lines of each. A selector chooses
// how they are blended.
func (m *Memory) NewBytes(selectors int, bits [Contexts]uint) *Bytes {
	b := &Bytes{blends: m.newBlends(selectors * 2)}
	for i, n := range bits {
		b.tables[i], b.shifts[i] = m.newLines(1<<n), 32-n
	}
	return b
}

// Clone returns a model that goes on from here by itself.
func (b *Bytes) Clone() *Bytes {
	other := *b
	for i, t := range b.tables {
		other.tables[i] = slices.Clone(t)
	}
	other.blends = slices.Clone(b.blends)
	return &other
}

// Learn adapts to a byte in the given contexts, as Code does, but codes nothing:
// how contexts are blended stays.
func (b *Bytes) Learn(value byte, contexts *[Contexts]uint32) {
	high := int(value >> 4)
	salt := uint32(high+1) * 0x9E3779B1
	for i, h := range contexts {
		t, shift := b.tables[i], b.shifts[i]&31
		t[h>>shift].learn(high)
		t[(h+salt)>>shift].learn(int(value & 15))
	}
}

// Hash makes a context of up to three numbers.
func Hash(a, b, c uint32) uint32 {
	h := a*0x9E3779B1 ^ (b+0x7F4A7C15)*0x85EBCA77 ^ (c+0x3C6EF372)*0xC2B2AE3D
	h ^= h >> 15
	return h * 0x2C1B3C6D
}

// Code codes a byte in the given contexts, which Hash made.
func (b *Bytes) Code(c *Coder, value byte, selector int, contexts *[Contexts]uint32) byte {
	h0, h1, h2 := contexts[0], contexts[1], contexts[2]
	t0, t1, t2 := b.tables[0], b.tables[1], b.tables[2]
	s0, s1, s2 := b.shifts[0]&31, b.shifts[1]&31, b.shifts[2]&31
	high := b.blends[selector*2].code(c, int(value>>4), &t0[h0>>s0], &t1[h1>>s1], &t2[h2>>s2])
	salt := uint32(high+1) * 0x9E3779B1
	low := b.blends[selector*2+1].code(c, int(value&15), &t0[(h0+salt)>>s0], &t1[(h1+salt)>>s1], &t2[(h2+salt)>>s2])
	return byte(high<<4 | low)
}
