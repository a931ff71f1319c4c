// SPDX-License-Identifier: Apache-2.0

//go:build unix

package fetcher

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/waybill-project/waybill/internal/durable"
)

const (
	// noFollow makes opening a symbolic link fail.
	noFollow = syscall.O_NOFOLLOW | noWait
	// noWait keeps the opening of a named pipe from waiting for its other end.
	noWait = syscall.O_NONBLOCK
)

// sole tells whether a file is a regular one with no second name.
func sole(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return info.Mode().IsRegular() && (!ok || st.Nlink == 1)
}

func crossDevice(err error) bool { return errors.Is(err, syscall.EXDEV) }

// detach returns the content through the descriptor that it was written to, of a file
// that has no name any more: whatever lies under its old name does not matter.
func (p *partial) detach() (durable.File, error) {
	defer p.close()
	if err := p.fs.Remove(p.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, local(p.path, err)
	}
	info, err := p.file.Stat()
	if err != nil {
		return nil, local(p.path, err)
	}
	if !nameless(info) {
		return nil, local(p.path, errors.New("has a second name"))
	}
	file := p.file
	p.file = nil
	return file, nil
}

func nameless(info fs.FileInfo) bool {
	st, known := info.Sys().(*syscall.Stat_t)
	return !known || st.Nlink == 0
}
