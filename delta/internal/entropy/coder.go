// SPDX-License-Identifier: Apache-2.0

// Package entropy codes bits, numbers and bytes by adaptive prediction: a
// binary arithmetic coder, and models that mix what several contexts expect.
//
// [Coder] is used by writers and readers alike: a model's Code method is given
// the value to write and returns it, or returns the value that was read. So
// whatever is written once can be read by the same code.
//
// The package is part of the patch format "waybill1": what a sequence of calls
// writes never changes. It computes in integers only.
package entropy

import "errors"

// ErrEnd: a reader went past the end of what was written.
var ErrEnd = errors.New("coded data ends early")

// ErrRange: a number was read that no writer codes.
var ErrRange = errors.New("coded number out of range")

// Coder is an arithmetic coder in one direction; make it by NewWriter or NewReader.
type Coder struct {
	low, high uint32
	code      uint32
	reading   bool
	muted     bool
	past      int // bytes read behind the end

	out []byte
	in  []byte
	src func() ([]byte, error) // the next piece, empty at the end
	err error
}

// pastEnd is how many bytes a reader holds in advance; behind the end they are zero.
const pastEnd = 4

// NewWriter returns a Coder that collects what it writes.
func NewWriter() *Coder { return &Coder{high: 1<<32 - 1} }

// NewReader returns a Coder that reads the pieces that next returns; an empty
// piece is the end.
func NewReader(next func() ([]byte, error)) *Coder {
	c := &Coder{high: 1<<32 - 1, reading: true, src: next}
	for range pastEnd {
		c.code = c.code<<8 | uint32(c.next())
	}
	return c
}

// Reading reports the direction.
func (c *Coder) Reading() bool { return c.reading }

// Err is the first error of a reader: ErrEnd or that of its source. After it
// only zeros are read.
func (c *Coder) Err() error { return c.err }

// Finished reports whether a reader's input is to the last byte what a writer
// of the same values would have written.
func (c *Coder) Finished() bool {
	return c.err == nil && len(c.in) == 0 && c.past == pastEnd-1 && c.code == c.high>>24<<24
}

// Bytes ends a writer and returns what it wrote.
func (c *Coder) Bytes() []byte {
	// The zeros behind it make this a number in [low, high].
	return append(c.out, byte(c.high>>24))
}

// Mute makes the coder code nothing until it is called with false: models only
// learn the values that they are given.
func (c *Coder) Mute(muted bool) { c.muted = muted }

// Bit codes one bit that is 1 with probability p/65536, 0 < p < 65536.
func (c *Coder) Bit(bit int, p uint32) int {
	if c.muted {
		return bit
	}
	mid := c.low + uint32(uint64(c.high-c.low)*uint64(p)>>16)
	if c.reading {
		bit = 0
		if c.code <= mid {
			bit = 1
		}
	}
	if bit != 0 {
		c.high = mid
	} else {
		c.low = mid + 1
	}
	if (c.low^c.high)>>24 == 0 {
		c.shift()
	}
	return bit
}

func (c *Coder) shift() {
	for (c.low^c.high)>>24 == 0 {
		if c.reading {
			c.code = c.code<<8 | uint32(c.next())
		} else {
			c.out = append(c.out, byte(c.high>>24))
		}
		c.low <<= 8
		c.high = c.high<<8 | 255
	}
}

func (c *Coder) next() byte {
	if len(c.in) == 0 {
		return c.more()
	}
	b := c.in[0]
	c.in = c.in[1:]
	return b
}

func (c *Coder) more() byte {
	if c.past == 0 && c.err == nil {
		var err error
		if c.in, err = c.src(); err != nil {
			c.err = err
		} else if len(c.in) > 0 {
			return c.next()
		}
	}
	if c.past++; c.past > pastEnd && c.err == nil {
		c.err = ErrEnd
	}
	return 0
}

// fail marks what was read as impossible.
func (c *Coder) fail() {
	if c.err == nil {
		c.err = ErrRange
	}
}
