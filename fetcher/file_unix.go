// SPDX-License-Identifier: Apache-2.0

//go:build unix

package fetcher

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/waybill-project/waybill/internal/durable"
)

// noFollow makes opening a symbolic link fail.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// sole tells whether a file is a regular one with no second name.
func sole(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return info.Mode().IsRegular() && (!ok || st.Nlink == 1)
}

func crossDevice(err error) bool { return errors.Is(err, syscall.EXDEV) }

// detach returns the content through a descriptor for reading only, of a file that has no name
// any more. The partial is gone afterwards.
func (p *partial) detach() (durable.File, error) {
	defer p.discard()
	file, err := p.fs.OpenFile(p.path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return nil, local(p.path, err)
	}
	mine, err := p.file.Stat()
	var opened fs.FileInfo
	if err == nil {
		opened, err = file.Stat()
	}
	if err == nil && (!sole(opened) || !same(mine, opened)) {
		err = errors.New("was replaced")
	}
	if err == nil {
		err = p.fs.Remove(p.path)
	}
	if err == nil {
		opened, err = file.Stat()
	}
	if err == nil && !nameless(opened) {
		err = errors.New("has a second name")
	}
	if err != nil {
		file.Close()
		return nil, local(p.path, err)
	}
	return file, nil
}

// same tells whether two descriptors are of one file, where that can be known.
func same(a, b fs.FileInfo) bool {
	_, known := a.Sys().(*syscall.Stat_t)
	return !known || os.SameFile(a, b)
}

func nameless(info fs.FileInfo) bool {
	st, known := info.Sys().(*syscall.Stat_t)
	return !known || st.Nlink == 0
}
