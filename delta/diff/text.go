// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"slices"

	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// isText reports whether hardly any byte of a sample of p is a control
// character other than those of lines.
func isText(p []byte) bool { return areText(p, []insertion{{to: int64(len(p))}}) }

// insertion is a range of a result that no cover has, and where the base goes on behind
// the cover before it.
type insertion struct{ from, to, old int64 }

// areText is isText of all insertions of p together.
func areText(p []byte, insertions []insertion) bool {
	const samples = 1 << 12
	n := int64(0)
	for _, in := range insertions {
		n += in.to - in.from
	}
	step := n/samples + 1
	controls, all, over := 0, 0, int64(0)
	for _, in := range insertions {
		at := in.from + over
		for ; at < in.to; at += step {
			all++
			if b := p[at]; b < ' ' && b != '\n' && b != '\r' && b != '\t' {
				controls++
			}
		}
		over = at - in.to
	}
	return controls <= all/64
}

// prime gives inserted text the part of the base around which most of it is, if
// that is what covers leave open and what the base has there. What is long takes its
// time at each reader, so little text has a short primer. It returns the covers that
// are worth it then.
func (w *writing) prime(covers []waybill1.Cover) []waybill1.Cover {
	insertions, n := uncovered(covers, int64(len(w.result)))
	if n == 0 || len(w.base) < primerLeast || !areText(w.result, insertions) {
		return covers
	}
	kept := w.withoutShort(covers)
	insertions, n = uncovered(kept, int64(len(w.result)))
	length := min(int64(len(w.base)), waybill1.PrimerMost, primerSpare+primerFactor*n)
	at := min(max(densest(insertions, length)-length/2, 0), int64(len(w.base))-length)
	if !isText(w.base[at : at+length]) {
		return covers
	}
	w.header.Primer = waybill1.Primer{At: at, Length: length}
	return kept
}

const (
	primerLeast  = 64
	primerSpare  = 64 << 10
	primerFactor = 256 // times the text
	// shortText is what a cover of text elsewhere must have, or else its bytes are
	// coded in fewer bits by what the primer has of them.
	shortText = 40
)

// withoutShort leaves out short covers of text but those that go on where the one
// before would.
func (w *writing) withoutShort(covers []waybill1.Cover) (kept []waybill1.Cover) {
	move := uint32(0)
	for _, c := range covers {
		if c.Length < shortText && c.Old-c.New != move && !within(w.header.Images, int64(c.New)) {
			continue
		}
		move = c.Old - c.New
		kept = append(kept, c)
	}
	return kept
}

// densest is the middle of the range of the base, of so many bytes, where most was
// inserted.
func densest(insertions []insertion, length int64) (middle int64) {
	slices.SortFunc(insertions, func(a, b insertion) int { return cmp.Compare(a.old, b.old) })
	first, most, sum := 0, int64(0), int64(0)
	for _, in := range insertions {
		sum += in.to - in.from
		for ; in.old-insertions[first].old > length; first++ {
			sum -= insertions[first].to - insertions[first].from
		}
		if sum > most {
			most, middle = sum, insertions[first].old+(in.old-insertions[first].old)/2
		}
	}
	return middle
}

// uncovered lists what covers leave open of a result, and how much that is.
func uncovered(covers []waybill1.Cover, length int64) (insertions []insertion, n int64) {
	at, old := int64(0), int64(0)
	for _, c := range append(covers[:len(covers):len(covers)], waybill1.Cover{New: uint32(length)}) {
		if at < int64(c.New) {
			insertions = append(insertions, insertion{at, int64(c.New), old})
			n += int64(c.New) - at
		}
		at, old = int64(c.New)+int64(c.Length), int64(c.Old)+int64(c.Length)
	}
	return insertions, n
}
