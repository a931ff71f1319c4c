// SPDX-License-Identifier: Apache-2.0

package deflate

import (
	"bytes"
	"encoding/binary"
	"io"
)

// A recorder goes through a stream block by block beside an encoder, and writes
// down where the two differ.
type recorder struct {
	r        io.ReaderAt
	tokens   *inflater // the stream as it is
	contents *inflater // the same, further ahead
	e        *encoder

	plans, fixes   []byte
	blocks, passed int64 // as predicted, since the last that was not
	limit          int   // of plans and fixes
	headerEnd      int64
	bits           bitReader
}

func newRecorder(r io.ReaderAt, contents *inflater, e *encoder) *recorder {
	c := &recorder{r: r, tokens: newInflater(), contents: contents, e: e}
	c.tokens.recording = true
	return c
}

// record returns the corrections of a stream, or none if they would be long.
func (c *recorder) record(s *stream, recipe recipe) ([]byte, error) {
	c.plans, c.fixes, c.blocks, c.passed = c.plans[:0], c.fixes[:0], 0, 0
	c.limit = int(min(maxCorrections/2, s.deflated/3))
	if err := c.tokens.reset(c.r, s.offset, s.end()); err != nil {
		return nil, err
	}
	if err := c.contents.reset(c.r, s.offset, s.end()); err != nil {
		return nil, err
	}
	c.e.m.reset(recipe)
	c.e.m.work = 0
	c.e.position, c.e.slid, c.e.left = 0, 0, s.length
	for {
		if _, ok := c.tokens.done(); ok {
			break
		}
		if err := c.block(); err != nil {
			return nil, err
		}
		if len(c.plans)+len(c.fixes) > c.limit {
			return nil, errDiffers
		}
	}
	fix := binary.AppendUvarint(nil, uint64(len(c.plans)))
	return append(append(fix, c.plans...), c.fixes...), nil
}

// block records one block.
func (c *recorder) block() error {
	size, err := c.read()
	if err != nil {
		return err
	}
	e, d := c.e, c.tokens
	e.block = block{list: e.list[:0]}
	var like bool
	if d.kind == typeStored {
		like, err = c.stored(size)
	} else {
		like, err = c.listed()
	}
	if err != nil {
		return err
	}
	last := !e.full
	if like = like && (e.full || e.atEnd()) && last == d.last; like {
		like = e.w.choose(e.list, e.size, e.storable()) == d.kind && (d.kind != typeDynamic || c.sameHeader())
	}
	if like {
		c.blocks++
		if d.kind == typeStored {
			c.passed += int64(len(e.list))
		}
		return nil
	}
	return c.plan(size)
}

// read takes a block of the stream and returns how many bytes it stands for.
func (c *recorder) read() (size int, err error) {
	d := c.tokens
	if err := d.open(); err != nil {
		return 0, changed(err)
	}
	c.headerEnd = d.bits.at()
	d.tokens = d.tokens[:0]
	for d.inBlock {
		if d.op > windowSize {
			copy(d.out, d.out[d.op-windowSize:d.op])
			d.op = windowSize
		}
		start := d.op
		if err := d.body(); err != nil {
			return 0, changed(err)
		}
		if size += d.op - start; len(d.tokens) > maxBlockTokens {
			return 0, errDiffers
		}
	}
	return size, nil
}

// ahead makes sure that a token can be predicted, if contents are left, and may be.
func (c *recorder) ahead() error {
	m := c.e.m
	if m.spent() {
		return errDiffers
	}
	for !m.able() && !m.final {
		p, err := c.contents.next()
		if err != nil {
			return changed(err)
		}
		for len(p) > 0 {
			n := copy(m.space(), p)
			if n == 0 {
				return errDiffers
			}
			m.end += n
			p = p[n:]
			c.e.left -= int64(n)
		}
		if c.e.left == 0 {
			m.finish()
		}
	}
	return nil
}

// stored goes through a stored block, and reports whether the encoder would end
// the block where it ends.
func (c *recorder) stored(size int) (like bool, err error) {
	e := c.e
	like = true
	for e.size < size {
		if err := c.ahead(); err != nil {
			return false, err
		}
		like = like && !e.full
		t := e.m.predict()
		if left := size - e.size; t.size() > left {
			e.m.ready = false
			e.m.skip(left, e.m.effort.slow)
			e.size += left
			e.position += int64(left)
			return false, nil
		}
		e.take(t, true)
	}
	return like, c.ahead()
}

// listed goes through a block of tokens.
func (c *recorder) listed() (like bool, err error) {
	e := c.e
	like = true
	for _, t := range c.tokens.tokens {
		if err := c.ahead(); err != nil {
			return false, err
		}
		like = like && !e.full
		predicted := e.m.predict()
		if predicted == t {
			c.passed++
		} else {
			c.fix(t, predicted)
		}
		e.take(t, predicted == t)
	}
	return like, c.ahead()
}

// fix records a token that is not as predicted.
func (c *recorder) fix(t, predicted token) {
	c.fixes = binary.AppendUvarint(c.fixes, uint64(c.passed))
	c.passed = 0
	if t.literal() {
		c.fixes = append(c.fixes, fixLiteral)
		return
	}
	length, distance := byte(t.length()-minMatch), uint16(t.distance()-1)
	switch {
	case predicted.literal() || t.length() != predicted.length() && t.distance() != predicted.distance():
		c.fixes = append(c.fixes, fixBoth, length)
	case t.distance() == predicted.distance():
		c.fixes = append(c.fixes, fixLength, length)
		return
	default:
		c.fixes = append(c.fixes, fixDistance)
	}
	c.fixes = binary.LittleEndian.AppendUint16(c.fixes, distance)
}

// plan records a block that is not as predicted.
func (c *recorder) plan(size int) error {
	d := c.tokens
	c.plans = binary.AppendUvarint(c.plans, uint64(c.blocks))
	c.blocks = 0
	kind, n := d.kind, len(d.tokens)
	if kind == typeStored {
		n = size
	} else if kind == typeDynamic {
		c.e.w.choose(c.e.list, c.e.size, false)
		if !c.sameHeader() {
			kind = typeGiven
		}
	}
	flags := byte(kind)
	if d.last {
		flags |= planLast
	}
	c.plans = binary.AppendUvarint(append(c.plans, flags), uint64(n))
	if kind != typeGiven {
		return nil
	}
	bits := c.headerEnd - d.header - 3
	if bits > maxHeaderBits {
		return errDiffers
	}
	c.plans = binary.AppendUvarint(c.plans, uint64(bits))
	header, err := c.header(int(bits))
	c.plans = append(c.plans, header...)
	return err
}

// header reads the header of the block that was read last, from behind its kind.
func (c *recorder) header(bits int) ([]byte, error) {
	if err := c.bits.seek(c.r, c.tokens.header+3, (c.headerEnd+7)>>3); err != nil {
		return nil, err
	}
	var p []byte
	for i := 0; i < bits; i += 8 {
		v, err := c.bits.take(min(bits-i, 8))
		if err != nil {
			return nil, changed(err)
		}
		p = append(p, byte(v))
	}
	return p, nil
}

// sameHeader reports whether the header is the one that zlib would write, for
// which choose has made the codes.
func (c *recorder) sameHeader() bool {
	w := c.e.w
	w.reset()
	w.header()
	bits := len(w.out)*8 + int(w.n)
	w.align()
	p, err := c.header(min(int(c.headerEnd-c.tokens.header-3), maxHeaderBits))
	same := err == nil && int64(bits) == c.headerEnd-c.tokens.header-3 && bytes.Equal(p, w.out)
	w.reset()
	return same
}
