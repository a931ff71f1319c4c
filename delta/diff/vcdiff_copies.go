// SPDX-License-Identifier: Apache-2.0

package diff

import "math"

// copies offers the copies that begin at byte i of the block. One that goes on
// where an earlier copy ended, and is not short, spares the search for others.
func (p *vcdiffParser) copies(i, size int) {
	at := p.at + i
	rest := p.target[at:]
	p.longest, p.cheapest = 3, math.MaxInt32
	for _, d := range p.cuts[i].diag {
		if from := at + d; from >= 0 && from < len(p.source) {
			p.offer(i, size, from, sameLength(p.source[from:], rest, vcdiffLong))
		}
	}
	p.sparse = p.cuts[i].lits >= vcdiffNew
	if p.longest < vcdiffGood && !(p.sparse && at%vcdiffStride != 0) {
		p.places(i, size)
		p.earlier(i, size)
	}
}

// places offers copies from the source.
func (p *vcdiffParser) places(i, size int) {
	rest := p.target[p.at+i:]
	p.found = p.index.find(p.found[:0], rest, p.limit(vcdiffWays, vcdiffFewWays))
	for _, place := range p.found {
		from := place - p.from
		if from < 0 || from >= len(p.source) {
			continue
		}
		p.extended(i, size, from, sameLength(p.source[from:], rest, vcdiffLong))
	}
}

// limit is few once much was tried in a text of few letters.
func (p *vcdiffParser) limit(many, few int) int {
	if p.tried > vcdiffSpare && p.fewLetters {
		return few
	}
	return many
}

// extended offers a copy, and a longer one if the bytes before are the same too.
func (p *vcdiffParser) extended(i, size, addr, n int) {
	p.tried++
	p.offer(i, size, addr, n)
	if n < 4 || n >= vcdiffLong || p.index.step == 1 && !p.sparse {
		return
	}
	if back := p.back(i, addr); back > 0 {
		p.offer(i-back, size, addr-back, min(n+back, vcdiffLong-1))
	}
}

// back is how many bytes before byte i of the block are also before an address.
func (p *vcdiffParser) back(i, addr int) int {
	from, at := p.source, p.at+i
	if addr >= len(from) {
		from, addr = p.target, addr-len(from)
	}
	n := 0
	for n < min(i, addr, vcdiffBack) && from[addr-n-1] == p.target[at-n-1] {
		n++
	}
	return n
}

// earlier offers copies from the target.
func (p *vcdiffParser) earlier(i, size int) {
	at := p.at + i
	place := uint32(0)
	for p.done <= at {
		place = p.chains.insert(p.target, p.done)
		p.done++
	}
	rest := p.target[at:]
	most := p.limit(vcdiffDepth, vcdiffFewDepth)
	for depth := 0; place > 0 && depth < most; depth++ {
		from := int(place - 1)
		place = p.chains.before[from]
		if depth >= vcdiffNearby && p.longest < len(rest) && p.target[from+p.longest] != rest[p.longest] {
			continue
		}
		p.extended(i, size, len(p.source)+from, sameLength(p.target[from:], rest, vcdiffLong))
		if p.longest >= vcdiffGood {
			return
		}
	}
}

// offer offers a copy of n bytes and those shorter ones that are worth a look.
func (p *vcdiffParser) offer(i, size, addr, n int) {
	if n < 4 {
		return
	}
	if n >= vcdiffLong {
		p.longest = n
		p.extend(i, addr, n)
		return
	}
	c := &p.cuts[i]
	cost := p.address(c, addr, len(p.source)+p.at+i)
	if n <= p.longest && cost >= p.cheapest {
		return
	}
	first := 4
	if cost >= p.cheapest {
		first = p.longest + 1
	}
	p.longest, p.cheapest = max(p.longest, n), min(p.cheapest, cost)
	cost += c.cost
	n = min(n, size-i)
	for short := first; short <= min(n, vcdiffShort); short++ {
		p.reach(i, short, cutCopy, addr, cost+copyCost(c, short))
	}
	if n > vcdiffShort {
		p.reach(i, n, cutCopy, addr, cost+copyCost(c, n))
	}
}

// extend keeps the longest of the long copies.
func (p *vcdiffParser) extend(i, addr, n int) {
	if addr < len(p.source) {
		n += sameLength(p.source[addr+n:], p.target[p.at+i+n:], math.MaxInt)
	} else {
		n += sameLength(p.target[addr-len(p.source)+n:], p.target[p.at+i+n:], math.MaxInt)
	}
	if n > int(p.long.n) {
		p.long = vcdiffCut{kind: cutCopy, n: int32(n), addr: addr}
	}
}

// copyCost is the cost of a COPY without its address, in bytes.
func copyCost(c *vcdiffCut, n int) int32 {
	if n > 18 {
		return 1 + int32(varintLen(n))
	}
	switch {
	case n <= 6 && c.lits >= 1 && c.lits <= 4:
		return 0
	case c.lits > 127:
		return 3
	case c.lits > 17:
		return 2
	}
	return 1
}

// address is the cost of an address, in bytes.
func (p *vcdiffParser) address(c *vcdiffCut, addr, here int) int32 {
	least := min(addr, here-addr)
	for _, near := range c.near {
		if n := addr - near; n >= 0 && n < least {
			least = n
		}
	}
	if least >= 0x80 && p.out.cache.same[addr%len(p.out.cache.same)] == addr {
		return 1
	}
	return int32(varintLen(least))
}
