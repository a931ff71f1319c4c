// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"errors"
	"math"
	"os"
	"time"

	"golang.org/x/sys/windows"
)

const (
	lockFlags   = os.O_CREATE | os.O_RDWR
	sharedFor   = 3 * time.Second
	sharedPause = 10 * time.Millisecond
)

// whileShared repeats an operation that virus scanners and indexers block for a
// moment by holding the file open.
func whileShared(op func() error) error {
	deadline := time.Now().Add(sharedFor)
	pause := sharedPause
	for {
		err := op()
		if !isShared(err) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(pause)
		pause = min(2*pause, sharedFor/10)
	}
}

func isShared(err error) bool {
	return errors.Is(err, windows.ERROR_SHARING_VIOLATION) || errors.Is(err, windows.ERROR_ACCESS_DENIED)
}

// syncDir does nothing: Windows cannot flush a folder, and NTFS journals names.
func syncDir(string) error { return nil }

func noHardLinks(err error) bool {
	return errors.Is(err, windows.ERROR_INVALID_FUNCTION) || errors.Is(err, windows.ERROR_NOT_SUPPORTED)
}

func freeSpace(dir string) (int64, error) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, err
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, err
	}
	return int64(min(free, math.MaxInt64)), nil
}
