// SPDX-License-Identifier: Apache-2.0

package suffix

import "math/bits"

// marks is a set of places of a text, a bit for each.
type marks []uint64

// markLMS finds the LMS suffixes.
func markLMS[T symbol](text []T) marks {
	m := make(marks, (len(text)+63)/64)
	next, s := text[len(text)-1], int64(0)
	for i := len(text) - 2; i >= 0; i-- {
		c := text[i]
		typ := int64(uint64((int64(c)-int64(next))*2-s) >> 63)
		m[(i+1)>>6] |= uint64(s&^typ) << ((i + 1) & 63)
		next, s = c, typ
	}
	return m
}

// down calls yield with all marked places, the last first.
func (m marks) down(yield func(at int) bool) {
	for w := len(m) - 1; w >= 0; w-- {
		for word := m[w]; word != 0; {
			top := bits.Len64(word) - 1
			word &^= 1 << top
			if !yield(w<<6 + top) {
				return
			}
		}
	}
}

// namePieces numbers equal pieces alike, in their order, stores the name of
// the piece at i plus 1 in sa[count+i/2], and returns how many names there are.
func (s *sorter[T]) namePieces(count int) int {
	names := s.sa[count:]
	s.digestPieces(names)
	total, last, lastDigest := 0, s.sa[0], int32(0)
	for _, at := range s.sa[:count] {
		digest := names[at/2]
		if digest != lastDigest || uint32(digest) <= uint32(len(s.text)) && !s.equal(int(last), int(at), int(digest)) {
			total++
			last, lastDigest = at, digest
		}
		names[at/2] = int32(total)
	}
	return total
}

// digestPieces stores what says much of the piece at i in digests[i/2]: its
// length, or three or four bytes of it where they cannot be mistaken for one.
// No piece ends in 0xff, as its last byte is less than the one before.
func (s *sorter[T]) digestPieces(digests []int32) {
	text, isBytes := any(s.text).([]byte)
	next := len(s.text) - 1
	for at := range s.lms.down {
		length := next - at + 1
		digest := uint32(length)
		if isBytes && length <= 4 && at+4 <= len(text) && next < len(text)-1 {
			b := uint32(text[at])<<24 | uint32(text[at+1])<<16 | uint32(text[at+2])<<8 | uint32(text[at+3])
			b |= 0xffffff >> (8*length - 8)
			if b > uint32(len(text)) {
				digest = b
			}
		}
		digests[at/2] = int32(digest)
		next = at
	}
}

// equal compares two pieces. One that ends with the text equals no other.
func (s *sorter[T]) equal(a, b, n int) bool {
	if max(a, b)+n >= len(s.text) {
		return false
	}
	x, y := s.text[a:a+n], s.text[b:b+n]
	for i := range x {
		if x[i] != y[i] {
			return false
		}
	}
	return true
}

// sortReduced brings the count LMS suffixes in sa[:count] into their order,
// by sorting the text of the names of their pieces.
func (s *sorter[T]) sortReduced(count, names int) error {
	sa := s.sa
	to := len(sa) - 1
	for i := to; i >= count; i-- {
		name := sa[i]
		sa[to] = name - 1
		to -= int(uint32(-name) >> 31)
	}
	clear(sa[:count])
	reduced := sa[len(sa)-count:]
	if err := sortSuffixes(s.ctx, reduced, names, sa[:count], sa[count:len(sa)-count]); err != nil {
		return err
	}
	to = len(reduced)
	for at := range s.lms.down {
		to--
		reduced[to] = int32(at)
	}
	for i, j := range sa[:count] {
		sa[i] = reduced[j]
	}
	return nil
}
