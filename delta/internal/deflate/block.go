// SPDX-License-Identifier: Apache-2.0

package deflate

import "encoding/binary"

const typeGiven = 3 // dynamic, with a header that is not zlib's

// A blockWriter turns tokens into the bits of blocks, choosing codes as zlib does.
type blockWriter struct {
	out []byte
	acc uint64
	n   uint // bits in acc, below 32 between calls

	literal, dist, order tree
	fixed                fixedCodes
	literals             [literalCodes]uint32 // how often each occurs in the block
	distances            [distanceCodes]uint32
	orders               [orderCodes]uint32
	runs                 []run

	headerBits  bitReader // of a header that is given
	headerCodes decoder
}

// A run is a symbol of the code lengths' code with its extra bits.
type run struct{ symbol, extra uint8 }

type fixedCodes struct {
	literalCode   [288]uint16
	literalLength [288]uint8
	distCode      [distanceCodes]uint16
	distLength    [distanceCodes]uint8
}

func newBlockWriter() *blockWriter {
	w := &blockWriter{}
	var t tree
	copy(t.length[:], fixedLengths[:])
	t.assign(len(fixedLengths))
	copy(w.fixed.literalCode[:], t.code[:])
	w.fixed.literalLength = fixedLengths
	copy(t.length[:], fixedDistances[:])
	t.assign(distanceCodes)
	copy(w.fixed.distCode[:], t.code[:])
	copy(w.fixed.distLength[:], fixedDistances[:])
	return w
}

func (w *blockWriter) reset() { w.out, w.acc, w.n = w.out[:0], 0, 0 }

// put sends up to 32 bits.
func (w *blockWriter) put(v uint64, n uint) {
	w.acc |= v << w.n
	if w.n += n; w.n >= 32 {
		w.out = binary.LittleEndian.AppendUint32(w.out, uint32(w.acc))
		w.acc >>= 32
		w.n -= 32
	}
}

// align fills the last byte with zeros.
func (w *blockWriter) align() {
	for ; w.n > 0; w.n -= min(w.n, 8) {
		w.out = append(w.out, byte(w.acc))
		w.acc >>= 8
	}
}

// lengthSymbols and distanceSymbols give the symbol of a length (less 3) and of a
// distance (less 1; from 256 on by its upper bits).
var (
	lengthSymbols   = makeLengthSymbols()
	distanceSymbols = makeDistanceSymbols()
)

func makeLengthSymbols() (s [256]uint8) {
	for i := range s {
		for int(s[i]) < 28 && int(lengthBase[s[i]+1]) <= i+minMatch {
			s[i]++
		}
	}
	return s
}

func makeDistanceSymbols() (s [512]uint8) {
	for i := range s {
		d := i + 1
		if i >= 256 {
			d = (i-256)<<7 + 1
		}
		for s[i] < 29 && int(distanceBase[s[i]+1]) <= d {
			s[i]++
		}
	}
	return s
}

func distanceSymbol(distance int) uint8 {
	d := uint(distance-1) & (windowSize - 1)
	if d < 256 {
		return distanceSymbols[d]
	}
	return distanceSymbols[256+d>>7]
}

// count takes the frequencies of a block's tokens.
func (w *blockWriter) count(tokens []token) {
	clear(w.literals[:])
	clear(w.distances[:])
	for _, t := range tokens {
		if t.literal() {
			w.literals[byte(t)]++
		} else {
			w.literals[257+int(lengthSymbols[byte(t)])]++
			w.distances[distanceSymbol(t.distance())]++
		}
	}
	w.literals[endOfBlock] = 1
}

// choose says how zlib would write the tokens, which stand for size bytes; stored
// is whether it still has those.
func (w *blockWriter) choose(tokens []token, size int, stored bool) int {
	w.count(tokens)
	copy(w.literal.freq[:], w.literals[:])
	w.literal.build(literalCodes, 15)
	copy(w.dist.freq[:], w.distances[:])
	w.dist.build(distanceCodes, 15)
	w.chooseRuns()
	dynamic, fixed := w.cost()
	dynamic, fixed = (dynamic+3+7)>>3, (fixed+3+7)>>3
	switch best := min(dynamic, fixed); {
	case stored && size+4 <= best:
		return typeStored
	case fixed <= dynamic:
		return typeFixed
	}
	return typeDynamic
}

// cost is the length in bits of a dynamic and of a fixed block, without the three
// bits of each header.
func (w *blockWriter) cost() (dynamic, fixed int) {
	for i, n := range w.literals {
		extra := 0
		if i > endOfBlock {
			extra = int(lengthExtra[i-257])
		}
		dynamic += int(n) * (int(w.literal.length[i]) + extra)
		fixed += int(n) * (int(w.fixed.literalLength[i]) + extra)
	}
	for i, n := range w.distances {
		dynamic += int(n) * (int(w.dist.length[i]) + int(distanceExtra[i]))
		fixed += int(n) * (5 + int(distanceExtra[i]))
	}
	for i, n := range w.orders {
		dynamic += int(n) * (int(w.order.length[i]) + runExtra(uint8(i)))
	}
	return dynamic + 14 + 3*w.orderCount(), fixed
}

