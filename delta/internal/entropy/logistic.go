// SPDX-License-Identifier: Apache-2.0

package entropy

// The logistic domain has units of 1/256 and ends at ±2047; probabilities have
// 16 bits there and 12 on the way in.
const (
	domain = 2048
	knot   = 64
)

// knots is 65536/(1+exp(-x/256)) for x from -2048 in steps of 64, rounded.
var knots = [2*domain/knot + 1]int32{
	22, 28, 36, 47, 60, 77, 98, 126, 162, 208, 267, 342, 439, 562, 720, 922, 1179, 1506, 1921, 2446, 3108, 3938,
	4971, 6249, 7812, 9702, 11955, 14595, 17625, 21025, 24743, 28693, 32768, 36843, 40793, 44511, 47911, 50941,
	53581, 55834, 57724, 59287, 60565, 61598, 62428, 63090, 63615, 64030, 64357, 64614, 64816, 64974, 65097,
	65194, 65269, 65328, 65374, 65410, 65438, 65459, 65476, 65489, 65500, 65508, 65514,
}

var (
	squashed  = squashTable()
	stretched = stretchTable()
	rates     = rateTable()
)

func squashTable() (t [2 * domain]uint16) {
	for i := range t {
		k, rest := i/knot, int32(i%knot)
		t[i] = uint16((knots[k]*(knot-rest) + knots[k+1]*rest + knot/2) / knot)
	}
	return t
}

// stretchTable inverts squashTable for probabilities of 12 bits.
func stretchTable() (t [4096]int16) {
	x := 0
	for p := range t {
		for x < 2*domain-1 && int(squashed[x]) < p*16+8 {
			x++
		}
		t[p] = int16(x - domain)
	}
	return t
}

// squash is the probability, in 65536ths, of a weight of evidence.
func squash(x int32) uint32 {
	return uint32(squashed[min(max(x+domain, 0), 2*domain-1)])
}

// A slot is an adaptive probability: 22 bits of it, then how often it was
// adapted, in 10 bits. Its first values count for more.
type slot uint32

const (
	even      slot = 1 << 31
	slotLimit      = 255
)

// rateTable is 65536/(n+1.5), for n adaptations so far, without its last bit,
// which says whether n still grows.
func rateTable() (t [slotLimit + 1]int32) {
	for n := range t {
		t[n] = int32(65536*2/(2*n+3)) | 1
	}
	t[slotLimit] &^= 1
	return t
}

func (s slot) stretch() int32 { return int32(stretched[s>>20]) }

// toward moves s to a bit's value, 0 or 1<<22-1.
func (s slot) toward(value int64) slot {
	rate := rates[s&slotLimit]
	move := (value - int64(s>>10)) * int64(rate) >> 16
	return s + slot(move<<10) + slot(rate&1)
}

func slots(n int) []slot {
	t := make([]slot, n)
	t[0] = even
	for done := 1; done < n; done *= 2 {
		copy(t[done:], t[:done])
	}
	return t
}
