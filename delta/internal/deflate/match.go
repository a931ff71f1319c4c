// SPDX-License-Identifier: Apache-2.0

package deflate

import (
	"encoding/binary"
	"math"
	"math/bits"
)

const (
	maxDistance  = windowSize - minLookahead // zlib's encoder looks no further back
	minLookahead = maxMatch + minMatch + 1
	tooFar       = 4096 // a match of three bytes further back costs more than literals

	windowPast  = 3 * windowSize // what stays behind pos: a stored block may need it
	windowData  = 1 << 19
	windowSlack = 16
)

// A matcher predicts the tokens of an encoder. Its window holds the contents of
// the stream around pos; it goes on over the streams, so that nothing needs to be
// cleared: a stream does not look at or before its own first byte, which zlib's
// encoder never finds either.
type matcher struct {
	buf        []byte
	pos, end   int // next byte to encode, end of the contents at hand
	start      int // first byte of the stream, may be negative
	inserted   int // positions before it are in the chains, or left out of them
	final      bool
	effort     effort
	hash       *hash
	hashes     [families][2]*hash // below level 6 and from there on
	recipe     recipe
	ready      bool // carried holds the match at pos
	carried    token
	carriedLen int
	work       int64 // done, over all streams
	most       int64 // of work
	head       [1 << 16]int32
	prev       [windowSize]uint16 // how far back the next in the chain is, at most 1<<16-1
}

// newMatcher is for the streams of a file of so many bytes.
func newMatcher(file int64) *matcher {
	m := &matcher{buf: make([]byte, windowPast+windowData+windowSlack), pos: windowPast, end: windowPast}
	m.inserted = m.pos
	m.most = mostWork(file)
	return m
}

// mostWork is what the streams of a file may take, all together.
func mostWork(file int64) int64 { return workFactor * (file + workFree) }

// spent reports whether the streams took more work than the file may.
func (m *matcher) spent() bool { return m.work > m.most }

// reset starts a stream.
func (m *matcher) reset(r recipe) {
	if r != m.recipe {
		m.recipe, m.effort, m.hash = r, efforts[r.level()], m.hashOf(r)
	}
	m.pos = m.end
	m.start, m.inserted = m.pos, m.pos
	m.final, m.ready = false, false
}

// hashOf makes each hash once: streams may be shorter than that takes.
func (m *matcher) hashOf(r recipe) *hash {
	h := &m.hashes[r.family()][r.level()/6]
	if *h == nil {
		*h = newHash(r.family(), r.level())
	}
	return *h
}

// space returns room for contents: half of the window, if pos keeps up.
func (m *matcher) space() []byte {
	limit := len(m.buf) - windowSlack
	if limit-m.end < windowData/2 {
		m.slide()
	}
	return m.buf[m.end:limit]
}

func (m *matcher) slide() {
	shift := (m.pos - windowPast) &^ (windowSize - 1) // prev keeps its places
	if shift <= 0 {
		return
	}
	copy(m.buf, m.buf[shift:m.end])
	m.pos -= shift
	m.end -= shift
	m.inserted -= shift
	m.start -= shift
	for i, p := range &m.head {
		m.head[i] = max(p-int32(shift), 0)
	}
}

// finish says that the stream's contents end with what is at hand. Chromium's hash
// of four bytes then finds zeros behind them.
func (m *matcher) finish() {
	m.final = true
	clear(m.buf[m.end : m.end+minMatch+1])
}

// able reports whether there is enough ahead of pos to encode a token.
func (m *matcher) able() bool {
	return m.end-m.pos >= minLookahead || m.final && m.pos < m.end
}

// insert enters a position in the chains; three bytes at least are at hand.
func (m *matcher) insert(p int) {
	h := m.hash.of(binary.LittleEndian.Uint32(m.buf[p:]))
	m.prev[p&(windowSize-1)] = uint16(min(int32(p)-m.head[h], 1<<16-1))
	m.head[h] = int32(p)
}

