// SPDX-License-Identifier: Apache-2.0

// Package cover finds covers: pieces of a base from which pieces of a result
// can be predicted, equal but for a few bytes.
package cover

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"github.com/waybill-project/waybill/delta/diff/internal/suffix"
	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// A Finder finds where the base has what the result goes on with.
type Finder interface {
	// Longest returns a long prefix of p that occurs in the base, and where.
	// Of several places, one near want is welcome.
	Longest(p []byte, want int) (at, length int)
}

const (
	// Near and Far are how many more bytes than on the last cover's diagonal must
	// match elsewhere before a new cover begins there: Near for machine code,
	// where such bytes cost much to say in another way, Far for text.
	Near = 8
	Far  = 20
	// betterNear is the same on a diagonal of one of the last covers, and near how
	// many fewer bytes than elsewhere may match there.
	betterNear = 4
	near       = 6
	shortest   = 4
	// patience is after how many bytes without a match steps get longer, up to
	// longestStep: the start of a match that is stepped over is found backwards.
	patience    = 1 << 10
	longestStep = 32
	// Of a text of few letters most places match far and wide, and no match is
	// better than the last one: matches of futileLength bytes that were not taken
	// are counted, and above futileSpare and futileShare for each cover steps are
	// futileStep. Programs have about one for each cover, lists of records 60.
	futileLength = 16
	futileSpare  = 1 << 16
	futileShare  = 64
	futileStep   = 128
	// steady is how many equal bytes ahead on the diagonal need no search.
	steady = 24
)

// segment is how much of a result is searched at once. It is the same on every
// machine, since what is found depends on it.
const segment = 32 << 20

// Covers finds the covers of result by searching where the last cover's
// diagonal gets worse than another one. The segments of a long result are
// searched on several cores.
func Covers(ctx context.Context, base, result []byte, finder Finder, better int) ([]waybill1.Cover, error) {
	found := make([][]waybill1.Cover, (len(result)+segment-1)/segment)
	var group sync.WaitGroup
	turns := make(chan struct{}, runtime.GOMAXPROCS(0))
	for i := range found {
		turns <- struct{}{}
		group.Go(func() {
			from := i * segment
			s := &scan{base: base, result: result[from:min(from+segment, len(result))], finder: finder, better: better}
			found[i] = s.run(ctx, uint32(from))
			<-turns
		})
	}
	group.Wait()
	return worthwhile(base, result, slices.Concat(found...)), ctx.Err()
}

// run finds the covers of a segment that starts at from.
func (s *scan) run(ctx context.Context, from uint32) []waybill1.Cover {
	s.lastPos = int(from)
	for s.at < len(s.result) && ctx.Err() == nil {
		s.next(ctx)
	}
	for i := range s.covers {
		s.covers[i].New += from
	}
	return s.covers
}

type scan struct {
	base, result []byte
	finder       Finder
	better       int
	covers       []waybill1.Cover

	futile int // long matches that were not taken

	at, length int // where the search is, and how much matches there
	pos        int // in the base

	lastAt, lastPos int // where the last cover starts, before it is extended

	recent [4]int // diagonals of the last covers, base less result
}

// search sets pos and length to the best place for the result at s.at: a recent
// diagonal is better than a match elsewhere that is little longer.
func (s *scan) search() (threshold int) {
	s.pos, s.length = s.finder.Longest(s.result[s.at:], s.at+s.lastPos-s.lastAt)
	threshold = s.better
	for _, d := range s.recent {
		if n := s.onDiagonal(s.at, d); n >= shortest && n+near > s.length && (threshold == s.better || n > s.length) {
			s.pos, s.length, threshold = s.at+d, n, betterNear
		}
	}
	return threshold
}

// next moves to where another place is better and adds the cover before it.
func (s *scan) next(ctx context.Context) {
	s.at += s.length
	score, counted, last := 0, s.at, s.at
	diagonal := s.lastPos - s.lastAt
	s.length = 0
	for ; s.at < len(s.result); s.at++ {
		if s.at&0xfff == 0 && ctx.Err() != nil {
			return
		}
		if run := s.onDiagonal(s.at, diagonal); run >= steady {
			s.at += run
			counted, score, last = max(counted, s.at), 0, s.at
			s.at--
			continue
		}
		threshold := s.search()
		for ; counted < s.at+s.length; counted++ {
			if s.equal(counted, diagonal) {
				score++
			}
		}
		if s.length > score+threshold || (s.length == score && s.length > 0) {
			break
		}
		if s.equal(s.at, diagonal) {
			score--
		}
		if step := s.step(s.at - last); step > 0 {
			s.at += step - 1
			counted, score = s.at+1, 0
		}
		s.length = 0
	}
	s.at = min(s.at, len(s.result))
	if s.at < len(s.result) && s.length == score {
		return
	}
	s.cut()
}

// step is how far to go from a match that was not taken, so many bytes without
// one that was; 0 is to the next byte.
func (s *scan) step(without int) int {
	if s.length >= futileLength {
		s.futile++
	}
	switch {
	case s.futile > futileSpare+futileShare*len(s.covers):
		return futileStep
	case without > patience:
		return min(without/patience, longestStep)
	}
	return 0
}

func (s *scan) equal(at, diagonal int) bool {
	p := at + diagonal
	return p >= 0 && p < len(s.base) && s.base[p] == s.result[at]
}

func (s *scan) onDiagonal(at, diagonal int) int {
	p := at + diagonal
	if p < 0 || p >= len(s.base) {
		return 0
	}
	return suffix.Common(s.base[p:], s.result[at:])
}

// cut extends the last cover forward and the next one backward and adds the
// last one.
func (s *scan) cut() {
	forward := s.forward()
	backward := 0
	if s.at < len(s.result) {
		backward = s.backward()
	}
	if over := s.lastAt + forward - (s.at - backward); over > 0 {
		keep := s.split(forward, backward, over)
		forward += keep - over
		backward -= keep
	}
	if forward > 0 {
		s.covers = append(s.covers, waybill1.Cover{New: uint32(s.lastAt), Old: uint32(s.lastPos), Length: uint32(forward)})
	}
	s.lastAt, s.lastPos = s.at-backward, s.pos-backward
	copy(s.recent[1:], s.recent[:3])
	s.recent[0] = s.pos - s.at
}

// forward is how far the last cover pays: where twice the equal bytes less all
// bytes is highest.
func (s *scan) forward() int {
	best, at, score := 0, 0, 0
	limit := min(s.at-s.lastAt, len(s.base)-s.lastPos)
	for i := 0; i < limit; i++ {
		if s.base[s.lastPos+i] == s.result[s.lastAt+i] {
			score++
		} else {
			score--
		}
		if score > best {
			best, at = score, i+1
		}
	}
	return at
}

func (s *scan) backward() int {
	best, at, score := 0, 0, 0
	limit := min(s.at-s.lastAt, s.pos)
	for i := 1; i <= limit; i++ {
		if s.base[s.pos-i] == s.result[s.at-i] {
			score++
		} else {
			score--
		}
		if score > best {
			best, at = score, i
		}
	}
	return at
}

// split is how many of the bytes that both covers claim the first one keeps.
func (s *scan) split(forward, backward, over int) int {
	best, at, score := 0, 0, 0
	first, second := s.lastAt+forward-over, s.at-backward
	oldFirst, oldSecond := s.lastPos+forward-over, s.pos-backward
	for i := range over {
		if s.result[first+i] == s.base[oldFirst+i] {
			score++
		}
		if s.result[second+i] == s.base[oldSecond+i] {
			score--
		}
		if score > best {
			best, at = score, i+1
		}
	}
	return at
}
