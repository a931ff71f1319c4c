// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"cmp"
	"slices"

	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// isText reports whether hardly any byte of a sample of p is a control
// character other than those of lines.
func isText(p []byte) bool { return areText(p, []span{{0, int64(len(p))}}) }

// areText is isText of all ranges of p together.
func areText(p []byte, ranges []span) bool {
	const samples = 1 << 12
	controls, all := 0, 0
	for at := range sampled(ranges, total(ranges)/samples+1) {
		all++
		if b := p[at]; b < ' ' && b != '\n' && b != '\r' && b != '\t' {
			controls++
		}
	}
	return controls <= all/64
}

// prime gives inserted text the part of the base around which most of it is, if
// that is what covers leave open and what the base has there. What is long takes its
// time at each reader, so little text has a short primer. It returns the covers that
// are worth it then.
func (w *writing) prime(covers []waybill1.Cover) []waybill1.Cover {
	all := span{0, int64(len(w.result))}
	inserted, _ := uncovered(all, covers)
	if len(inserted) == 0 || len(w.base) < primerLeast || !areText(w.result, inserted) {
		return covers
	}
	kept := w.withoutShort(covers)
	inserted, places := uncovered(all, kept)
	length := min(int64(len(w.base)), waybill1.PrimerMost, primerSpare+primerFactor*total(inserted))
	at := min(max(densest(places, length)-length/2, 0), int64(len(w.base))-length)
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

// place is where in the base so many bytes were inserted.
type place struct{ at, n int64 }

// densest is the middle of the range of the base, of so many bytes, where most was
// inserted.
func densest(places []place, length int64) (middle int64) {
	slices.SortFunc(places, func(a, b place) int { return cmp.Compare(a.at, b.at) })
	first, most, sum := 0, int64(0), int64(0)
	for _, p := range places {
		sum += p.n
		for ; p.at-places[first].at > length; first++ {
			sum -= places[first].n
		}
		if sum > most {
			most, middle = sum, places[first].at+(p.at-places[first].at)/2
		}
	}
	return middle
}
