// SPDX-License-Identifier: Apache-2.0

package executable

import (
	"errors"
	"fmt"
	"io"
)

const (
	wide   = 64 << 10 // of a window that moves forward
	narrow = 512      // of a window that jumps
)

// window is a buffered view of the file at ascending positions. Bytes outside
// the file are refused; a failed read stays in err, so that a table is never
// taken for malformed because a disk failed.
type window struct {
	r    io.ReaderAt
	size int64
	off  int64
	buf  []byte
	held int
	err  error
}

func newWindow(r io.ReaderAt, size int64, length int) *window {
	return &window{r: r, size: size, buf: make([]byte, length)}
}

// at returns n bytes at off, valid until the next call; nil outside the file,
// after a failed read, or if n is more than the window holds.
func (w *window) at(off int64, n int) []byte {
	if n < 0 || off < 0 || off > w.size || int64(n) > w.size-off {
		return nil
	}
	if off >= w.off && off+int64(n) <= w.off+int64(w.held) {
		return w.buf[off-w.off : off-w.off+int64(n)]
	}
	if n > len(w.buf) || w.err != nil {
		return nil
	}
	want := min(int64(len(w.buf)), w.size-off)
	got, err := w.r.ReadAt(w.buf[:want], off)
	if int64(got) < want {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		w.err, w.held = fmt.Errorf("read executable at %d: %w", off, err), 0
		return nil
	}
	w.off, w.held = off, got
	return w.buf[:n]
}
