// SPDX-License-Identifier: Apache-2.0

package diff

// byChance is the length of a match that says nothing: that two texts with this
// one's bytes in random order, as long as it is, hold in common nearly
// everywhere. It is 5 for programs, 30 for a long text of two letters.
func byChance(text []byte) int {
	var counts [256]uint64
	for _, b := range text {
		counts[b]++
	}
	n, bits := uint64(len(text)), uint64(0)
	for _, c := range counts {
		if c > 0 {
			bits += c * uint64(cost(c, n))
		}
	}
	if n == 0 {
		return 0
	}
	return log2(n) * 5 / 4 / int(max(bits/n, 1))
}
