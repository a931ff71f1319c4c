// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"context"
	"math"
)

const (
	vcdiffBlock = 8 << 10 // bytes that are cut at once
	vcdiffLong  = 128     // bytes of a copy that is taken without regard to others
	vcdiffGood  = 24      // bytes of a copy beside which no others are looked for
	vcdiffShort = 32      // bytes up to which a copy may also be cut short
	vcdiffBack  = 16      // bytes that a copy is extended to the front

	vcdiffNew    = 400 // bytes without a copy after which only some places are looked up
	vcdiffStride = 4   // distance of these places
)

const (
	cutLiteral = iota
	cutRun
	cutCopy
)

// vcdiffCut is the cheapest way found to a byte of a block: by which
// instruction, and the state it leaves.
type vcdiffCut struct {
	cost int32 // bytes
	n    int32 // of the target that the instruction makes
	kind int8
	next int8 // slot of near that comes next
	lits int16
	addr int
	near [4]int
	diag [2]int // of the base to the target, for the last two copies
}

// vcdiffParser cuts one window into instructions.
type vcdiffParser struct {
	ctx            context.Context
	index          *vcdiffSource
	from           int // of source in the base
	source, target []byte
	chains         *vcdiffChains
	out            *vcdiffSections
	fewLetters     bool

	at       int // bytes written
	done     int // bytes that are in chains
	cuts     []vcdiffCut
	ready    int // byte of the block up to which there are ways
	diag     [2]int
	found    []int
	longest  int       // of the copies that begin at the byte in hand
	cheapest int32     // of their addresses
	tried    int       // places, in all of the window
	sparse   bool      // whether places before it may have been left out
	long     vcdiffCut // a copy or run that ends the block
}

func (p *vcdiffParser) run() error {
	clear(p.chains.heads)
	p.cuts = make([]vcdiffCut, min(vcdiffBlock, len(p.target))+1)
	for p.at < len(p.target) {
		if p.ctx.Err() != nil {
			return context.Cause(p.ctx)
		}
		p.write(p.block())
	}
	return nil
}

// block finds the cuts of the next block and returns its length. It ends early
// before a long copy or run, which is left in p.long.
func (p *vcdiffParser) block() int {
	size := min(vcdiffBlock, len(p.target)-p.at)
	p.ready, p.long.n = 0, 0
	first := &p.cuts[0]
	*first = vcdiffCut{next: int8(p.out.cache.next), near: p.out.cache.near, diag: p.diag, lits: int16(min(len(p.out.pending), vcdiffNew))}
	for i := range size {
		if i > 0 {
			p.settle(i)
		}
		p.literal(i)
		p.runs(i, size)
		p.copies(i, size)
		if p.long.n > 0 {
			return i
		}
	}
	p.settle(size)
	return size
}

// settle fixes the state that the cheapest way to i leaves.
func (p *vcdiffParser) settle(i int) {
	c := &p.cuts[i]
	before := &p.cuts[i-int(c.n)]
	c.near, c.next, c.diag = before.near, before.next, before.diag
	c.lits = 0
	switch c.kind {
	case cutLiteral:
		c.lits = min(before.lits+1, vcdiffNew)
	case cutCopy:
		c.near[c.next] = c.addr
		c.next = (c.next + 1) % int8(len(c.near))
		if c.addr < len(p.source) {
			c.diag = turn(c.diag, c.addr-(p.at+i-int(c.n)))
		}
	}
}

func turn(diag [2]int, d int) [2]int {
	if d == diag[0] {
		return diag
	}
	return [2]int{d, diag[0]}
}

// reach offers a way to byte i+n of the block.
func (p *vcdiffParser) reach(i, n int, kind int8, addr int, cost int32) {
	for p.ready < i+n {
		p.ready++
		p.cuts[p.ready].cost = math.MaxInt32
	}
	c := &p.cuts[i+n]
	if cost < c.cost {
		c.cost, c.n, c.kind, c.addr = cost, int32(n), kind, addr
	}
}

func (p *vcdiffParser) literal(i int) {
	c := &p.cuts[i]
	cost := c.cost + 1
	switch c.lits {
	case 0, 17, 127:
		cost++
	}
	p.reach(i, 1, cutLiteral, 0, cost)
}

func (p *vcdiffParser) runs(i, size int) {
	at := p.at + i
	b := p.target[at]
	if at > 0 && p.target[at-1] == b && i > 0 {
		return
	}
	n := 1
	for at+n < len(p.target) && p.target[at+n] == b {
		n++
	}
	if n < 4 {
		return
	}
	if n >= vcdiffLong {
		p.long = vcdiffCut{kind: cutRun, n: int32(n)}
		return
	}
	n = min(n, size-i)
	p.reach(i, n, cutRun, 0, p.cuts[i].cost+2+int32(varintLen(n)))
}

// write writes the first n bytes of the block, and the long copy that follows.
func (p *vcdiffParser) write(n int) {
	var way []int
	for i := n; i > 0; i -= int(p.cuts[i].n) {
		way = append(way, i)
	}
	p.diag = p.cuts[n].diag
	for k := len(way) - 1; k >= 0; k-- {
		p.put(&p.cuts[way[k]])
	}
	if p.long.n > 0 {
		if p.long.kind == cutCopy && p.long.addr < len(p.source) {
			p.diag = turn(p.diag, p.long.addr-p.at)
		}
		p.put(&p.long)
		for ; p.done < p.at; p.done++ {
			p.chains.insert(p.target, p.done)
		}
	}
}

func (p *vcdiffParser) put(c *vcdiffCut) {
	switch c.kind {
	case cutLiteral:
		p.out.literal(p.target[p.at])
	case cutRun:
		p.out.run(p.target[p.at], int(c.n))
	case cutCopy:
		p.out.copied(c.addr, len(p.source)+p.at, int(c.n))
	}
	p.at += int(c.n)
}
