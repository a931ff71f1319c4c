// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/waybill-project/waybill/delta/internal/deflate"
)

// ErrWork is the ErrCorrupt of a patch that jumps about in the view of a base so
// often that a reader would mostly inflate what it has inflated before.
var ErrWork = fmt.Errorf("%w: it takes too much work for its result", ErrCorrupt)

// A view of a base may make a reader read so many bytes of the file, once the
// streams are known. A read that is not near the end of the last one costs more
// than its bytes, since it starts to inflate anew.
const (
	readFactor = 16 // times the base's length
	readFree   = 64 << 20
	jumpCost   = 16 << 10
	nearBy     = 4 << 10
)

// What it makes a reader inflate is bounded alike: few bytes of a file may be very
// many of its contents.
const (
	inflateFactor = 16 // times the view's length
	inflateFree   = 512 << 20
)

// see returns the base as the covers see it, and its length.
func (h *Header) see(file *baseFile, length int64) (io.ReaderAt, int64, error) {
	if h.Views&BaseView == 0 {
		return file, length, nil
	}
	view, err := deflate.Open(file, length)
	if errors.Is(err, deflate.ErrNone) {
		return nil, 0, fmt.Errorf("%w: base: %w", ErrCorrupt, err)
	}
	if err != nil {
		return nil, 0, err
	}
	if view.Size() > MaxLength {
		return nil, 0, fmt.Errorf("%w: a view of %d bytes of the base", ErrCorrupt, view.Size())
	}
	file.left = readFree + readFactor*length
	view.Limit(inflateFree + inflateFactor*view.Size())
	return baseView{view, file}, view.Size(), nil
}

// baseView is the view of a file, which also keeps its failures.
type baseView struct {
	*deflate.View
	file *baseFile
}

func (v baseView) ReadAt(p []byte, off int64) (n int, err error) {
	n, err = v.View.ReadAt(p, off)
	if errors.Is(err, deflate.ErrWork) {
		v.file.err = cmp.Or(v.file.err, ErrWork)
		err = v.file.err
	}
	return n, err
}

// baseFile reads the base for as long as the context and its allowance last. It
// is only asked for bytes that the base has. The first failure stays: what was
// made without those bytes is wrong, whoever goes on without them.
type baseFile struct {
	ctx  context.Context
	r    io.ReaderAt
	left int64
	end  int64 // of the last read
	err  error
}

func (b *baseFile) ReadAt(p []byte, off int64) (n int, err error) {
	b.spend(off, int64(len(p)))
	if b.err = cmp.Or(b.err, b.ctx.Err()); b.err != nil {
		return 0, b.err
	}
	if n, err = b.r.ReadAt(p, off); n == len(p) {
		return n, nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	b.err = err
	return n, err
}

func (b *baseFile) spend(off, n int64) {
	cost := n
	if off < b.end-nearBy || off > b.end+nearBy {
		cost = max(n, jumpCost)
	}
	b.end = off + n
	if b.left -= cost; b.left < 0 {
		b.err = cmp.Or(b.err, ErrWork)
	}
}

// resultFile makes a file of its view.
type resultFile struct {
	file *deflate.Writer
	out  *limited
}

func newResultFile(w io.Writer, length int64) *resultFile {
	out := &limited{w, length}
	return &resultFile{deflate.NewWriter(out, length), out}
}

func (f *resultFile) Write(p []byte) (int, error) {
	n, err := f.file.Write(p)
	return n, refused(err)
}

// Close wants the view and the file to be complete.
func (f *resultFile) Close() error {
	if err := f.file.Close(); err != nil {
		return refused(err)
	}
	if f.out.left > 0 {
		return fmt.Errorf("%w: shorter than its result", ErrCorrupt)
	}
	return nil
}

func refused(err error) error {
	if errors.Is(err, deflate.ErrCorrupt) {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
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
