// SPDX-License-Identifier: Apache-2.0

package deflate

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
)

// broken is zeros with a one at distances from least to least+spread-1.
func broken(n int, least, spread uint32) []byte {
	s := sequence(9)
	p := make([]byte, n)
	for i := uint32(0); i < uint32(n); i += least + s.next()%spread {
		p[i] = 1
	}
	return p
}

// digits are zeros and ones in no order.
func digits(n int) []byte {
	s := sequence(11)
	p := make([]byte, n)
	for i := range p {
		p[i] = '0' + byte(s.next()>>8&1)
	}
	return p
}

// lines are n bytes of a format with numbers.
func lines(n int, format string) []byte {
	s := sequence(13)
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, format, b.Len(), s.next()%300, s.next()%5000)
	}
	return b.Bytes()[:n]
}

// TestLongestIsAsSpecified searches as docs/waybill1.md says, candidate by candidate.
func TestLongestIsAsSpecified(t *testing.T) {
	for name, contents := range map[string][]byte{"mixed": mixed()[100_000:300_000], "digits": digits(3000), "broken": broken(4000, 10, 30)} {
		m := newMatcher(maxOffset)
		m.reset(newRecipe(Zlib, 9))
		m.end += copy(m.space(), contents)
		m.finish()
		for p := m.start; p < m.end; p++ {
			c, ok := m.candidate(p)
			if m.pos++; !ok || p%37 != 0 && len(contents) > 10_000 {
				m.skip(0, true)
				continue
			}
			for _, known := range []int{2, 3, 6, 7, 8, 40, 257} {
				before := m.work
				n, at := m.longest(p, c, known)
				wantN, wantAt, wantWork := specified(m, p, c, known)
				if n != wantN || at != wantAt || m.work-before != wantWork {
					t.Fatalf("%s: at %d, longer than %d: %d at %d, work %d; want %d at %d, work %d", name, p-m.start, known,
						n, at, m.work-before, wantN, wantAt, wantWork)
				}
			}
		}
	}
}

func specified(m *matcher, p, c, known int) (best, at int, work int64) {
	left := m.end - p
	if known >= left {
		return known, 0, 0
	}
	n := m.effort.chain
	if known >= m.effort.good {
		n /= 4
	}
	most, best := min(258, left), known
	for {
		same := 0
		for same < most && m.buf[p+same] == m.buf[c+same] {
			same++
		}
		work++
		if from := max(best-7, 0); bytes.Equal(m.buf[c+from:c+best+1], m.buf[p+from:p+best+1]) {
			work += 8 + int64(same/16)
		}
		if same > best {
			if best, at = same, c; best >= min(m.effort.nice, most) {
				return best, at, work
			}
		}
		c -= int(m.prev[c%windowSize])
		if n--; n == 0 || c <= m.start || p-c >= maxDistance {
			return best, at, work
		}
	}
}

// TestWorkIsExact: what is counted is part of the format, and does not depend on
// how the contents come.
func TestWorkIsExact(t *testing.T) {
	contents := mixed()
	for r, want := range map[recipe]int64{
		newRecipe(Zlib, 1): 629_313, newRecipe(Zlib, 6): 1_681_054, newRecipe(Zlib, 9): 1_782_612,
		newRecipe(Chromium, 9): 1_384_722, newRecipe(Castagnoli, 4): 859_670, newRecipe(Gzip, 9): 1_782_612,
	} {
		for _, piece := range []int{len(contents), 301} {
			if _, got := worked(t, r, nil, contents, piece); got != want {
				t.Errorf("%v, pieces of %d: %d, want %d", r, piece, got, want)
			}
		}
	}
}

// TestHashesAreMadeOnce: streams of a byte may take turns in their recipes.
func TestHashesAreMadeOnce(t *testing.T) {
	m, recipes := newMatcher(0), candidates()
	turn := func() {
		for _, r := range recipes {
			m.reset(r)
		}
	}
	turn()
	if n := testing.AllocsPerRun(10, turn); n > 0 {
		t.Errorf("%v allocations", n)
	}
	for _, r := range recipes {
		if m.reset(r); *m.hash != *newHash(r.family(), r.level()) {
			t.Errorf("%v has another hash", r)
		}
	}
}

