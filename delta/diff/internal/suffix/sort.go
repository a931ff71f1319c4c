// SPDX-License-Identifier: Apache-2.0

package suffix

import "context"

// symbol is what texts consist of: bytes, or names of the pieces of a text.
type symbol interface{ byte | int32 }

// sorter sorts the suffixes of one text by induced sorting. A suffix is of
// type S if it is less than the one that follows it in the text, else of type
// L; one of type S behind one of type L is an LMS suffix. The text is thought
// to end with a symbol that is less than all others.
type sorter[T symbol] struct {
	ctx     context.Context
	text    []T
	sa      []int32
	buckets []int32 // first free or last taken place of each symbol
}

// pace is how many suffixes are sorted between two looks at the context.
const pace = 1 << 19

// sortSuffixes fills sa, of the text's length and full of zeros, with the
// order of the suffixes of text, whose symbols are less than len(buckets).
func sortSuffixes[T symbol](ctx context.Context, text []T, sa, buckets []int32) error {
	s := &sorter[T]{ctx, text, sa, buckets}
	if len(text) < 2 {
		return s.stop()
	}
	if err := s.sortPieces(); err != nil {
		return err
	}
	count := s.gatherPieces()
	if count > 1 {
		if err := s.sortReduced(count, s.namePieces(count)); err != nil {
			return err
		}
	}
	clear(sa[count:])
	s.spread(count)
	if err := s.induceL(); err != nil {
		return err
	}
	return s.induceS()
}

func (s *sorter[T]) stop() error { return context.Cause(s.ctx) }

// starts sets each bucket to its first place in sa, ends to the place behind its last.
func (s *sorter[T]) starts() {
	s.count()
	at := int32(0)
	for i, n := range s.buckets {
		s.buckets[i] = at
		at += n
	}
}

func (s *sorter[T]) ends() {
	s.count()
	at := int32(0)
	for i, n := range s.buckets {
		at += n
		s.buckets[i] = at
	}
}

func (s *sorter[T]) count() {
	clear(s.buckets)
	for _, c := range s.text {
		s.buckets[c]++
	}
}

// eachLMS calls yield with the places of the LMS suffixes, last first.
func (s *sorter[T]) eachLMS(yield func(at int)) {
	next, falling := s.text[len(s.text)-1], true
	for i := len(s.text) - 2; i >= 0; i-- {
		c := s.text[i]
		if c < next {
			falling = false
		} else if c > next {
			if !falling {
				yield(i + 1)
			}
			falling = true
		}
		next = c
	}
}

// sortPieces leaves in sa the LMS suffixes sorted by their pieces, which reach
// to the next LMS suffix inclusive, and zeros between them.
func (s *sorter[T]) sortPieces() error {
	s.ends()
	s.eachLMS(func(at int) {
		c := s.text[at]
		s.buckets[c]--
		s.sa[s.buckets[c]] = int32(at)
	})
	if err := s.piecesL(); err != nil {
		return err
	}
	return s.piecesS()
}

// piecesL replaces each suffix by the one before it, as long as that is of
// type L. Complemented are those that wait for piecesS.
func (s *sorter[T]) piecesL() error {
	s.starts()
	text, sa, buckets := s.text, s.sa, s.buckets
	last := len(text) - 1
	c := text[last]
	sa[buckets[c]] = waiting(last, text[last-1] < c)
	buckets[c]++
	for from := 0; from < len(sa); from += pace {
		for i := from; i < min(from+pace, len(sa)); i++ {
			if sa[i] <= 0 {
				continue
			}
			j := int(sa[i]) - 1
			sa[i] = 0
			c := text[j]
			if j > 0 {
				sa[buckets[c]] = waiting(j, text[j-1] < c)
			}
			buckets[c]++
		}
		if err := s.stop(); err != nil {
			return err
		}
	}
	return nil
}

// waiting complements at if it is to be left alone for now.
func waiting(at int, wait bool) int32 {
	if wait {
		return ^int32(at)
	}
	return int32(at)
}

