// SPDX-License-Identifier: Apache-2.0

package deflate

import "io"

const (
	sampleTokens = 1 << 13
	sampleBytes  = windowData / 4
)

// A sample is the start of a stream: its first tokens, at most up to a stored
// block, and their contents.
type sample struct {
	tokens   []token
	contents []byte
	whole    bool
	d        *inflater
}

func (s *sample) read(r io.ReaderAt, x *stream) error {
	if s.d == nil {
		s.d = newInflater()
		s.d.recording = true
	}
	d := s.d
	if err := d.reset(r, x.offset, x.end()); err != nil {
		return err
	}
	s.tokens, s.contents, s.whole = nil, s.contents[:0], false
	for len(s.contents) < sampleBytes {
		p, err := d.next()
		if err == io.EOF {
			s.whole = true
			break
		}
		if err != nil {
			return changed(err)
		}
		s.contents = append(s.contents, p...)
	}
	s.contents = s.contents[:min(len(s.contents), sampleBytes)]
	s.whole = s.whole && int64(len(s.contents)) == x.length
	s.tokens = d.tokens[:min(len(d.tokens), sampleTokens, d.plain)]
	return nil
}

// wrong counts the tokens that a recipe does not predict, up to limit, which also
// stands for too much work.
func (s *sample) wrong(m *matcher, r recipe, limit int) int {
	m.reset(r)
	m.work = 0
	m.end += copy(m.space(), s.contents)
	if s.whole {
		m.finish()
	}
	n := 0
	for _, t := range s.tokens {
		if !m.able() || t.size() > m.end-m.pos {
			break
		}
		if m.spent() {
			return limit
		}
		predicted := m.predict()
		if predicted != t {
			if n++; n == limit {
				break
			}
		}
		m.accept(t, predicted == t)
	}
	return n
}
