// SPDX-License-Identifier: Apache-2.0

// Package bzip2 compresses in the format of Julian Seward's bzip2 1.0, which
// every bzip2 reads. [Encoder] is all there is; compress/bzip2 decompresses.
//
// It takes linear time for any data; streams are as long as the original's, to
// a thousandth. A stream claims no larger blocks than it has,
// since decompressors allocate what is claimed.
package bzip2

import (
	"context"
	"encoding/binary"
	"hash/crc32"
	"math/bits"
)

const (
	levelUnit = 100_000
	blockMost = 9*levelUnit - 19 // bytes of a block; decompressors have been seen to need the spare ones
	runMost   = 255              // equal bytes that one run of the first stage stands for
)

// Encoder compresses one stream in memory. It is an io.Writer; Close ends it.
// The stream is the same however many blocks are compressed at once.
type Encoder struct {
	ctx     context.Context
	workers Workers
	out     bitWriter
	crc     uint32 // of all blocks
	most    int    // bytes of the longest block

	block   *block   // the one that is being filled
	pending []*block // those being compressed, in order
	spare   []*block
	last    int // byte of the run that is not in the block yet, or -1
	run     int
}

// NewEncoder returns an Encoder that gives up when ctx ends.
func NewEncoder(ctx context.Context, workers Workers) *Encoder {
	e := &Encoder{ctx: ctx, workers: workers, last: -1, block: &block{}}
	e.out.bytes = []byte("BZh1")
	return e
}

// Write compresses p. It fails only with the cause of the context's end.
func (e *Encoder) Write(p []byte) (int, error) {
	for from := 0; from < len(p); {
		n := e.fill(p[from:])
		e.block.crc = update(e.block.crc, p[from:from+n])
		from += n
		if from < len(p) {
			if err := e.endBlock(); err != nil {
				return from, err
			}
		}
	}
	return len(p), nil
}

// fill takes bytes until the block is full and returns how many.
func (e *Encoder) fill(p []byte) int {
	for i := 0; i < len(p); i++ {
		if int(p[i]) == e.last && e.run < runMost {
			e.run++
			continue
		}
		e.endRun()
		if len(e.block.data) > blockMost-5 {
			return i
		}
		e.last, e.run = int(p[i]), 1
	}
	return len(p)
}

// endRun appends the run: up to four bytes, and behind four how many more.
func (e *Encoder) endRun() {
	for range min(e.run, 4) {
		e.block.data = append(e.block.data, byte(e.last))
	}
	if e.run >= 4 {
		e.block.data = append(e.block.data, byte(e.run-4))
	}
	e.last, e.run = -1, 0
}

// endBlock has the block compressed and begins the next one.
func (e *Encoder) endBlock() error {
	e.endRun()
	if len(e.block.data) == 0 {
		return nil
	}
	if err := context.Cause(e.ctx); err != nil {
		return err
	}
	if len(e.pending) == cap(e.workers) {
		if err := e.collect(); err != nil {
			return err
		}
	}
	e.block.start(e.ctx, e.workers)
	e.pending = append(e.pending, e.block)
	e.block = &block{}
	if n := len(e.spare); n > 0 {
		e.block, e.spare = e.spare[n-1], e.spare[:n-1]
	}
	return nil
}

// collect appends the block that was started first.
func (e *Encoder) collect() error {
	b := e.pending[0]
	e.pending = e.pending[1:]
	if err := <-b.done; err != nil {
		return err
	}
	e.most = max(e.most, len(b.data))
	e.crc = bits.RotateLeft32(e.crc, 1) ^ b.crc
	e.out.append(&b.out)
	b.data, b.crc, b.out.bytes = b.data[:0], 0, b.out.bytes[:0]
	e.spare = append(e.spare, b)
	return nil
}

// Close ends the stream and returns it.
func (e *Encoder) Close() ([]byte, error) {
	err := e.endBlock()
	for err == nil && len(e.pending) > 0 {
		err = e.collect()
	}
	if err != nil {
		return nil, err
	}
	e.out.write(0x177245, 24)
	e.out.write(0x385090, 24)
	e.out.write(uint64(e.crc), 32)
	e.out.align()
	e.out.bytes[3] = '0' + byte(max(1, (e.most+19+levelUnit-1)/levelUnit))
	return e.out.bytes, nil
}

// update is the CRC-32 of bzip2, which runs from the highest bit to the lowest.
func update(crc uint32, p []byte) uint32 {
	var turned [1024]byte
	crc = bits.Reverse32(crc)
	for len(p) > 0 {
		n := min(len(p), len(turned))
		for i, b := range p[:n] {
			turned[i] = bits.Reverse8(b)
		}
		crc = crc32.Update(crc, crc32.IEEETable, turned[:n])
		p = p[n:]
	}
	return bits.Reverse32(crc)
}

// bitWriter appends bits, the highest first.
type bitWriter struct {
	bytes []byte
	held  uint64
	count uint
}

// write appends the low n bits of v, at most 32.
func (w *bitWriter) write(v uint64, n uint) {
	w.held = w.held<<n | v
	for w.count += n; w.count >= 8; w.count -= 8 {
		w.bytes = append(w.bytes, byte(w.held>>(w.count-8)))
	}
}

// append moves all bits of v to the end of w.
func (w *bitWriter) append(v *bitWriter) {
	p := v.bytes
	for ; len(p) >= 4; p = p[4:] {
		w.write(uint64(binary.BigEndian.Uint32(p)), 32)
	}
	for _, b := range p {
		w.write(uint64(b), 8)
	}
	w.write(v.held&(1<<v.count-1), v.count)
	v.held, v.count = 0, 0
}

func (w *bitWriter) align() { w.write(0, (8-w.count)%8) }
