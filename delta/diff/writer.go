// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"encoding/binary"

	"github.com/dsnet/compress/bzip2"
)

// writer writes a bsdiff4 patch; delta.BSDiff4 describes the format.
type writer struct {
	base, result         []byte
	control, diff, extra *packed
	buf                  []byte
}

// packed is a compressed stream in memory.
type packed struct {
	*bzip2.Writer
	data bytes.Buffer
}

func newPacked() (*packed, error) {
	p := &packed{}
	var err error
	p.Writer, err = bzip2.NewWriter(&p.data, &bzip2.WriterConfig{Level: bzip2.BestCompression})
	return p, err
}

func newWriter(base, result []byte) (*writer, error) {
	w := &writer{base: base, result: result, buf: make([]byte, 64<<10)}
	for _, p := range []**packed{&w.control, &w.diff, &w.extra} {
		var err error
		if *p, err = newPacked(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// triple writes the match m and what the result holds between it and next.
func (w *writer) triple(m, next match) error {
	oldEnd, newEnd := m.old+m.n, m.new+m.n
	if m.n == 0 && newEnd == next.new && oldEnd == next.old {
		return nil
	}
	var t [24]byte
	putInt(t[:], m.n)
	putInt(t[8:], next.new-newEnd)
	putInt(t[16:], next.old-oldEnd)
	if _, err := w.control.Write(t[:]); err != nil {
		return err
	}
	if err := w.difference(w.base[m.old:oldEnd], w.result[m.new:newEnd]); err != nil {
		return err
	}
	_, err := w.extra.Write(w.result[newEnd:next.new])
	return err
}

func (w *writer) difference(old, new []byte) error {
	for len(new) > 0 {
		n := min(len(new), len(w.buf))
		for i := range n {
			w.buf[i] = new[i] - old[i]
		}
		if _, err := w.diff.Write(w.buf[:n]); err != nil {
			return err
		}
		old, new = old[n:], new[n:]
	}
	return nil
}

// patch ends the streams and lays them out behind their header.
func (w *writer) patch() ([]byte, error) {
	for _, p := range []*packed{w.control, w.diff, w.extra} {
		if err := p.Close(); err != nil {
			return nil, err
		}
	}
	header := make([]byte, 32)
	copy(header, "BSDIFF40")
	putInt(header[8:], w.control.data.Len())
	putInt(header[16:], w.diff.data.Len())
	putInt(header[24:], len(w.result))
	return bytes.Join([][]byte{header, w.control.data.Bytes(), w.diff.data.Bytes(), w.extra.data.Bytes()}, nil), nil
}

// putInt writes sign and magnitude, little-endian.
func putInt(b []byte, n int) {
	u := uint64(n)
	if n < 0 {
		u = uint64(-n) | 1<<63
	}
	binary.LittleEndian.PutUint64(b, u)
}