// piecesS does the same for type S, downwards. What it complements is what is
// not yet LMS.
func (s *sorter[T]) piecesS() error {
	s.ends()
	text, sa, buckets := s.text, s.sa, s.buckets
	for to := len(sa); to > 0; to -= pace {
		for i := to - 1; i >= max(0, to-pace); i-- {
			if sa[i] >= 0 {
				continue
			}
			j := int(^sa[i]) - 1
			sa[i] = 0
			c := text[j]
			buckets[c]--
			if j > 0 {
				sa[buckets[c]] = waiting(j, text[j-1] <= c)
			}
		}
		if err := s.stop(); err != nil {
			return err
		}
	}
	return nil
}

// gatherPieces moves the sorted LMS suffixes to the front and counts them.
func (s *sorter[T]) gatherPieces() int {
	count := 0
	for _, at := range s.sa {
		if at > 0 {
			s.sa[count] = at
			count++
		}
	}
	clear(s.sa[count:])
	return count
}

// namePieces numbers equal pieces alike, in their order, stores the name of
// the one at i plus 1 in sa[count+i/2], and returns how many names there are.
func (s *sorter[T]) namePieces(count int) int {
	length := s.sa[count:]
	next := len(s.text) - 1
	s.eachLMS(func(at int) {
		length[at/2] = int32(next - at + 1)
		next = at
	})
	names, last := 0, s.sa[0]
	lastLength := int32(0)
	for _, at := range s.sa[:count] {
		n := length[at/2]
		if n != lastLength || !s.equal(int(last), int(at), int(n)) {
			names++
			last, lastLength = at, n
		}
		length[at/2] = int32(names)
	}
	return names
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
// by sorting the text of their names.
func (s *sorter[T]) sortReduced(count, names int) error {
	if names == count {
		return nil
	}
	sa := s.sa
	reduced := sa[len(sa)-count:]
	to := len(reduced)
	for i := len(sa) - 1; i >= count; i-- {
		if sa[i] > 0 {
			to--
			reduced[to] = sa[i] - 1
		}
	}
	buckets := sa[count : len(sa)-count]
	if len(buckets) < names {
		buckets = make([]int32, names)
	}
	clear(sa[:count])
	if err := sortSuffixes(s.ctx, reduced, sa[:count], buckets[:names]); err != nil {
		return err
	}
	to = len(reduced)
	s.eachLMS(func(at int) {
		to--
		reduced[to] = int32(at)
	})
	for i, j := range sa[:count] {
		sa[i] = reduced[j]
	}
	return nil
}

// spread moves the sorted LMS suffixes from sa[:count] to the ends of their buckets.
func (s *sorter[T]) spread(count int) {
	s.ends()
	for i := count - 1; i >= 0; i-- {
		at := s.sa[i]
		s.sa[i] = 0
		c := s.text[at]
		s.buckets[c]--
		s.sa[s.buckets[c]] = at
	}
}

// induceL puts the suffixes of type L in their places; complemented are all
// that induceS has nothing to do with.
func (s *sorter[T]) induceL() error {
	s.starts()
	text, sa, buckets := s.text, s.sa, s.buckets
	last := len(text) - 1
	c := text[last]
	sa[buckets[c]] = waiting(last, text[last-1] < c)
	buckets[c]++
	for from := 0; from < len(sa); from += pace {
		for i := from; i < min(from+pace, len(sa)); i++ {
			j := int(sa[i]) - 1
			sa[i] = ^sa[i]
			if j < 0 {
				continue
			}
			c := text[j]
			sa[buckets[c]] = waiting(j, j > 0 && text[j-1] < c)
			buckets[c]++
		}
		if err := s.stop(); err != nil {
			return err
		}
	}
	return nil
}

// induceS puts the suffixes of type S in their places.
func (s *sorter[T]) induceS() error {
	s.ends()
	text, sa, buckets := s.text, s.sa, s.buckets
	for to := len(sa); to > 0; to -= pace {
		for i := to - 1; i >= max(0, to-pace); i-- {
			if sa[i] <= 0 {
				sa[i] = ^sa[i]
				continue
			}
			j := int(sa[i]) - 1
			c := text[j]
			buckets[c]--
			sa[buckets[c]] = waiting(j, j == 0 || text[j-1] > c)
		}
		if err := s.stop(); err != nil {
			return err
		}
	}
	return nil
}
