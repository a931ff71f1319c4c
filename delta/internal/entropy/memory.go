// SPDX-License-Identifier: Apache-2.0

package entropy

// Memory makes models and is where they have their tables. A program that reads many
// patches gives each the Memory of one that it is done with, and spares making and
// collecting more than a megabyte. It is for one goroutine at a time.
type Memory struct {
	lines  shelf[line]
	slots  shelf[slot]
	blends shelf[nibbles]
}

// Reuse takes the tables from all models that were made, which are of no more use.
func (m *Memory) Reuse() {
	m.lines.reuse()
	m.slots.reuse()
	m.blends.reuse()
}

// shelf has room for what was asked for until it was reused last.
type shelf[T any] struct {
	all, free []T
	asked     int
}

func (s *shelf[T]) reuse() {
	if len(s.all) < s.asked {
		s.all = make([]T, s.asked)
	}
	s.free, s.asked = s.all, 0
}

// take returns n copies of even.
func (s *shelf[T]) take(n int, even T) (t []T) {
	s.asked += n
	if len(s.free) < n {
		t = make([]T, n)
	} else {
		t, s.free = s.free[:n:n], s.free[n:]
	}
	t[0] = even
	for k := 1; k < n; k *= 2 {
		copy(t[k:], t[:k])
	}
	return t
}

func (m *Memory) newLines(n int) []line { return m.lines.take(n, evenLine()) }

func (m *Memory) newSlots(n int) []slot { return m.slots.take(n, even) }

func (m *Memory) newBlends(n int) []nibbles { return m.blends.take(n, evenNibbles()) }
