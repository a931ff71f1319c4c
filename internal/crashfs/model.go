// SPDX-License-Identifier: Apache-2.0

package crashfs

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

// Model says what of the operations that were not synced a crash leaves.
type Model string

// The models; see the package comment.
const (
	Kill     Model = "kill"
	Strict   Model = "strict"
	Ordered  Model = "ordered"
	Delalloc Model = "delalloc"
	Reorder  Model = "reorder"
	Torn     Model = "torn"
	Garbage  Model = "garbage"
)

// Models are all of them.
func Models() []Model { return []Model{Kill, Strict, Ordered, Delalloc, Reorder, Torn, Garbage} }

// Point names one state: a crash after the first K operations, and which of the states that the model allows.
type Point struct {
	K     int
	Model Model
	Seed  int
}

func (p Point) String() string { return fmt.Sprintf("%d,%s,%d", p.K, p.Model, p.Seed) }

// ParsePoint reads what String wrote.
func ParsePoint(s string) (Point, error) {
	parts := strings.Split(s, ",")
	if len(parts) != 3 {
		return Point{}, fmt.Errorf("%q is not K,MODEL,SEED", s)
	}
	k, err1 := strconv.Atoi(parts[0])
	seed, err2 := strconv.Atoi(parts[2])
	p := Point{k, Model(parts[1]), seed}
	if err1 != nil || err2 != nil || k < 0 || seed < 0 || !slices.Contains(Models(), p.Model) {
		return Point{}, fmt.Errorf("%q is not K,MODEL,SEED", s)
	}
	return p, nil
}

const (
	sector     = 512
	page       = 4096
	mostExact  = 8   // open operations of which every subset is tried
	samples    = 256 // of the subsets, if there are more
	mostCuts   = 64
	garbageWay = 6 // zeros, noise, old bytes, three mixes
)

// Seeds is how many states there are for a crash after k operations. They are numbered from 0; some may be equal.
func (r *Recording) Seeds(m Model, k int) int {
	r.resolve()
	switch m {
	case Ordered:
		return 2 * (len(r.openNames(k)) + 1)
	case Delalloc:
		return 2 * (len(r.openFiles(k)) + 1)
	case Reorder:
		return min(2<<min(len(r.openNames(k)), mostExact), 2*samples)
	case Torn:
		return len(r.cuts(k))
	case Garbage:
		if n := len(r.openFiles(k)); n > 0 {
			return garbageWay * (n + 1)
		}
		return 0
	}
	return 1
}

// openNames are the operations on names that are not durable after k operations. A rename between folders of
// which one was synced is still open.
func (r *Recording) openNames(k int) []int {
	var open []int
	for i, op := range r.ops[:k] {
		if op.isName() && (r.synced[i] >= k || op.moves() && r.left[i] >= k) {
			open = append(open, i)
		}
	}
	return open
}

// openFiles are the files of which bytes are not durable after k operations.
func (r *Recording) openFiles(k int) []int {
	var open []int
	for i, op := range r.ops[:k] {
		if op.isData() && op.Kind != Chmod && r.synced[i] >= k && !slices.Contains(open, op.node) {
			open = append(open, op.node)
		}
	}
	return open
}

// cuts are the lengths at which the last of k operations, a write, may end. Many are thinned out.
func (r *Recording) cuts(k int) []int {
	if k == 0 || r.ops[k-1].Kind != Write {
		return nil
	}
	size := len(r.ops[k-1].data)
	cuts := []int{size / 2}
	for _, unit := range []int{sector, page} {
		for at := unit; at < size; at += unit * max(1, size/(unit*mostCuts)) {
			cuts = append(cuts, at)
		}
	}
	slices.Sort(cuts)
	return slices.Compact(cuts)
}

// State builds the file system of a point, everything in it durable.
func (r *Recording) State(p Point) (*FS, error) {
	if p.K < 0 || p.K > len(r.ops) || p.Seed < 0 || p.Seed >= r.Seeds(p.Model, p.K) {
		return nil, fmt.Errorf("there is no state %v", p)
	}
	b := builder{r: r, k: p.K, name: always, data: whole{}}
	switch p.Model {
	case Strict:
		b.name, b.data = func(int) bool { return false }, lost{}
	case Ordered:
		b.ordered(p.Seed)
	case Delalloc:
		b.delalloc(p.Seed)
	case Reorder:
		b.reorder(p.Seed)
	case Torn:
		b.data = cut{which: p.K - 1, at: r.cuts(p.K)[p.Seed]}
	case Garbage:
		b.garbage(p.Seed)
	}
	return b.build(), nil
}

func always(int) bool { return true }

func (b *builder) ordered(seed int) {
	open, n := b.r.openNames(b.k), seed/2
	last := -1 // of the operations that got through
	if n > 0 {
		last = open[n-1]
	}
	b.name = func(i int) bool { return i <= last }
	b.data = lost{}
	if seed%2 == 1 {
		b.data = upTo{last}
	}
}

func (b *builder) delalloc(seed int) {
	half := seed%2 == 1
	var hurt fate = lost{keepMode: true}
	if half {
		hurt = short{}
	}
	b.data = b.oneOrAll(seed/2, hurt)
}

// oneOrAll lets a fate strike all files (0) or one of the open ones.
func (b *builder) oneOrAll(which int, hurt fate) fate {
	if which == 0 {
		return hurt
	}
	return only{b.r.openFiles(b.k)[which-1], hurt}
}

func (b *builder) reorder(seed int) {
	open := b.r.openNames(b.k)
	if seed%2 == 1 {
		b.data = lost{keepMode: true}
	}
	random := rand.New(rand.NewPCG(uint64(seed/2), uint64(b.k)))
	kept := map[int]bool{}
	for bit, i := range open {
		if len(open) <= mostExact {
			kept[i] = seed/2>>bit&1 == 1
		} else {
			kept[i] = random.IntN(2) == 1
		}
	}
	b.name = func(i int) bool { return kept[i] }
}

func (b *builder) garbage(seed int) {
	way, which := seed%garbageWay, seed/garbageWay
	b.data = b.oneOrAll(which, spoiled{way: way, random: rand.New(rand.NewPCG(uint64(seed), uint64(b.k))), old: b.r.base.oldBytes()})
}
