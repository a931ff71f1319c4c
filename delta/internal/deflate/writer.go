// SPDX-License-Identifier: Apache-2.0

package deflate

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"io"
)

// writeSize is how much of the file is written at once: blocks and what lies between
// streams may be very short.
const writeSize = 1 << 15

// A Writer takes the bytes of a described view, in order, and writes the file. It
// holds the table, the corrections of one stream, and an encoder; what it does is
// bounded by what is written to it and the file's length. After an error it takes nothing more.
type Writer struct {
	dst    *bufio.Writer
	length int64
	step   func(p []byte) (n int, err error) // takes some of p; 0 asks for the rest of buf
	err    error

	buf     []byte // what a step needs as a whole, as far as it came
	need    int
	kind    byte
	tail    int64
	dirAt   int64
	streams []stream
	i       int   // the stream, or how many there are behind the last
	left    int64 // bytes to come of the part
	out     int64 // bytes of the file written
	encoder *encoder
	dir     directory
	scratch []byte
}

// NewWriter returns a Writer that writes to w. The length of the file bounds the
// work that its streams may take; it is not checked otherwise.
func NewWriter(w io.Writer, length int64) *Writer {
	x := &Writer{dst: bufio.NewWriterSize(w, writeSize), length: length}
	x.collect(headSize, x.head)
	return x
}

// Write takes the next bytes of the view. Errors are ErrCorrupt and those of the
// file written to.
func (w *Writer) Write(p []byte) (int, error) {
	for n := 0; n < len(p); {
		if w.err != nil {
			return n, w.err
		}
		k, err := w.step(p[n:])
		w.err = err
		n += k
	}
	return len(p), w.err
}

// Close writes the last bytes of the file, and reports whether the view was
// complete.
func (w *Writer) Close() error {
	if w.err == nil && (w.streams == nil || w.i < len(w.streams) || w.left > 0) {
		w.err = ErrCorrupt
	}
	if w.err == nil {
		w.err = w.write(w.dir.rest(nil))
	}
	if w.err == nil {
		w.err = w.dst.Flush()
	}
	err := w.err
	if w.err == nil {
		w.err = ErrCorrupt
	}
	return err
}

func (w *Writer) write(p []byte) error {
	n, err := w.dst.Write(p)
	w.out += int64(n)
	return err
}

// collect makes a step of reading need bytes as a whole, which then go to done.
// Where it needs none, done follows at once.
func (w *Writer) collect(need int, done func(p []byte) error) {
	w.buf, w.need = w.buf[:0], need
	w.step = func(p []byte) (int, error) {
		n := min(len(p), w.need-len(w.buf))
		w.buf = append(w.buf, p[:n]...)
		if len(w.buf) < w.need {
			return n, nil
		}
		return n, done(w.buf)
	}
}

func (w *Writer) head(p []byte) error {
	n := binary.LittleEndian.Uint32(p[8:])
	w.kind = p[5]
	w.tail, w.dirAt = int64(binary.LittleEndian.Uint64(p[12:])), int64(binary.LittleEndian.Uint64(p[20:]))
	if string(p[:4]) != magic || p[4] != version || w.kind != kindZip && w.kind != kindGzip || p[6]|p[7] != 0 ||
		n == 0 || n > MaxStreams || w.tail < 0 || w.tail > maxOffset || w.dirAt < 0 || w.dirAt > maxOffset {
		return ErrCorrupt
	}
	w.collect(int(n)*recordSize+4, w.table)
	return nil
}

func (w *Writer) table(p []byte) error {
	n := len(p) / recordSize
	w.streams = make([]stream, n)
	for i := range w.streams {
		w.streams[i].offset, w.streams[i].length = get5(p[i*recordSize:]), get5(p[i*recordSize+5:])
		if w.streams[i].length == 0 {
			return ErrCorrupt
		}
	}
	size := binary.LittleEndian.Uint32(p[n*recordSize:])
	if size == 0 || size > maxRecipes {
		return ErrCorrupt
	}
	w.collect(int(size), w.recipes)
	return nil
}

func (w *Writer) recipes(p []byte) error {
	if !parseRecipes(p, w.streams) {
		return ErrCorrupt
	}
	w.encoder = newEncoder(w.dst, w.length)
	w.dir = directory{streams: w.streams, back: true}
	return w.raw(w.streams[0].offset)
}

// raw starts the raw bytes before stream i, or behind the last.
func (w *Writer) raw(gap int64) error {
	w.left = gap
	if w.i == len(w.streams) && w.dirAt > 0 {
		gap = min(gap, w.dirAt-w.out)
	}
	if n := trailerSize(w.kind); w.i > 0 && gap >= int64(n) {
		w.collect(n, w.trailer)
		return nil
	}
	return w.rest()
}

func (w *Writer) trailer(p []byte) error {
	w.left -= int64(len(p))
	w.streams[w.i-1].adjust(w.kind, p, 1)
	if err := w.write(p); err != nil {
		return err
	}
	return w.rest()
}

// rest goes on with the raw bytes behind a trailer.
func (w *Writer) rest() error {
	if w.left == 0 {
		return w.contents()
	}
	w.step = func(p []byte) (int, error) {
		p = p[:min(int64(len(p)), w.left)]
		w.left -= int64(len(p))
		n := len(p)
		if err := w.copy(p); err != nil || w.left > 0 {
			return n, err
		}
		return n, w.contents()
	}
	return nil
}

// copy writes raw bytes, and undoes the changes to the directory.
func (w *Writer) copy(p []byte) error {
	if w.i < len(w.streams) || w.dirAt == 0 {
		return w.write(p)
	}
	if before := w.dirAt - w.out; before > 0 && w.dir.untouched() {
		n := min(int64(len(p)), before)
		if err := w.write(p[:n]); err != nil {
			return err
		}
		p = p[n:]
	}
	w.scratch = w.dir.feed(w.scratch[:0], p)
	return w.write(w.scratch)
}

// contents starts a stream, or says that nothing may follow.
func (w *Writer) contents() error {
	if w.i == len(w.streams) {
		w.step = func([]byte) (int, error) { return 0, ErrCorrupt }
		return nil
	}
	s := &w.streams[w.i]
	if n := int(s.at); n > 0 {
		w.collect(n, w.encode)
		return nil
	}
	return w.encode(nil)
}

// encode starts the contents of a stream.
func (w *Writer) encode(fix []byte) error {
	s := &w.streams[w.i]
	s.offset = w.out
	if err := w.encoder.reset(s.recipe&^corrected, fix, s.length); err != nil {
		return err
	}
	w.left = s.length
	w.step = func(p []byte) (int, error) {
		p = p[:min(int64(len(p)), w.left)]
		w.left -= int64(len(p))
		s.sum = crc32.Update(s.sum, crc32.IEEETable, p)
		if err := w.encoder.write(p); err != nil || w.left > 0 {
			return len(p), err
		}
		return len(p), w.ended(s)
	}
	return nil
}

func (w *Writer) ended(s *stream) error {
	s.deflated = w.encoder.written
	w.out += s.deflated
	w.i++
	if w.i == len(w.streams) {
		return w.raw(w.tail)
	}
	return w.raw(w.streams[w.i].offset)
}
