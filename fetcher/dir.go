// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strings"

	"github.com/waybill-project/waybill/repo/layout"
)

// DirSource reads a repository from a folder: a mounted stick, a mirror, a local
// bucket.
type DirSource struct {
	dir string
}

// NewDirSource reads from dir, which holds metadata/ and targets/. Nothing outside
// it is ever read, symbolic links included.
func NewDirSource(dir string) *DirSource { return &DirSource{dir} }

// String is the folder.
func (s *DirSource) String() string { return s.dir }

// Open implements Source. Escapes in the name are undone unless the result would
// not be one file name.
func (s *DirSource) Open(ctx context.Context, name string, req Request) (*Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := layout.CheckObject(name); err != nil {
		return nil, &SourceError{name, err}
	}
	f, size, err := s.open(name)
	if err != nil {
		return nil, &SourceError{name, plainError(err)}
	}
	offset := req.Offset
	if offset > size || offset < 0 {
		offset = 0
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		f.Close()
		return nil, &SourceError{name, err}
	}
	return &Response{Body: f, Offset: offset, Size: size}, nil
}

func (s *DirSource) open(name string) (*os.File, int64, error) {
	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return nil, 0, unmounted(err)
	}
	defer root.Close()
	info, err := root.Stat(plainName(name))
	if err != nil {
		return nil, 0, err
	}
	if !info.Mode().IsRegular() {
		return nil, 0, errNotRegular
	}
	return openRegular(plainName(name), root.OpenFile)
}

var errNotRegular = errors.New("not a regular file")

// openRegular opens what was a regular file a moment ago. If a pipe or a device has taken its place
// since, it neither waits for that nor returns it.
func openRegular(name string, open func(name string, flag int, perm fs.FileMode) (*os.File, error)) (*os.File, int64, error) {
	f, err := open(name, os.O_RDONLY|noWait, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotRegular
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// unmounted hides that the folder itself is absent, which is trouble and not
// an object that is not there.
func unmounted(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("the folder of the repository is not there")
	}
	return err
}

// plainError leaves out the name, which is known, and how the file was looked for.
func plainError(err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}

func plainName(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err == nil && !strings.ContainsAny(plain, `/\`) {
			parts[i] = plain
		}
	}
	return strings.Join(parts, "/")
}
