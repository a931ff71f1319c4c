// SPDX-License-Identifier: Apache-2.0

package diff

import "slices"

// seed begins paths for the matches at i.
func (a *aligner) seed(i, alike int) {
	if a.next == nil {
		for ; len(a.seeds) > 0 && int(a.seeds[0].new) <= i; a.seeds = a.seeds[1:] {
			if int(a.seeds[0].new) == i {
				a.begin(i, a.seeds[0])
			}
		}
		return
	}
	if i < a.searchAt {
		return
	}
	going := alike
	if alike == 0 {
		going = 1 + a.equal(a.paths[a.best].diag, i+1)
	}
	if going > matchGoing {
		a.searchAt = i + going
		return
	}
	var s seed
	if s, a.searchAt = a.next(i, alike); s.n > 0 {
		a.begin(i, s)
	}
}

// begin adds a path for the match s at i, from where before it that is cheapest.
func (a *aligner) begin(i int, s seed) {
	diag, until := int(s.old)-int(s.new), i+int(s.n)
	for j := range a.paths {
		if p := &a.paths[j]; p.diag == diag {
			p.until = max(p.until, until)
			return
		}
	}
	start, from := a.origin(i, diag)
	p := path{segment: segment{before: from.node, start: int32(start), diag: diag},
		cost: from.cost + switchCost, node: -1, until: until, history: fresh}
	for j := start; j < i; j++ {
		p.cost += a.costs.add(&p.history, a.result[j]-a.base[j+diag])
	}
	if len(a.paths) < pathsMost {
		a.paths = append(a.paths, p)
		return
	}
	worst := 0
	for j := 1; j < len(a.paths); j++ {
		if j != a.best && (worst == 0 || a.paths[j].cost > a.paths[worst].cost) {
			worst = j
		}
	}
	a.paths[worst] = p
}

// origin estimates where before i the best path should have changed to the diagonal.
func (a *aligner) origin(i, diag int) (start int, from past) {
	const equal, first, more, enough = 3, 9 * bit, 6 * bit, 2*switchCost + 18*bit
	best := &a.paths[a.best]
	start, from = i, past{best.cost, a.number(best)}
	least, sum, wrong := from.cost, 0, false
	for j := i - 1; j >= max(0, i-backMost+1, -diag) && sum <= enough; j-- {
		switch same := a.base[j+diag] == a.result[j]; {
		case same:
			sum, wrong = sum+equal, false
		case wrong:
			sum += more
		default:
			sum, wrong = sum+first, true
		}
		if b := a.back[j%backMost]; b.cost+sum < least {
			start, from, least = j, b, b.cost+sum
		}
	}
	return start, from
}

// covers follows the best path back to its start.
func (a *aligner) covers() []match {
	var covers []match
	end := len(a.result)
	for s := a.paths[a.best].segment; ; s = a.segments[s.before] {
		start := int(s.start)
		if s.diag != nowhere && end > start {
			covers = append(covers, match{start + s.diag, start, end - start})
		}
		if end = start; s.before < 0 {
			break
		}
	}
	slices.Reverse(covers)
	return covers
}

// forget drops the segments that no path can need, if there are many.
func (a *aligner) forget() {
	if len(a.segments) < a.crowded {
		return
	}
	places := make([]int32, len(a.segments))
	need := func(node int32) {
		for ; node >= 0 && places[node] == 0; node = a.segments[node].before {
			places[node] = 1
		}
	}
	for _, p := range a.paths {
		need(p.node)
		need(p.before)
	}
	for _, b := range a.back {
		need(b.node)
	}
	kept := int32(0)
	for i, s := range a.segments {
		if places[i] == 0 {
			continue
		}
		if s.before >= 0 {
			s.before = places[s.before]
		}
		a.segments[kept], places[i] = s, kept
		kept++
	}
	a.segments = a.segments[:kept]
	a.renumber(places)
	a.crowded = max(1<<16, 2*int(kept))
}

func (a *aligner) renumber(places []int32) {
	for i := range a.paths {
		p := &a.paths[i]
		if p.node >= 0 {
			p.node = places[p.node]
		}
		if p.before >= 0 {
			p.before = places[p.before]
		}
	}
	for i := range a.back {
		if b := &a.back[i]; b.node >= 0 && len(places) > 0 {
			b.node = places[b.node]
		}
	}
}
