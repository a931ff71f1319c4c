// SPDX-License-Identifier: Apache-2.0

//go:build unix

package keys

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

func private(info os.FileInfo) error {
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%w: mode %04o, want 0600", ErrPermissions, mode)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // some network file systems cannot flush a folder
	}
	return errors.Join(err, d.Close())
}
