// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"context"
	"encoding/binary"
	"math/bits"

	"github.com/waybill-project/waybill/delta/diff/internal/suffix"
)

const (
	matchLeast = 8  // bytes of a match that is tried
	matchLong  = 32 // bytes of a match within which no other is searched for
	matchGoing = 10 // equal bytes ahead of the best path that make a search useless

	spareMatches = 1 << 20 // that do not count as too many
	matchStride  = 16      // bytes more between searches where there are too many

	spareChances = 1 << 14 // matches by chance that do not count as too many
	chanceStride = 256     // bytes more between searches then; a real match that is longer is still met

	checkEvery = 1 << 16 // bytes between two looks at the context
)

// seed is a match that a path may use: n equal bytes, or a cover of before.
type seed struct{ new, old, n int32 }

// finder finds seeds by a suffix array, and remembers them.
type finder struct {
	array  *suffix.Array
	filter *filter
	result []byte
	seeds  []seed
	most   int
	missed int
	found  int

	byChance int // length of matches that say nothing
	chances  int // how many of them were found
}

func newFinder(ctx context.Context, base, result []byte, filter *filter) (*finder, error) {
	array, err := suffix.New(ctx, base)
	return &finder{array: array, filter: filter, result: result, most: 1024 + len(result)/16, byChance: byChance(base)}, err
}

// find returns the longest match at i if it is longer than known, and where
// the next search is worth its time. That is further away the longer nothing
// was found, in bytes that are all new, and where the matches of a text of few
// letters are everywhere and none of them is good.
func (f *finder) find(i, known int) (s seed, next int) {
	p := f.result[i:]
	if len(p) < matchLeast || !f.filter.has(p) {
		return f.miss(i)
	}
	old, n := f.array.Longest(p)
	if n < matchLeast || n <= known {
		return f.miss(i)
	}
	f.missed = 0
	s = seed{int32(i), int32(old), int32(n)}
	if len(f.seeds) < f.most {
		f.seeds = append(f.seeds, s)
	}
	return s, f.behind(i, n)
}

// behind is where to search on from a match of n bytes.
func (f *finder) behind(i, n int) int {
	f.found++
	next := i + n
	if n < matchLong {
		next -= matchLeast - 1
	}
	if n <= f.byChance {
		f.chances++
	}
	switch {
	case f.chances > spareChances:
		next += chanceStride
	case f.found > spareMatches+i/4:
		next += matchStride
	}
	return next
}

func (f *finder) miss(i int) (seed, int) {
	f.missed++
	return seed{}, i + 1 + 2*min(f.missed>>5, 3)
}

// filter knows of eight bytes that a text does not hold them; of one in eight
// or fewer it does not.
type filter struct {
	set    []uint64
	factor uint64 // odd
	shift  int
}

func newFilter(ctx context.Context, text []byte) (*filter, error) {
	f := emptyFilter(len(text), 0x9e3779b97f4a7c15)
	for i := 0; i+8 <= len(text); i++ {
		f.add(text[i:])
		if i%checkEvery == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return f, nil
}

func emptyFilter(n int, factor uint64) *filter {
	width := max(10, bits.Len(uint(n))+2)
	return &filter{set: make([]uint64, 1<<(width-6)), factor: factor, shift: 64 - width}
}

func (f *filter) hash(p []byte) uint64 { return binary.LittleEndian.Uint64(p) * f.factor >> f.shift }

func (f *filter) add(p []byte) {
	h := f.hash(p)
	f.set[h>>6] |= 1 << (h & 63)
}

func (f *filter) has(p []byte) bool {
	h := f.hash(p)
	return f.set[h>>6]>>(h&63)&1 != 0
}
