// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"sort"

	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// kin are an executable of the base and the one of the result that it became.
type kin struct {
	old, new embedded
	shared   int64 // bytes of the new one that covers take from the old one
}

// pairUp pairs executables by what covers say: those that share most, each one
// once, the largest share first. What is left over is paired by size.
func pairUp(old, new []embedded, covers []waybill1.Cover) []kin {
	all := common(old, new, covers)
	slices.SortFunc(all, func(a, b kin) int {
		return cmp.Or(cmp.Compare(b.shared, a.shared), cmp.Compare(a.new.at, b.new.at), cmp.Compare(a.old.at, b.old.at))
	})
	takenOld, takenNew := map[int64]bool{}, map[int64]bool{}
	take := func(k kin) bool {
		if takenOld[k.old.at] || takenNew[k.new.at] {
			return false
		}
		takenOld[k.old.at], takenNew[k.new.at] = true, true
		return true
	}
	pairs := slices.DeleteFunc(all, func(k kin) bool { return !take(k) })
	return append(pairs, leftOver(old, new, take)...)
}

// leftOver pairs those of about the same size, the largest first.
func leftOver(old, new []embedded, take func(kin) bool) []kin {
	old = slices.SortedFunc(slices.Values(old), embedded.larger)
	new = slices.SortedFunc(slices.Values(new), embedded.larger)
	var pairs []kin
	for _, n := range new {
		for _, o := range old {
			if k := (kin{old: o, new: n}); o.sameKind(n) && o.Length/2 <= n.Length && n.Length/2 <= o.Length && take(k) {
				pairs = append(pairs, k)
				break
			}
		}
	}
	return pairs
}

// leastShare is what part of an executable must come from an old one that it is
// compared with: one in so many bytes.
const leastShare = 16

// common lists all pairs of executables for one machine that covers connect.
func common(old, new []embedded, covers []waybill1.Cover) []kin {
	counts := map[[2]int]int64{}
	for _, c := range covers {
		from, to, move := int64(c.New), int64(c.New)+int64(c.Length), int64(c.Old)-int64(c.New)
		for n := firstBehind(new, from); n < len(new) && new[n].at < to; n++ {
			low, high := max(from, new[n].at)+move, min(to, new[n].end())+move
			for o := firstBehind(old, low); o < len(old) && old[o].at < high; o++ {
				if old[o].sameKind(new[n]) {
					counts[[2]int{o, n}] += min(high, old[o].end()) - max(low, old[o].at)
				}
			}
		}
	}
	var all []kin
	for pair, shared := range counts {
		if k := (kin{old[pair[0]], new[pair[1]], shared}); shared > k.new.Length/leastShare {
			all = append(all, k)
		}
	}
	return all
}

// firstBehind is the first executable that ends behind at.
func firstBehind(all []embedded, at int64) int {
	return sort.Search(len(all), func(i int) bool { return all[i].end() > at })
}

// maxImageHeader is what images may take of a header, in bytes.
const maxImageHeader = 48 << 10

// openImages opens those that changed, as many as a patch may have with room for
// so many covers: half of what there will be, and the shorter half says little.
func (w *writing) openImages(pairs []kin, covers int) []*image {
	var images []*image
	h, size := w.header, 0
	h.Images = nil
	for _, k := range pairs {
		old, new := w.base[k.old.at:k.old.end()], w.result[k.new.at:k.new.end()]
		if len(images) == waybill1.MaxImages {
			break
		}
		if bytes.Equal(old, new) {
			continue
		}
		i := openImage(old, new)
		if i == nil {
			continue
		}
		i.OldAt, i.NewAt = k.old.at, k.new.at
		h.Images = append(h.Images, i.region())
		more := len(i.New.Append(nil)) + 3*binary.MaxVarintLen32
		if size+more > maxImageHeader || h.MaxCovers() < min(covers, len(w.result)/8) {
			h.Images = h.Images[:len(images)]
			continue
		}
		images, size = append(images, i), size+more
	}
	return images
}
