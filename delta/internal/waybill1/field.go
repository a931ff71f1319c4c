// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"github.com/waybill-project/waybill/delta/internal/entropy"
	"github.com/waybill-project/waybill/delta/internal/executable"
)

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
	predict [8]byte
}

const kinds = int(executable.Kinds)

func newFields() fields {
	return fields{
		hit:    entropy.NewFlags(2*kinds*confidences, 2*kinds*64, 2*confidences*16),
		form:   entropy.NewFlags(kinds, 1, 1),
		target: entropy.NewBytes(4*2, [entropy.Contexts]uint{11, 12, 13}),
		raw:    entropy.NewBytes(8, [entropy.Contexts]uint{9, 12, 12}),
	}
}

// is tells a writer whether the field refers to target.
func (f *fields) is(g *Image, k executable.Kind, actual, old []byte, address uint64, target uint32) bool {
	field := f.predict[:len(old)]
	copy(field, old)
	g.put(k, field, address, target)
	return string(field) == string(actual)
}

// put makes a field, which a reader has from the base, refer to target.
func (g *Image) put(k executable.Kind, field []byte, address uint64, target uint32) {
	g.New.Put(k, field, address, uint64(target)+g.newLow())
}

// try codes whether the field refers to target.
func (f *fields) try(c *entropy.Coder, g *Image, k executable.Kind, actual, old []byte, address uint64, target uint32, context, attempt int) bool {
	hit := 0
	if !c.Reading() && f.is(g, k, actual, old, address, target) {
		hit = 1
	}
	recent := &f.recent[k]
	hit = f.hit.Code(c, hit, context*2+attempt, (int(k)*64+*recent&63)*2+attempt, (context%confidences*16+f.all&15)*2+attempt)
	*recent = *recent<<1 | hit
	f.all = f.all<<1 | hit
	if hit == 1 && c.Reading() {
		g.put(k, actual, address, target)
	}
	return hit == 1
}

// other codes a field that was not guessed: by its target, or as bytes.
func (f *fields) other(c *entropy.Coder, g *Image, k executable.Kind, actual, old []byte, address uint64, guess uint32) (uint32, bool) {
	target, byTarget := uint32(0), 0
	if !c.Reading() {
		if t, ok := g.New.Target(k, actual, address); ok {
			target = uint32(t - g.newLow())
			if f.is(g, k, actual, old, address, target) {
				byTarget = 1
			}
		}
	}
	if f.form.Code(c, byTarget, int(k), 0, 0) == 0 {
		f.bytes(c, k, actual, old)
		t, ok := g.New.Target(k, actual, address)
		return uint32(t - g.newLow()), ok
	}
	target = f.number(c, k, target, guess)
	if c.Reading() {
		g.put(k, actual, address, target)
	}
	return target, true
}

// number codes the four bytes of a target from the top.
func (f *fields) number(c *entropy.Coder, k executable.Kind, target, guess uint32) uint32 {
	var out uint32
	same := 1
	for i := 3; i >= 0; i-- {
		shift := uint(8 * i)
		g := guess >> shift & 255
		state := uint32(i*2 + same)
		b := f.target.Code(c, byte(target>>shift), int(state), &[entropy.Contexts]uint32{
			entropy.Hash(state, 1, uint32(k)),
			entropy.Hash(state, 2, g),
			entropy.Hash(state, 3, out),
		})
		if uint32(b) != g {
			same = 0
		}
		out = out<<8 | uint32(b)
	}
	return out
}

func (f *fields) bytes(c *entropy.Coder, k executable.Kind, actual, old []byte) {
	last := uint32(0)
	for i := range actual {
		actual[i] = f.raw.Code(c, actual[i], i, &[entropy.Contexts]uint32{
			entropy.Hash(uint32(k), 1, uint32(i)),
			entropy.Hash(uint32(k), 2+uint32(i), last),
			entropy.Hash(uint32(k), 10+uint32(i), uint32(old[i])),
		})
		last = last<<8 | uint32(actual[i])
	}
}
