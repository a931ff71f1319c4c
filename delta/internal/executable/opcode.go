// SPDX-License-Identifier: Apache-2.0

package executable

import "sync"

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
	forms      = formTable()
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

// What decode knows of an instruction by its first two bytes, and by a ModRM byte:
// a length in the low 4 bits, and these.
const (
	oddForm   = 1 << 4 // it has a field, or more bytes tell how it goes on
	oddSmall  = 1 << 5 // it may have a field in a small file
	modRMNext = 1 << 7 // the third byte is a ModRM byte, which adds to the length
)

// starts is by the first byte, and the second one times 256.
var starts = sync.OnceValue(func() *[1 << 16]uint8 {
	t := new([1 << 16]uint8)
	for i := range t {
		t[i] = start(uint8(i), uint8(i>>8))
	}
	return t
})

func start(first, second uint8) uint8 {
	switch a := oneByte[first]; a & special {
	case prefix:
		if second == 0x0f {
			return 1 // no prefix changes how these go on
		}
		return outline(2, oneByte[second], prefixFlags[first])
	case escape:
		if second&^2 == 0x38 {
			return oddForm
		}
		return outline(2, twoByte[second], 0)
	case test3:
		_, a = further([]byte{first, second}, 0, a)
		fallthrough
	default:
		t := outline(1, a, 0)
		if t&modRMNext == 0 {
			return t
		}
		m := forms[second]
		return (t|m)&^(modRMNext|15) | (t+m)&15
	}
}

// outline is what is known of an instruction by n bytes that end with the opcode.
func outline(n, a, flags uint8) uint8 {
	if a&special > absolute {
		return oddForm
	}
	n += immediates[(a&7|flags)&63]
	if a&special == absolute {
		n |= oddSmall
	}
	if a&modRM != 0 {
		n |= modRMNext
	}
	return n
}

// formTable is what a ModRM byte adds.
func formTable() (t [256]uint8) {
	for m, n := range modLength {
		t[m] = n
		switch {
		case m&0xc7 == 4, m&0xc7 == 5:
			t[m] |= oddForm
		case n >= 5:
			t[m] |= oddSmall
		}
	}
	return t
}
