// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"github.com/waybill-project/waybill/delta/internal/entropy"
	"github.com/waybill-project/waybill/delta/internal/executable"
)

// A field is where a reference is coded: its bytes in the result, which a reader
// has from the base at first, and those of the base.
type field struct {
	image       *Image
	kind        executable.Kind
	address     uint64
	actual, old []byte
}

// put makes the field refer to target.
func (x *field) put(target uint32) {
	x.image.New.Put(x.kind, x.actual, x.address, uint64(target)+x.image.newLow())
}

// is tells a writer whether the field refers to target.
func (x *field) is(target uint32) bool {
	var predicted [8]byte
	other := *x
	other.actual = append(predicted[:0], x.old...)
	other.put(target)
	return string(other.actual) == string(x.actual)
}

// target is what the field refers to, unless its kind does not tell.
func (x *field) target() (uint32, bool) {
	t, ok := x.image.New.Target(x.kind, x.actual, x.address)
	return uint32(t - x.image.newLow()), ok
}

// reference codes one field.
func (m *machine) reference(g *Image, r executable.Reference, at int, address uint64) {
	end := at + r.Kind.Width()
	x := field{g, r.Kind, address, m.act[at:end], m.old[at:end]}
	oldTarget := uint32(r.Target - g.oldLow())
	mapped := uint32(g.Target(r.Target, m.offsets) - g.newLow())
	first, second, confidence := m.target.guess(oldTarget, mapped)
	f := &m.fields
	context := int(r.Kind)*confidences + confidence
	target, known := first, true
	switch {
	case f.try(m.c, &x, first, context, 0):
	case second != first && f.try(m.c, &x, second, context, 1):
		target = second
	default:
		target, known = f.other(m.c, &x, first)
	}
	if known {
		m.target.learn(oldTarget, mapped, target)
	}
}

// fields codes reference fields.
type fields struct {
	hit    *entropy.Flags
	form   *entropy.Flags
	target *entropy.Bytes
	raw    *entropy.Bytes
	recent [kinds]int // what was hit, the last in bit 0
	all    int
}

const kinds = int(executable.Kinds)

func newFields(m *entropy.Memory) fields {
	return fields{
		hit:    m.NewFlags(2*kinds*confidences, 2*kinds*64, 2*confidences*16),
		form:   m.NewFlags(kinds, 1, 1),
		target: m.NewBytes(4*2, [entropy.Contexts]uint{11, 12, 13}),
		raw:    m.NewBytes(8, [entropy.Contexts]uint{9, 12, 12}),
	}
}

// try codes whether the field refers to target.
func (f *fields) try(c *entropy.Coder, x *field, target uint32, context, attempt int) bool {
	hit := 0
	if !c.Reading() && x.is(target) {
		hit = 1
	}
	recent := &f.recent[x.kind]
	hit = f.hit.Code(c, hit, context*2+attempt, (int(x.kind)*64+*recent&63)*2+attempt, (context%confidences*16+f.all&15)*2+attempt)
	*recent = *recent<<1 | hit
	f.all = f.all<<1 | hit
	if hit == 1 && c.Reading() {
		x.put(target)
	}
	return hit == 1
}

// other codes a field that was not guessed: by its target, or as bytes.
func (f *fields) other(c *entropy.Coder, x *field, guess uint32) (uint32, bool) {
	target, byTarget := uint32(0), 0
	if !c.Reading() {
		if t, ok := x.target(); ok && x.is(t) {
			target, byTarget = t, 1
		}
	}
	if f.form.Code(c, byTarget, int(x.kind), 0, 0) == 0 {
		f.bytes(c, x.kind, x.actual, x.old)
		return x.target()
	}
	target = f.number(c, x.kind, target, guess)
	if c.Reading() {
		x.put(target)
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