func runExtra(symbol uint8) int {
	switch symbol {
	case 16:
		return 2
	case 17:
		return 3
	case 18:
		return 7
	}
	return 0
}

// orderCount is how many lengths of the code lengths' code are sent.
func (w *blockWriter) orderCount() int {
	n := orderCodes
	for n > 4 && w.order.length[lengthOrder[n-1]] == 0 {
		n--
	}
	return n
}

// chooseRuns describes the two codes as runs of lengths, each code for itself.
func (w *blockWriter) chooseRuns() {
	w.runs = w.runs[:0]
	w.addRuns(w.literal.length[:w.literal.max+1])
	w.addRuns(w.dist.length[:w.dist.max+1])
	clear(w.orders[:])
	for _, r := range w.runs {
		w.orders[r.symbol]++
	}
	copy(w.order.freq[:], w.orders[:])
	w.order.build(orderCodes, 7)
}

func (w *blockWriter) addRuns(lengths []uint8) {
	before := -1
	for i := 0; i < len(lengths); {
		v := lengths[i]
		most := 6
		if v == 0 {
			most = 138
		} else if int(v) != before {
			most = 7
		}
		n := 1
		for n < most && i+n < len(lengths) && lengths[i+n] == v {
			n++
		}
		w.addRun(v, n, int(v) == before)
		before = int(v)
		i += n
	}
}

// addRun adds n times v; again says that v is also the length before.
func (w *blockWriter) addRun(v uint8, n int, again bool) {
	if v != 0 && !again {
		w.runs = append(w.runs, run{v, 0})
		n--
	}
	switch {
	case n < 3:
		for range n {
			w.runs = append(w.runs, run{v, 0})
		}
	case v != 0:
		w.runs = append(w.runs, run{16, uint8(n - 3)})
	case n <= 10:
		w.runs = append(w.runs, run{17, uint8(n - 3)})
	default:
		w.runs = append(w.runs, run{18, uint8(n - 11)})
	}
}

// write sends a block in the way that choose named.
func (w *blockWriter) write(kind int, tokens []token, last bool) {
	w.begin(kind, last)
	if kind == typeFixed {
		f := &w.fixed
		w.tokens(tokens, f.literalCode[:], f.literalLength[:], f.distCode[:], f.distLength[:])
		return
	}
	w.header()
	w.dynamic(tokens)
}

// header sends the codes of a dynamic block.
func (w *blockWriter) header() {
	w.put(uint64(w.literal.max-256)|uint64(w.dist.max)<<5|uint64(w.orderCount()-4)<<10, 14)
	for _, i := range lengthOrder[:w.orderCount()] {
		w.put(uint64(w.order.length[i]), 3)
	}
	for _, r := range w.runs {
		w.put(uint64(w.order.code[r.symbol]), uint(w.order.length[r.symbol]))
		w.put(uint64(r.extra), uint(runExtra(r.symbol)))
	}
}

func (w *blockWriter) begin(kind int, last bool) {
	v := uint64(kind) << 1
	if kind == typeGiven {
		v = typeDynamic << 1
	}
	if last {
		v |= 1
	}
	w.put(v, 3)
}

func (w *blockWriter) dynamic(tokens []token) {
	w.tokens(tokens, w.literal.code[:], w.literal.length[:], w.dist.code[:], w.dist.length[:])
}

// tokens sends the tokens and the end of the block.
func (w *blockWriter) tokens(tokens []token, code []uint16, length []uint8, distCode []uint16, distLength []uint8) {
	for _, t := range tokens {
		if t.literal() {
			w.put(uint64(code[byte(t)]), uint(length[byte(t)]))
			continue
		}
		s := lengthSymbols[byte(t)]
		v, n := uint64(code[257+int(s)]), uint(length[257+int(s)])
		v |= uint64(t.length()-int(lengthBase[s])) << n
		w.put(v, n+uint(lengthExtra[s]))
		d := distanceSymbol(t.distance())
		v, n = uint64(distCode[d]), uint(distLength[d])
		v |= uint64(t.distance()-int(distanceBase[d])) << n
		w.put(v, n+uint(distanceExtra[d]))
	}
	w.put(uint64(code[endOfBlock]), uint(length[endOfBlock]))
}

// given sends a block whose header is given as bits.
func (w *blockWriter) given(header []byte, bits int, tokens []token, last bool) {
	w.begin(typeGiven, last)
	for i := 0; i < bits; i += 8 {
		n := min(bits-i, 8)
		w.put(uint64(header[i/8])&(1<<n-1), uint(n))
	}
	w.dynamic(tokens)
}

// stored sends a block of plain bytes, at most 65535.
func (w *blockWriter) stored(p []byte, last bool) {
	w.begin(typeStored, last)
	w.align()
	w.out = binary.LittleEndian.AppendUint16(w.out, uint16(len(p)))
	w.out = binary.LittleEndian.AppendUint16(w.out, ^uint16(len(p)))
	w.out = append(w.out, p...)
}
