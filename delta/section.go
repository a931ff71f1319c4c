// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"bufio"
	"compress/bzip2"
	"context"
	"fmt"
	"io"
	"sync"
)

// chunk is the size in bytes of the buffers for base, streams and output.
const chunk = 64 << 10

// chunks keeps buffers from one Apply to the next.
var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

func takeChunk() *[chunk]byte  { return chunks.Get().(*[chunk]byte) }
func giveChunk(b *[chunk]byte) { chunks.Put(b) }

// section reads the bytes [off, end) of r in order. It ends early where r
// does, and keeps in err what was the reader's fault or the context's.
type section struct {
	ctx      context.Context
	r        io.ReaderAt
	off, end int64
	err      error
}

func (s *section) Read(p []byte) (int, error) {
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	if s.off >= s.end {
		return 0, io.EOF
	}
	if rest := s.end - s.off; int64(len(p)) > rest {
		p = p[:rest]
	}
	n, err := s.r.ReadAt(p, s.off)
	s.off += int64(n)
	if n > 0 {
		return n, nil
	}
	if err != io.EOF {
		s.err = err
	}
	return 0, err
}

// stream is one bzip2 stream of a patch.
type stream struct {
	name string
	src  *section
	bz   io.Reader
}

func newStream(name string, src *section) *stream {
	return &stream{name: name, src: src, bz: bzip2.NewReader(bufio.NewReaderSize(src, 4<<10))}
}

// fill reads exactly len(p) bytes.
func (s *stream) fill(p []byte) error {
	_, err := io.ReadFull(s.bz, p)
	return s.fault(err)
}

// finish requires the end of the stream and of its section. Bzip2 checks the
// last block and the whole stream only there.
func (s *stream) finish() error {
	var probe [1]byte
	switch n, err := s.bz.Read(probe[:]); {
	case n > 0:
		return fmt.Errorf("%w: %s stream is longer than its use", ErrCorrupt, s.name)
	case err != io.EOF:
		return s.fault(err)
	case s.src.off != s.src.end:
		return fmt.Errorf("%w: shorter than signed", ErrCorrupt)
	}
	return nil
}

func (s *stream) fault(err error) error {
	switch {
	case err == nil:
		return nil
	case s.src.err != nil:
		return fmt.Errorf("read patch: %w", s.src.err)
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return fmt.Errorf("%w: %s stream ends early", ErrCorrupt, s.name)
	}
	return fmt.Errorf("%w: %s stream: %v", ErrCorrupt, s.name, err)
}