// TestHonestWork: files that exist take less than a fourth of what they may.
func TestHonestWork(t *testing.T) {
	const n = 2 << 20
	for name, contents := range map[string][]byte{
		"zeros":      make([]byte, n),
		"period 2":   bytes.Repeat([]byte("ab"), n/2),
		"period 7":   bytes.Repeat([]byte("abcdefg"), n/7),
		"period 259": bytes.Repeat(mixed()[:259], n/259),
		"words":      mixed(),
		"log":        lines(n, "2026-11-22 18:23:%08d INFO [http-%d] com.example.RequestHandler - GET /api/v1/users/%d 200\n"),
		"JSON":       lines(n, `{"id":%d,"enabled":true,"tags":["alpha","beta"],"price":%d.%d,"parent":null},`),
	} {
		stream, work := worked(t, newRecipe(Zlib, 9), nil, contents, n)
		if most := int64(workFactor * len(stream) / 4); work > most {
			t.Errorf("%s: %d for %d bytes, at most %d expected", name, work, len(stream), most)
		}
	}
}

// TestHostileWork: a view that wants the longest searches for each of its bytes is
// given up once they cost too much.
func TestHostileWork(t *testing.T) {
	contents := broken(24<<10, 40, 57)
	fix := append([]byte{0}, make([]byte, 2*len(contents))...) // each byte a literal
	var file bytes.Buffer
	e := newEncoder(&file, maxOffset)
	if err := errors.Join(e.reset(newRecipe(Zlib, 9), fix, int64(len(contents))), e.write(contents)); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d for %d bytes", e.m.work, file.Len())

	view := appendFront(nil, kindGzip, []stream{{length: int64(len(contents)), recipe: newRecipe(Zlib, 9) | corrected, fix: fix}}, 0, 0)
	view = append(append(view, fix...), contents...)
	w := NewWriter(new(counter), int64(file.Len()))
	if _, err := w.Write(view); !errors.Is(err, ErrCorrupt) {
		t.Fatal(err)
	}
	const token = 2 * 4096 * (1 + compareWork + maxMatch/compareBytes)
	if m := w.encoder.m; !m.spent() || m.work > m.most+token || m.most >= e.m.work {
		t.Errorf("%d done of %d, %d allowed", m.work, e.m.work, m.most)
	}
}

// TestCostlyStreamsStayRaw: a maker makes nothing that a reader refuses. Without the
// bytes that come on top, short streams are long enough.
func TestCostlyStreamsStayRaw(t *testing.T) {
	costly, cheap := digits(60_000), mixed()[:5000]
	stream := encode(newRecipe(Zlib, 9), costly)
	file := append(gzipped(encode(newRecipe(Zlib, 9), cheap), cheap), gzipped(stream, costly)...)
	v, err := scanned(t.Context(), bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	v.fileSize -= workFree
	work, err := v.describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v.keepAffordable(work)
	if _, all := worked(t, newRecipe(Zlib, 9), nil, costly, len(costly)); all < 2*mostWork(v.fileSize) {
		t.Errorf("all work is %d, %d is allowed", all, mostWork(v.fileSize))
	}
	if cheap, costly := v.streams[0].recipe, v.streams[1].recipe; cheap == 0 || costly != 0 {
		t.Errorf("recipes %v and %d", cheap, costly)
	}
}

func TestTheCostliestGo(t *testing.T) {
	v := &View{streams: make([]stream, 5)}
	for i := range v.streams {
		v.streams[i].recipe = newRecipe(Zlib, 9)
	}
	v.streams[0].recipe = 0
	part := mostWork(0) / 4
	v.keepAffordable([]int64{9 * part, part, 2 * part, part, 3 * part})
	var kept []byte
	for _, s := range v.streams {
		kept = append(kept, byte(s.recipe))
	}
	if want := []byte{0, 9, 9, 9, 0}; !bytes.Equal(kept, want) {
		t.Errorf("kept %v, want %v", kept, want)
	}
}
