// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/waybill-project/waybill/internal/durable"
)

// File is the verified content of a target, open for reading. It has no name that
// somebody could put something else under: what is read is what was verified. Its
// methods may be called from several goroutines, but Read and Seek share one position.
type File struct {
	target Target
	file   durable.File
	mu     sync.Mutex
	read   *io.SectionReader
}

// Target is what the content was verified against.
func (f *File) Target() Target { return f.target }

// Size is the length in bytes.
func (f *File) Size() int64 { return f.target.Length }

// Read implements io.Reader.
func (f *File) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read.Read(p)
}

// Seek implements io.Seeker.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read.Seek(offset, whence)
}

// ReadAt implements io.ReaderAt.
func (f *File) ReadAt(p []byte, offset int64) (int, error) { return f.read.ReadAt(p, offset) }

// Close gives the content back to the disk.
func (f *File) Close() error { return f.file.Close() }

// OpenVerified downloads a target and opens it. The content is on disk, in the state
// folder, for as long as the File is open, and memory use does not depend on its length;
// what is needed for longer is for Download. The file has lost its name before it is
// hashed for the last time, through the very descriptor that is read from; on Windows it keeps
// a name, but nobody else can open it for writing, rename or remove it.
func (c *Client) OpenVerified(ctx context.Context, t *Target) (_ *File, err error) {
	defer guard(&err)
	near := ""
	if c.opts.Ephemeral {
		near = filepath.Join(os.TempDir(), "fetcher")
	}
	p, _, err := c.obtain(ctx, t, near)
	if err != nil {
		return nil, err
	}
	file, err := p.detach()
	if err != nil {
		return nil, err
	}
	if err := rehash(file, t); err != nil {
		file.Close()
		return nil, local(p.path, err)
	}
	return &File{target: *t, file: file, read: io.NewSectionReader(file, 0, t.Length)}, nil
}

// rehash checks a whole file once more.
func rehash(file io.ReaderAt, t *Target) error {
	sums, err := newDigests(t.Hashes)
	if err != nil {
		return err
	}
	n, err := pour(sums, io.NewSectionReader(file, 0, t.Length+1))
	if err != nil {
		return err
	}
	if err := checkLength(n, t.Length); err != nil {
		return err
	}
	return sums.check()
}
