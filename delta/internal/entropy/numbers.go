// SPDX-License-Identifier: Apache-2.0

package entropy

import "math/bits"

// Numbers codes numbers below 1<<47 in two contexts: how many bits they have,
// the four below the top one, and the rest.
type Numbers struct {
	size   [3][]line
	top    [3][]line
	blends []nibbles
}

const (
	sizes    = 48
	sizeMost = 15 // of one nibble; larger sizes take two more
)

// NewNumbers returns a model for two contexts with so many values.
func (m *Memory) NewNumbers(first, second int) *Numbers {
	return &Numbers{
		size:   [3][]line{m.newLines(5), m.newLines(second * 5), m.newLines(first * 5)},
		top:    [3][]line{m.newLines(sizes * 2), m.newLines(second * sizes), m.newLines(first * sizes)},
		blends: m.newBlends(3 + sizes*2),
	}
}

// Code codes a number in the given contexts.
func (n *Numbers) Code(c *Coder, value uint64, first, second int) uint64 {
	size := bits.Len64(value)
	if size >= sizes && !c.reading {
		size, value = 0, 0
		c.fail(ErrRange)
	}
	size = n.codeSize(c, size, first, second)
	switch {
	case size < 2:
		return uint64(size)
	case size >= sizes:
		c.fail(ErrRange)
		return 0
	}
	rest := size - 1
	k := min(rest, 4)
	rest -= k
	v := n.blends[3+size].code(c, int(value>>rest)&(1<<k-1), &n.top[0][size], &n.top[1][second*sizes+size], &n.top[2][first*sizes+size])
	if v >= 1<<k {
		c.fail(ErrRange)
		return 0
	}
	out := uint64(1)<<k | uint64(v)
	if rest >= 4 {
		rest -= 4
		v = n.blends[3+sizes+size].code(c, int(value>>rest&15), &n.top[0][sizes+size], &n.top[0][sizes+size], &n.top[0][sizes+size])
		out = out<<4 | uint64(v)
	}
	for rest > 0 {
		k := min(rest, 16)
		rest -= k
		out = out<<k | uint64(c.Bits(uint32(value>>rest)&(1<<k-1), uint(k)))
	}
	return out
}

func (n *Numbers) codeSize(c *Coder, size, first, second int) int {
	code := func(v, i int) int {
		return n.blends[min(i, 2)].code(c, v, &n.size[0][i], &n.size[1][second*5+i], &n.size[2][first*5+i])
	}
	v := code(min(size, sizeMost), 0)
	if v < sizeMost {
		return v
	}
	high := code((size-sizeMost)>>4, 1)
	low := code((size-sizeMost)&15, 2+min(high, 2))
	return sizeMost + (high<<4 | low)
}
