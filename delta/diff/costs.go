// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"context"
	"math/bits"
)

// Costs are estimates of what bzip2 makes of the streams, in 1/64 bit.
const (
	bit          = 64
	switchCost   = 40 * bit // of a triple, and of what it does to the runs of the others
	leaveCost    = 8 * bit  // of a triple that copies
	bytesMost    = 16 * bit
	zerosMost    = 32 // longer runs of zeros are like these
	predictMost  = 16 // a run of zeros after which nothing is predicted
	slotBitsMost = 18
	spread       = 16 // weight of what is known of all contexts in one of them
)

// history is the context of a difference: how many of those before were zero,
// and what the last others were, the latest in the lowest byte.
type history struct{ zeros, others uint32 }

// fresh is the history at the start of a cover.
var fresh = history{zeros: zerosMost}

func (h *history) push(d byte) {
	if d == 0 {
		h.zeros = min(h.zeros+1, zerosMost)
	} else {
		h.zeros, h.others = 0, h.others<<8|uint32(d)
	}
}

// class is one of 8 for short runs of zeros, and 3 for longer ones.
func (h *history) class() uint32 {
	if h.zeros < 8 {
		return h.zeros
	}
	return uint32(bits.Len32(h.zeros)) + 4
}

const classes = 11

// prediction is what differences a history leads to: one more often than not.
type prediction struct {
	likely    byte
	votes     uint8
	hit, miss uint16
}

// costs estimates what the bytes of a patch cost. A byte of the extra stream
// depends on the one before it in the result.
type costs struct {
	diff        [classes << 8]uint16
	extra       []uint16
	predictions []prediction // none before something was learned
	shift       int
}

// startCosts are those of an executable.
func startCosts() *costs {
	c := &costs{extra: make([]uint16, 1<<16)}
	for i := range c.diff {
		class, d := i>>8, i&0xff
		switch {
		case d == 0 && class == 0:
			c.diff[i] = 40
		case d == 0:
			c.diff[i] = 3
		case class < 2:
			c.diff[i] = 6 * bit
		default:
			c.diff[i] = 9 * bit
		}
	}
	for i := range c.extra {
		c.extra[i] = 4.25 * bit
	}
	return c
}

func (c *costs) slot(h *history) uint32 {
	return (h.others<<8*0x9e3779b1 ^ (h.zeros+1)*0x85ebca6b) * 0xc2b2ae35 >> c.shift
}

// add is the cost of the difference d behind h, which takes it in.
func (c *costs) add(h *history, d byte) int {
	cost := int(c.diff[h.class()<<8|uint32(d)])
	if h.zeros < predictMost && c.predictions != nil {
		p := &c.predictions[c.slot(h)]
		if p.likely == d {
			cost = min(cost, int(p.hit))
		} else {
			cost += int(p.miss)
		}
	}
	h.push(d)
	return cost
}

// copied is the cost of the byte at i in the extra stream.
func (c *costs) copied(result []byte, i int) int {
	if i == 0 {
		return 8 * bit
	}
	return int(c.extra[int(result[i-1])<<8|int(result[i])])
}

// learn returns the costs by which the covers would have been cheapest.
func learn(ctx context.Context, base, result []byte, covers []match) (*costs, error) {
	c := startCosts()
	width := min(slotBitsMost, max(10, bits.Len(uint(len(result)))))
	c.shift, c.predictions = 32-width, make([]prediction, 1<<width)
	if err := c.learnExtra(ctx, result, covers); err != nil {
		return nil, err
	}
	if err := c.learnDiff(ctx, base, result, covers); err != nil {
		return nil, err
	}
	return c, c.learnPredictions(ctx, base, result, covers)
}

func (c *costs) learnExtra(ctx context.Context, result []byte, covers []match) error {
	counts := make([]uint32, 1<<16)
	at := 0
	for _, m := range append(covers[:len(covers):len(covers)], match{new: len(result)}) {
		for ; at < m.new; at++ {
			if at > 0 {
				counts[int(result[at-1])<<8|int(result[at])]++
			}
			if at%checkEvery == 0 && ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
		at = m.new + m.n
	}
	var all [256]uint32
	for i, n := range counts {
		all[i&0xff] += n
	}
	shares := shares(all[:])
	for before := range 256 {
		row := counts[before<<8 : before<<8+256]
		known := uint64(sum(row))
		for v, n := range row {
			bits := cost(uint64(n)<<24+spread*shares[v], (known+spread)<<24)
			c.extra[before<<8|v] = uint16(min(bits, bytesMost) * 55 / 64) // bzip2 sees more than one byte before
		}
	}
	return nil
}

// shares are parts of 1<<24, none of them 0.
func shares(counts []uint32) (of [256]uint64) {
	total := uint64(sum(counts)) + 256/4
	for v, n := range counts {
		of[v] = (uint64(n)<<24 + 1<<22) / total
	}
	return of
}

func sum(counts []uint32) (n uint64) {
	for _, c := range counts {
		n += uint64(c)
	}
	return n
}

// eachDifference calls yield with each difference and its history.
func eachDifference(ctx context.Context, base, result []byte, covers []match, yield func(h *history, d byte)) error {
	n := 0
	for _, m := range covers {
		h := fresh
		old, new := base[m.old:m.old+m.n], result[m.new:m.new+m.n]
		for i, b := range new {
			d := b - old[i]
			yield(&h, d)
			h.push(d)
			if n++; n%checkEvery == 0 && ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
	return nil
}

func (c *costs) learnDiff(ctx context.Context, base, result []byte, covers []match) error {
	counts := make([]uint32, classes<<8)
	err := eachDifference(ctx, base, result, covers, func(h *history, d byte) {
		counts[h.class()<<8|uint32(d)]++
		if h.zeros >= predictMost {
			return
		}
		switch p := &c.predictions[c.slot(h)]; {
		case p.votes == 0:
			p.likely, p.votes = d, 1
		case p.likely != d:
			p.votes--
		case p.votes < 255:
			p.votes++
		}
	})
	for class := range classes {
		for v, share := range shares(counts[class<<8 : class<<8+256]) {
			c.diff[class<<8|v] = uint16(min(cost(share, 1<<24), bytesMost))
		}
	}
	return err
}

// learnPredictions counts how often each prediction holds. That one time was
// what made it does not count.
func (c *costs) learnPredictions(ctx context.Context, base, result []byte, covers []match) error {
	held := make([]struct{ hits, all uint32 }, len(c.predictions))
	err := eachDifference(ctx, base, result, covers, func(h *history, d byte) {
		if h.zeros < predictMost {
			i := c.slot(h)
			held[i].all++
			if c.predictions[i].likely == d {
				held[i].hits++
			}
		}
	})
	for i := range c.predictions {
		p, hits, all := &c.predictions[i], uint64(held[i].hits), uint64(held[i].all)
		if hits < 2 {
			p.hit, p.miss = bytesMost, 0
			continue
		}
		p.hit = uint16(min(cost(2*hits-1, 2*all), bytesMost))
		p.miss = uint16(min(cost(2*(all-hits)+1, 2*all), bytesMost))
	}
	return err
}

// cost is that of what happens n times of all.
func cost(n, all uint64) int { return log2(all) - log2(n) }

// log2 is the logarithm in 1/64, rounded down; the same on every machine.
func log2(n uint64) int {
	whole := bits.Len64(n) - 1
	m := n << (63 - whole) >> 32
	part := 0
	for range 6 {
		m = m * m >> 31
		part <<= 1
		if m >= 1<<32 {
			m >>= 1
			part |= 1
		}
	}
	return whole*bit + part
}
