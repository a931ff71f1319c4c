// SPDX-License-Identifier: Apache-2.0

package install

import (
	"errors"
	"io/fs"
	"os"

	"github.com/waybill-project/waybill/internal/durable"
	"golang.org/x/sys/windows"
)

const (
	// syncFlag opens a file for FlushFileBuffers, which needs write access.
	syncFlag = os.O_RDWR
	// noFollow opens a link itself, which Stat then tells.
	noFollow = windows.FILE_FLAG_OPEN_REPARSE_POINT
)

func isLink(error) bool { return false }

// replace switches staged in. A running program cannot be replaced but can be renamed, so the old file goes aside
// first if need be; Recover closes the gap if we end in it.
func (d disk) replace(staged, path, aside string) error {
	err := d.rename(staged, path)
	if err == nil || !held(err) {
		return err
	}
	if err := d.clear(aside); err != nil {
		return err
	}
	if err := d.rename(path, aside); err != nil {
		return err
	}
	if err := d.rename(staged, path); err != nil {
		return errors.Join(err, d.rename(aside, path))
	}
	return nil
}

func held(err error) bool {
	return errors.Is(err, windows.ERROR_ACCESS_DENIED) || errors.Is(err, windows.ERROR_SHARING_VIOLATION)
}

// imitate does nothing: the new file inherits the folder's access list, as the old one did.
func imitate(durable.File, fs.FileInfo, fs.FileMode) error { return nil }

func isFull(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL)
}
