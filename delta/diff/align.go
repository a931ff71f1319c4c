// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"context"
	"math"
	"slices"

	"github.com/waybill-project/waybill/delta/diff/internal/suffix"
)

// alignMost is the most that base and result may each have, in bytes.
const alignMost = 1<<31 - 1

// align finds the covers that make the patch smallest, as far as costs can
// tell: the cheapest path through the result that stays on a diagonal, along
// which differences are coded, or beside all, where bytes are copied. It knows
// the diagonals of the longest matches of places where the path is not doing
// well. A second pass has learned from the first what bytes cost.
func align(ctx context.Context, base, result []byte) ([]match, error) {
	covers, seeds, err := alignFirst(ctx, base, result)
	if err != nil || len(seeds) == 0 {
		return nil, err
	}
	costs, err := learn(ctx, base, result, covers)
	if err != nil {
		return nil, err
	}
	seeds = append(seeds, gapSeeds(base, result, covers)...)
	slices.SortStableFunc(seeds, func(x, y seed) int { return int(x.new) - int(y.new) })
	a := &aligner{base: base, result: result, costs: costs, seeds: seeds}
	return a.run(ctx)
}

// alignFirst is the first pass. Its suffix array is not kept.
func alignFirst(ctx context.Context, base, result []byte) ([]match, []seed, error) {
	filter, err := newFilter(ctx, base)
	if err != nil {
		return nil, nil, err
	}
	if none, err := strangers(ctx, filter, base, result); none || err != nil {
		return nil, nil, err
	}
	f, err := newFinder(ctx, base, result, filter)
	if err != nil {
		return nil, nil, err
	}
	a := &aligner{base: base, result: result, costs: startCosts(), next: f.find}
	covers, err := a.run(ctx)
	return covers, f.seeds, err
}

const (
	nowhere   = math.MinInt // the diagonal of the path beside all
	pathsMost = 6
	backMost  = 1 << 11 // bytes that a new path may begin before its match
)

// segment is a part of a path: along one diagonal from start to where the next
// segment starts. A diagonal is the base's position minus the result's.
type segment struct {
	before int32 // the segment before it, or -1
	start  int32
	diag   int
}

// path is the cheapest way to the present byte of the result that ends on a diagonal.
type path struct {
	segment
	cost    int
	node    int32 // its last segment's number, or -1
	until   int   // not given up before
	history history
}

// past is the cheapest path to a byte.
type past struct {
	cost int
	node int32
}

// aligner walks the result once.
type aligner struct {
	base, result []byte
	costs        *costs
	next         func(i, known int) (seed, int) // searches, in the first pass
	seeds        []seed                         // to be replayed, in the second
	searchAt     int

	segments []segment
	crowded  int    // how many segments there may be until some are forgotten
	paths    []path // the first is the one beside all
	best     int
	back     [backMost]past // [i%backMost]: the best path to byte i

	alikeDiag, alikeTo int // where the equal bytes of a diagonal were found to end
}

func (a *aligner) run(ctx context.Context) ([]match, error) {
	a.paths = append(a.paths, path{segment: segment{before: -1, diag: nowhere}, node: -1})
	a.crowded = 1 << 16
	for i, n := 0, 0; i < len(a.result); n++ {
		if n%1024 == 0 {
			if ctx.Err() != nil {
				return nil, context.Cause(ctx)
			}
			a.forget()
		}
		alike := a.alike(i)
		if alike >= matchLong && a.alone(i, alike) {
			if to := a.jumpTo(i + alike); to-i >= matchLong {
				a.jump(i, to)
				i = to
				continue
			}
		}
		a.seed(i, alike)
		a.remember(i, a.paths[a.best].cost, a.number(&a.paths[a.best]))
		a.step(i)
		i++
	}
	return a.covers(), nil
}

// alike is how many bytes from i on are equal along the best path.
func (a *aligner) alike(i int) int {
	diag := a.paths[a.best].diag
	if diag != a.alikeDiag || i >= a.alikeTo {
		a.alikeDiag, a.alikeTo = diag, i+a.equal(diag, i)
	}
	return a.alikeTo - i
}

func (a *aligner) equal(diag, i int) int {
	at := i + diag
	if diag == nowhere || at < 0 || at >= len(a.base) {
		return 0
	}
	return suffix.Common(a.base[at:], a.result[i:])
}

// alone says that no other path can become the best within n bytes in which
// the best path costs next to nothing.
func (a *aligner) alone(i, n int) bool {
	for j, p := range a.paths[1:] {
		if j+1 != a.best && (p.cost < a.paths[a.best].cost+switchCost || p.until > i+n) {
			return false
		}
	}
	return true
}

func (a *aligner) jumpTo(to int) int {
	if a.next == nil && len(a.seeds) > 0 {
		return min(to, int(a.seeds[0].new))
	}
	return to
}

// jump takes equal bytes of the best path at once and gives up the others.
func (a *aligner) jump(i, to int) {
	p := a.paths[a.best]
	node := a.number(&p)
	for ; i < to && p.history.zeros < zerosMost; i++ {
		a.remember(i, p.cost, node)
		p.cost += a.costs.add(&p.history, 0)
	}
	each := int(a.costs.diff[p.history.class()<<8])
	for j := max(i, to-backMost); j < to; j++ {
		a.remember(j, p.cost+(j-i)*each, node)
	}
	p.cost += (to - i) * each
	beside := path{segment: segment{before: node, start: int32(to), diag: nowhere}, cost: p.cost + leaveCost, node: -1}
	a.paths = append(a.paths[:0], beside, p)
	a.best = 1
}

func (a *aligner) remember(i, cost int, node int32) { a.back[i%backMost] = past{cost, node} }

// number makes the segment of a path known to others.
func (a *aligner) number(p *path) int32 {
	if p.node < 0 {
		p.node = int32(len(a.segments))
		a.segments = append(a.segments, p.segment)
	}
	return p.node
}

// step takes the byte at i on all paths.
func (a *aligner) step(i int) {
	a.paths[0].cost += a.costs.copied(a.result, i)
	best, kept := 0, a.paths[:1]
	for _, p := range a.paths[1:] {
		at := i + p.diag
		if at < 0 || at >= len(a.base) {
			continue
		}
		p.cost += a.costs.add(&p.history, a.result[i]-a.base[at])
		if p.cost < a.paths[best].cost {
			best = len(kept)
		}
		kept = append(kept, p)
	}
	a.paths, a.best = kept, best
	a.fork(i + 1)
}

// fork lets paths go on from the best one where that is cheaper, and gives up
// those for which that is no loss.
func (a *aligner) fork(i int) {
	best := &a.paths[a.best]
	if cost := best.cost + leaveCost; a.best != 0 && cost < a.paths[0].cost {
		a.paths[0] = path{segment: segment{before: a.number(best), start: int32(i), diag: nowhere}, cost: cost, node: -1}
	}
	limit, at := best.cost+switchCost, a.best
	kept := a.paths[:1]
	for j := 1; j < len(a.paths); j++ {
		p := a.paths[j]
		if p.cost >= limit && p.until <= i {
			continue
		}
		if p.cost > limit {
			p.segment = segment{before: a.number(&a.paths[at]), start: int32(i), diag: p.diag}
			p.cost, p.node, p.history = limit, -1, fresh
		}
		if j == a.best {
			at = len(kept)
		}
		kept = append(kept, p)
	}
	a.paths, a.best = kept, at
}
