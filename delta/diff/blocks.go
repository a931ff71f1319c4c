// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"context"
	"encoding/binary"
	"math"
	"math/bits"
)

const (
	seedLen  = 24 // bytes that must be equal for a match to be tried
	seedStep = 4  // distance of the base's seeds
	giveUp   = 32 // mismatches net of matches after which an extension stops
)

// index finds seeds of the base: each slot holds the number of a seed plus 1,
// and above it bits of the hash, which spare most looks at the base.
type index struct {
	base  []byte
	slots []uint32
	shift int
	low   int // bits of a slot that hold the number
}

func newIndex(base []byte) *index {
	seeds := max(0, len(base)-seedLen+seedStep) / seedStep
	width := max(8, bits.Len(uint(seeds)))
	x := &index{base: base, slots: make([]uint32, 1<<width), shift: 64 - width, low: bits.Len(uint(seeds))}
	for i := range int(min(int64(seeds), math.MaxUint32)) {
		h := x.hash(base[i*seedStep:])
		if slot := &x.slots[h>>x.shift]; *slot == 0 {
			*slot = x.tag(h) | uint32(i+1)
		}
	}
	return x
}

func (x *index) tag(h uint64) uint32 { return uint32(h) >> x.low << x.low }

func (x *index) hash(p []byte) uint64 {
	a, b, c := binary.LittleEndian.Uint64(p), binary.LittleEndian.Uint64(p[8:]), binary.LittleEndian.Uint64(p[16:])
	h := (a*0x9e3779b97f4a7c15 ^ bits.RotateLeft64(b, 29)) * 0xbf58476d1ce4e5b9
	return (h ^ h>>31 ^ bits.RotateLeft64(c, 17)) * 0x94d049bb133111eb
}

// find returns where the base has the first bytes of p, or -1. It prefers the
// position hint, where the last match would go on.
func (x *index) find(p []byte, hint int) int {
	seed := string(p[:seedLen])
	if hint >= 0 && hint+seedLen <= len(x.base) && string(x.base[hint:hint+seedLen]) == seed {
		return hint
	}
	h := x.hash(p)
	slot := x.slots[h>>x.shift]
	if slot == 0 || slot>>x.low<<x.low != x.tag(h) {
		return -1
	}
	at := (int(slot&(1<<x.low-1)) - 1) * seedStep
	if string(x.base[at:at+seedLen]) == seed {
		return at
	}
	return -1
}

// matchBlocks finds matches in linear time: seeds of equal bytes are extended
// in both directions while at least half of the bytes agree.
func matchBlocks(ctx context.Context, base, result []byte) ([]match, error) {
	x := newIndex(base)
	var matches []match
	var last match
	for at, tries := 0, 0; at+seedLen <= len(result); tries++ {
		if tries&0xffff == 0 && ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		done := last.new + last.n
		old := x.find(result[at:], last.old+last.n+at-done)
		if old < 0 {
			at++
			continue
		}
		back := extend(min(at-done, old), func(i int) bool { return base[old-1-i] == result[at-1-i] })
		ahead := extend(min(len(result)-at, len(base)-old), func(i int) bool { return base[old+i] == result[at+i] })
		last = match{old - back, at - back, back + ahead}
		matches = append(matches, last)
		at += ahead
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return matches, nil
}

// extend returns the length of at most limit for which the equal bytes exceed
// the unequal ones by most.
func extend(limit int, equal func(i int) bool) int {
	best, length, score := 0, 0, 0
	for i := range limit {
		if equal(i) {
			score++
		} else {
			score--
		}
		if score > best {
			best, length = score, i+1
		}
		if score < best-giveUp {
			break
		}
	}
	return length
}
