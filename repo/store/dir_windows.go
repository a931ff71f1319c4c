// SPDX-License-Identifier: Apache-2.0

package store

import (
	"errors"

	"golang.org/x/sys/windows"
)

func holdsNothing(err error) bool {
	return errors.Is(err, windows.ERROR_INVALID_NAME) || errors.Is(err, windows.ERROR_DIRECTORY)
}
