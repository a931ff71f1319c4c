// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"io"
	"sync"
)

// buffer holds what is on its way between network, hash and disk.
type buffer [chunk]byte

const (
	chunk = 32 << 10
	page  = 4 << 10 // of the cache of file systems, at least
)

// buffers keeps them from one use to the next, of all clients.
var buffers = sync.Pool{New: func() any { return new(buffer) }}

func takeBuffer() *buffer { return buffers.Get().(*buffer) }
func (b *buffer) give()   { buffers.Put(b) }

// pour copies all that from has.
func pour(to io.Writer, from io.Reader) (int64, error) {
	b := takeBuffer()
	defer b.give()
	return io.CopyBuffer(onlyWriter{to}, onlyReader{from}, b[:])
}

// onlyReader and onlyWriter hide methods that would make io.CopyBuffer ignore its buffer.
type onlyReader struct{ io.Reader }

type onlyWriter struct{ io.Writer }
