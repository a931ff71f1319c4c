// SPDX-License-Identifier: Apache-2.0

package deflate

import (
	"io"
	"math"
)

const (
	outputSize = windowSize + 1<<16

	typeStored  = 0
	typeFixed   = 1
	typeDynamic = 2
)

// An inflater reads one deflate stream. It is strict: no codes that are
// oversubscribed or incomplete, no distance beyond the start, no lengths that do
// not match, zero bits where nothing is said.
type inflater struct {
	bits    bitReader
	codes   *codes // of the block: own or fixed
	own     codes
	fixed   codes // made once: a stream may have a block for each ten bits
	lengths [288 + 32]uint8

	out      []byte // a window, and what is new
	op       int
	produced int64

	inBlock bool
	last    bool
	kind    int
	stored  int   // bytes to come of a stored block
	header  int64 // bit position of the block's header

	recording bool
	tokens    []token
	plain     int // of the tokens, those before the first stored block
}

// codes are those of literals and lengths, and of distances.
type codes struct{ literal, dist decoder }

// A token is a literal (its byte) or a match (distance<<16 | length-3).
type token uint32

func (t token) literal() bool { return t < 1<<16 }
func (t token) length() int   { return int(t&0xffff) + minMatch }
func (t token) distance() int { return int(t >> 16) }

func match(length, distance int) token { return token(distance<<16 | (length - minMatch)) }

// size is how many bytes the token stands for.
func (t token) size() int {
	if t.literal() {
		return 1
	}
	return t.length()
}

func newInflater() *inflater { return &inflater{out: make([]byte, outputSize)} }

// reset starts a stream that lies in src[from:limit].
func (d *inflater) reset(src io.ReaderAt, from, limit int64) error {
	d.op, d.produced = 0, 0
	d.inBlock, d.last, d.stored = false, false, 0
	d.tokens, d.plain = d.tokens[:0], math.MaxInt
	return d.bits.seek(src, from<<3, limit)
}

// next inflates some more and returns it, valid until the next call; io.EOF is the
// end of the stream.
func (d *inflater) next() ([]byte, error) {
	if d.op > windowSize {
		copy(d.out, d.out[d.op-windowSize:d.op])
		d.op = windowSize
	}
	start := d.op
	for d.op <= len(d.out)-maxMatch {
		if !d.inBlock {
			if d.last {
				break
			}
			if err := d.open(); err != nil {
				return nil, err
			}
		}
		if err := d.body(); err != nil {
			return nil, err
		}
	}
	if d.op == start {
		return nil, io.EOF
	}
	d.produced += int64(d.op - start)
	return d.out[start:d.op], nil
}

// done reports whether all was inflated, and where the stream ends.
func (d *inflater) done() (end int64, ok bool) {
	return (d.bits.at() + 7) >> 3, d.last && !d.inBlock
}

// open reads the header of a block.
func (d *inflater) open() error {
	d.header = d.bits.at()
	v, err := d.bits.take(3)
	if err != nil {
		return err
	}
	d.last, d.kind, d.inBlock = v&1 != 0, int(v>>1), true
	switch d.kind {
	case typeStored:
		return d.openStored()
	case typeFixed:
		d.openFixed()
		return nil
	case typeDynamic:
		return d.openDynamic()
	}
	return errStream
}

func (d *inflater) openStored() error {
	if err := d.bits.align(); err != nil {
		return err
	}
	var p [4]byte
	if err := d.bits.copy(p[:]); err != nil {
		return err
	}
	n := int(p[0]) | int(p[1])<<8
	if n^0xffff != int(p[2])|int(p[3])<<8 {
		return errStream
	}
	d.stored = n
	d.plain = min(d.plain, len(d.tokens))
	return nil
}

func (d *inflater) openFixed() {
	if d.codes = &d.fixed; d.fixed.literal.entries == nil {
		d.fixed.literal.build(fixedLengths[:], literalMeaning[:], literalBits, false)
		d.fixed.dist.build(fixedDistances[:], distanceMeaning[:], distanceBits, false)
	}
}

func (d *inflater) openDynamic() error {
	c := &d.own
	nLiteral, nDist, err := readLengths(&d.bits, &c.literal, &d.lengths)
	if err != nil {
		return err
	}
	d.codes = c
	if !c.dist.build(d.lengths[nLiteral:nLiteral+nDist], distanceMeaning[:], distanceBits, true) ||
		!c.literal.build(d.lengths[:nLiteral], literalMeaning[:], literalBits, false) {
		return errStream
	}
	return nil
}

