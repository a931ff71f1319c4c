// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/waybill-project/waybill/repo/layout"
)

// Limits of an archive: what its index may take, not what it holds.
const (
	maxEntries    = 1 << 16
	maxNameBytes  = 4 << 20
	maxIndexBytes = 256 << 20 // read for it
)

// ArchiveSource reads a repository from a single file that is carried there: a tar
// file, or a zip file whose entries are stored and not compressed. Nothing is
// extracted; the index takes a few megabytes at most.
type ArchiveSource struct {
	path  string
	file  *os.File
	index map[string]span // by object name, with escapes undone
}

// span is where the bytes of an entry lie.
type span struct {
	offset, length int64
	header         bool // of a zip file: offset is that of the local header
}

// NewArchiveSource opens the archive at path and reads its table of contents. The
// folders metadata/ and targets/ lie at its top or together in one folder. It refuses,
// with an error that wraps ErrMalformed, an archive with links, with a name twice, with a
// name that is no clean relative path, and with more than 65,536 entries. Close it.
func NewArchiveSource(path string) (*ArchiveSource, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, local(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, local(path, errNotRegular)
	}
	f, size, err := openRegular(path, os.OpenFile)
	if err != nil {
		return nil, local(path, err)
	}
	s := &ArchiveSource{path: path, file: f}
	if s.index, err = readIndex(f, size); err != nil {
		f.Close()
		return nil, fmt.Errorf("archive %s: %w", path, err)
	}
	return s, nil
}

// String is the path of the archive.
func (s *ArchiveSource) String() string { return s.path }

// Close closes the file. Responses that are open fail from then on.
func (s *ArchiveSource) Close() error { return s.file.Close() }

// Open implements Source.
func (s *ArchiveSource) Open(ctx context.Context, name string, req Request) (*Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := layout.CheckObject(name); err != nil {
		return nil, &SourceError{name, err}
	}
	at, ok := s.index[plainName(name)]
	if !ok {
		return nil, &SourceError{name, fs.ErrNotExist}
	}
	if at.header {
		var err error
		if at.offset, err = zipContent(s.file, at.offset); err != nil {
			return nil, &SourceError{name, err}
		}
	}
	offset := req.Offset
	if offset > at.length || offset < 0 {
		offset = 0
	}
	body := io.NewSectionReader(s.file, at.offset+offset, at.length-offset)
	return &Response{Body: io.NopCloser(body), Offset: offset, Size: at.length}, nil
}

// contents is a table of contents under construction.
type contents struct {
	spans map[string]span
	names int // bytes
	count int
}

func readIndex(f io.ReaderAt, size int64) (map[string]span, error) {
	c := &contents{spans: map[string]span{}}
	var magic [4]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil && err != io.EOF {
		return nil, err
	}
	var err error
	switch {
	case string(magic[:]) == "PK\x03\x04":
		err = c.readZip(f, size)
	case magic[0] == 0x1f && magic[1] == 0x8b, string(magic[:]) == "\x28\xb5\x2f\xfd", string(magic[:3]) == "BZh", string(magic[:]) == "\xfd7zX":
		err = refuse("it is compressed; carry it as a plain tar file")
	default:
		err = c.readTar(f, size)
	}
	if err != nil {
		return nil, err
	}
	return c.repository()
}

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// visit counts an entry of any kind and checks its name, which it returns without
// "./" in front and "/" at the end.
func (c *contents) visit(name string) (string, error) {
	if c.count++; c.count > maxEntries {
		return "", refuse("more than %d entries", maxEntries)
	}
	if c.names += len(name); c.names > maxNameBytes {
		return "", refuse("more than %d bytes of names", maxNameBytes)
	}
	plain := strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	if name == "./" || name == "." {
		return "", nil
	}
	if plain == "" || path.Clean(plain) != plain || strings.HasPrefix(plain, "../") || plain[0] == '/' || strings.ContainsAny(plain, "\\\x00") {
		return "", refuse("the name %.80q", name)
	}
	return plain, nil
}

func (c *contents) add(name string, at span, size int64) error {
	if _, ok := c.spans[name]; ok {
		return refuse("%.80q is there twice", name)
	}
	if at.length < 0 || at.offset < 0 || at.length > size || at.offset > size-at.length {
		return refuse("%.80q does not lie in the file", name)
	}
	c.spans[name] = at
	return nil
}

// repository keeps what belongs to the one repository in the archive.
func (c *contents) repository() (map[string]span, error) {
	top, found := "", false
	for name := range c.spans {
		if dir, ok := strings.CutSuffix(name, layout.Timestamp); ok && (dir == "" || strings.HasSuffix(dir, "/")) {
			if found {
				return nil, refuse("it holds more than one repository")
			}
			top, found = dir, true
		}
	}
	if !found {
		return nil, refuse("it holds no %s", layout.Timestamp)
	}
	index := map[string]span{}
	for name, at := range c.spans {
		object, ok := strings.CutPrefix(name, top)
		if ok && (strings.HasPrefix(object, "metadata/") || strings.HasPrefix(object, "targets/")) {
			index[object] = at
		}
	}
	return index, nil
}
