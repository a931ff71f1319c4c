// SPDX-License-Identifier: Apache-2.0

package bzip2

import (
	"bytes"

	"github.com/waybill-project/waybill/delta/diff/internal/suffix"
)

// scratch is the memory that all blocks of a stream share.
type scratch struct {
	turned  []byte
	order   []int32
	symbols []uint16
}

// writeBlock compresses the block.
func (e *Encoder) writeBlock() error {
	origin, err := e.transform()
	if err != nil {
		return err
	}
	used := e.usedBytes()
	symbols := e.moveToFront(used)
	e.out.write(0x314159, 24)
	e.out.write(0x265359, 24)
	e.out.write(uint64(e.blockCRC), 32)
	e.out.write(uint64(origin), 25) // and a zero in front: not randomised
	e.writeUsed(used)
	c := chooseTables(symbols, len(used)+2)
	c.write(&e.out, symbols)
	return nil
}

// transform replaces the block by its Burrows-Wheeler transform and returns
// which of the sorted rotations is the block itself. Sorted rotations are
// sorted suffixes if the block is turned to begin with its least rotation.
func (e *Encoder) transform() (origin int, err error) {
	n := len(e.block)
	first := leastRotation(e.block)
	e.work.turned = append(append(e.work.turned[:0], e.block[first:]...), e.block[:first]...)
	if cap(e.work.order) < n {
		e.work.order = make([]int32, n)
	}
	order := e.work.order[:n]
	if err := suffix.Sort(e.ctx, e.work.turned, order); err != nil {
		return 0, err
	}
	turned, start := e.work.turned, (n-first)%n
	for i, at := range order {
		if int(at) == start {
			origin = i
		}
		if at == 0 {
			at = int32(n)
		}
		e.block[i] = turned[at-1]
	}
	return origin, nil
}

// leastRotation returns where the least rotation of a text begins.
func leastRotation(text []byte) int {
	n := len(text)
	at := func(i int) byte {
		if i >= n {
			i -= n
		}
		return text[i]
	}
	a, b, same := 0, 1, 0
	for a < n && b < n && same < n {
		x, y := at(a+same), at(b+same)
		switch {
		case x == y:
			same++
			continue
		case x > y:
			a += same + 1
		default:
			b += same + 1
		}
		if a == b {
			b++
		}
		same = 0
	}
	return min(a, b)
}

// usedBytes lists the values that occur in the block.
func (e *Encoder) usedBytes() []byte {
	var seen [256]bool
	for _, b := range e.block {
		seen[b] = true
	}
	var used []byte
	for b, ok := range seen {
		if ok {
			used = append(used, byte(b))
		}
	}
	return used
}

// writeUsed writes a map of which bytes are used, in two levels.
func (e *Encoder) writeUsed(used []byte) {
	var parts [16]uint64
	var some uint64
	for _, b := range used {
		parts[b>>4] |= 1 << (15 - b&15)
		some |= 1 << (15 - b>>4)
	}
	e.out.write(some, 16)
	for _, part := range parts {
		if part != 0 {
			e.out.write(part, 16)
		}
	}
}

const (
	runA = 0
	runB = 1
)

// moveToFront turns the transformed block into symbols: runs of the byte in
// front as numbers in bijective base 2, other bytes by how far in front they
// are plus 1, and the end.
func (e *Encoder) moveToFront(used []byte) []uint16 {
	front := append(make([]byte, 0, 256), used...)
	symbols := e.work.symbols[:0]
	run := 0
	for _, b := range e.block {
		if front[0] == b {
			run++
			continue
		}
		symbols = appendRun(symbols, run)
		run = 0
		i := bytes.IndexByte(front, b)
		copy(front[1:i+1], front)
		front[0] = b
		symbols = append(symbols, uint16(i+1))
	}
	symbols = append(appendRun(symbols, run), uint16(len(used)+1))
	e.work.symbols = symbols
	return symbols
}

func appendRun(symbols []uint16, run int) []uint16 {
	for ; run > 0; run = (run - 1) / 2 {
		if run%2 == 1 {
			symbols = append(symbols, runA)
		} else {
			symbols = append(symbols, runB)
		}
	}
	return symbols
}