// readLengths reads the code lengths of a dynamic block: first those of literals
// and lengths, then those of distances.
func readLengths(b *bitReader, scratch *decoder, lengths *[288 + 32]uint8) (nLiteral, nDist int, err error) {
	v, err := b.take(14)
	if err != nil {
		return 0, 0, err
	}
	nLiteral, nDist = int(v&31)+257, int(v>>5&31)+1
	if nLiteral > 286 || nDist > 30 {
		return 0, 0, errStream
	}
	var order [19]uint8
	for i := range int(v>>10) + 4 {
		n, err := b.take(3)
		if err != nil {
			return 0, 0, err
		}
		order[lengthOrder[i]] = uint8(n)
	}
	if !scratch.build(order[:], orderMeaning[:], lengthBits, false) {
		return 0, 0, errStream
	}
	if err := readRuns(b, scratch, lengths[:nLiteral+nDist]); err != nil {
		return 0, 0, err
	}
	if lengths[256] == 0 {
		return 0, 0, errStream
	}
	return nLiteral, nDist, nil
}

func readRuns(b *bitReader, codes *decoder, lengths []uint8) error {
	for i := 0; i < len(lengths); {
		if err := b.fill(); err != nil {
			return err
		}
		e := codes.lookup(b.acc)
		b.acc >>= e & 31
		if b.n -= int(e & 31); b.n < 0 || e&kindMask == kindInvalid {
			return errStream
		}
		n, value := 1, uint8(e>>13)
		if value >= 16 {
			extra, from := [3]int{2, 3, 7}[value-16], [3]int{3, 3, 11}[value-16]
			more, err := b.take(extra)
			if err != nil {
				return err
			}
			n = from + int(more)
			if value > 16 {
				value = 0
			} else if i == 0 {
				return errStream
			} else {
				value = lengths[i-1]
			}
		}
		if n > len(lengths)-i {
			return errStream
		}
		for range n {
			lengths[i] = value
			i++
		}
	}
	return nil
}

// body inflates until the block ends or the output is full.
func (d *inflater) body() error {
	if d.kind == typeStored {
		n := min(d.stored, len(d.out)-d.op)
		if err := d.bits.copy(d.out[d.op : d.op+n]); err != nil {
			return err
		}
		d.op += n
		d.stored -= n
		d.inBlock = d.stored > 0
		return nil
	}
	return d.symbols()
}

func (d *inflater) symbols() error {
	b, codes, out, op := &d.bits, d.codes, d.out, d.op
	defer func() { d.op = op }()
	for op <= len(out)-maxMatch {
		if b.n < 48 {
			if err := b.fill(); err != nil {
				return err
			}
		}
		e := codes.literal.lookup(b.acc)
		b.acc >>= e & 31
		b.n -= int(e & 31)
		switch e & kindMask {
		case kindLiteral:
			if b.n < 0 {
				return errStream
			}
			out[op] = byte(e >> 13)
			op++
			if d.recording {
				d.tokens = append(d.tokens, token(byte(e>>13)))
			}
			continue
		case kindEnd:
			d.inBlock = false
			if b.n < 0 {
				return errStream
			}
			return nil
		case kindInvalid:
			return errStream
		}
		length, distance, ok := b.match(e, &codes.dist)
		if !ok || distance > op {
			return errStream
		}
		if d.recording {
			d.tokens = append(d.tokens, match(length, distance))
		}
		repeat(out[op-distance:], distance, length)
		op += length
	}
	return nil
}

// match reads what follows the code of a length.
func (b *bitReader) match(e uint32, dist *decoder) (length, distance int, ok bool) {
	extra := e >> 8 & 31
	length = int(e>>13) + int(b.acc&(1<<extra-1))
	b.acc >>= extra
	x := dist.lookup(b.acc)
	b.acc >>= x & 31
	more := x >> 8 & 31
	distance = int(x>>13) + int(b.acc&(1<<more-1))
	b.acc >>= more
	b.n -= int(extra + x&31 + more)
	return length, distance, b.n >= 0 && x&kindMask == kindBase
}

// repeat writes p[:distance] over and over behind itself, length bytes in all.
func repeat(p []byte, distance, length int) {
	to := p[distance : distance+length]
	for len(to) > distance {
		copy(to, p[:distance])
		to = to[distance:]
		distance *= 2
	}
	copy(to, p[:len(to)])
}
