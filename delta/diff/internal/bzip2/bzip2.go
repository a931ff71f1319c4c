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
	"hash/crc32"
	"math/bits"
)

const (
	levelUnit = 100_000
	blockMost = 9*levelUnit - 19 // bytes of a block; decompressors have been seen to need the spare ones
	runMost   = 255              // equal bytes that one run of the first stage stands for
)

// Encoder compresses one stream in memory. It is an io.Writer; Close ends it.
type Encoder struct {
	ctx  context.Context
	out  bitWriter
	crc  uint32 // of all blocks
	most int    // bytes of the longest block

	block    []byte // after the first stage, runs shortened
	blockCRC uint32
	last     int // byte of the run that is not in the block yet, or -1
	run      int
	work     scratch
}

// NewEncoder returns an Encoder that gives up when ctx ends.
func NewEncoder(ctx context.Context) *Encoder {
	e := &Encoder{ctx: ctx, last: -1}
	e.out.bytes = []byte("BZh1")
	return e
}

// Write compresses p. It fails only with the cause of the context's end.
func (e *Encoder) Write(p []byte) (int, error) {
	for from := 0; from < len(p); {
		n := e.fill(p[from:])
		e.blockCRC = update(e.blockCRC, p[from:from+n])
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
		if len(e.block) > blockMost-5 {
			return i
		}
		e.last, e.run = int(p[i]), 1
	}
	return len(p)
}

// endRun appends the run: up to four bytes, and behind four how many more.
func (e *Encoder) endRun() {
	for range min(e.run, 4) {
		e.block = append(e.block, byte(e.last))
	}
	if e.run >= 4 {
		e.block = append(e.block, byte(e.run-4))
	}
	e.last, e.run = -1, 0
}

func (e *Encoder) endBlock() error {
	e.endRun()
	if len(e.block) == 0 {
		return nil
	}
	e.most = max(e.most, len(e.block))
	e.crc = bits.RotateLeft32(e.crc, 1) ^ e.blockCRC
	if err := e.writeBlock(); err != nil {
		return err
	}
	e.block, e.blockCRC = e.block[:0], 0
	return nil
}

// Close ends the stream and returns it.
func (e *Encoder) Close() ([]byte, error) {
	if err := e.endBlock(); err != nil {
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

func (w *bitWriter) align() { w.write(0, (8-w.count)%8) }
