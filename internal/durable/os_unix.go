// SPDX-License-Identifier: Apache-2.0

//go:build unix

package durable

import (
	"errors"
	"math"
	"os"

	"golang.org/x/sys/unix"
)

const lockFlags = os.O_CREATE | os.O_RDWR | unix.O_NOFOLLOW

func whileShared(op func() error) error { return op() }

func syncDir(name string) error {
	dir, err := os.Open(name)
	if err != nil {
		return err
	}
	err = dir.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		// Some network file systems have no such operation; there is nothing stronger to ask for.
		err = nil
	}
	return errors.Join(err, dir.Close())
}

func noHardLinks(err error) bool {
	for _, number := range []error{unix.EPERM, unix.ENOSYS, unix.ENOTSUP, unix.EOPNOTSUPP} {
		if errors.Is(err, number) {
			return true
		}
	}
	return false
}

// freeSpace takes a file system without a size, as some of the network say they are, to have room.
func freeSpace(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	size := uint64(st.Bsize)
	if size == 0 || st.Blocks == 0 || uint64(st.Bavail) > math.MaxInt64/size {
		return math.MaxInt64, nil
	}
	return int64(uint64(st.Bavail) * size), nil
}
