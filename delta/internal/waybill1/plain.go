// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"math"

	"github.com/waybill-project/waybill/delta/internal/entropy"
)

// plain codes bytes that are expected to be those of the base: how many are,
// then one that is not, then a while bit by bit.
type plain struct {
	gaps    *entropy.Numbers
	differs *entropy.Flags
	value   *entropy.Bytes

	hot   int   // bytes left to be asked about one by one
	gap   int64 // else bytes that are known to be equal
	begun bool

	lastGap, beforeGap int
	history            uint32 // of equal and different bytes
	lastDelta          byte
	deltas             [256]byte // the last one behind each byte of the base

	// The writer's side: how many equal bytes come before each different one.
	ahead []uint32
	left  int64
}

const (
	hotLength = 20
	never     = math.MaxInt64
)

// newPlain returns a model for so many bytes that covers have: one in a hundred
// or less differs.
func newPlain(m *entropy.Memory, covered int64) plain {
	most := tableBits(covered>>8, 10, 14)
	return plain{
		gaps:    m.NewNumbers(12, 12),
		differs: m.NewFlags(1<<12, 1<<14, 1<<14),
		value:   m.NewBytes(4, [entropy.Contexts]uint{most - 1, most, most}),
	}
}

// count is the writer's first pass over what code will be called with.
func (q *plain) count(act, old []byte, from, to int) {
	for i := from; i < to; i++ {
		if act[i] != old[i] {
			q.ahead = append(q.ahead, uint32(q.left))
			q.left = 0
		} else {
			q.left++
		}
	}
}

// rewind starts the writer's second pass.
func (q *plain) rewind() { q.advance() }

func (q *plain) advance() {
	q.left = never
	if len(q.ahead) > 0 {
		q.left = int64(q.ahead[0])
		q.ahead = q.ahead[1:]
	}
}

// code codes act[from:to], which old[from:to] predicts and which is that already
// for a reader.
func (q *plain) code(c *entropy.Coder, act, old []byte, from, to int) {
	if !q.begun {
		q.begun = true
		q.codeGap(c)
	}
	for i := from; i < to; {
		if q.hot > 0 {
			q.ask(c, act, old, i)
			i++
			continue
		}
		n := int(min(q.gap, int64(to-i)))
		q.skip(n)
		if i += n; i < to {
			q.differ(c, act, old, i)
			i++
		}
	}
}

func (q *plain) skip(n int) {
	if q.gap != never {
		q.gap -= int64(n)
	}
	if q.left != never {
		q.left -= int64(n)
	}
}

// ask codes whether act[i] differs, and it if so.
func (q *plain) ask(c *entropy.Coder, act, old []byte, i int) {
	differs := 0
	if !c.Reading() && q.left == 0 {
		differs = 1
	}
	o := uint32(old[i])
	differs = q.differs.Code(c, differs, int(q.history&0xFF|o>>4<<8),
		int(o|uint32(old[i-1])>>4<<8|q.history&3<<12), int(o|q.history&7<<8|uint32(act[i-1])>>5<<11))
	if differs != 0 {
		q.differ(c, act, old, i)
		return
	}
	q.history <<= 1
	q.skip(1)
	if q.hot--; q.hot == 0 {
		q.codeGap(c)
	}
}

func (q *plain) differ(c *entropy.Coder, act, old []byte, i int) {
	o := uint32(old[i])
	by := &q.deltas[old[i-1]]
	d := q.value.Code(c, act[i]-old[i], int(q.history&3), &[entropy.Contexts]uint32{
		entropy.Hash(o, 1, q.history&7),
		entropy.Hash(o, 2, uint32(old[i+1])),
		entropy.Hash(uint32(*by), 3, uint32(q.lastDelta)),
	})
	act[i] = old[i] + d
	q.lastDelta, *by = d, d
	q.history = q.history<<1 | 1
	q.hot = hotLength
	q.gap = 0
	q.advance()
}

func (q *plain) codeGap(c *entropy.Coder) {
	v := uint64(0)
	if q.left != never {
		v = uint64(q.left) + 1
	}
	v = q.gaps.Code(c, v, q.lastGap, q.beforeGap)
	q.gap = never
	if v > 0 {
		q.gap = int64(v - 1)
	}
	q.beforeGap, q.lastGap = q.lastGap, size(v)
}
