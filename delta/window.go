// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"encoding/binary"
	"fmt"
	"io"
)

// near is how many bytes a window reads at a position that does not follow
// the last one; patches of executables jump tens of thousands of times.
const near = 4 << 10

// window is a buffered view of the base at positions that mostly ascend.
type window struct {
	r      io.ReaderAt
	length int64
	off    int64
	buf    *[chunk]byte
	held   int
}

// newWindow makes a window that its user closes.
func newWindow(r io.ReaderAt, length int64) *window {
	return &window{r: r, length: length, buf: takeChunk()}
}

func (w *window) close() { giveChunk(w.buf) }

// addTo adds the base's bytes from pos on to dst, byte by byte modulo 256.
// Positions outside the base count as zero bytes.
func (w *window) addTo(dst []byte, pos int64) error {
	if pos <= -int64(len(dst)) {
		return nil
	}
	if pos < 0 {
		dst, pos = dst[-pos:], 0
	}
	for len(dst) > 0 && pos < w.length {
		src, err := w.at(pos, len(dst))
		if err != nil {
			return err
		}
		addBytes(dst, src)
		dst, pos = dst[len(src):], pos+int64(len(src))
	}
	return nil
}

// addBytes adds src to the beginning of dst, byte by byte modulo 256: eight at once,
// without their highest bits, which would carry into the next byte.
func addBytes(dst, src []byte) {
	const low = 0x7f7f7f7f7f7f7f7f
	for len(src) >= 8 && len(dst) >= 8 {
		a, b := binary.LittleEndian.Uint64(dst), binary.LittleEndian.Uint64(src)
		binary.LittleEndian.PutUint64(dst, (a&low+b&low)^((a^b)&^low))
		dst, src = dst[8:], src[8:]
	}
	for i, b := range src {
		dst[i] += b
	}
}

// at returns 1 to want bytes at a position inside the base.
func (w *window) at(pos int64, want int) ([]byte, error) {
	if pos < w.off || pos >= w.off+int64(w.held) {
		if err := w.load(pos, want); err != nil {
			return nil, err
		}
	}
	from := int(pos - w.off)
	return w.buf[from:min(from+want, w.held)], nil
}

func (w *window) load(pos int64, want int) error {
	size := len(w.buf)
	if pos != w.off+int64(w.held) {
		size = min(size, max(near, want))
	}
	size = int(min(int64(size), w.length-pos))
	n, err := w.r.ReadAt(w.buf[:size], pos)
	if n == size {
		w.off, w.held = pos, size
		return nil
	}
	w.held = 0
	if err == io.EOF {
		return fmt.Errorf("%w: it became shorter", ErrBaseMismatch)
	}
	return fmt.Errorf("read base: %w", err)
}
