// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// recall is what literals may go on like: bytes of the base, and the literals
// before, each run of them behind the bytes that precede it in the result.
type recall struct {
	ring  []byte
	at    uint32 // of the next byte in ring, less what goes round
	heads []heads

	match  uint32 // of the next byte, with length
	length uint32 // of what matches before it
}

// heads are where the last bytes came before, by a hash of so many of them.
type heads struct {
	bytes uint32
	at    []uint32
	shift uint
}

const (
	matchMost  = 32 // bytes of a match that count
	preceding  = 8  // bytes before a run
	ringBits   = 18
	primedRing = 22
)

// PrimerMost is the longest primer, which leaves room in the ring.
const PrimerMost = 1<<primedRing - 1<<ringBits

func newRecall(n, primer int64) recall {
	if primer == 0 {
		return recall{ring: make([]byte, 1<<tableBits(n, 12, ringBits)), heads: []heads{newHeads(4, 15)}}
	}
	width := tableBits(n+primer, 12, primedRing)
	most := min(width, 20)
	return recall{ring: make([]byte, 1<<width), heads: []heads{newHeads(6, most), newHeads(3, most)}}
}

func newHeads(bytes uint32, width uint) heads {
	return heads{bytes: bytes, at: make([]uint32, 1<<width), shift: 64 - width}
}

func (r *recall) clone() recall {
	other := *r
	other.ring, other.heads = slices.Clone(r.ring), slices.Clone(r.heads)
	for i, h := range r.heads {
		other.heads[i].at = slices.Clone(h.at)
	}
	return other
}

// of is the head of the last ones of eight bytes.
func (h *heads) of(last uint64) *uint32 {
	return &h.at[last>>(64-8*h.bytes)*0x9E3779B97F4A7C15>>h.shift]
}

// take makes p, which is in front of the ring, what came first.
func (r *recall) take(p []byte) {
	r.at = uint32(len(p))
	for k := range r.heads {
		h := r.heads[k]
		for i := preceding; i <= len(p); i++ {
			*h.of(binary.LittleEndian.Uint64(p[i-preceding:])) = uint32(i)
		}
	}
}

// begin is for a run of literals that eight bytes precede.
func (r *recall) begin(before []byte) {
	for _, b := range before {
		r.put(b)
	}
	r.length = 0
	r.find(binary.LittleEndian.Uint64(before))
}

// next is the byte that came behind the match.
func (r *recall) next() byte { return r.get(r.match) }

// add takes the last one of eight bytes.
func (r *recall) add(last []byte) {
	b := last[preceding-1]
	if r.length > 0 && r.next() == b {
		r.match, r.length = r.match+1, min(r.length+1, matchMost)
	} else {
		r.length = 0
	}
	r.put(b)
	r.find(binary.LittleEndian.Uint64(last))
}

func (r *recall) put(b byte) {
	r.ring[r.at&uint32(len(r.ring)-1)] = b
	r.at++
}

func (r *recall) get(at uint32) byte { return r.ring[at&uint32(len(r.ring)-1)] }

// find looks for a match of the eight bytes that came last, and those before, that
// is longer than the one there is, and makes these known.
func (r *recall) find(last uint64) {
	for k := range r.heads {
		h := &r.heads[k]
		head := h.of(last)
		if r.length < h.bytes && *head > 0 && r.at-*head < uint32(len(r.ring)) {
			if n := r.common(*head, last); n >= h.bytes {
				r.match, r.length = *head, n
			}
		}
		*head = r.at
	}
}

// common is how many bytes before head are like those that came last.
func (r *recall) common(head uint32, last uint64) (n uint32) {
	if end := head & uint32(len(r.ring)-1); end >= preceding {
		other := binary.LittleEndian.Uint64(r.ring[end-preceding:]) ^ last
		if n = uint32(bits.LeadingZeros64(other) / 8); n < preceding {
			return n
		}
	}
	for n < matchMost && r.get(head-1-n) == r.get(r.at-1-n) {
		n++
	}
	return n
}
