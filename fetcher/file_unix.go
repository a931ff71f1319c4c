// SPDX-License-Identifier: Apache-2.0

//go:build unix

package fetcher

import (
	"errors"
	"io/fs"
	"syscall"
)

// noFollow makes opening a symbolic link fail.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// sole tells whether a file is a regular one with no second name.
func sole(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return info.Mode().IsRegular() && (!ok || st.Nlink == 1)
}

func crossDevice(err error) bool { return errors.Is(err, syscall.EXDEV) }
