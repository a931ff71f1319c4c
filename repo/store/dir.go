// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/waybill-project/waybill/internal/durable"
)

const (
	lockName = "publisher/lock"
	tmpName  = "publisher/tmp"
)

// dir is a store over a folder. Objects are plain files without sidecars, so
// that any web server can serve the folder.
type dir struct {
	fs   durable.FS
	root string

	mu      sync.Mutex   // guards release, and orders replacements in this process
	release func() error // nil while this store does not hold the lock
}

// NewDir makes a Store over a folder, which need not exist yet, through a file
// system of the caller's choice. Objects must lie on one file system with
// publisher/tmp.
func NewDir(fsys durable.FS, root string) (*Store, error) {
	if root == "" {
		return nil, errors.New("no path")
	}
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	info, err := fsys.Stat(abs)
	if err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", abs)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	d := &dir{fs: fsys, root: abs}
	return &Store{read: d, write: d, lock: d, url: abs}, nil
}

func (d *dir) path(name string) (string, error) {
	local, err := filepath.Localize(name)
	if err != nil {
		return "", fmt.Errorf("%w: %q is no file name on this system", fs.ErrInvalid, name)
	}
	return filepath.Join(d.root, local), nil
}

func (d *dir) stat(_ context.Context, name string) (Attributes, error) {
	p, err := d.path(name)
	if err != nil {
		return Attributes{}, err
	}
	info, err := d.fs.Stat(p)
	if err != nil {
		return Attributes{}, notThere(err)
	}
	return fileAttributes(info)
}

func fileAttributes(info fs.FileInfo) (Attributes, error) {
	if !info.Mode().IsRegular() {
		return Attributes{}, fmt.Errorf("%w: not a regular file", fs.ErrNotExist)
	}
	tag := fmt.Sprintf("%x-%x", info.ModTime().UnixNano(), info.Size())
	return Attributes{Size: info.Size(), ETag: tag, ModTime: info.ModTime()}, nil
}

func (d *dir) open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, Attributes, error) {
	p, err := d.path(name)
	if err != nil {
		return nil, Attributes{}, err
	}
	// Looked at first because opening a pipe would wait for its writer.
	if _, err := d.stat(ctx, name); err != nil {
		return nil, Attributes{}, err
	}
	f, err := d.fs.OpenFile(p, os.O_RDONLY, 0)
	if err != nil {
		return nil, Attributes{}, notThere(err)
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, Attributes{}, err
	}
	attrs, err := fileAttributes(info)
	if err == nil && offset > attrs.Size {
		err = fmt.Errorf("offset %d is past the end at %d", offset, attrs.Size)
	}
	if err != nil {
		f.Close()
		return nil, Attributes{}, err
	}
	if length < 0 || length > attrs.Size-offset {
		length = attrs.Size - offset
	}
	return &section{f, io.NewSectionReader(f, offset, length)}, attrs, nil
}

type section struct {
	file durable.File
	*io.SectionReader
}

func (s *section) Close() error { return s.file.Close() }

// notThere maps the errors of a name under which a file system can hold no
// object: too long, or continued beyond a file.
func notThere(err error) error {
	if errors.Is(err, fs.ErrNotExist) || !holdsNothing(err) {
		return err
	}
	return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
}

func (d *dir) list(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		if err := d.walk(ctx, start(prefix), prefix, yield); err != nil && err != fs.SkipAll {
			yield(Object{}, err)
		}
	}
}

// start is the deepest folder that holds every name with this prefix.
func start(prefix string) string {
	if folder := path.Dir(prefix + "x"); fs.ValidPath(folder) {
		return folder
	}
	return "."
}

