// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"errors"
	"io/fs"
	"syscall"
)

// noFollow has no counterpart: making links takes a privilege, and the folder is private.
const noFollow = 0

func sole(info fs.FileInfo) bool { return info.Mode().IsRegular() }

const errNotSameDevice = syscall.Errno(17)

func crossDevice(err error) bool { return errors.Is(err, errNotSameDevice) }
