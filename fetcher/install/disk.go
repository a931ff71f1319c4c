// SPDX-License-Identifier: Apache-2.0

package install

import (
	"errors"
	"io/fs"
	"os"

	"github.com/waybill-project/waybill/internal/durable"
)

// disk is the file system seam with the few operations that this package needs. Files are opened without following
// a symbolic link in the last part of the name.
type disk struct{ fs durable.FS }

func newDisk(opts *Options) disk {
	if opts == nil || opts.FS == nil {
		return disk{durable.OS()}
	}
	return disk{opts.FS}
}

func (d disk) open(path string) (durable.File, error) {
	return d.fs.OpenFile(path, os.O_RDONLY|noFollow, 0)
}

func (d disk) create(path string, perm fs.FileMode) (durable.File, error) {
	return d.fs.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
}

// lstat looks at path itself; a symbolic link is ErrNotRegular.
func (d disk) lstat(path string) (fs.FileInfo, error) {
	f, err := d.open(path)
	if isLink(err) {
		return nil, notRegular(fs.ModeSymlink)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Stat()
}

func (d disk) link(from, to string) error   { return d.fs.Link(from, to) }
func (d disk) rename(from, to string) error { return d.fs.Rename(from, to) }
func (d disk) syncDir(path string) error    { return d.fs.SyncDir(path) }

// clear removes path if it is there.
func (d disk) clear(path string) error {
	if err := d.fs.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// syncFile makes the bytes at path durable.
func (d disk) syncFile(path string) error {
	f, err := d.fs.OpenFile(path, syncFlag, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func (d disk) list(dir string) ([]string, error) {
	entries, err := d.fs.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, nil
}
