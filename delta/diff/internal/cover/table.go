// SPDX-License-Identifier: Apache-2.0

package cover

import (
	"encoding/binary"
	"math/bits"

	"github.com/waybill-project/waybill/delta/diff/internal/suffix"
)

// Table is a Finder that knows the places of the base by a hash of their first
// bytes: quick, and blind for shorter matches.
type Table struct {
	base         []byte
	window, step int
	// heads has, by the top bits of a hash, the number of a place, counted from 1,
	// and above its bits as many of the hash as there is room for.
	heads []uint32
	shift uint
	bits  uint // of the number of a place
}

// Range is some bytes of a base.
type Range struct{ From, To int }

// NewTable makes a table of every step-th place that lies in ranges of the base,
// by window bytes, 8 to 32. It takes its memory from room, which it clears, if that
// has the TableSize of these ranges.
func NewTable(base []byte, ranges []Range, window, step int, room []uint32) *Table {
	length := 0
	for _, r := range ranges {
		length += r.To - r.From
	}
	t := &Table{base: base, window: window, step: step, bits: uint(bits.Len(uint(len(base)/step + 1)))}
	width := tableWidth(length, step)
	t.shift = 64 - width
	if cap(room) < 1<<width {
		t.heads = make([]uint32, 1<<width)
	} else {
		t.heads = room[:1<<width]
		clear(t.heads)
	}
	for _, r := range ranges {
		t.add(r)
	}
	return t
}

// All is the range of a whole base.
func All(base []byte) []Range { return []Range{{To: len(base)}} }

func (t *Table) add(r Range) {
	for i := (r.From + t.step - 1) / t.step; i*t.step < r.To && i*t.step+t.window <= len(t.base); i++ {
		h := t.hash(t.base[i*t.step:])
		if head := &t.heads[h>>t.shift]; *head == 0 {
			*head = uint32(i+1) | t.check(h)
		}
	}
}

// TableSize is the room that a table takes, for a base of so many bytes.
func TableSize(length, step int) int { return 1 << tableWidth(length, step) }

func tableWidth(length, step int) uint {
	width := uint(10)
	for 2<<width <= length/step && width < 28 {
		width++
	}
	return width
}

// check is the part of a hash that tells places apart.
func (t *Table) check(h uint64) uint32 { return uint32(h<<(64-t.shift)>>32) >> t.bits << t.bits }

func (t *Table) hash(p []byte) uint64 {
	h := binary.LittleEndian.Uint64(p) * 0x9E3779B97F4A7C15
	for i := 8; i+8 <= t.window; i += 8 {
		h = (h ^ h>>29 ^ binary.LittleEndian.Uint64(p[i:])) * 0xD6E8FEB86659FD93
	}
	if t.window&7 != 0 {
		h = (h ^ h>>29 ^ binary.LittleEndian.Uint64(p[t.window-8:])) * 0xD6E8FEB86659FD93
	}
	return h
}

// Longest implements Finder.
func (t *Table) Longest(p []byte, want int) (at, length int) {
	if len(p) < t.window {
		return 0, 0
	}
	h := t.hash(p)
	head := t.heads[h>>t.shift]
	if head == 0 || head>>t.bits<<t.bits != t.check(h) {
		return 0, 0
	}
	at = int(head&(1<<t.bits-1)-1) * t.step
	if n := suffix.Common(t.base[at:], p); n >= t.window {
		return at, n
	}
	return 0, 0
}

// Tables is a Finder that asks one after the other: that of the longest window
// first, which is right more often.
type Tables []*Table

// Longest implements Finder.
func (t Tables) Longest(p []byte, want int) (at, length int) {
	for _, table := range t {
		if at, length = table.Longest(p, want); length > 0 {
			break
		}
	}
	return at, length
}

// Sorted is a Finder by a suffix array: it finds the longest match.
type Sorted struct{ *suffix.Array }

// Longest implements Finder.
func (s Sorted) Longest(p []byte, want int) (at, length int) { return s.Near(p, want, 100) }
