// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// BSDiff4 is the format of Colin Percival's bsdiff 4:
//
//	offset  length  what
//	0       8       "BSDIFF40"
//	8       8       C, length of the control stream
//	16      8       D, length of the difference stream
//	24      8       length of the result
//	32      C       control stream
//	32+C    D       difference stream
//	32+C+D  rest    extra stream
//
// Numbers are 64 bits, little-endian, sign in the highest bit and magnitude
// below. The streams are compressed by bzip2. Control is a list of triples
// (add, copy, seek): add bytes of the difference stream to as many bytes of
// the base, copy bytes of the extra stream, then move the base's position.
// Bytes outside the base count as zero, as for C bspatch.
//
// Stricter than C bspatch: the header's result length must be the signed one;
// each section must be whole (checksums included) and end where its use ends;
// and of triples there are at most 64 more than one for each four bytes of the
// result, and of those that write nothing at most 64 more than of those that
// write. bsdiff itself writes at most one triple for about nine bytes; measured
// patches of executables hold one for 96 and more, 2 % of which write nothing.
//
// Laxer in one point that writers must not use: a section may hold several
// bzip2 streams in a row.
const BSDiff4 = "bsdiff4"

const (
	bsdiff4Magic  = "BSDIFF40"
	bsdiff4Header = 32

	// Three bzip2 decoders of 3.6 MB each, doubled for garbage, and buffers.
	bsdiff4Memory = 24 << 20

	tripleLength   = 24
	spareTriples   = 64
	bytesPerTriple = 4
)

var errTriple = errors.New("control triple out of bounds")

// bsdiff4 is the state of one application.
type bsdiff4 struct {
	ctx                  context.Context
	length               int64
	control, diff, extra *stream
	base                 *window
	out                  io.Writer
	buf                  *[chunk]byte
	held                 int // bytes of the result at the beginning of buf

	oldPos, newPos int64
	triples        int64
	idle           int64
}

func applyBSDiff4(ctx context.Context, info Info, base, patch io.ReaderAt, out io.Writer) error {
	b, err := openBSDiff4(ctx, info, patch)
	if err != nil {
		return err
	}
	b.base, b.buf = newWindow(base, info.BaseLength), takeChunk()
	defer b.base.close()
	defer giveChunk(b.buf)
	b.out = out
	return b.run()
}

// openBSDiff4 checks the header and lays out the three streams.
func openBSDiff4(ctx context.Context, info Info, patch io.ReaderAt) (*bsdiff4, error) {
	control, diff, err := bsdiff4Lengths(info, patch)
	if err != nil {
		return nil, err
	}
	open := func(name string, from, to int64) *stream {
		return newStream(name, &section{ctx: ctx, r: patch, off: from, end: to})
	}
	diffAt := bsdiff4Header + control
	extraAt := diffAt + diff
	return &bsdiff4{
		ctx:     ctx,
		length:  info.ResultLength,
		control: open("control", bsdiff4Header, diffAt),
		diff:    open("difference", diffAt, extraAt),
		extra:   open("extra", extraAt, info.PatchLength),
	}, nil
}

// bsdiff4Lengths reads the header and returns the lengths of the control and
// the difference stream, which fit the patch.
func bsdiff4Lengths(info Info, patch io.ReaderAt) (control, diff int64, err error) {
	var header [bsdiff4Header]byte
	if info.PatchLength < bsdiff4Header {
		return 0, 0, fmt.Errorf("%w: %d bytes are no header", ErrCorrupt, info.PatchLength)
	}
	if n, err := patch.ReadAt(header[:], 0); n < bsdiff4Header {
		if err == io.EOF {
			return 0, 0, fmt.Errorf("%w: shorter than its header", ErrCorrupt)
		}
		return 0, 0, fmt.Errorf("read patch: %w", err)
	}
	if string(header[:8]) != bsdiff4Magic {
		return 0, 0, fmt.Errorf("%w: no %s magic", ErrCorrupt, bsdiff4Magic)
	}
	if n := bsdiff4Int(header[24:]); n != info.ResultLength {
		return 0, 0, fmt.Errorf("%w: header claims a result of %d bytes, %d signed", ErrCorrupt, n, info.ResultLength)
	}
	control, diff = bsdiff4Int(header[8:]), bsdiff4Int(header[16:])
	body := info.PatchLength - bsdiff4Header
	if control < 0 || control > body || diff < 0 || diff > body-control {
		return 0, 0, fmt.Errorf("%w: streams of %d and %d bytes in a body of %d", ErrCorrupt, control, diff, body)
	}
	return control, diff, nil
}

func (b *bsdiff4) run() error {
	for b.newPos < b.length {
		if err := b.step(); err != nil {
			return err
		}
	}
	for _, s := range []*stream{b.control, b.diff, b.extra} {
		if err := s.finish(); err != nil {
			return err
		}
	}
	return b.flush()
}

// step carries out one control triple.
func (b *bsdiff4) step() error {
	var t [tripleLength]byte
	if err := b.control.fill(t[:]); err != nil {
		return err
	}
	add, copied, seek := bsdiff4Int(t[:]), bsdiff4Int(t[8:]), bsdiff4Int(t[16:])
	if err := b.admit(add, copied); err != nil {
		return fmt.Errorf("%w: triple %d (%d, %d, %d) at byte %d: %w", ErrCorrupt, b.triples, add, copied, seek, b.newPos, err)
	}
	if err := b.emit(b.diff, add, true); err != nil {
		return err
	}
	if err := b.emit(b.extra, copied, false); err != nil {
		return err
	}
	var ok bool
	if b.oldPos, ok = sum(b.oldPos, seek); !ok {
		return fmt.Errorf("%w: triple %d: %w", ErrCorrupt, b.triples, errTriple)
	}
	return nil
}

// admit bounds a triple by what is left of the result, and the number of
// triples, which are nearly free in a compressed stream, by the result.
func (b *bsdiff4) admit(add, copied int64) error {
	left := b.length - b.newPos
	if add < 0 || copied < 0 || add > left || copied > left-add {
		return errTriple
	}
	if _, ok := sum(b.oldPos, add); !ok {
		return errTriple
	}
	b.triples++
	if add+copied == 0 {
		b.idle++
	}
	if b.idle > spareTriples+b.triples-b.idle || b.triples > spareTriples+b.length/bytesPerTriple {
		return errors.New("too many triples for the result")
	}
	return nil
}

// emit writes n bytes of a stream, with the base's bytes added if it is the
// difference stream.
func (b *bsdiff4) emit(from *stream, n int64, add bool) error {
	for n > 0 {
		if err := b.ctx.Err(); err != nil {
			return err
		}
		p := b.buf[b.held:]
		p = p[:min(n, int64(len(p)))]
		if err := from.fill(p); err != nil {
			return err
		}
		if add {
			if err := b.base.addTo(p, b.oldPos); err != nil {
				return err
			}
			b.oldPos += int64(len(p))
		}
		b.newPos += int64(len(p))
		n -= int64(len(p))
		if b.held += len(p); b.held == len(b.buf) {
			if err := b.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bsdiff4) flush() error {
	if b.held == 0 {
		return nil
	}
	if _, err := b.out.Write(b.buf[:b.held]); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	b.held = 0
	return nil
}

func bsdiff4Int(b []byte) int64 {
	u := binary.LittleEndian.Uint64(b)
	n := int64(u & math.MaxInt64)
	if u > math.MaxInt64 {
		return -n
	}
	return n
}

// sum adds and reports whether the sum fits.
func sum(a, b int64) (int64, bool) {
	c := a + b
	return c, (c > a) == (b > 0)
}
