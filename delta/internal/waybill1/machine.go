// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"context"
	"fmt"
	"io"
	"math/bits"

	"github.com/waybill-project/waybill/delta/internal/entropy"
	"github.com/waybill-project/waybill/delta/internal/executable"
)

const (
	pieceSize = 64 << 10
	// margin is how much of the base is seen before and after a piece, and how
	// much of the result before it.
	margin    = 64
	pieceRoom = margin + pieceSize + 2*margin
)

// machine predicts the result piece by piece and codes what the prediction
// leaves open: the same steps for a writer, which has the result, and a reader.
type machine struct {
	ctx     context.Context
	c       *entropy.Coder
	base    io.ReaderAt
	covers  []Cover
	offsets *Offsets
	images  []Image

	baseLength int64

	// One piece: act, which the side brings, is the result from margin on, with what
	// precedes it; old is the base, aligned with act where it predicts it.
	act, old []byte
	refs     []executable.Reference

	plain   plain
	target  *targets
	fields  fields
	pages   *pages // nil without page hashes
	literal *literals
	stored  *entropy.Flags // whether a chunk of literals is
}

// piece is where the n bytes of act[margin:] are in the result, and the bytes of
// the base that predict them.
type piece struct {
	new   int64
	old   int64
	n     int
	image *Image
}

// side is a writer or a reader: what it does with each part of the result.
type side interface {
	cover(Cover) error
	literals(from, to int64) error
	computed(at int64, n int) error // n bytes, at most pieceSize, that m.old[margin:] predicts
}

// take sets the covers of a result, and the models for what they leave open.
// References in images need a map of the covers, literals the primer.
func (m *machine) take(covers []Cover, h *Header) error {
	m.covers = covers
	covered := int64(0)
	for _, c := range covers {
		covered += int64(c.Length)
	}
	m.plain = newPlain(m.c.Memory, covered)
	if len(m.images) > 0 {
		m.offsets = NewOffsets(covers, m.baseLength)
		m.target = newTargets()
		m.fields = newFields(m.c.Memory)
	}
	if covered == h.to() {
		return nil
	}
	m.literal = newLiterals(m.c.Memory, h.to()-covered, h.Primer.Length)
	if h.Primer.Length == 0 {
		return nil
	}
	return m.literal.prime(m.base, h.Primer.At, h.Primer.Length)
}

// tableBits is the size of a table that is meant for n things.
func tableBits(n int64, least, most int) uint {
	return uint(min(max(bits.Len64(uint64(n)), least), most))
}

// each goes through the result in order.
func (m *machine) each(length int64, s side) error {
	at := int64(0)
	for _, c := range m.covers {
		if err := m.uncovered(at, int64(c.New), s); err != nil {
			return err
		}
		at = int64(c.New) + int64(c.Length)
		if p := m.pages; p != nil && int64(c.New) < p.end() && at > p.at {
			return fmt.Errorf("%w: page hashes are covered", errCovers)
		}
		if err := s.cover(c); err != nil {
			return err
		}
	}
	return m.uncovered(at, length, s)
}

// uncovered goes through bytes that no cover has.
func (m *machine) uncovered(from, to int64, s side) error {
	if p := m.pages; p != nil && from < p.end() && to > p.at {
		if err := m.uncovered(from, p.at, s); err != nil {
			return err
		}
		for at := max(from, p.at); at < min(to, p.end()); at += pieceSize {
			n := min(pieceSize, min(to, p.end())-at)
			clear(m.old)
			copy(m.old[margin:], p.sums[at-p.at:][:n])
			if err := s.computed(at, int(n)); err != nil {
				return err
			}
		}
		from = max(from, p.end())
	}
	if from >= to {
		return nil
	}
	return s.literals(from, to)
}

// pieces cuts a cover where images start and end and calls f for each piece,
// with m.old and m.refs set: references to fields within the piece.
func (m *machine) pieces(c Cover, f func(piece) error) error {
	length := int64(c.Length)
	for done := int64(0); done < length; {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		p := piece{new: int64(c.New) + done, old: int64(c.Old) + done}
		var n int64
		p.image, n = m.imageAt(p.old, p.new, length-done)
		n = min(n, pieceSize)
		before, after := min(p.old, margin), min(m.baseLength-p.old-n, margin)
		clear(m.old[:margin-before])
		clear(m.old[margin+n+after:][:margin])
		window := m.old[margin-before : margin+n+after]
		if err := readFull(m.base, window, p.old-before); err != nil {
			return err
		}
		p.n = int(n)
		m.refs = m.refs[:0]
		if p.image != nil {
			p.n = int(min(m.scan(p, window, before, before+n), length-done))
		}
		if err := f(p); err != nil {
			return err
		}
		done += int64(p.n)
	}
	return nil
}

// scan sets m.refs and returns how long the piece is, so that no field crosses
// its end.
func (m *machine) scan(p piece, window []byte, from, to int64) int64 {
	var next int
	at := p.old - p.image.OldAt - from
	if at < 0 {
		window, from, to, at = window[-at:], from+at, to+at, 0
	}
	if rest := p.image.OldLength - at; int64(len(window)) > rest {
		window = window[:rest]
	}
	m.refs, next = p.image.Old.Scan(m.refs, window, at, int(from), int(to))
	return min(max(int64(next), to), int64(len(window))) - from
}

// imageAt returns the image that holds both offsets, or nil, and for how many of
// the next n bytes that is so.
func (m *machine) imageAt(old, new, n int64) (*Image, int64) {
	for i := range m.images {
		g := &m.images[i]
		oldIn, newIn := old-g.OldAt, new-g.NewAt
		if oldIn >= 0 && oldIn < g.OldLength && newIn >= 0 && newIn < g.NewLength {
			return g, min(n, g.OldLength-oldIn, g.NewLength-newIn)
		}
		if oldIn < 0 {
			n = min(n, -oldIn)
		}
		if newIn < 0 {
			n = min(n, -newIn)
		}
	}
	return nil, n
}

// code codes a piece of a cover.
func (m *machine) code(p piece) {
	m.between(p,
		func(from, to int) { m.plain.code(m.c, m.act, m.old, from, to) },
		func(r executable.Reference, field int, address uint64) { m.reference(p.image, r, field, address) })
}

// between calls plain for the bytes between fields, and field for each field
// with its new address.
func (m *machine) between(p piece, plain func(from, to int), field func(r executable.Reference, at int, address uint64)) {
	at, end := margin, margin+p.n
	for _, r := range m.refs {
		start := margin + int(r.Offset-(p.old-p.image.OldAt))
		address, ok := p.image.New.Address(p.new - p.image.NewAt + int64(start-margin))
		if !ok || start < at || start+r.Kind.Width() > end {
			continue
		}
		plain(at, start)
		at = start + r.Kind.Width()
		if field != nil {
			field(r, start, address)
		}
	}
	plain(at, end)
}

// chunks cuts literals and calls f for each chunk.
func (m *machine) chunks(from, to int64, f func(at int64, n int) error) error {
	for at := from; at < to; {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		n := min(to-at, pieceSize)
		if err := f(at, int(n)); err != nil {
			return err
		}
		at += n
	}
	return nil
}

func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("read base: %w", err)
}