// candidate is the newest position in the chain of p, entering p if it is not.
func (m *matcher) candidate(p int) (int, bool) {
	if m.end-p < minMatch {
		return 0, false
	}
	if p == m.inserted {
		m.insert(p)
		m.inserted++
	}
	c := p - int(m.prev[p&(windowSize-1)])
	return c, c > m.start && p-c <= maxDistance
}

// predict is the token at pos; able must be true.
func (m *matcher) predict() token {
	if m.effort.slow {
		return m.predictSlow()
	}
	c, ok := m.candidate(m.pos)
	if ok {
		if n, at := m.longest(m.pos, c, minMatch-1); n >= minMatch {
			return match(n, m.pos-at)
		}
	}
	return token(m.buf[m.pos])
}

func (m *matcher) predictSlow() token {
	n, distance := m.carriedLen, m.carried.distance()
	if !m.ready {
		n, distance = m.search(m.pos, minMatch-1)
	}
	m.ready = false
	if n < minMatch {
		return token(m.buf[m.pos])
	}
	better, nextDistance := m.search(m.pos+1, n)
	if better <= n {
		return match(n, distance)
	}
	m.ready, m.carriedLen, m.carried = true, better, match(better, nextDistance)
	return token(m.buf[m.pos])
}

// search finds a match at p that is longer than one of length known.
func (m *matcher) search(p, known int) (length, distance int) {
	c, ok := m.candidate(p)
	if !ok || known >= m.effort.lazy {
		return minMatch - 1, 0
	}
	n, at := m.longest(p, c, known)
	if n <= known || n == minMatch && p-at > tooFar {
		return minMatch - 1, 0
	}
	return n, p - at
}

// longest looks through the chain from c on. It returns known if nothing is longer.
func (m *matcher) longest(p, c, known int) (length, at int) {
	most := min(maxMatch, m.end-p)
	if known >= m.end-p {
		return known, 0
	}
	limit, chain := max(p-maxDistance, m.start), m.effort.chain
	if known >= m.effort.good {
		chain >>= 2
	}
	nice := min(m.effort.nice, most)
	buf, prev, best, left := m.buf, &m.prev, known, chain
	tails, mask := tail(buf, best)
	want := binary.LittleEndian.Uint64(tails[p:])
	for {
		left--
		if (binary.LittleEndian.Uint64(tails[c:])^want)&mask == 0 {
			n := common(buf[p:p+most], buf[c:c+most])
			m.work += compareWork + int64(n)/compareBytes
			if n > best {
				if best, at = n, c; n >= nice {
					break
				}
				tails, mask = tail(buf, best)
				want = binary.LittleEndian.Uint64(tails[p:])
			}
		}
		c -= int(prev[c&(windowSize-1)])
		if c <= limit || left == 0 {
			break
		}
	}
	m.work += int64(chain - left)
	return best, at
}

// tail is where the last eight bytes lie of a match one longer than best, and which
// of them count: if best is below seven, it has fewer.
func tail(buf []byte, best int) (tails []byte, mask uint64) {
	if best >= 7 {
		return buf[best-7:], math.MaxUint64
	}
	return buf, 1<<(8*best+8) - 1
}

// common is how many bytes a and b, of the same length, start with in common.
func common(a, b []byte) int {
	n := 0
	for len(a)-n >= 8 && len(b)-n >= 8 {
		if x := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)>>3
		}
		n += 8
	}
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

// accept moves on by what the stream has at pos, be it as predicted or not.
func (m *matcher) accept(t token, predicted bool) {
	if !predicted {
		m.ready = false
	}
	m.skip(t.size(), t.literal() || m.effort.slow || t.length() <= m.effort.lazy)
}

// skip moves on by n bytes.
func (m *matcher) skip(n int, enter bool) {
	m.pos += n
	if !enter || !m.effort.slow && m.end-m.pos < minMatch && n > 1 {
		m.inserted = max(m.inserted, m.pos)
		return
	}
	for stop := min(m.pos, m.end-minMatch+1); m.inserted < stop; m.inserted++ {
		m.insert(m.inserted)
	}
	m.inserted = max(m.inserted, m.pos)
}
