// SPDX-License-Identifier: Apache-2.0

// Package entropy codes bits, numbers and bytes by adaptive prediction: an
// asymmetric numeral system, and models that blend what several contexts expect.
//
// [Coder] is used by writers and readers alike: a model's Code method is given
// the value to write and returns it, or returns the value that was read. So
// whatever is written once can be read by the same code.
//
// The package is part of the patch format "waybill1": what a sequence of calls
// writes never changes. It computes in integers only.
package entropy

import (
	"encoding/binary"
	"errors"
)

// ErrEnd: a reader went past the end of what was written.
var ErrEnd = errors.New("coded data ends early")

// ErrRange: what was read is nothing that a writer codes.
var ErrRange = errors.New("coded data out of range")

// A state is in [lowest, lowest<<32). Probabilities are parts of 1<<scale.
const (
	scale      = 16
	lowest     = 1 << 24
	stateBytes = 7
	wordBytes  = 4
)

// blockLength is how many symbols are coded by one run of states: a writer
// keeps them, because it has to code the last one first.
const blockLength = 1 << 16

// Coder codes symbols in one direction; make it by NewWriter or NewReader.
type Coder struct {
	Memory *Memory // of the models that code by it

	state   uint64
	left    int // symbols of the block
	reading bool

	block []uint32 // of a writer: where a symbol's part starts, and its size less 1
	words []uint32
	out   []byte

	in  []byte
	src func() ([]byte, error) // the next piece, empty at the end
	err error
}

// NewWriter returns a Coder that collects what it writes.
func NewWriter() *Coder { return &Coder{Memory: new(Memory), left: blockLength} }

// NewReader returns a Coder that reads the pieces that next returns; an empty
// piece is the end.
func NewReader(next func() ([]byte, error)) *Coder {
	return &Coder{Memory: new(Memory), reading: true, src: next, state: lowest}
}

// Reading reports the direction.
func (c *Coder) Reading() bool { return c.reading }

// Err is the first error: ErrEnd, ErrRange or that of a reader's source. What is
// coded after it means nothing.
func (c *Coder) Err() error { return c.err }

// Finished reports whether a reader's input is to the last byte what a writer
// of the same values would have written.
func (c *Coder) Finished() bool {
	if c.err == nil && len(c.in) == 0 {
		c.in, c.err = c.src()
	}
	return c.err == nil && len(c.in) == 0 && c.state == lowest
}

// Bytes ends a writer and returns what it wrote.
func (c *Coder) Bytes() []byte {
	c.flush()
	return c.out
}

// Bit codes one bit that is 1 with probability p/65536, 0 < p < 65536.
func (c *Coder) Bit(bit int, p uint32) int {
	if c.reading {
		bit = 0
		if c.place() < p {
			bit = 1
		}
	}
	start, size := uint32(0), p
	if bit == 0 {
		start, size = p, 1<<scale-p
	}
	c.symbol(start, size)
	return bit
}

// Bits codes a number of n bits, at most 16, all of them as likely.
func (c *Coder) Bits(v uint32, n uint) uint32 {
	if c.reading {
		v = c.place() >> (scale - n)
	}
	c.symbol(v<<(scale-n), 1<<(scale-n))
	return v
}

// place is that of the symbol that a reader reads next.
func (c *Coder) place() uint32 {
	if c.left == 0 {
		c.turn()
	}
	return uint32(c.state & (1<<scale - 1))
}

// symbol codes the symbol that has so many of the 1<<scale places from start on.
func (c *Coder) symbol(start, size uint32) {
	if c.left == 0 {
		c.turn()
	}
	c.left--
	if !c.reading {
		c.block = append(c.block, start<<scale|(size-1))
		return
	}
	x := c.state>>scale*uint64(size) + c.state&(1<<scale-1) - uint64(start)
	if x < lowest {
		x = c.refill(x)
	}
	c.state = x
}

// turn starts the next block.
func (c *Coder) turn() {
	c.left = blockLength
	if !c.reading {
		c.flush()
		return
	}
	if c.state != lowest {
		c.fail(ErrRange)
	}
	if c.state = c.number(stateBytes); c.state < lowest {
		c.fail(ErrRange)
		c.state = lowest
	}
}

// flush codes the symbols of a block from the last to the first.
func (c *Coder) flush() {
	if len(c.block) == 0 {
		return
	}
	x := uint64(lowest)
	c.words = c.words[:0]
	for i := len(c.block) - 1; i >= 0; i-- {
		start, size := uint64(c.block[i]>>scale), uint64(c.block[i]&(1<<scale-1))+1
		if x >= size<<(24+32-scale) {
			c.words = append(c.words, uint32(x))
			x >>= 32
		}
		x = x/size<<scale + x%size + start
	}
	c.block = c.block[:0]
	c.out = append(binary.LittleEndian.AppendUint32(c.out, uint32(x)), byte(x>>32), byte(x>>40), byte(x>>48))
	for i := len(c.words) - 1; i >= 0; i-- {
		c.out = binary.LittleEndian.AppendUint32(c.out, c.words[i])
	}
}

// refill appends a word to a state below lowest, which is 256 or more: the state
// before was lowest or more, and no symbol has less than one place.
func (c *Coder) refill(x uint64) uint64 {
	if len(c.in) >= wordBytes {
		x = x<<32 | uint64(binary.LittleEndian.Uint32(c.in))
		c.in = c.in[wordBytes:]
		return x
	}
	return x<<32 | c.number(wordBytes)
}

// number reads n bytes, the lowest first.
func (c *Coder) number(n int) (v uint64) {
	for i := range n {
		v |= uint64(c.next()) << (8 * i)
	}
	return v
}

func (c *Coder) next() byte {
	if len(c.in) == 0 && c.err == nil {
		piece, err := c.src()
		if c.in = piece; err != nil {
			c.fail(err)
		} else if len(piece) == 0 {
			c.fail(ErrEnd)
		}
	}
	if len(c.in) == 0 {
		return 0
	}
	b := c.in[0]
	c.in = c.in[1:]
	return b
}

// fail keeps the first error, behind which a reader reads zeros.
func (c *Coder) fail(err error) {
	if c.err == nil {
		c.err, c.in = err, nil
	}
}
