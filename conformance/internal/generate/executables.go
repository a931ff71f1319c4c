// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
)

// file is one that is put together by hand.
type file []byte

func (f file) u16(off int, values ...uint16) {
	for i, v := range values {
		binary.LittleEndian.PutUint16(f[off+2*i:], v)
	}
}

func (f file) u32(off int, values ...uint32) {
	for i, v := range values {
		binary.LittleEndian.PutUint32(f[off+4*i:], v)
	}
}

func (f file) u64(off int, values ...uint64) {
	for i, v := range values {
		binary.LittleEndian.PutUint64(f[off+8*i:], v)
	}
}

// smallELF is a shared object for x86-64: from 0x200 on 64 calls, into whose
// middle moved bytes came.
func smallELF(moved int) []byte {
	const code, end = 0x200, 0x600
	f := make(file, 0xa00)
	copy(f, "\x7fELF\x02\x01\x01")
	f.u16(16, 3, 62)
	f.u64(32, 64, 0x800)
	f.u16(52, 64, 56, 1, 64, 3, 2)
	f.u32(64, 1, 5)
	f.u64(72, 0, 0, 0, 0x800, 0x800)
	const names = "\x00.text\x00.shstrtab\x00"
	copy(f[0x780:], names)
	f.u32(0x840, 1, 1)
	f.u64(0x848, 6, code, code, end-code)
	f.u32(0x880, 7, 3)
	f.u64(0x888, 0, 0, 0x780, uint64(len(names)))
	place := func(i int) int {
		if i >= 32 {
			return code + 8*i + moved
		}
		return code + 8*i
	}
	for i := range 64 {
		at := place(i)
		f[at] = 0xe8
		f.u32(at+1, uint32(place(i*29%64)-at-5))
		copy(f[at+5:], []byte{0x90, 0x90, 0x90})
	}
	return f
}

// smallMachO is a program for arm64 with calls from 0x800 on, and a signature with
// the hashes of its two pages.
func smallMachO(moved int) []byte {
	const base, signature = 1 << 32, 0x1100
	f := make(file, 0x1300)
	f.u32(0, 0xfeedfacf, 0x0100000c, 0, 2, 3, 72+80+72+16)
	segment := func(at int, name string, addr, off, size uint64, protection, sections uint32) {
		f.u32(at, 0x19, 72+80*sections)
		copy(f[at+8:], name)
		f.u64(at+24, addr, size, off, size)
		f.u32(at+56, protection, protection, sections)
	}
	segment(32, "__TEXT", base, 0, 0x1000, 5, 1)
	copy(f[104:], "__text")
	copy(f[120:], "__TEXT")
	f.u64(136, base+0x800, 0x400)
	f.u32(152, 0x800, 0, 0, 0, 0x80000400)
	segment(184, "__LINKEDIT", base+0x1000, 0x1000, 0x300, 1, 0)
	f.u32(256, 0x1d, 16, signature, 0x200)
	for i := range 100 {
		at := 0x800 + 4*(i+moved*boolInt(i >= 50))
		to := i * 37 % 100
		f.u32(at, 0x94000000|uint32((0x800+4*(to+moved*boolInt(to >= 50))-at)/4)&0x3ffffff)
	}
	be := binary.BigEndian
	b := f[signature:]
	be.PutUint32(b, 0xfade0cc0)
	be.PutUint32(b[8:], 1)
	be.PutUint32(b[16:], 20)
	d := b[20:]
	be.PutUint32(d, 0xfade0c02)
	be.PutUint32(d[16:], 64)
	be.PutUint32(d[28:], 2)
	be.PutUint32(d[32:], signature)
	d[36], d[37], d[39] = 32, 2, 12
	for i, page := range [][]byte{f[:0x1000], f[0x1000:signature]} {
		sum := sha256.Sum256(page)
		copy(d[64+32*i:], sum[:])
	}
	return f
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// gzipped is a gzip file of a deflate stream, in base 64, with these contents.
func gzipped(stream string, contents []byte) []byte {
	p, err := base64.StdEncoding.DecodeString(stream)
	if err != nil {
		panic(err)
	}
	out := append([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"), p...)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(contents))
	return binary.LittleEndian.AppendUint32(out, uint32(len(contents)))
}

// What zlib's level 6 makes of lines("seven") and lines("nine").
const (
	packedText   = "jdNLCsIwFEbhuau4S+h9WV1O0BSDsQotrl90LOSM85PBd7i9rVWmSZ6LFNkepXdZWq+y38oubZNXudzr9dB/M2UzYzNns2CzZLMjm83f2Vbfdf3/fmLfnNFMGb8yfmX8yviV8SvjV8avM5uxCsoqGKtgrIKxCsYqGKtgrIKxCjY4AmP8xvid8Tvjd8bvjN8ZvzN+Z/zOjsBZBWcVglUIViFYhWAVglUIViFYhRgcQTD+YPzJ+JPxJ+NPxp+MPxl/Mv5kR5CsQg4rfAA="
	packedEdited = "jdNLCsJAEEXRuauoJaR+RpfTaAcb2ygk+0fiWJI7C+TRg3Op3uYqwyDvSYosr9K7TK1XWR9llbbIp9ye9X7qv5mymbGZs1mwWbLZmc3GbTZvn39/X9grVzRTpq9MX5m+Mn1l+sr0lenryGasgrIKxioYq2CsgrEKxioYq2Csgu3fgDF9Y/rO9J3pO9N3pu9M35m+M31nN+CsgrMKwSoEqxCsQrAKwSoEqxCsQuzfQDD9YPrJ9JPpJ9NPpp9MP5l+Mv1kN5CsQh5W+AI="
)
