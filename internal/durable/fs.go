// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"io"
	"io/fs"
	"os"
)

// FS is the seam through which every durable operation goes. An implementation
// returns errors as package os does, so that errors.Is finds [fs.ErrNotExist],
// [fs.ErrExist] and [fs.ErrPermission].
type FS interface {
	Files
	Dirs
}

// Files opens and names files, like the functions of package os.
type Files interface {
	OpenFile(name string, flag int, perm fs.FileMode) (File, error)
	Rename(from, to string) error
	Link(from, to string) error
	Remove(name string) error
}

// Dirs makes, reads and syncs folders. SyncDir makes the names in a folder durable.
type Dirs interface {
	Mkdir(name string, perm fs.FileMode) error
	ReadDir(name string) ([]fs.DirEntry, error)
	Stat(name string) (fs.FileInfo, error)
	SyncDir(name string) error
}

// File is an open file; *os.File is one.
type File interface {
	io.ReadWriteSeeker
	io.ReaderAt
	io.Closer
	Stat() (fs.FileInfo, error)
	Sync() error
	Truncate(size int64) error
	Chmod(mode fs.FileMode) error
}

type osFS struct{}

// OS is the file system of the operating system.
func OS() FS { return osFS{} }

func (osFS) OpenFile(name string, flag int, perm fs.FileMode) (File, error) {
	file, err := os.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return file, nil
}

func (osFS) Rename(from, to string) error {
	return whileShared(func() error { return os.Rename(from, to) })
}

func (osFS) Link(from, to string) error { return os.Link(from, to) }

func (osFS) Remove(name string) error {
	return whileShared(func() error { return os.Remove(name) })
}

func (osFS) Mkdir(name string, perm fs.FileMode) error  { return os.Mkdir(name, perm) }
func (osFS) ReadDir(name string) ([]fs.DirEntry, error) { return os.ReadDir(name) }
func (osFS) Stat(name string) (fs.FileInfo, error)      { return os.Stat(name) }
func (osFS) SyncDir(name string) error                  { return syncDir(name) }
func (osFS) Free(dir string) (int64, error)             { return freeSpace(dir) }
