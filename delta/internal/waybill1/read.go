// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/waybill-project/waybill/delta/internal/deflate"
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
	if h.Views&BaseView != 0 {
		view, err := deflate.Open(base, baseLength)
		if errors.Is(err, deflate.ErrNone) {
			err = fmt.Errorf("%w: base: %w", ErrCorrupt, err)
		}
		if err != nil {
			return err
		}
		base, baseLength = view, view.Size()
	}
	b := body{ctx: ctx, header: h, base: base, baseLength: baseLength, patch: patch, at: at, storedAt: patchLength - h.Stored}
	if h.Views&ResultView == 0 {
		return b.apply(out)
	}
	file := deflate.NewWriter(&limited{out, resultLength})
	err = b.apply(file)
	if err == nil {
		err = file.Close()
	}
	if errors.Is(err, deflate.ErrCorrupt) {
		err = fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return err
}

// limited refuses more bytes than a result has.
type limited struct {
	w    io.Writer
	left int64
}

func (l *limited) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, fmt.Errorf("%w: longer than its result", ErrCorrupt)
	}
	l.left -= int64(len(p))
	return l.w.Write(p)
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

func (b *body) apply(out io.Writer) error {
	images, err := b.header.open(b.base, b.baseLength)
	if errors.Is(err, executable.ErrUnknown) || errors.Is(err, errHeader) {
		return fmt.Errorf("%w: executable in the base: %w", ErrCorrupt, err)
	} else if err != nil {
		return err
	}
	source := &section{r: b.patch, at: b.at, end: b.storedAt, buf: make([]byte, 16<<10)}
	c := entropy.NewReader(source.next)
	m := newMachine(b.ctx, c, b.base, b.baseLength, images)
	if m.covers, err = codeCovers(c, nil, b.header.to(), b.baseLength); err != nil {
		return corrupt(source, err)
	}
	m.offsets = NewOffsets(m.covers, b.baseLength)
	r := &reader{machine: m, out: out, stored: io.NewSectionReader(b.patch, b.storedAt, b.header.Stored)}
	if err := m.each(b.header.to(), r); err != nil {
		return corrupt(source, err)
	}
	if !c.Finished() || r.storedUsed != b.header.Stored {
		return fmt.Errorf("%w: bytes behind its end", ErrCorrupt)
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

// section feeds a piece of the patch to the decoder.
type section struct {
	r       io.ReaderAt
	at, end int64
	buf     []byte
	err     error
}

func (s *section) next() ([]byte, error) {
	n := min(int64(len(s.buf)), s.end-s.at)
	if n == 0 || s.err != nil {
		return nil, s.err
	}
	if got, err := s.r.ReadAt(s.buf[:n], s.at); int64(got) < n {
		s.err = fmt.Errorf("read patch: %w", err)
		return nil, s.err
	}
	s.at += n
	return s.buf[:n], nil
}

type reader struct {
	*machine
	out        io.Writer
	stored     io.Reader
	storedUsed int64
}

func (r *reader) cover(c Cover) error {
	return r.pieces(c, func(p piece) error {
		if err := r.code(p); err != nil {
			return err
		}
		return r.emit(p.n)
	})
}

func (r *reader) computed(at int64, n int) error {
	r.plain.code(r.c, r.act, r.old, margin, margin+n)
	if err := r.c.Err(); err != nil {
		return err
	}
	return r.emit(n)
}

func (r *reader) literals(from, to int64) error {
	return r.chunks(from, to, func(at int64, n int) error {
		if r.machine.stored.Code(r.c, 0, 0, 0, 0, 0) == 1 {
			got, err := io.ReadFull(r.stored, r.act[margin:margin+n])
			r.storedUsed += int64(got)
			if err != nil {
				return fmt.Errorf("%w: stored bytes end early", ErrCorrupt)
			}
			return r.emit(n)
		}
		r.literal.code(r.c, r.act, r.old, margin, margin+n)
		if err := r.c.Err(); err != nil {
			return err
		}
		return r.emit(n)
	})
}

// emit writes n bytes of the result and keeps the last ones.
func (r *reader) emit(n int) error {
	if _, err := r.out.Write(r.act[margin : margin+n]); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	r.hash(r.act[margin : margin+n])
	copy(r.act[:margin], r.act[n:n+margin])
	return nil
}
