// SPDX-License-Identifier: Apache-2.0

package deflate

import "io"

// An encoder writes one deflate stream after the other, each as its recipe and
// its corrections say.
type encoder struct {
	m    *matcher
	w    *blockWriter
	dst  io.Writer
	fix  corrections
	left int64 // contents to come

	plan    plan
	inBlock bool
	done    bool
	block
	position int64 // contents encoded
	slid     int64 // where the window of an encoder with 64 KiB starts now
	written  int64
}

// A block is what an encoder knows of the block it is in.
type block struct {
	list     []token
	size     int  // contents
	matches  int  // of the tokens
	estimate int  // gzip's, in bits
	full     bool // the encoder ends the block here
}

// newEncoder is for the streams of a file of so many bytes.
func newEncoder(dst io.Writer, file int64) *encoder {
	return &encoder{m: newMatcher(file), w: newBlockWriter(), dst: dst}
}

// reset starts a stream with so many bytes of contents.
func (e *encoder) reset(r recipe, fix []byte, contents int64) error {
	e.m.reset(r)
	e.w.reset()
	e.left, e.inBlock, e.done, e.position, e.slid, e.written = contents, false, false, 0, 0, 0
	if err := e.fix.parse(fix); err != nil {
		return err
	}
	if contents == 0 {
		return e.finish()
	}
	return nil
}

// write takes contents; with the last of them the stream is complete.
func (e *encoder) write(p []byte) error {
	for len(p) > 0 {
		n := copy(e.m.space(), p[:min(int64(len(p)), e.left)])
		if n == 0 {
			return ErrCorrupt
		}
		e.m.end += n
		p = p[n:]
		if e.left -= int64(n); e.left == 0 {
			return e.finish()
		}
		if err := e.encode(); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) finish() error {
	e.m.finish()
	if err := e.encode(); err != nil {
		return err
	}
	if !e.done || !e.fix.used() || e.m.spent() {
		return ErrCorrupt
	}
	e.w.align()
	return e.flush()
}

func (e *encoder) flush() error {
	n, err := e.dst.Write(e.w.out)
	e.written += int64(n)
	e.w.out = e.w.out[:0]
	return err
}

// encode goes on as far as the contents at hand allow.
func (e *encoder) encode() error {
	for !e.done {
		if !e.inBlock {
			if err := e.open(); err != nil {
				return err
			}
		}
		complete, err := e.fill()
		if err != nil || !complete {
			return err
		}
		if err := e.close(); err != nil {
			return err
		}
	}
	return nil
}

func (e *encoder) open() (err error) {
	e.inBlock = true
	e.block = block{list: e.list[:0]}
	e.plan, err = e.fix.next()
	return err
}

func (e *encoder) atEnd() bool { return e.m.final && e.m.pos == e.m.end }

// fill encodes until the block is complete or contents are missing.
func (e *encoder) fill() (complete bool, err error) {
	if e.plan.given && e.plan.kind == typeStored {
		return e.fillStored()
	}
	m := e.m
	for !e.full && m.able() {
		if e.plan.given && len(e.list) == e.plan.n {
			return true, nil
		}
		if m.spent() {
			return false, ErrCorrupt
		}
		predicted := m.predict()
		t := predicted
		if e.fix.tokens--; e.fix.tokens < 0 {
			if t, err = e.fix.token(predicted, m.buf[m.pos]); err != nil {
				return false, err
			}
			if t.size() > m.end-m.pos {
				return false, ErrCorrupt
			}
		}
		e.take(t, t == predicted)
		e.full = e.full && !e.plan.given
	}
	if e.plan.given {
		return len(e.list) == e.plan.n, e.missing(len(e.list))
	}
	return e.full || e.atEnd(), nil
}

// missing is an error if the contents end before a given block does.
func (e *encoder) missing(have int) error {
	if e.atEnd() && have < e.plan.n {
		return ErrCorrupt
	}
	return nil
}

func (e *encoder) fillStored() (complete bool, err error) {
	for e.size < e.plan.n && e.m.able() {
		if e.m.spent() {
			return false, ErrCorrupt
		}
		t := e.m.predict()
		if left := e.plan.n - e.size; t.size() > left {
			e.m.ready = false
			e.m.skip(left, e.m.effort.slow)
			e.size += left
			e.position += int64(left)
			break
		}
		e.take(t, true)
		e.list = e.list[:0]
	}
	return e.size == e.plan.n, e.missing(e.size)
}

// take adds a token to the block.
func (e *encoder) take(t token, predicted bool) {
	before := e.size
	e.m.accept(t, predicted)
	e.list = append(e.list, t)
	e.size += t.size()
	e.position += int64(t.size())
	if !t.literal() {
		e.matches++
	}
	f := e.m.recipe.family()
	e.full = len(e.list) >= f.blockTokens()
	if f == Gzip {
		e.takeGzip(t, before)
	}
	if e.m.effort.slow && t.literal() && e.atEnd() {
		e.full = false // zlib does not look once more
	}
}

// takeGzip ends a block early if it compresses well: gzip looks at every 4096
// tokens.
func (e *encoder) takeGzip(t token, before int) {
	if !t.literal() {
		e.estimate += 5 + int(distanceExtra[distanceSymbol(t.distance())])
	}
	n := len(e.list)
	if e.m.recipe.level() <= 2 || n&0xfff != 0 {
		return
	}
	if e.m.effort.slow {
		before++
	}
	if e.matches < n/2 && (n*8+e.estimate)>>3 < before/2 {
		e.full = true
	}
}

// storable reports whether an encoder with a window of 64 KiB, filled as often as
// it must, still has the first byte of the block.
func (e *encoder) storable() bool {
	ahead := int64(e.m.end - e.m.pos)
	top := e.position // where the encoder last made sure that it can look ahead
	if n := len(e.list); n > 0 {
		last := int64(e.list[n-1].size())
		if top -= last; e.m.effort.slow {
			top++
			last--
		}
		ahead += last
	}
	for top-e.slid >= 2*windowSize-minLookahead+1 {
		e.slid += windowSize
	}
	if e.m.final && ahead < minLookahead && top-e.slid >= 2*windowSize-minLookahead {
		e.slid += windowSize
	}
	return e.position-int64(e.size) >= e.slid && e.size < 1<<16
}

// close writes the block.
func (e *encoder) close() error {
	e.inBlock = false
	p := &e.plan
	if !p.given {
		p.last = !e.full
		p.kind = e.w.choose(e.list, e.size, e.storable())
	} else if err := e.prepare(); err != nil {
		return err
	}
	switch p.kind {
	case typeStored:
		e.w.stored(e.m.buf[e.m.pos-e.size:e.m.pos], p.last)
	case typeGiven:
		e.w.given(p.header, p.bits, e.list, p.last)
	default:
		e.w.write(p.kind, e.list, p.last)
	}
	e.done = p.last
	if e.done && !e.atEnd() {
		return ErrCorrupt
	}
	return e.flush()
}

// prepare makes the codes of a given block.
func (e *encoder) prepare() error {
	switch e.plan.kind {
	case typeDynamic:
		e.w.choose(e.list, e.size, false)
	case typeGiven:
		if !e.w.load(e.plan.header, e.plan.bits, e.list) {
			return ErrCorrupt
		}
	}
	return nil
}
