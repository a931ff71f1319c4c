// SPDX-License-Identifier: Apache-2.0

package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/waybill-project/waybill/internal/durable"
)

// CheckWritable says whether File could put something at path: the target is a regular file or absent, its folder
// exists, and a file can be made there. It leaves nothing behind.
func CheckWritable(path string, opts *Options) error {
	d := newDisk(opts)
	if !filepath.IsAbs(path) {
		return fail("check", path, errors.New("the path is not absolute"))
	}
	if err := d.checkTarget(path); err != nil {
		return err
	}
	probe := stagedPath(path)
	if err := d.clear(probe); err != nil {
		return fail("write into", filepath.Dir(path), err)
	}
	f, err := d.create(probe, 0o600)
	if err != nil {
		return fail("write into", filepath.Dir(path), err)
	}
	err = f.Close()
	return fail("write into", filepath.Dir(path), errors.Join(err, d.clear(probe)))
}

func (d disk) checkTarget(path string) error {
	dir, err := d.fs.Stat(filepath.Dir(path))
	if err != nil {
		return fail("check folder", filepath.Dir(path), err)
	}
	if !dir.IsDir() {
		return fail("check folder", filepath.Dir(path), errors.New("not a folder"))
	}
	info, err := d.lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fail("check", path, err)
	case !info.Mode().IsRegular():
		return fail("check", path, notRegular(info.Mode()))
	}
	return nil
}

// CheckSpace says whether dir has need bytes free for this user. It is advice: others write too. A file system that
// does not tell is taken to have room.
func CheckSpace(dir string, need int64) error {
	return fail("check space in", dir, durable.CheckSpace(durable.OS(), dir, need))
}

// spaceNeeded says how much room a write wanted that failed for lack of it.
func spaceNeeded(err error, need int64) error {
	if err == nil || !isFull(err) {
		return err
	}
	return fmt.Errorf("%w: %d bytes are needed: %w", ErrSpace, need, err)
}

// cause drops the path that an Error names already.
func cause(err error) error {
	switch e := err.(type) {
	case *fs.PathError:
		return e.Err
	case *os.LinkError:
		return e.Err
	}
	return err
}
