// SPDX-License-Identifier: Apache-2.0

package diff

const (
	gapMost   = 1 << 20 // bytes that a cover is widened at most
	gapLeast  = 256     // bytes of a gap that is looked into
	gapPiece  = 1024    // bytes of it that may have another diagonal
	gapStride = 7       // bytes between samples of a piece, of which none follow the period of a table
	gapReach  = 128     // bytes around known diagonals that are tried
)

// gapSeeds makes seeds of covers that reach over the gaps between them, since
// with what was learned many a difference there is cheaper than a copy. Tables
// of ascending numbers have no equal bytes in a row by which their diagonal
// could be found, so it is looked for around those on both sides.
func gapSeeds(base, result []byte, covers []match) []seed {
	var seeds []seed
	for i, m := range covers {
		front, behind := 0, 0
		if i > 0 {
			front = min(m.new-end(covers[i-1]), m.old, gapMost)
		}
		if i+1 < len(covers) {
			next := covers[i+1]
			behind = min(next.new-end(m), gapMost)
			if behind >= gapLeast {
				seeds = append(seeds, between(base, result, m, next)...)
			}
		}
		seeds = append(seeds, seed{int32(m.new - front), int32(m.old - front), int32(front + m.n + behind)})
	}
	return seeds
}

func end(m match) int { return m.new + m.n }

// between returns for each piece of the gap the diagonal with the most equal bytes.
func between(base, result []byte, a, b match) []seed {
	var seeds []seed
	x, y := a.old-a.new, b.old-b.new
	for from := end(a); from < b.new; from += gapPiece {
		to := min(from+gapPiece, b.new)
		diag, most := nowhere, (to-from)/gapStride*3/8
		try := func(first, last int) {
			for d := max(first, -from); d <= min(last, len(base)-to); d++ {
				if n := alike(base[from+d:to+d], result[from:to]); n > most {
					diag, most = d, n
				}
			}
		}
		if lo, hi := min(x, y), max(x, y); hi-lo <= 8*gapReach {
			try(lo-gapReach, hi+gapReach)
		} else {
			try(x-gapReach, x+gapReach)
			try(y-gapReach, y+gapReach)
		}
		if diag != nowhere {
			seeds = append(seeds, seed{int32(from), int32(from + diag), int32(to - from)})
		}
	}
	return seeds
}

func alike(a, b []byte) (n int) {
	for i := 0; i < len(a) && i < len(b); i += gapStride {
		if a[i] == b[i] {
			n++
		}
	}
	return n
}
