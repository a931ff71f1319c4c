// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/waybill-project/waybill/delta/internal/entropy"
	"github.com/waybill-project/waybill/delta/internal/executable"
)

// Apply carries out a patch of so many bytes: it writes to out at most the
// result's length, which like that of the base must be the expected one. An error
// that is not ErrCorrupt is trouble with base, patch, out or ctx.
func Apply(ctx context.Context, base io.ReaderAt, baseLength, resultLength int64, patch io.ReaderAt, patchLength int64, out io.Writer) error {
	h, at, err := ReadHeader(patch, patchLength)
	if err != nil {
		return err
	}
	if h.BaseLength != baseLength || h.ResultLength != resultLength {
		return fmt.Errorf("%w: it leads from %d to %d bytes instead of %d to %d", ErrCorrupt, h.BaseLength, h.ResultLength, baseLength, resultLength)
	}
	b := body{ctx: ctx, header: h, patch: patch, at: at, storedAt: patchLength - h.Stored}
	file := &baseFile{ctx: ctx, r: base, left: math.MaxInt64}
	err = b.carryOut(file, out)
	if file.err != nil {
		return fmt.Errorf("read base: %w", file.err)
	}
	return err
}

// body is a patch behind its header.
type body struct {
	ctx          context.Context
	header       *Header
	base         io.ReaderAt
	baseLength   int64
	patch        io.ReaderAt
	at, storedAt int64
}

// carryOut makes the result from the base, or from one's view the other's.
func (b *body) carryOut(base *baseFile, out io.Writer) (err error) {
	h := b.header
	if b.base, b.baseLength, err = h.see(base, h.BaseLength); err != nil {
		return err
	}
	if h.Views&ResultView == 0 {
		return b.apply(out)
	}
	file := newResultFile(out, h.ResultLength)
	if err := b.apply(file); err != nil {
		return err
	}
	return file.Close()
}

func (b *body) apply(out io.Writer) error {
	images, err := b.header.open(b.base, b.baseLength)
	if errors.Is(err, executable.ErrUnknown) || errors.Is(err, errHeader) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	} else if err != nil {
		return err
	}
	source := &section{r: b.patch, at: b.at, end: b.storedAt, buf: make([]byte, 16<<10)}
	c := entropy.NewReader(source.next)
	c.Memory = takeMemory()
	defer memories.Put(c.Memory)
	m := newMachine(b.ctx, c, b.base, b.baseLength, images)
	covers, err := codeCovers(b.ctx, c, nil, b.header, b.baseLength)
	if err != nil {
		return corrupt(source, err)
	}
	if err := m.take(covers, b.header); err != nil {
		return err
	}
	r := newReader(m, out, section{r: b.patch, at: b.storedAt, end: b.storedAt + b.header.Stored})
	if err := m.each(b.header.to(), r); err != nil {
		return corrupt(source, err)
	}
	if err := r.flush(); err != nil {
		return err
	}
	if !c.Finished() || r.stored.at != r.stored.end {
		return corrupt(source, fmt.Errorf("%w: bytes behind its end", ErrCorrupt))
	}
	return nil
}

// corrupt calls an error of the coded data what it is.
func corrupt(source *section, err error) error {
	if source.err != nil {
		return source.err
	}
	if errors.Is(err, entropy.ErrEnd) || errors.Is(err, entropy.ErrRange) || errors.Is(err, errCovers) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// section is a part of the patch.
type section struct {
	r       io.ReaderAt
	at, end int64
	buf     []byte
	err     error
}

// next is what the decoder goes on with.
func (s *section) next() ([]byte, error) {
	p := s.buf[:min(int64(len(s.buf)), s.end-s.at)]
	if s.err == nil && len(p) > 0 {
		s.err = s.fill(p)
	}
	if s.err != nil {
		return nil, s.err
	}
	return p, nil
}

// fill reads the next bytes.
func (s *section) fill(p []byte) error {
	if int64(len(p)) > s.end-s.at {
		return fmt.Errorf("%w: a section ends early", ErrCorrupt)
	}
	err := readPatch(s.r, p, s.at)
	s.at += int64(len(p))
	return err
}

// reader collects what it makes: covers and what lies between them are often short.
// The machine's act begins in buf at held.
type reader struct {
	*machine
	out    io.Writer
	stored section
	buf    []byte
	held   int // bytes of the result in buf, from margin on
}

func newReader(m *machine, out io.Writer, stored section) *reader {
	r := &reader{machine: m, out: out, stored: stored, buf: make([]byte, pieceSize+pieceRoom)}
	m.act = r.buf
	return r
}

func (r *reader) cover(c Cover) error {
	return r.pieces(c, func(p piece) error {
		copy(r.act[margin:margin+p.n], r.old[margin:])
		r.code(p)
		return r.emit(p.n)
	})
}

func (r *reader) computed(at int64, n int) error {
	copy(r.act[margin:margin+n], r.old[margin:])
	r.plain.code(r.c, r.act, r.old, margin, margin+n)
	return r.emit(n)
}

func (r *reader) literals(from, to int64) error {
	return r.chunks(from, to, func(_ int64, n int) error {
		stored := r.machine.stored.Code(r.c, 0, 0, 0, 0) == 1
		if err := r.c.Err(); err != nil {
			return err
		}
		if stored {
			if err := r.stored.fill(r.act[margin : margin+n]); err != nil {
				return err
			}
		} else {
			r.literal.code(r.c, r.act, margin, margin+n)
		}
		return r.emit(n)
	})
}

// emit takes n bytes of the result, if they were read without an error.
func (r *reader) emit(n int) error {
	if err := r.c.Err(); err != nil {
		return err
	}
	r.hash(r.act[margin : margin+n])
	if r.held += n; r.held >= pieceSize {
		if err := r.flush(); err != nil {
			return err
		}
	}
	r.act = r.buf[r.held:]
	return nil
}

// flush writes what was made and keeps the last bytes.
func (r *reader) flush() error {
	if _, err := r.out.Write(r.buf[margin : margin+r.held]); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	copy(r.buf[:margin], r.buf[r.held:])
	r.held = 0
	return nil
}
