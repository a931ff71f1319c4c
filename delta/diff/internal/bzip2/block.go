// SPDX-License-Identifier: Apache-2.0

package bzip2

import (
	"bytes"
	"context"

	"github.com/waybill-project/waybill/delta/diff/internal/suffix"
)

// Workers are turns to compress a block; encoders may share them. Each holds
// memory of up to 8 bytes for each byte of a block.
type Workers chan *scratch

// NewWorkers returns n turns, which is how many blocks are compressed at once.
func NewWorkers(n int) Workers {
	w := make(Workers, n)
	for range n {
		w <- &scratch{}
	}
	return w
}

// scratch is the memory in which blocks are compressed.
type scratch struct {
	turned  []byte
	order   []int32
	symbols []uint16
}

// block is a part of a stream.
type block struct {
	data []byte // after the first stage, runs shortened; then transformed
	crc  uint32 // of what it was before
	out  bitWriter
	done chan error
}

// start compresses the block when it is its turn, and then sends to done.
func (b *block) start(ctx context.Context, workers Workers) {
	b.done = make(chan error, 1)
	go func() {
		work := <-workers
		err := b.compress(ctx, work)
		workers <- work
		b.done <- err
	}()
}

func (b *block) compress(ctx context.Context, work *scratch) error {
	origin, err := b.transform(ctx, work)
	if err != nil {
		return err
	}
	used := b.usedBytes()
	work.moveToFront(b.data, used)
	b.out.write(0x314159, 24)
	b.out.write(0x265359, 24)
	b.out.write(uint64(b.crc), 32)
	b.out.write(uint64(origin), 25) // and a zero in front: not randomised
	b.writeUsed(used)
	c := chooseTables(work.symbols, len(used)+2)
	c.write(&b.out, work.symbols)
	return nil
}

// transform replaces the block by its Burrows-Wheeler transform and returns
// which of the sorted rotations is the block itself. Sorted rotations are
// sorted suffixes if the block is turned to begin with its least rotation.
func (b *block) transform(ctx context.Context, work *scratch) (origin int, err error) {
	n := len(b.data)
	first := leastRotation(b.data)
	work.turned = append(append(work.turned[:0], b.data[first:]...), b.data[:first]...)
	if cap(work.order) < n {
		work.order = make([]int32, n)
	}
	order := work.order[:n]
	if err := suffix.Sort(ctx, work.turned, order); err != nil {
		return 0, err
	}
	turned, start := work.turned, (n-first)%n
	for i, at := range order {
		if int(at) == start {
			origin = i
		}
		if at == 0 {
			at = int32(n)
		}
		b.data[i] = turned[at-1]
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
func (b *block) usedBytes() []byte {
	var seen [256]bool
	for _, v := range b.data {
		seen[v] = true
	}
	var used []byte
	for v, ok := range seen {
		if ok {
			used = append(used, byte(v))
		}
	}
	return used
}

// writeUsed writes a map of which bytes are used, in two levels.
func (b *block) writeUsed(used []byte) {
	var parts [16]uint64
	var some uint64
	for _, v := range used {
		parts[v>>4] |= 1 << (15 - v&15)
		some |= 1 << (15 - v>>4)
	}
	b.out.write(some, 16)
	for _, part := range parts {
		if part != 0 {
			b.out.write(part, 16)
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
func (work *scratch) moveToFront(transformed, used []byte) {
	front := append(make([]byte, 0, 256), used...)
	symbols := work.symbols[:0]
	run := 0
	for _, b := range transformed {
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
	work.symbols = append(appendRun(symbols, run), uint16(len(used)+1))
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
