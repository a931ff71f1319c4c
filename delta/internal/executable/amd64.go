// SPDX-License-Identifier: Apache-2.0

package executable

import "encoding/binary"

// lookahead is more than the bytes of one decoded instruction.
const lookahead = 32

// amd64 decodes instructions from s.low on. Decoding from a wrong start falls
// into step after a few instructions, which is what Before is for.
func (s *scan) amd64(refs []Reference) []Reference {
	d := amd64{scan: *s, refs: refs, p: s.p, limit: len(s.p)}
	d.base = s.a.addr + uint64(s.off-s.a.start)
	i := d.decode(s.low, min(s.to, len(s.p)-lookahead))
	if i < s.to {
		var tail [3 * lookahead]byte
		n := copy(tail[:], s.p[i:])
		d.p, d.limit, d.shift = tail[:], n, i
		d.base += uint64(i)
		d.decode(0, s.to-i)
	}
	s.from = d.from
	return d.refs
}

type amd64 struct {
	scan
	refs  []Reference
	p     []byte // more than the area's bytes
	limit int    // how many are the area's
	shift int    // of p against scan.p
	base  uint64 // address of p
}

// decode goes through the instructions that start in p[i:end] and returns where
// the first one behind them starts. It needs lookahead bytes behind end.
//
// The length of an instruction has to be known before the next one can be looked
// at: most get theirs by two lookups that do not wait for each other.
func (d *amd64) decode(i, end int) int {
	p, lengths := d.p, starts()
	odd := uint8(oddForm)
	if d.f.small {
		odd |= oddSmall
	}
	for i < end {
		q := p[i : i+lookahead]
		a := lengths[binary.LittleEndian.Uint16(q)]
		m := forms[q[2]] & uint8(int8(a)>>7)
		if (a|m)&odd != 0 {
			i = d.instruction(i)
			continue
		}
		i += int(a&15 + m&15)
	}
	return i
}

// instruction takes the fields of the instruction at p[i] and returns where the
// next one starts.
func (d *amd64) instruction(i int) int {
	q := d.p[i : i+lookahead]
	j, op, flags := 0, q[0], uint8(0)
	a := oneByte[op]
	for a&special == prefix && j < 12 {
		flags = flags&^wideREX | prefixFlags[op]
		j++
		op = q[j]
		a = oneByte[op]
	}
	if a >= branch {
		if a == escape {
			j++
			op = q[j]
			a = twoByte[op]
			if op&^2 == 0x38 { // three bytes
				j++
				a = modRM | op>>1&imm1
			}
		} else if a > escape {
			j, a = further(q, j, a)
		}
		if a&special == branch {
			d.branch(i + j + 1)
			return i + j + 5
		}
		if a&special == unknown {
			return i + 1
		}
	}
	j++
	imm, n := 0, 0
	if a&7 != 0 {
		imm = int(immediates[(a&7|flags)&63])
	}
	if a&modRM != 0 {
		m := q[j]
		n = int(modLength[m])
		if m&0xc7 == 5 {
			d.relative(i+j+1, imm)
		} else {
			if m&0xc7 == 4 && q[j+1]&7 == 5 {
				n += 4
			}
			if n >= 5 && d.f.small {
				d.absolute(i+j+n-4, 4)
			}
		}
	}
	if a&special == absolute && d.f.small && addresses(op, q[j], flags) {
		d.absolute(i+j+n, imm)
	}
	return i + j + n + imm
}

// further decodes vector prefixes and opcodes with forms: the index of the last
// opcode byte, and how the instruction goes on.
func further(q []byte, j int, a uint8) (int, uint8) {
	opcodes := byte(1)
	switch a & special {
	case test3:
		op := q[j]
		if q[j+1]&0x30 == 0 {
			return j, modRM | (imm1 + op&1*(immZ-imm1))
		}
		return j, modRM
	case vex2:
		j += 2
	case vex3:
		opcodes = q[j+1] & 31
		j += 3
	default:
		opcodes = q[j+1] & 7
		j += 4
	}
	switch opcodes {
	case 1:
		if a = twoByte[q[j]]; a < absolute {
			return j, a
		}
	case 2, 5, 6:
		return j, modRM
	case 3:
		return j, modRM | imm1
	}
	return j, unknown
}

// branch takes the field of a call or jump at index i of p.
func (d *amd64) branch(i int) {
	if i+4 > d.limit || i+d.shift < d.from || i+d.shift >= d.to {
		return
	}
	target := d.base + uint64(i) + 4 + uint64(int64(int32(binary.LittleEndian.Uint32(d.p[i:]))))
	if target-d.f.code < d.f.codeEnd-d.f.code {
		d.take(i, target, Rel32)
	}
}

// relative takes the displacement at index i of p, behind which imm bytes of
// the instruction follow.
func (d *amd64) relative(i, imm int) {
	if i+4 > d.limit || i+d.shift < d.from || i+d.shift >= d.to {
		return
	}
	target := d.base + uint64(i+4+imm) + uint64(int64(int32(binary.LittleEndian.Uint32(d.p[i:]))))
	if target-d.f.low < d.f.high-d.f.low {
		d.take(i, target, relatives[imm&7])
	}
}

var relatives = [8]Kind{0: Rel32, 1: Rel32Imm1, 2: Rel32Imm2, 4: Rel32Imm4}

// addresses tells whether the immediate of an opcode with attribute absolute may
// be an address: move to a 64-bit place or to any register, push, and compare of
// 64 bits.
func addresses(op, m, flags byte) bool {
	wide, small := flags&wideREX != 0, flags&narrowed != 0
	switch op {
	case 0x68:
		return !small
	case 0x3d, 0xc7:
		return wide
	case 0x81:
		return wide && m&0x38 == 0x38
	}
	return !small
}

// absolute takes an address of size bytes at index i of p. Round numbers are
// rather other constants.
func (d *amd64) absolute(i, size int) {
	if i+size > d.limit || i+d.shift < d.from || i+d.shift >= d.to {
		return
	}
	v, k := uint64(binary.LittleEndian.Uint32(d.p[i:])), Abs32
	if size == 8 {
		v, k = binary.LittleEndian.Uint64(d.p[i:]), Abs64
	}
	if v-d.f.low < d.f.high-d.f.low && v-d.f.low >= 4096 && v&0xffff != 0 && d.f.Find(v) >= 0 {
		d.take(i, v, k)
	}
}

func (d *amd64) take(i int, target uint64, k Kind) {
	i += d.shift
	d.refs = append(d.refs, Reference{Offset: d.off + int64(i), Target: target, Kind: k})
	d.from = i + k.Width()
}
