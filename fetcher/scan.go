// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

type kind uint8

const (
	null kind = iota
	boolean
	number
	text
	array
	object
)

// maxDepth is ample: metadata nests nine deep, custom data a little more.
const maxDepth = 32

// node is a JSON value. str holds the decoded text of a string, the literal of
// a number or boolean, the source of an array or object. Members of objects are
// sorted by name and have no doubles; members of arrays have no names.
type node struct {
	kind    kind
	str     string
	members []member
}

type member struct {
	name string
	node node
}

// get finds a member of an object; anything else has none.
func (n *node) get(name string) *node {
	if n == nil || n.kind != object {
		return nil
	}
	i, ok := slices.BinarySearchFunc(n.members, name, func(m member, s string) int {
		return strings.Compare(m.name, s)
	})
	if !ok {
		return nil
	}
	return &n.members[i].node
}

// maxValues is how many values bytes may hold whose hash was signed.
const maxValues = 2 << 20

// scan reads one JSON text (RFC 8259) more strictly than the standard library:
// valid UTF-8 without byte order mark, no lone surrogates, no doubled names, nothing
// after it, at most maxDepth levels, and not too many values. Unless somebody vouched for
// the bytes, those are as many as honest metadata of this size would have.
func scan(src string, vouched bool) (node, error) {
	if !utf8.ValidString(src) {
		return node{}, fmt.Errorf("%w: not UTF-8", ErrMalformed)
	}
	s := scanner{src: src, left: maxValues}
	if !vouched {
		s.left = min(len(src)/6+64, maxValues)
	}
	n, err := s.document()
	if err != nil {
		return node{}, fmt.Errorf("%w: %s at byte %d", ErrMalformed, err, s.pos)
	}
	return n, nil
}

type scanner struct {
	src   string
	pos   int
	depth int
	left  int
	open  []member // of all objects and arrays that have not ended, so that each is kept in its exact size
}

type syntaxError string

func (e syntaxError) Error() string { return string(e) }

func (s *scanner) document() (node, error) {
	n, err := s.value()
	if err != nil {
		return n, err
	}
	if s.space(); s.pos != len(s.src) {
		return n, syntaxError("data after the end")
	}
	return n, nil
}

func (s *scanner) space() {
	for s.pos < len(s.src) {
		switch s.src[s.pos] {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return
		}
	}
}

// peek returns the next byte after white space, 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.pos < len(s.src) {
		return s.src[s.pos]
	}
	return 0
}

func (s *scanner) value() (node, error) {
	if s.left--; s.left < 0 {
		return node{}, syntaxError("too many values")
	}
	switch c := s.peek(); {
	case c == '{':
		return s.composite(object, '}')
	case c == '[':
		return s.composite(array, ']')
	case c == '"':
		str, err := s.text()
		return node{kind: text, str: str}, err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true", boolean)
	case c == 'f':
		return s.word("false", boolean)
	case c == 'n':
		return s.word("null", null)
	}
	return node{}, syntaxError("no value")
}

func (s *scanner) word(w string, k kind) (node, error) {
	if !strings.HasPrefix(s.src[s.pos:], w) {
		return node{}, syntaxError("no value")
	}
	s.pos += len(w)
	return node{kind: k, str: w}, nil
}

func (s *scanner) composite(k kind, end byte) (node, error) {
	if s.depth++; s.depth > maxDepth {
		return node{}, syntaxError("too deep")
	}
	start, below := s.pos, len(s.open)
	s.pos++
	n := node{kind: k}
	for first := true; s.peek() != end; first = false {
		if !first && !s.take(',') {
			return n, syntaxError("no comma")
		}
		m, err := s.member(k)
		if err != nil {
			return n, err
		}
		if len(s.open) == cap(s.open) {
			s.open = slices.Grow(s.open, max(16, len(s.open))) // append alone grows by a quarter only
		}
		s.open = append(s.open, m)
	}
	s.pos++
	s.depth--
	if len(s.open) > below {
		n.members = append(make([]member, 0, len(s.open)-below), s.open[below:]...)
		s.open = s.open[:below]
	}
	n.str = s.src[start:s.pos]
	if k == object {
		return n, order(n.members)
	}
	return n, nil
}

func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.pos++
	return true
}

func (s *scanner) member(k kind) (m member, err error) {
	if k == object {
		if s.peek() != '"' {
			return m, syntaxError("no member name")
		}
		if m.name, err = s.text(); err != nil {
			return m, err
		}
		if !s.take(':') {
			return m, syntaxError("no colon")
		}
	}
	m.node, err = s.value()
	return m, err
}

// order sorts by name in byte order, which for UTF-8 is also code point order.
func order(members []member) error {
	slices.SortFunc(members, func(a, b member) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(members); i++ {
		if members[i].name == members[i-1].name {
			return syntaxError("doubled name " + strconv.Quote(members[i].name))
		}
	}
	return nil
}

func (s *scanner) number() (node, error) {
	start := s.pos
	s.skip("-")
	whole := s.digits()
	if whole == "" || len(whole) > 1 && whole[0] == '0' {
		return node{}, syntaxError("bad number")
	}
	if s.skip(".") && s.digits() == "" {
		return node{}, syntaxError("bad number")
	}
	if s.skip("eE") {
		s.skip("+-")
		if s.digits() == "" {
			return node{}, syntaxError("bad number")
		}
	}
	return node{kind: number, str: s.src[start:s.pos]}, nil
}

func (s *scanner) skip(set string) bool {
	if s.pos < len(s.src) && strings.IndexByte(set, s.src[s.pos]) >= 0 {
		s.pos++
		return true
	}
	return false
}

func (s *scanner) digits() string {
	start := s.pos
	for s.pos < len(s.src) && s.src[s.pos] >= '0' && s.src[s.pos] <= '9' {
		s.pos++
	}
	return s.src[start:s.pos]
}

// text reads a string. Without escapes the result shares memory with the source.
func (s *scanner) text() (string, error) {
	s.pos++
	start := s.pos
	var out []byte
	for s.pos < len(s.src) {
		switch c := s.src[s.pos]; {
		case c == '"':
			part := s.src[start:s.pos]
			s.pos++
			if out == nil {
				return part, nil
			}
			return string(append(out, part...)), nil
		case c < ' ':
			return "", syntaxError("control character in a string")
		case c == '\\':
			out = append(out, s.src[start:s.pos]...)
			r, err := s.escape()
			if err != nil {
				return "", err
			}
			out = utf8.AppendRune(out, r)
			start = s.pos
		default:
			s.pos++
		}
	}
	return "", syntaxError("string without end")
}

func (s *scanner) escape() (rune, error) {
	s.pos++
	if s.pos >= len(s.src) {
		return 0, syntaxError("string without end")
	}
	c := s.src[s.pos]
	s.pos++
	if i := strings.IndexByte(`"\/bfnrt`, c); i >= 0 {
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	if c != 'u' {
		return 0, syntaxError("bad escape")
	}
	r, err := s.hex()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if !strings.HasPrefix(s.src[s.pos:], `\u`) {
		return 0, syntaxError("lone surrogate")
	}
	s.pos += 2
	low, err := s.hex()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, syntaxError("lone surrogate")
	}
	return r, nil
}

func (s *scanner) hex() (rune, error) {
	if len(s.src)-s.pos < 4 {
		return 0, syntaxError("bad escape")
	}
	v, err := strconv.ParseUint(s.src[s.pos:s.pos+4], 16, 16)
	if err != nil {
		return 0, syntaxError("bad escape")
	}
	s.pos += 4
	return rune(v), nil
}
