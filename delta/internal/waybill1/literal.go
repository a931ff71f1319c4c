// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"encoding/binary"

	"github.com/waybill-project/waybill/delta/internal/entropy"
)

// literals codes bytes that no cover predicts, by what came before them and by
// where the last few came before in other literals.
type literals struct {
	value  *entropy.Bytes
	ring   []byte
	mask   uint32 // of places in ring
	shift  uint   // of hashes in heads
	at     uint32
	heads  []uint32
	match  uint32 // in ring, of the next byte; with length
	length uint32
	ctx    [entropy.Contexts]uint32
}

const matchMinimum = 5

// newLiterals returns a model for n literals.
func newLiterals(n int64) *literals {
	most := tableBits(n<<2, 12, 15)
	ring := tableBits(n, 12, 20)
	return &literals{
		value: entropy.NewBytes(16, [entropy.Contexts]uint{5, min(most, 12), most, most, most - 1, most}),
		ring:  make([]byte, 1<<ring),
		mask:  1<<ring - 1,
		heads: make([]uint32, 1<<(ring-1)),
		shift: 32 - (ring - 1),
	}
}

// code codes act[from:to]; old[i] is the byte of the base that a cover would
// have if the last one went on.
func (l *literals) code(c *entropy.Coder, act, old []byte, from, to int) {
	for i := from; i < to; i++ {
		h := binary.LittleEndian.Uint64(act[i-8 : i])
		guess := uint32(256)
		if l.length > 0 {
			guess = uint32(l.ring[l.match&l.mask])
		}
		o := uint32(old[i])
		l.ctx = [entropy.Contexts]uint32{
			entropy.Hash(0, 0, 0),
			entropy.Hash(uint32(h>>56), 1, 0),
			entropy.Hash(uint32(h>>48), 2, 0),
			entropy.Hash(uint32(h>>40), 3, 0),
			entropy.Hash(guess, min(l.length, 32), uint32(h>>56)),
			entropy.Hash(o, uint32(old[i-1]), uint32(h>>56)),
		}
		act[i] = l.value.Code(c, act[i], int(min(l.length, 15)), &l.ctx)
		l.add(act[i], guess, act[i-matchMinimum+1:i+1])
	}
}

// add records a literal and looks for where the last ones came before.
func (l *literals) add(b byte, guess uint32, recent []byte) {
	l.ring[l.at&l.mask] = b
	l.at++
	if uint32(b) == guess {
		l.length++
		l.match++
	} else {
		l.length = 0
	}
	h := uint32(recent[0]) | uint32(recent[1])<<8 | uint32(recent[2])<<16 | uint32(recent[3])<<24
	head := &l.heads[(h*0x9E3779B1^uint32(recent[4])*0x85EBCA77)>>l.shift]
	if l.length == 0 && *head > 0 && l.at-*head <= l.mask {
		l.match, l.length = *head, 1
	}
	*head = l.at
}
