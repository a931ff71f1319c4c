// SPDX-License-Identifier: Apache-2.0

package executable

import "encoding/binary"

// How the bytes behind an opcode go on (Intel SDM volume 2, appendix A). The
// low 3 bits say how long the immediate is, the next bit whether a ModRM byte
// comes first, the high bits what is special.
const (
	imm1  = 1
	imm2  = 2
	imm3  = 3
	immZ  = 4 // 4 bytes, 2 with prefix 66
	immV  = 5 // 8 bytes with REX.W, else as immZ
	immM  = 6 // 8 bytes, 4 with prefix 67
	modRM = 8

	absolute = 1 << 4 // the immediate may be an address
	prefix   = 2 << 4
	branch   = 3 << 4 // 32-bit distance
	unknown  = 4 << 4
	escape   = 5 << 4 // 0F
	vex2     = 6 << 4
	vex3     = 7 << 4
	evex     = 8 << 4
	test3    = 9 << 4 // F6, F7: immediate only in forms 0 and 1
	special  = 15 << 4

	// What prefixes did, beside the 3 bits of the immediate.
	narrowed = 1 << 3 // 66
	wideREX  = 1 << 4 // REX.W
	short    = 1 << 5 // 67
)

// lookahead is more than the bytes of one decoded instruction.
const lookahead = 32

// The opcode maps, as runs of (last opcode of the run, attributes).
var (
	oneByte = fill("\x03\x08\x04\x01\x05\x04\x07\x40\x0b\x08\x0c\x01\x0d\x04\x0e\x40\x0f\x50" +
		"\x13\x08\x14\x01\x15\x04\x17\x40\x1b\x08\x1c\x01\x1d\x04\x1f\x40" +
		"\x23\x08\x24\x01\x25\x04\x26\x20\x27\x40\x2b\x08\x2c\x01\x2d\x04\x2e\x20\x2f\x40" +
		"\x33\x08\x34\x01\x35\x04\x36\x20\x37\x40\x3b\x08\x3c\x01\x3d\x14\x3e\x20\x3f\x40" +
		"\x4f\x20\x5f\x00\x61\x40\x62\x80\x63\x08\x67\x20\x68\x14\x69\x0c\x6a\x01\x6b\x09" +
		"\x6f\x00\x7f\x01\x80\x09\x81\x1c\x82\x40\x83\x09\x8f\x08\x99\x00\x9a\x40\x9f\x00" +
		"\xa3\x06\xa7\x00\xa8\x01\xa9\x04\xaf\x00\xb7\x01\xbf\x15\xc1\x09\xc2\x02\xc3\x00" +
		"\xc4\x70\xc5\x60\xc6\x09\xc7\x1c\xc8\x03\xc9\x00\xca\x02\xcc\x00\xcd\x01\xce\x40\xcf\x00" +
		"\xd3\x08\xd6\x40\xd7\x00\xdf\x08\xe7\x01\xe9\x30\xea\x40\xeb\x01\xef\x00" +
		"\xf0\x20\xf1\x00\xf3\x20\xf5\x00\xf7\x98\xfd\x00\xff\x08")
	twoByte = fill("\x03\x08\x04\x40\x09\x00\x0a\x40\x0b\x00\x0c\x40\x0d\x08\x0e\x00\x0f\x09" +
		"\x23\x08\x27\x40\x2f\x08\x35\x00\x36\x40\x37\x00\x3f\x40\x6f\x08\x73\x09\x76\x08\x77\x00" +
		"\x79\x08\x7b\x40\x7f\x08\x8f\x30\x9f\x08\xa2\x00\xa3\x08\xa4\x09\xa5\x08\xa7\x40" +
		"\xaa\x00\xab\x08\xac\x09\xb9\x08\xba\x09\xc1\x08\xc2\x09\xc3\x08\xc6\x09\xc7\x08\xcf\x00\xff\x08")
	modLength   = modLengths()
	prefixFlags = [256]uint8{0x66: narrowed, 0x67: short, 0x48: wideREX, 0x49: wideREX, 0x4a: wideREX, 0x4b: wideREX,
		0x4c: wideREX, 0x4d: wideREX, 0x4e: wideREX, 0x4f: wideREX}
	immediates = immediateLengths()
)

func fill(runs string) (t [256]uint8) {
	op := 0
	for i := 0; i < len(runs); i += 2 {
		for ; op <= int(runs[i]); op++ {
			t[op] = runs[i+1]
		}
	}
	return t
}

// modLengths gives the bytes of a ModRM byte and what it announces, but for the
// displacement that a SIB byte without base announces.
func modLengths() (t [256]uint8) {
	for m := range t {
		n := [4]uint8{1, 2, 5, 1}[m>>6]
		if m>>6 != 3 && m&7 == 4 {
			n++
		}
		if m&0xc7 == 5 {
			n += 4
		}
		t[m] = n
	}
	return t
}

// amd64 decodes instructions from s.low on. Decoding from a wrong start falls
// into step after a few instructions, which is what Before is for.
func (s *scan) amd64(refs []Reference) []Reference {
	d := amd64{scan: s, refs: refs, p: s.p, limit: len(s.p)}
	d.base = s.a.addr + uint64(s.off-s.a.start)
	i := d.decode(s.low, min(s.to, len(s.p)-lookahead))
	if i < s.to {
		var tail [3 * lookahead]byte
		n := copy(tail[:], s.p[i:])
		d.p, d.limit, d.shift = tail[:], n, i
		d.base += uint64(i)
		d.decode(0, s.to-i)
	}
	return d.refs
}

type amd64 struct {
	*scan
	refs  []Reference
	p     []byte // more than the area's bytes
	limit int    // how many are the area's
	shift int    // of p against scan.p
	base  uint64 // address of p
}

// decode goes through the instructions that start in p[i:end] and returns where
// the first one behind them starts. It needs lookahead bytes behind end.
func (d *amd64) decode(i, end int) int {
	p := d.p
	for i < end {
		q := p[i : i+lookahead]
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
				i += j + 5
				continue
			}
			if a&special == unknown {
				i++
				continue
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
		i += j + n + imm
	}
	return i
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

// immediateLengths gives the bytes of an immediate by the low 3 bits of the
// attributes and by what prefixes did.
func immediateLengths() (t [64]uint8) {
	for i := range t {
		n := uint8(i & 7)
		switch {
		case n == immM && i&short != 0, n == immV && i&(wideREX|narrowed) == 0, n == immZ && i&narrowed == 0:
			n = 4
		case n == immM, n == immV && i&wideREX != 0:
			n = 8
		case n == immV, n == immZ:
			n = 2
		}
		t[i] = n
	}
	return t
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
