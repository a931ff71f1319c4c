// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"io"

	"github.com/waybill-project/waybill/delta/internal/entropy"
)

// literals codes bytes that no cover predicts, by the bytes before them: what
// came behind the same bytes the last time, or else by how likely each byte is
// behind the last ones.
type literals struct {
	value  *entropy.Bytes
	goes   *entropy.Flags // whether a match does
	past   recall
	primed bool
}

// newLiterals is for n literals, behind a primer of so many bytes.
func newLiterals(m *entropy.Memory, n, primer int64) *literals {
	l := &literals{goes: m.NewFlags(matchMost, matchMost<<8, 1<<16), past: newRecall(n, primer), primed: primer > 0}
	if l.primed { // in a Memory of their own, so that the next patch does not hold these tables
		l.value = new(entropy.Memory).NewBytes(1, [entropy.Contexts]uint{primedBits, primedBits, primedBits})
		return l
	}
	most := tableBits(n<<2, 12, 14)
	l.value = m.NewBytes(1, [entropy.Contexts]uint{8, min(most, 13), most})
	return l
}

// A primer is learned in pieces of primerPiece bytes, one of so many that it is
// primerLearned bytes at most.
const (
	primedBits    = 16
	primerPiece   = 1 << 10
	primerLearned = 1 << 16
)

// prime reads the primer, n bytes at off.
func (l *literals) prime(base io.ReaderAt, off, n int64) error {
	p := l.past.ring[:n]
	if err := readFull(base, p, off); err != nil {
		return err
	}
	l.past.take(p)
	each := len(p)/primerLearned + 1
	for from := 0; from < len(p); from += each * primerPiece {
		for i := max(from, order); i < min(from+primerPiece, len(p)); i++ {
			before := l.contexts(p, i)
			l.value.Learn(p[i], &before)
		}
	}
	return nil
}

func (l *literals) clone() *literals {
	other := *l
	other.value, other.goes, other.past = l.value.Clone(), l.goes.Clone(), l.past.clone()
	return &other
}

// code codes act[from:to], with the bytes that precede it.
func (l *literals) code(c *entropy.Coder, act []byte, from, to int) {
	l.past.begin(act[from-preceding : from])
	for i := from; i < to; i++ {
		if l.past.length == 0 || !l.goesOn(c, act, i) {
			before := l.contexts(act, i)
			act[i] = l.value.Code(c, act[i], 0, &before)
		}
		l.past.add(act[i-preceding+1 : i+1])
	}
}

// goesOn codes whether act[i] is the next byte of the match.
func (l *literals) goesOn(c *entropy.Coder, act []byte, i int) bool {
	guess, before, n := l.past.next(), int(act[i-1]), int(l.past.length)-1
	hit := 0
	if act[i] == guess {
		hit = 1
	}
	if l.goes.Code(c, hit, n, int(guess)|n<<8, before|int(guess)<<8) == 0 {
		return false
	}
	act[i] = guess
	return true
}

// order is how many bytes before one tell what to expect.
const order = 3

func (l *literals) contexts(p []byte, i int) [entropy.Contexts]uint32 {
	one := uint32(p[i-1])
	two := one | uint32(p[i-2])<<8
	if !l.primed {
		return [entropy.Contexts]uint32{0, entropy.Hash(one, 1, 0), entropy.Hash(two, 2, 0)}
	}
	three := two | uint32(p[i-3])<<16
	return [entropy.Contexts]uint32{entropy.Hash(one, 1, 0), entropy.Hash(two, 2, 0), entropy.Hash(three, 3, 0)}
}
