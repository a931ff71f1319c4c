// SPDX-License-Identifier: Apache-2.0

package cover

import (
	"encoding/binary"

	"github.com/waybill-project/waybill/delta/diff/internal/suffix"
)

// Table is a Finder that knows the places of the base by a hash of their first
// bytes: quick, and blind for shorter matches.
type Table struct {
	base   []byte
	window int
	heads  []uint32
	shift  uint
}

// NewTable makes a table of every step-th place, by window bytes, 8 to 32.
func NewTable(base []byte, window, step int) *Table {
	t := &Table{base: base, window: window, shift: 64 - 10}
	for 2<<(64-t.shift) <= len(base)/step && t.shift > 36 {
		t.shift--
	}
	t.heads = make([]uint32, 1<<(64-t.shift))
	for at := 0; at+window <= len(base); at += step {
		if h := &t.heads[t.hash(base[at:])]; *h == 0 {
			*h = uint32(at + 1)
		}
	}
	return t
}

func (t *Table) hash(p []byte) uint64 {
	h := binary.LittleEndian.Uint64(p) * 0x9E3779B97F4A7C15
	for i := 8; i+8 <= t.window; i += 8 {
		h = (h ^ h>>29 ^ binary.LittleEndian.Uint64(p[i:])) * 0xD6E8FEB86659FD93
	}
	if t.window&7 != 0 {
		h = (h ^ h>>29 ^ binary.LittleEndian.Uint64(p[t.window-8:])) * 0xD6E8FEB86659FD93
	}
	return h >> t.shift
}

// Longest implements Finder.
func (t *Table) Longest(p []byte, want int) (at, length int) {
	if len(p) < t.window {
		return 0, 0
	}
	h := t.heads[t.hash(p)]
	if h == 0 {
		return 0, 0
	}
	at = int(h - 1)
	if n := suffix.Common(t.base[at:], p); n >= t.window {
		return at, n
	}
	return 0, 0
}

// Sorted is a Finder by a suffix array: it finds the longest match.
type Sorted struct{ *suffix.Array }

// Longest implements Finder.
func (s Sorted) Longest(p []byte, want int) (at, length int) { return s.Near(p, want, 100) }
