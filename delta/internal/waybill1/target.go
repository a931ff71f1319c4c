// SPDX-License-Identifier: Apache-2.0

package waybill1

import "github.com/waybill-project/waybill/delta/internal/executable"

// An Image is an executable inside the base that became another one inside the
// result.
type Image struct {
	OldAt, OldLength int64
	NewAt, NewLength int64
	Old              *executable.File
	New              *executable.Layout
}

// Target maps an address of the old image to one of the new: where the bytes
// there went, or how far the end of their segment moved.
func (g *Image) Target(address uint64, offsets *Offsets) uint64 {
	if off, ok := g.Old.Offset(address); ok {
		moved := int64(offsets.Map(uint32(off+g.OldAt))) - g.NewAt
		if moved >= 0 && moved < g.NewLength {
			if to, ok := g.New.Address(moved); ok {
				return to
			}
		}
	}
	if _, i, ok := g.Old.End(address); ok && i < len(g.New.Segments) {
		oldEnd := g.Old.Segments[i].Address + uint64(g.Old.Segments[i].Length)
		newEnd := g.New.Segments[i].Address + uint64(g.New.Segments[i].Length)
		return address - oldEnd + newEnd
	}
	return address
}

// oldLow and newLow are where addresses of 32 bits count from.
func (g *Image) oldLow() uint64 { return g.Old.Segments[0].Address }
func (g *Image) newLow() uint64 { return g.New.Segments[0].Address }

// targets guesses where references go by where those to the same or a near
// address went before.
type targets struct {
	exact  []known
	places []uint32 // what was to be added to the map's answer, by old address
}

// known is where references to an address went, and how often in a row; never
// at first.
type known struct{ old, new, times uint32 }

const (
	exactBits = 15
	placeBits = 14
	placeSize = 9 // bits
	timesMost = 8
)

func newTargets() *targets {
	return &targets{exact: make([]known, 1<<exactBits), places: make([]uint32, 1<<placeBits)}
}

func exactIndex(old uint32) uint32 { return old * 0x9E3779B1 >> (32 - exactBits) }
func placeIndex(old uint32) uint32 { return (old >> placeSize) * 0x9E3779B1 >> (32 - placeBits) }

// guess returns two candidates for an address that the map sends to mapped,
// and how sure the first is, from 0 to confidences-1.
func (t *targets) guess(old, mapped uint32) (first, second uint32, confidence int) {
	shift := t.places[placeIndex(old)]
	k := &t.exact[exactIndex(old)]
	if k.old == old && k.times > 0 {
		confidence = int(k.times) * 2
		if k.new == mapped+shift {
			confidence++
		}
		return k.new, mapped + shift, confidence
	}
	if shift != 0 {
		return mapped + shift, mapped, 1
	}
	return mapped, mapped, 0
}

const confidences = timesMost*2 + 2

func (t *targets) learn(old, mapped, actual uint32) {
	k := &t.exact[exactIndex(old)]
	if k.old == old && k.new == actual && k.times > 0 {
		k.times = min(k.times+1, timesMost)
	} else {
		*k = known{old, actual, 1}
	}
	t.places[placeIndex(old)] = actual - mapped
}