// walk yields the objects below a folder; a folder that goes away meanwhile
// holds none. It returns fs.SkipAll when yield has had enough.
func (d *dir) walk(ctx context.Context, folder, prefix string, yield func(Object, error) bool) error {
	entries, err := d.fs.ReadDir(filepath.Join(d.root, filepath.FromSlash(folder)))
	if err != nil {
		return ignoreAbsent(notThere(err))
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := path.Join(folder, e.Name())
		if e.IsDir() && name != tmpName {
			err = d.walk(ctx, name, prefix, yield)
		} else if e.Type().IsRegular() && name != lockName && strings.HasPrefix(name, prefix) {
			err = yieldEntry(name, e, yield)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func yieldEntry(name string, e fs.DirEntry, yield func(Object, error) bool) error {
	info, err := e.Info()
	if err != nil {
		return ignoreAbsent(err)
	}
	if !yield(Object{Name: name, Size: info.Size(), ModTime: info.ModTime()}, nil) {
		return fs.SkipAll
	}
	return nil
}

func ignoreAbsent(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (d *dir) create(ctx context.Context, name string, size int64, open func() (io.ReadCloser, error)) error {
	p, err := d.path(name)
	if err != nil {
		return err
	}
	if _, err := d.fs.Stat(p); err == nil {
		return d.taken(p)
	}
	tmp, err := d.fill(ctx, name, size, open)
	if err != nil {
		return err
	}
	defer d.fs.Remove(tmp)
	if err := durable.MkdirAll(d.fs, filepath.Dir(p), 0o755); err != nil {
		return err
	}
	err = d.fs.Link(tmp, p)
	switch {
	case errors.Is(err, fs.ErrExist):
		return d.taken(p)
	case err != nil:
		return d.moveIfFree(ctx, tmp, p)
	}
	return durable.SyncDir(d.fs, filepath.Dir(p))
}

// taken makes sure that the object which is there stays: a publisher that died
// may have named it without syncing the name.
func (d *dir) taken(p string) error {
	if err := durable.SyncDir(d.fs, filepath.Dir(p)); err != nil {
		return err
	}
	return fs.ErrExist
}

// moveIfFree is for file systems without hard links: only the lock keeps two
// writers from both finding the name free.
func (d *dir) moveIfFree(ctx context.Context, tmp, p string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	unlock, err := d.lockBriefly(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if _, err := d.fs.Stat(p); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(fs.ErrExist, err)
	}
	return durable.Replace(d.fs, tmp, p)
}

// fill writes a complete, synced file under publisher/tmp.
func (d *dir) fill(ctx context.Context, name string, size int64, open func() (io.ReadCloser, error)) (tmp string, err error) {
	src, err := newSource(ctx, name, size, open)
	if err != nil {
		return "", err
	}
	defer func() { err = src.finish(err) }()
	folder := d.tmp()
	if err := durable.MkdirAll(d.fs, folder, 0o755); err != nil {
		return "", err
	}
	f, tmp, err := durable.CreateTemp(d.fs, filepath.Join(folder, path.Base(name)), 0o644)
	if err != nil {
		return "", err
	}
	if _, err = io.Copy(f, src); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		err = errors.Join(err, ignoreAbsent(d.fs.Remove(tmp)))
	}
	return tmp, err
}

func (d *dir) tmp() string { return filepath.Join(d.root, filepath.FromSlash(tmpName)) }

func (d *dir) replace(ctx context.Context, name string, data []byte, token string) error {
	p, err := d.path(name)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	unlock, err := d.lockBriefly(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := unchanged(ctx, d, name, token); err != nil {
		return err
	}
	tmp, err := d.fill(ctx, name, int64(len(data)), func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	})
	if err != nil {
		return err
	}
	defer d.fs.Remove(tmp)
	if err := durable.MkdirAll(d.fs, filepath.Dir(p), 0o755); err != nil {
		return err
	}
	return durable.Replace(d.fs, tmp, p)
}

func (d *dir) token(data []byte, _ Attributes) string { return digest(data) }

func (d *dir) remove(ctx context.Context, name string) error {
	p, err := d.path(name)
	if err != nil {
		return err
	}
	if _, err := d.stat(ctx, name); err != nil {
		return err
	}
	return durable.Remove(d.fs, p)
}
