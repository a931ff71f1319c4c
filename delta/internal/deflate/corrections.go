// SPDX-License-Identifier: Apache-2.0

package deflate

import (
	"bytes"
	"encoding/binary"
	"math"
)

const (
	planLast = 4

	fixLiteral  = 0
	fixDistance = 1
	fixLength   = 2
	fixBoth     = 3
)

// A plan says what the next block is, if that is not for the encoder to choose.
type plan struct {
	given  bool
	kind   int
	last   bool
	n      int // tokens, or bytes if stored
	header []byte
	bits   int
}

// corrections reads where a stream differs from what its encoder makes.
type corrections struct {
	plans  []byte
	blocks int64 // as predicted, to come
	fixes  []byte
	tokens int64 // as predicted, to come
}

func (c *corrections) parse(p []byte) error {
	*c = corrections{blocks: math.MaxInt64, tokens: math.MaxInt64}
	if len(p) == 0 {
		return nil
	}
	n, ok := number(&p, int64(len(p)))
	if !ok || n > int64(len(p)) {
		return ErrCorrupt
	}
	c.plans, c.fixes = p[:n], p[n:]
	if len(c.plans) > 0 {
		if c.blocks, ok = number(&c.plans, math.MaxInt64); !ok || len(c.plans) == 0 {
			return ErrCorrupt
		}
	}
	if len(c.fixes) > 0 {
		if c.tokens, ok = number(&c.fixes, math.MaxInt64); !ok || len(c.fixes) == 0 {
			return ErrCorrupt
		}
	}
	return nil
}

// number takes a varint of at most limit off p.
func number(p *[]byte, limit int64) (int64, bool) {
	v, n := binary.Uvarint(*p)
	if n <= 0 || v > uint64(limit) {
		return 0, false
	}
	*p = (*p)[n:]
	return int64(v), true
}

// used reports whether nothing is left.
func (c *corrections) used() bool { return len(c.plans) == 0 && len(c.fixes) == 0 }

// next is the plan of the next block.
func (c *corrections) next() (plan, error) {
	if c.blocks > 0 {
		c.blocks--
		return plan{}, nil
	}
	kind := c.plans[0]
	c.plans = c.plans[1:]
	p := plan{given: true, kind: int(kind & 3), last: kind&planLast != 0}
	n, ok := number(&c.plans, maxBlockTokens)
	p.n = int(n)
	if !ok || kind >= 2*planLast || p.kind == typeStored && n >= 1<<16 {
		return p, ErrCorrupt
	}
	if p.kind == typeGiven {
		bits, ok := number(&c.plans, maxHeaderBits)
		size := int(bits+7) / 8
		if !ok || len(c.plans) < size {
			return p, ErrCorrupt
		}
		p.bits, p.header, c.plans = int(bits), c.plans[:size], c.plans[size:]
	}
	c.blocks = math.MaxInt64
	if len(c.plans) > 0 {
		if c.blocks, ok = number(&c.plans, math.MaxInt64); !ok || len(c.plans) == 0 {
			return p, ErrCorrupt
		}
	}
	return p, nil
}

// token is what stands in place of a predicted token, where the contents go on
// with literal.
func (c *corrections) token(predicted token, literal byte) (token, error) {
	t, ok := c.replace(predicted, literal)
	if !ok {
		return 0, ErrCorrupt
	}
	c.tokens = math.MaxInt64
	if len(c.fixes) > 0 {
		if c.tokens, ok = number(&c.fixes, math.MaxInt64); !ok || len(c.fixes) == 0 {
			return 0, ErrCorrupt
		}
	}
	return t, nil
}

func (c *corrections) replace(predicted token, literal byte) (t token, ok bool) {
	length, distance := minMatch, 1
	if !predicted.literal() {
		length, distance = predicted.length(), predicted.distance()
	}
	kind := c.fixes[0]
	size := [4]int{1, 3, 2, 4}[kind&3]
	if kind > fixBoth || len(c.fixes) < size {
		return 0, false
	}
	p := c.fixes[1:size]
	c.fixes = c.fixes[size:]
	switch kind {
	case fixLiteral:
		return token(literal), true
	case fixLength:
		length = int(p[0]) + minMatch
	case fixBoth:
		length = int(p[0]) + minMatch
		p = p[1:]
		fallthrough
	case fixDistance:
		distance = int(binary.LittleEndian.Uint16(p)) + 1
	}
	return match(length, distance), distance <= windowSize
}

// load takes the codes of a header that is given, and reports whether it is one
// and has a code for each of the tokens.
func (w *blockWriter) load(header []byte, bits int, tokens []token) bool {
	b := &w.headerBits
	var lengths [288 + 32]uint8
	if b.seek(bytes.NewReader(header), 0, int64(len(header))) != nil {
		return false
	}
	nLiteral, nDist, err := readLengths(b, &w.headerCodes, &lengths)
	if err != nil || b.at() != int64(bits) {
		return false
	}
	literals, distances := tally(lengths[:nLiteral]), tally(lengths[nLiteral:nLiteral+nDist])
	if !acceptable(&literals, nLiteral, false) || !acceptable(&distances, nDist, true) {
		return false
	}
	w.literal.length, w.dist.length = [literalCodes + 2]uint8{}, [literalCodes + 2]uint8{}
	copy(w.literal.length[:], lengths[:nLiteral])
	copy(w.dist.length[:], lengths[nLiteral:nLiteral+nDist])
	w.literal.assign(literalCodes)
	w.dist.assign(distanceCodes)
	w.count(tokens)
	for i, n := range w.literals {
		if n > 0 && w.literal.length[i] == 0 {
			return false
		}
	}
	for i, n := range w.distances {
		if n > 0 && w.dist.length[i] == 0 {
			return false
		}
	}
	return true
}
