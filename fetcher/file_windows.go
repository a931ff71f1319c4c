// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"github.com/waybill-project/waybill/internal/durable"
)

// noFollow has no counterpart: making links takes a privilege, and the folder is private.
const noFollow = 0

// noWait has none either: named pipes are not in folders.
const noWait = 0

func sole(info fs.FileInfo) bool { return info.Mode().IsRegular() }

const errNotSameDevice = syscall.Errno(17)

func crossDevice(err error) bool { return errors.Is(err, errNotSameDevice) }

const (
	accessDelete       = 0x00010000
	deleteOnClose      = 0x04000000
	attributeTemporary = 0x00000100
)

// detach returns the content through a handle that shares reading only: it could not be opened if
// anybody could still write to the file, and while it is open nobody can write, rename or
// remove. The system removes the file when the handle is closed.
func (p *partial) detach() (durable.File, error) {
	defer p.close()
	if err := p.closeFile(); err != nil {
		return nil, local(p.path, err)
	}
	name, err := syscall.UTF16PtrFromString(p.path)
	if err != nil {
		return nil, local(p.path, err)
	}
	h, err := syscall.CreateFile(name, syscall.GENERIC_READ|accessDelete, syscall.FILE_SHARE_READ, nil,
		syscall.OPEN_EXISTING, attributeTemporary|deleteOnClose|syscall.FILE_FLAG_OPEN_REPARSE_POINT, 0)
	if err != nil {
		return nil, local(p.path, err)
	}
	return os.NewFile(uintptr(h), p.path), nil
}
