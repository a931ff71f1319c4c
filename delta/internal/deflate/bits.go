// SPDX-License-Identifier: Apache-2.0

package deflate

import (
	"encoding/binary"
	"io"
)

const inputSize = 1 << 14

// bitReader reads the bits of a part of a file. Of acc the low n bits are valid;
// bits above them are either zero or the bits that follow.
type bitReader struct {
	src    io.ReaderAt
	base   int64 // position in src of in[0]
	limit  int64
	in     []byte
	ip, ie int
	acc    uint64
	n      int
}

// seek starts over at a bit position of src; nothing at or behind limit is read.
func (b *bitReader) seek(src io.ReaderAt, bit, limit int64) error {
	if b.in == nil {
		b.in = make([]byte, inputSize)
	}
	b.src, b.base, b.limit = src, bit>>3, limit
	b.ip, b.ie, b.acc, b.n = 0, 0, 0, 0
	if skip := uint(bit & 7); skip != 0 {
		if err := b.fill(); err != nil {
			return err
		}
		b.acc >>= skip
		if b.n -= int(skip); b.n < 0 {
			return errStream
		}
	}
	return nil
}

// at is the position of the next bit.
func (b *bitReader) at() int64 { return (b.base+int64(b.ip))<<3 - int64(b.n) }

// unread gives whole bytes of acc back.
func (b *bitReader) unread() {
	b.ip -= b.n >> 3
	b.n &= 7
	b.acc &= 1<<b.n - 1
}

// fill makes at least 56 bits valid, fewer only at the end of the input.
func (b *bitReader) fill() error {
	if b.ie-b.ip < 8 {
		if err := b.more(); err != nil {
			return err
		}
	}
	if b.ie-b.ip >= 8 {
		b.acc |= binary.LittleEndian.Uint64(b.in[b.ip:]) << b.n
		b.ip += (63 - b.n) >> 3
		b.n |= 56
		return nil
	}
	for b.n < 56 && b.ip < b.ie {
		b.acc |= uint64(b.in[b.ip]) << b.n
		b.ip++
		b.n += 8
	}
	return nil
}

func (b *bitReader) more() error {
	b.unread()
	left := b.limit - b.base - int64(b.ie)
	if left <= 0 {
		return nil
	}
	copy(b.in, b.in[b.ip:b.ie])
	b.base += int64(b.ip)
	b.ie -= b.ip
	b.ip = 0
	want := int(min(left, int64(len(b.in)-b.ie)))
	got, err := b.src.ReadAt(b.in[b.ie:b.ie+want], b.base+int64(b.ie))
	b.ie += got
	if got < want {
		if err == nil || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	return nil
}

// take reads up to 32 bits.
func (b *bitReader) take(n int) (uint32, error) {
	if b.n < n {
		if err := b.fill(); err != nil {
			return 0, err
		}
		if b.n < n {
			return 0, errStream
		}
	}
	v := uint32(b.acc & (1<<n - 1))
	b.acc >>= n
	b.n -= n
	return v, nil
}

// align drops the bits up to the next byte, which must be zero so that a stream
// has one form only.
func (b *bitReader) align() error {
	b.unread()
	if b.acc != 0 {
		return errStream
	}
	b.n = 0
	return nil
}

// copy reads whole bytes, after align.
func (b *bitReader) copy(p []byte) error {
	for len(p) > 0 {
		if b.ip == b.ie {
			if err := b.more(); err != nil {
				return err
			}
			if b.ip == b.ie {
				return errStream
			}
		}
		n := copy(p, b.in[b.ip:b.ie])
		b.ip += n
		p = p[n:]
	}
	return nil
}
