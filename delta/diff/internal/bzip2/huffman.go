// SPDX-License-Identifier: Apache-2.0

package bzip2

import "slices"

const codeMost = 17 // bits of a code; the format allows 20, and writers of old keep to 17

// codeLengths returns the lengths in bits of an optimal prefix code. Every
// symbol gets one, as the format wants, also one that does not occur.
func codeLengths(counts []int) []byte {
	order := make([]int, len(counts))
	for i := range order {
		order[i] = i
	}
	weights := make([]int, len(counts))
	for i, n := range counts {
		weights[i] = max(n, 1)
	}
	slices.SortStableFunc(order, func(a, b int) int { return weights[a] - weights[b] })
	sorted := make([]int, len(counts))
	for {
		for i, s := range order {
			sorted[i] = weights[s]
		}
		if depths(sorted); sorted[0] <= codeMost {
			break
		}
		for i := range weights {
			weights[i] = weights[i]/2 + 1
		}
	}
	lengths := make([]byte, len(counts))
	for i, s := range order {
		lengths[s] = byte(sorted[i])
	}
	return lengths
}

// depths replaces at least two ascending weights by their depths in a Huffman
// tree, in place (A. Moffat, J. Katajainen: In-Place Calculation of
// Minimum-Redundancy Codes, WADS 1995).
func depths(a []int) {
	n := len(a)
	leaf, root := 0, 0
	take := func(next int) int {
		if leaf >= n || root < next && a[root] < a[leaf] {
			w := a[root]
			a[root] = next
			root++
			return w
		}
		leaf++
		return a[leaf-1]
	}
	for next := range n - 1 {
		w := take(next)
		a[next] = w + take(next)
	}
	a[n-2] = 0
	for i := n - 3; i >= 0; i-- {
		a[i] = a[a[i]] + 1
	}
	available, depth, inner, next := 1, 0, n-2, n-1
	for available > 0 {
		used := 0
		for inner >= 0 && a[inner] == depth {
			used++
			inner--
		}
		for ; available > used; available-- {
			a[next] = depth
			next--
		}
		available, depth = 2*used, depth+1
	}
}

// canonical assigns codes of the lengths: shorter first, then by symbol.
func canonical(lengths []byte) []uint32 {
	codes := make([]uint32, len(lengths))
	code := uint32(0)
	for n := byte(1); n <= codeMost; n++ {
		for s, length := range lengths {
			if length == n {
				codes[s] = code
				code++
			}
		}
		code <<= 1
	}
	return codes
}
