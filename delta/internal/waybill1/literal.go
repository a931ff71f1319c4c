// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"encoding/binary"
	"slices"

	"github.com/waybill-project/waybill/delta/internal/entropy"
)

// literals codes bytes that no cover predicts, by what came before them and by
// where the last few came before in other literals.
type literals struct {
	value  *entropy.Bytes
	goes   *entropy.Flags // whether a match does
	ring   []byte
	mask   uint32 // of places in ring
	at     uint32
	heads  []uint32 // where the last bytes came before, by a hash of them
	match  uint32   // in ring, of the next byte; with length
	length uint32
}

const (
	matchMinimum = 4
	matchSure    = 2
	headBits     = 15
)

// newLiterals returns a model for n literals.
func newLiterals(m *entropy.Memory, n int64) *literals {
	most := tableBits(n<<2, 12, 14)
	ring := tableBits(n, 12, 18)
	return &literals{
		value: m.NewBytes(1, [entropy.Contexts]uint{8, min(most, 13), most}),
		goes:  m.NewFlags(32, 1<<11, 1<<14),
		ring:  make([]byte, 1<<ring),
		mask:  1<<ring - 1,
		heads: make([]uint32, 1<<headBits),
	}
}

// clone returns a model that goes on from here by itself.
func (l *literals) clone() *literals {
	other := *l
	other.value, other.goes = l.value.Clone(), l.goes.Clone()
	other.ring, other.heads = slices.Clone(l.ring), slices.Clone(l.heads)
	return &other
}

// code codes act[from:to].
func (l *literals) code(c *entropy.Coder, act []byte, from, to int) {
	for i := from; i < to; i++ {
		if l.length < matchSure || !l.goesOn(c, act, i) {
			l.other(c, act, i)
		}
		l.add(act[i], act[i-matchMinimum+1:i+1])
	}
}

// goesOn codes whether act[i] is the next byte of the match.
func (l *literals) goesOn(c *entropy.Coder, act []byte, i int) bool {
	guess, before, n := l.ring[l.match&l.mask], int(act[i-1]), int(min(l.length, 31))
	hit := 0
	if act[i] == guess {
		hit = 1
	}
	if l.goes.Code(c, hit, n, int(guess)|min(n, 7)<<8, before|int(guess)>>2<<8) == 0 {
		return false
	}
	act[i] = guess
	return true
}

// other codes act[i] by itself.
func (l *literals) other(c *entropy.Coder, act []byte, i int) {
	act[i] = l.value.Code(c, act[i], 0, &[entropy.Contexts]uint32{
		0,
		entropy.Hash(uint32(act[i-1]), 1, 0),
		entropy.Hash(uint32(act[i-1])|uint32(act[i-2])<<8, 2, 0),
	})
}

// add records a literal and looks for where the last ones came before.
func (l *literals) add(b byte, recent []byte) {
	if l.length > 0 && l.ring[l.match&l.mask] == b {
		l.length++
		l.match++
	} else {
		l.length = 0
	}
	l.ring[l.at&l.mask] = b
	l.at++
	head := &l.heads[binary.LittleEndian.Uint32(recent)*0x9E3779B1>>(32-headBits)]
	if l.length == 0 && *head > 0 && l.at-*head <= l.mask {
		l.match, l.length = *head, 1
	}
	*head = l.at
}
