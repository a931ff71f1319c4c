// SPDX-License-Identifier: Apache-2.0

package suffix

// Near is Longest with a wish: of several places, up to tries on each side in
// the order of suffixes, it takes the one nearest to want.
func (a *Array) Near(p []byte, want, tries int) (pos, length int) {
	pos, length = a.Longest(p)
	if length < 2 || length >= 1<<10 {
		return pos, length
	}
	middle := a.rank(p[:length])
	best := distance(pos, want)
	for i := middle; i < min(middle+tries, len(a.order)); i++ {
		at := int(a.order[i])
		if Common(a.text[at:], p[:length]) < length {
			break
		}
		if d := distance(at, want); d < best {
			pos, best = at, d
		}
	}
	return pos, length
}

func distance(a, b int) int { return max(a-b, b-a) }

// rank is the place in order of the first suffix that begins with p.
func (a *Array) rank(p []byte) int {
	k := key(p)
	from, _ := a.between(k, int(a.pairs[k>>48]), int(a.pairs[k>>48+1]))
	lo, hi := max(0, (from-1)*sampled), min(from*sampled+1, len(a.order))
	for lo < hi {
		mid := int(uint(lo+hi) / 2)
		at := int(a.order[mid])
		n := Common(a.text[at:], p)
		if n < len(p) && (at+n == len(a.text) || a.text[at+n] < p[n]) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}
