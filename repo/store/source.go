// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"io"
)

// source reads what is to be stored and holds it to the promised length. It
// cancels the upload before it reports trouble: some drivers otherwise close,
// and so commit, what they have got so far.
type source struct {
	ctx    context.Context
	name   string
	r      io.ReadCloser
	size   int64
	read   int64
	cancel context.CancelFunc
	err    error
}

type sourceError struct {
	name string
	err  error
}

func (e *sourceError) Error() string { return fmt.Sprintf("read content of %s: %v", e.name, e.err) }
func (e *sourceError) Unwrap() error { return e.err }

func newSource(ctx context.Context, name string, size int64, open func() (io.ReadCloser, error)) (*source, error) {
	r, err := open()
	if err != nil {
		return nil, &sourceError{name, err}
	}
	ctx, cancel := context.WithCancel(ctx)
	return &source{ctx: ctx, name: name, r: r, size: size, cancel: cancel}, nil
}

func (s *source) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.r.Read(p)
	s.read += int64(n)
	switch {
	case s.read > s.size:
		return 0, s.fail(fmt.Errorf("longer than the %d bytes announced", s.size))
	case err == io.EOF && s.read < s.size:
		return n, s.fail(fmt.Errorf("%w: %d of %d bytes", io.ErrUnexpectedEOF, s.read, s.size))
	case err != nil && err != io.EOF:
		return n, s.fail(err)
	}
	return n, err
}

func (s *source) fail(err error) error {
	s.err = &sourceError{s.name, err}
	s.cancel()
	return s.err
}

// finish frees the source and prefers its own trouble to what the driver made
// of it. A driver that stopped early has not stored the whole content.
func (s *source) finish(err error) error {
	s.cancel()
	s.r.Close()
	switch {
	case s.err != nil:
		return s.err
	case err == nil && s.read != s.size:
		return fmt.Errorf("driver stored %d of %d bytes", s.read, s.size)
	}
	return err
}
