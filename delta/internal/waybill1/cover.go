// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/waybill-project/waybill/delta/internal/entropy"
)

// A Cover says that Length bytes of the result at New are predicted from those
// of the base at Old. Covers are ordered by New and do not overlap there.
type Cover struct {
	New, Old, Length uint32
}

var errCovers = errors.New("covers out of bounds")

// coverCode codes covers one after the other.
type coverCode struct {
	gap, length, jump   *entropy.Numbers
	place, low, forward *entropy.Flags
	which               *entropy.Flags

	newEnd                         int64
	ends                           [8]int64            // where covers ended in the base, the last one first
	recent                         [recentCovers]int64 // old less new offset, the last one first
	gapSize, placeKind, lengthSize int
}

// A cover starts on the diagonal (old less new offset) of one of the recent
// covers, or right behind the last one in the base, or elsewhere.
const (
	recentCovers = 4
	placeBehind  = recentCovers
	placeOther   = recentCovers + 1
)

func newCoverCode(m *entropy.Memory) *coverCode {
	return &coverCode{
		gap:     m.NewNumbers(8*12, 12),
		length:  m.NewNumbers(12*8, 12),
		jump:    m.NewNumbers(2*12, 12),
		place:   m.NewFlags(8*8*12, 8*12, 8),
		low:     m.NewFlags(16, 1, 1),
		forward: m.NewFlags(12, 2, 1),
		which:   m.NewFlags(8*8, 8*12, 1),
	}
}

// code codes one cover within a result and a base of these lengths.
func (k *coverCode) code(c *entropy.Coder, v Cover, resultLength, baseLength int64) (Cover, error) {
	gap := int64(k.gap.Code(c, uint64(int64(v.New)-k.newEnd), k.placeKind*12+k.lengthSize, k.gapSize))
	at, gapSize := k.newEnd+gap, size(uint64(gap))
	kind := k.codePlace(c, k.placeOf(v), gapSize)
	length := int64(k.length.Code(c, uint64(v.Length), gapSize*8+kind, k.lengthSize))
	old := k.old(c, kind, at, int64(v.Old), size(uint64(length)))
	if c.Err() != nil {
		return v, c.Err()
	}
	if length == 0 || at > resultLength || length > resultLength-at {
		return v, fmt.Errorf("%w: %d bytes at %d of %d", errCovers, length, at, resultLength)
	}
	if old < 0 || old > baseLength || length > baseLength-old {
		return v, fmt.Errorf("%w: %d bytes at %d of a base of %d", errCovers, length, old, baseLength)
	}
	k.remember(kind, old-at)
	k.newEnd, k.ends[0] = at+length, old+length
	k.gapSize, k.placeKind, k.lengthSize = gapSize, kind, size(uint64(length))
	return Cover{uint32(at), uint32(old), uint32(length)}, nil
}

// placeOf is the cheapest way to say where a cover is in the base.
func (k *coverCode) placeOf(v Cover) int {
	for i, d := range k.recent {
		if int64(v.Old)-int64(v.New) == d {
			return i
		}
	}
	if int64(v.Old) == k.ends[0] {
		return placeBehind
	}
	return placeOther
}

func (k *coverCode) codePlace(c *entropy.Coder, kind, gapSize int) int {
	for i := range placeOther {
		is := 0
		if kind == i {
			is = 1
		}
		if k.place.Code(c, is, (i*8+k.placeKind)*12+gapSize, i*12+k.lengthSize, i) == 1 {
			return i
		}
	}
	return placeOther
}

// old codes the offset in the base.
func (k *coverCode) old(c *entropy.Coder, kind int, at, old int64, lengthSize int) int64 {
	switch kind {
	case placeBehind:
		return k.ends[0]
	case placeOther:
		return k.elsewhere(c, at, old, lengthSize)
	}
	return at + k.recent[kind]
}

// elsewhere codes the offset in the base as a move from where an earlier cover
// ended, or from the last one's diagonal.
func (k *coverCode) elsewhere(c *entropy.Coder, at, old int64, lengthSize int) int64 {
	end := 0
	if !c.Reading() {
		end = k.nearest(at, old)
	}
	end = k.codeEnd(c, end, lengthSize)
	further := min(end, 1)
	move := old - k.from(end, at)
	low := k.fine(c, int(move&15))
	forward, distance := 1, move>>4
	if distance < 0 {
		forward, distance = 0, -distance
	}
	distance = int64(k.jump.Code(c, uint64(distance), further*12+k.placeKind, lengthSize))
	if k.forward.Code(c, forward, size(uint64(distance)), further, 0) == 0 {
		distance = -distance
	}
	move = distance<<4 + int64(low)
	old = k.from(end, at) + move
	if move < -goesBack || move >= goesOn {
		end = len(k.ends) - 1
	}
	copy(k.ends[1:end+1], k.ends[:end])
	return old
}

// A cover that moves less than this goes on with the one that ended there.
const (
	goesBack = 64
	goesOn   = 512
)

func (k *coverCode) from(end int, at int64) int64 {
	if end == 0 {
		return at + k.recent[0]
	}
	return k.ends[end]
}

// nearest is the end from which a move is cheapest: about four bits are for
// another one than the last, one is for going back.
func (k *coverCode) nearest(at, old int64) (end int) {
	best := int64(math.MaxInt64)
	for i := range k.ends {
		cost := old - k.from(i, at)
		if cost < 0 {
			cost *= -2
		}
		if i > 0 {
			cost = (cost + 8) * 16
		}
		if cost < best {
			best, end = cost, i
		}
	}
	return end
}

func (k *coverCode) codeEnd(c *entropy.Coder, end, lengthSize int) int {
	last := len(k.ends) - 1
	for i := range last {
		is := 0
		if end == i {
			is = 1
		}
		if k.which.Code(c, is, i*8+k.placeKind, i*12+lengthSize, 0) == 1 {
			return i
		}
	}
	return last
}

// fine codes the low bits of a move: code is aligned, so most are zero.
func (k *coverCode) fine(c *entropy.Coder, low int) int {
	node := 1
	for shift := 3; shift >= 0; shift-- {
		node = node<<1 | k.low.Code(c, low>>shift&1, node, 0, 0)
	}
	return node & 15
}

// remember puts a diagonal in front of the recent ones.
func (k *coverCode) remember(kind int, diagonal int64) {
	if kind >= recentCovers {
		kind = recentCovers - 1
	}
	copy(k.recent[1:kind+1], k.recent[:kind])
	k.recent[0] = diagonal
}

// size is how large a number is, in steps of two bits, at most 11.
func size(v uint64) int {
	n := 0
	for ; v != 0; v >>= 2 {
		n++
	}
	return min(n, 11)
}

// codeCovers codes how many covers there are and all of them.
func codeCovers(ctx context.Context, c *entropy.Coder, covers []Cover, h *Header, baseLength int64) ([]Cover, error) {
	count := c.Memory.NewNumbers(1, 1).Code(c, uint64(len(covers)), 0, 0)
	if limit := h.MaxCovers(); count > uint64(limit) {
		return nil, fmt.Errorf("%w: %d, at most %d", errCovers, count, limit)
	}
	k := newCoverCode(c.Memory)
	if c.Reading() {
		covers = make([]Cover, 0, count)
	}
	for i := range int(count) {
		if i&0xfff == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		var v Cover
		if !c.Reading() {
			v = covers[i]
		}
		v, err := k.code(c, v, h.to(), baseLength)
		if err != nil {
			return nil, err
		}
		if c.Reading() {
			covers = append(covers, v)
		}
	}
	return covers, c.Err()
}
