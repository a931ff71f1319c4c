// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/bits"

	"github.com/waybill-project/waybill/delta/internal/entropy"
	"github.com/waybill-project/waybill/delta/internal/executable"
)

const (
	pieceSize = 64 << 10
	// margin is how much of the base is seen before and after a piece, and how
	// much of the result before it.
	margin = 64
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
	lastOld    int64 // end of the last cover in the base

	// One piece: act is the result from margin on, with what precedes it; old is
	// the base, aligned with act where it predicts it.
	act, old []byte
	refs     []executable.Reference

	plain   plain
	target  *targets
	fields  fields
	pages   *pages // nil without page hashes
	literal *literals
	stored  *entropy.Flags // whether a chunk of literals is
}

// piece is where the bytes of act[margin:] come from.
type piece struct {
	new   int64
	old   int64 // -1: a literal
	n     int
	image *Image
}

// side is a writer or a reader: what it does with each part of the result.
type side interface {
	cover(Cover) error
	literals(from, to int64) error
	computed(at int64, n int) error // n bytes, at most pieceSize, that m.old[margin:] predicts
}

// take sets the covers of a result of so many bytes, and the models for what
// they leave open. References in images need a map of the covers.
func (m *machine) take(covers []Cover, length int64) {
	m.covers = covers
	covered := int64(0)
	for _, c := range covers {
		covered += int64(c.Length)
	}
	m.plain = newPlain(covered)
	m.literal = newLiterals(length - covered)
	if len(m.images) > 0 {
		m.offsets = NewOffsets(covers, m.baseLength)
		m.target = newTargets()
		m.fields = newFields()
	}
}

// tableBits is the size of a table that is meant for n things.
func tableBits(n int64, least, most int) uint {
	return uint(min(max(bits.Len64(uint64(n)), least), most))
}

