// SPDX-License-Identifier: Apache-2.0

package suffix

import "context"

// symbol is what texts consist of: bytes, or names of the pieces of a text.
type symbol interface{ byte | int32 }

// sorter sorts the suffixes of one text by induced sorting. A suffix is of
// type S if it is less than the one that follows it in the text, else of type
// L; one of type S behind one of type L is an LMS suffix, and the symbols from
// one to the next inclusive are a piece. The text is thought to end with a
// symbol that is less than all others.
//
// Each pass walks sa in one direction and puts the suffix before each that it
// meets into its bucket, if that is of the type of the pass. The walk looks at
// random places of the text, so branches that depend on them are avoided.
type sorter[T symbol] struct {
	ctx     context.Context
	text    []T
	sa      []int32
	lms     marks   // the LMS suffixes
	sizes   []int32 // of the buckets; nil if there is no room for them
	buckets []int32 // the first free or the last taken place of each symbol's bucket
}

// pace is how many suffixes are sorted between two looks at the context.
const pace = 1 << 19

// sortSuffixes fills sa, of the text's length and full of zeros, with the
// order of the suffixes of text, whose symbols are less than symbols. It works
// in room if that is large enough.
func sortSuffixes[T symbol](ctx context.Context, text []T, symbols int, sa, room []int32) error {
	if len(text) < 2 {
		return context.Cause(ctx)
	}
	s := &sorter[T]{ctx: ctx, text: text, sa: sa, lms: markLMS(text)}
	switch {
	case len(room) >= 2*symbols:
		s.sizes, s.buckets = room[:symbols], room[symbols:2*symbols]
		s.measure(s.sizes)
	case len(room) >= symbols:
		s.buckets = room[:symbols]
	default:
		s.buckets = make([]int32, symbols)
	}
	return s.sort()
}

func (s *sorter[T]) sort() error {
	if err := s.sortPieces(); err != nil {
		return err
	}
	count := s.gatherPieces()
	if count > 1 {
		if names := s.namePieces(count); names < count {
			if err := s.sortReduced(count, names); err != nil {
				return err
			}
		}
	}
	s.spread(count)
	if err := s.induceL(); err != nil {
		return err
	}
	return s.induceS()
}

func (s *sorter[T]) stop() error { return context.Cause(s.ctx) }

func (s *sorter[T]) measure(sizes []int32) {
	clear(sizes)
	for _, c := range s.text {
		sizes[c]++
	}
}

func (s *sorter[T]) resetBuckets() {
	if s.sizes != nil {
		copy(s.buckets, s.sizes)
		return
	}
	s.measure(s.buckets)
}

// starts sets each bucket to its first place in sa.
func (s *sorter[T]) starts() {
	s.resetBuckets()
	at := int32(0)
	for i, n := range s.buckets {
		s.buckets[i] = at
		at += n
	}
}

// ends sets each bucket to the place behind its last.
func (s *sorter[T]) ends() {
	s.resetBuckets()
	at := int32(0)
	for i, n := range s.buckets {
		at += n
		s.buckets[i] = at
	}
}

// sortPieces leaves in sa the LMS suffixes, sorted by their pieces, and zeros.
func (s *sorter[T]) sortPieces() error {
	s.ends()
	for at := range s.lms.down {
		c := s.text[at]
		s.buckets[c]--
		s.sa[s.buckets[c]] = int32(at)
	}
	if err := s.piecesL(); err != nil {
		return err
	}
	return s.piecesS()
}

// piecesL replaces each suffix by the one before it, as long as that is of
// type L. Complemented are those that wait for piecesS.
func (s *sorter[T]) piecesL() error {
	s.starts()
	s.putLast()
	text, sa, buckets := s.text, s.sa, s.buckets
	for from := 0; from < len(sa); from += pace {
		to := min(from+pace, len(sa))
		for i := from; i < to; i++ {
			j := int(sa[i]) - 1
			if j < 0 {
				continue
			}
			sa[i] = 0
			c := text[j]
			at := buckets[c]
			buckets[c] = at + 1
			if j > 0 {
				sa[at] = int32(j) ^ less(text[j-1], c)
			}
		}
		if err := s.stop(); err != nil {
			return err
		}
	}
	return nil
}

// piecesS does the same for type S, downwards; what it complements is no LMS
// suffix yet.
func (s *sorter[T]) piecesS() error {
	s.ends()
	text, sa, buckets := s.text, s.sa, s.buckets
	for to := len(sa); to > 0; to -= pace {
		from := max(0, to-pace)
		for i := to - 1; i >= from; i-- {
			j := int(^sa[i]) - 1
			if j < 0 {
				continue
			}
			sa[i] = 0
			c := text[j]
			at := buckets[c] - 1
			buckets[c] = at
			if j > 0 {
				sa[at] = int32(j) ^ ^less(c, text[j-1])
			}
		}
		if err := s.stop(); err != nil {
			return err
		}
	}
	return nil
}

// putLast puts the suffix of the last symbol, the least of its bucket.
func (s *sorter[T]) putLast() {
	last := len(s.text) - 1
	c := s.text[last]
	s.sa[s.buckets[c]] = int32(last) ^ less(s.text[last-1], c)
	s.buckets[c]++
}

// less is -1, which complements, if a < b, else 0.
func less[T symbol](a, b T) int32 { return int32((int64(a) - int64(b)) >> 63) }

// gatherPieces moves the sorted LMS suffixes to the front and counts them.
func (s *sorter[T]) gatherPieces() int {
	count := 0
	for _, at := range s.sa {
		s.sa[count] = at
		count += int(uint32(-at) >> 31)
	}
	clear(s.sa[count:])
	return count
}

// spread moves the sorted LMS suffixes from sa[:count] to the ends of their buckets.
func (s *sorter[T]) spread(count int) {
	clear(s.sa[count:])
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
	s.putLast()
	text, sa, buckets := s.text, s.sa, s.buckets
	for from := 0; from < len(sa); from += pace {
		to := min(from+pace, len(sa))
		for i := from; i < to; i++ {
			j := int(sa[i]) - 1
			sa[i] = ^sa[i]
			if j < 0 {
				continue
			}
			c := text[j]
			at := buckets[c]
			buckets[c] = at + 1
			v := int32(j)
			if j > 0 {
				v ^= less(text[j-1], c)
			}
			sa[at] = v
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
		from := max(0, to-pace)
		for i := to - 1; i >= from; i-- {
			j := int(sa[i]) - 1
			if j < 0 {
				sa[i] = ^sa[i]
				continue
			}
			c := text[j]
			at := buckets[c] - 1
			buckets[c] = at
			v := ^int32(j)
			if j > 0 {
				v = int32(j) ^ less(c, text[j-1])
			}
			sa[at] = v
		}
		if err := s.stop(); err != nil {
			return err
		}
	}
	return nil
}
