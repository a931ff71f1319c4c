// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"context"
	"io"

	"github.com/waybill-project/waybill/delta/internal/entropy"
)

// Write returns the patch that makes result from base by these covers. They and
// the images are those of the views that the header names, if any; its lengths
// and sums must be set.
func Write(ctx context.Context, h Header, base io.ReaderAt, baseLength int64, result []byte, covers []Cover) ([]byte, error) {
	images, err := h.open(base, baseLength)
	if err != nil {
		return nil, err
	}
	c := entropy.NewWriter()
	m := newMachine(ctx, c, base, baseLength, images)
	if _, err = codeCovers(ctx, c, covers, &h, baseLength); err != nil {
		return nil, err
	}
	if err := m.take(covers, &h); err != nil {
		return nil, err
	}
	m.hash(result)
	w := newWriter(m, result)
	if err := m.each(h.to(), (*counting)(w)); err != nil {
		return nil, err
	}
	m.plain.rewind()
	if err := m.each(h.to(), w); err != nil {
		return nil, err
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	h.Stored = int64(len(w.storedBytes))
	return append(append(h.append(nil), c.Bytes()...), w.storedBytes...), nil
}

type writer struct {
	*machine
	result      []byte
	storedBytes []byte
}

func newWriter(m *machine, result []byte) *writer {
	m.act = make([]byte, pieceRoom)
	return &writer{machine: m, result: result}
}

// place puts the result's bytes for a piece, and those before it, into m.act.
func (w *writer) place(at int64, n int) {
	before := min(at, margin)
	clear(w.act[:margin-before])
	copy(w.act[margin-before:], w.result[at-before:at+int64(n)])
}

// counting is a writer's first pass: it only looks where the prediction fails.
type counting writer

func (w *counting) literals(from, to int64) error { return nil }

func (w *counting) cover(c Cover) error {
	return w.pieces(c, func(p piece) error {
		(*writer)(w).place(p.new, p.n)
		w.between(p, func(from, to int) { w.plain.count(w.act, w.old, from, to) }, nil)
		return nil
	})
}

func (w *counting) computed(at int64, n int) error {
	(*writer)(w).place(at, n)
	w.plain.count(w.act, w.old, margin, margin+n)
	return nil
}

func (w *writer) cover(c Cover) error {
	return w.pieces(c, func(p piece) error {
		w.place(p.new, p.n)
		w.code(p)
		return nil
	})
}

func (w *writer) computed(at int64, n int) error {
	w.place(at, n)
	w.plain.code(w.c, w.act, w.old, margin, margin+n)
	return nil
}

func (w *writer) literals(from, to int64) error {
	return w.chunks(from, to, func(at int64, n int) error {
		w.place(at, n)
		store := 0
		if w.cheaperStored(n) {
			store = 1
		}
		if w.stored.Code(w.c, store, 0, 0, 0) == 1 {
			w.storedBytes = append(w.storedBytes, w.act[margin:margin+n]...)
			return nil
		}
		w.literal.code(w.c, w.act, margin, margin+n)
		return nil
	})
}

// What equal bytes there are in a chunk, in hundredths of those in random ones:
// below the first number it is stored, from the second on it is coded, both
// without trying.
const (
	surelyRandom = 102
	surelyNot    = 500
	leastStored  = 128 // bytes
)

// cheaperStored tells whether the chunk of n literals in w.act is.
func (w *writer) cheaperStored(n int) bool {
	if n < leastStored {
		return false
	}
	switch likeness := likeness(w.act[margin : margin+n]); {
	case likeness < surelyRandom:
		return true
	case likeness >= surelyNot:
		return false
	}
	trial := entropy.NewWriter()
	w.literal.clone().code(trial, w.act, margin, margin+n)
	return len(trial.Bytes()) >= n
}

// likeness is how many of all pairs of bytes are equal, in hundredths of 1/256,
// which is what random bytes have.
func likeness(p []byte) uint64 {
	var counts [256]uint64
	for _, b := range p {
		counts[b]++
	}
	var pairs uint64
	for _, n := range counts {
		pairs += n * (n - 1)
	}
	n := uint64(len(p))
	return pairs * 256 * 100 / (n * (n - 1))
}
