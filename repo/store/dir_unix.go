// SPDX-License-Identifier: Apache-2.0

//go:build unix

package store

import (
	"errors"
	"syscall"
)

func holdsNothing(err error) bool {
	return errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ENAMETOOLONG)
}