// each goes through the result in order.
func (m *machine) each(length int64, s side) error {
	at := int64(0)
	m.lastOld = 0
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
		m.lastOld = int64(c.Old) + int64(c.Length)
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
func (m *machine) code(p piece) error {
	m.between(p,
		func(from, to int) { m.plain.code(m.c, m.act, m.old, from, to) },
		func(r executable.Reference, field int, address uint64) { m.reference(p.image, r, field, address) })
	return m.c.Err()
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

// chunks cuts literals and calls f for each chunk, with m.old set to what the
// last cover would go on with.
func (m *machine) chunks(from, to int64, f func(at int64, n int) error) error {
	for at := from; at < to; {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		n := min(to-at, pieceSize)
		if err := m.follow(at-from, n); err != nil {
			return err
		}
		if err := f(at, int(n)); err != nil {
			return err
		}
		at += n
	}
	return nil
}

// follow sets m.old to the n bytes of the base that lie done bytes behind the
// last cover; zeros where it has none.
func (m *machine) follow(done, n int64) error {
	clear(m.old[:margin+n+margin])
	at := m.lastOld + done
	from := max(at-margin, 0)
	to := min(at+n, m.baseLength)
	if from >= to {
		return nil
	}
	return readFull(m.base, m.old[margin-(at-from):margin+to-at], from)
}

// reference codes one field.
func (m *machine) reference(g *Image, r executable.Reference, at int, address uint64) {
	width := r.Kind.Width()
	actual, old := m.act[at:at+width], m.old[at:at+width]
	low := g.newLow()
	oldTarget := uint32(r.Target - g.oldLow())
	mapped := uint32(g.Target(r.Target, m.offsets) - low)
	first, second, confidence := m.target.guess(oldTarget, mapped)
	f := &m.fields
	kind := int(r.Kind)
	if f.try(m.c, g, r.Kind, actual, old, address, first, kind*confidences+confidence, 0) {
		m.target.learn(oldTarget, mapped, first)
		return
	}
	if second != first && f.try(m.c, g, r.Kind, actual, old, address, second, kind*confidences+confidence, 1) {
		m.target.learn(oldTarget, mapped, second)
		return
	}
	if t, ok := f.other(m.c, g, r.Kind, actual, old, address, first); ok {
		m.target.learn(oldTarget, mapped, t)
	}
}

// fields codes reference fields.
type fields struct {
	hit     *entropy.Flags
	form    *entropy.Flags
	target  *entropy.Bytes
	raw     *entropy.Bytes
	recent  [kinds]int // what was hit, the last in bit 0
	all     int
	last    uint32 // the difference of the last miss
	predict [8]byte
}

const kinds = int(executable.Kinds)

func newFields() fields {
	return fields{
		hit:    entropy.NewFlags(2, 2*kinds*confidences, 2*kinds*64, 2*confidences*16),
		form:   entropy.NewFlags(1, kinds, 1, 1),
		target: entropy.NewBytes(4*2, [entropy.Contexts]uint{13, 11, 12, 8, 12, 9}),
		raw:    entropy.NewBytes(8, [entropy.Contexts]uint{12, 12, 9, 4, 4, 4}),
	}
}

// put sets f.predict to the field for a target.
func (f *fields) put(g *Image, k executable.Kind, old []byte, address uint64, target uint32) []byte {
	field := f.predict[:len(old)]
	copy(field, old)
	g.New.Put(k, field, address, uint64(target)+g.newLow())
	return field
}

// try codes whether the field refers to target.
func (f *fields) try(c *entropy.Coder, g *Image, k executable.Kind, actual, old []byte, address uint64, target uint32, context, attempt int) bool {
	field := f.put(g, k, old, address, target)
	hit := 0
	if !c.Reading() && string(field) == string(actual) {
		hit = 1
	}
	recent := &f.recent[k]
	hit = f.hit.Code(c, hit, attempt, context*2+attempt, (int(k)*64+*recent&63)*2+attempt, (context%confidences*16+f.all&15)*2+attempt)
	*recent = *recent<<1 | hit
	f.all = f.all<<1 | hit
	if hit == 1 {
		copy(actual, field)
	}
	return hit == 1
}

// other codes a field that was not guessed: by its target, or as bytes.
func (f *fields) other(c *entropy.Coder, g *Image, k executable.Kind, actual, old []byte, address uint64, guess uint32) (uint32, bool) {
	target, byTarget := uint32(0), 0
	if !c.Reading() {
		if t, ok := g.New.Target(k, actual, address); ok {
			target = uint32(t - g.newLow())
			if string(f.put(g, k, old, address, target)) == string(actual) {
				byTarget = 1
			}
		}
	}
	if f.form.Code(c, byTarget, 0, int(k), 0, 0) == 0 {
		f.bytes(c, k, actual, old)
		t, ok := g.New.Target(k, actual, address)
		return uint32(t - g.newLow()), ok
	}
	target = f.number(c, k, target, guess)
	copy(actual, f.put(g, k, old, address, target))
	return target, true
}

// number codes the four bytes of a target from the top.
func (f *fields) number(c *entropy.Coder, k executable.Kind, target, guess uint32) uint32 {
	expected := guess + f.last
	var out uint32
	same := 1
	for i := 3; i >= 0; i-- {
		shift := uint(8 * i)
		g := guess >> shift & 255
		state := uint32(i*2 + same)
		b := f.target.Code(c, byte(target>>shift), int(state), &[entropy.Contexts]uint32{
			entropy.Hash(out, state, 1),
			entropy.Hash(g, state, 2),
			entropy.Hash(out, state, expected>>shift&255),
			entropy.Hash(state, uint32(k), 4),
			entropy.Hash(g, state, guess>>(shift+8)&255+5<<8),
			entropy.Hash(state, 6, uint32(same)),
		})
		if uint32(b) != g {
			same = 0
		}
		out = out<<8 | uint32(b)
	}
	f.last = out - guess
	return out
}

func (f *fields) bytes(c *entropy.Coder, k executable.Kind, actual, old []byte) {
	last := uint32(0)
	for i := range actual {
		actual[i] = f.raw.Code(c, actual[i], i, &[entropy.Contexts]uint32{
			entropy.Hash(uint32(old[i]), uint32(i), uint32(k)),
			entropy.Hash(last, uint32(i), uint32(k)+64),
			entropy.Hash(uint32(k), uint32(i), 2),
		})
		last = last<<8 | uint32(actual[i])
	}
}

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
func newPlain(covered int64) plain {
	most := tableBits(covered>>7, 10, 14)
	return plain{
		gaps:    entropy.NewNumbers(12, 12),
		differs: entropy.NewFlags(hotLength+1, 1<<12, 1<<16, 1<<16),
		value:   entropy.NewBytes(4, [entropy.Contexts]uint{most, most, most, most, most - 1, most}),
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

// code codes act[from:to], which old[from:to] predicts.
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
		if c.Reading() {
			copy(act[i:i+n], old[i:i+n])
		}
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
	differs = q.differs.Code(c, differs, q.hot, int(q.history&0xFFF),
		int(o|uint32(old[i-1])<<8), int(o|(q.history&0xF)<<8|uint32(act[i-1])>>4<<12))
	if differs != 0 {
		q.differ(c, act, old, i)
		return
	}
	if c.Reading() {
		act[i] = old[i]
	}
	q.history <<= 1
	q.skip(1)
	if q.hot--; q.hot == 0 {
		q.codeGap(c)
	}
}

func (q *plain) differ(c *entropy.Coder, act, old []byte, i int) {
	o, n := uint32(old[i]), uint32(old[i+1])
	a1, a2 := uint32(act[i-1]), uint32(act[i-2])
	act[i] = q.value.Code(c, act[i], int(q.history&3), &[entropy.Contexts]uint32{
		entropy.Hash(o, a1, 1),
		entropy.Hash(o, n, 2),
		entropy.Hash(o, uint32(old[i-1]), 3|a1<<8),
		entropy.Hash(a1, a2, 4),
		entropy.Hash(uint32(byte(o)+q.lastDelta), 5, 5),
		entropy.Hash(o, 6, q.history&7),
	})
	q.lastDelta = act[i] - old[i]
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

func load64(p []byte) uint64 { return binary.LittleEndian.Uint64(p) }
