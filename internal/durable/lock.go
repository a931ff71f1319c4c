// SPDX-License-Identifier: Apache-2.0

package durable

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gofrs/flock"
)

// ErrLocked says that another process, or another part of this one, holds the lock.
var ErrLocked = errors.New("locked by another process")

const lockPoll = 50 * time.Millisecond

// Lock takes an exclusive lock of the operating system on the file at path, waiting
// until ctx ends. The file is made if it is absent (its folder must exist) and never
// removed, since a removed lock file lets two holders in. The lock ends with unlock,
// which may be called twice, or with the process. A wait that ctx ends is
// [ErrLocked] and ctx's own error.
func Lock(ctx context.Context, path string) (unlock func() error, err error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	file := newLock(path)
	held, err := file.TryLockContext(ctx, lockPoll)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("lock %s: %w: %w", path, ErrLocked, err)
	}
	return locked(file, held, err)
}

// Share takes the lock at path as one of any number of holders, who keep those of [Lock] and [TryLock] out.
func Share(ctx context.Context, path string) (unlock func() error, err error) {
	file := newLock(path)
	held, err := file.TryRLockContext(ctx, lockPoll)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("lock %s: %w: %w", path, ErrLocked, err)
	}
	return locked(file, held, err)
}

// TryLock is [Lock] without waiting: a lock that is held is [ErrLocked].
func TryLock(path string) (unlock func() error, err error) {
	file := newLock(path)
	held, err := file.TryLock()
	return locked(file, held, err)
}

func newLock(path string) *flock.Flock {
	return flock.New(path, flock.SetFlag(lockFlags), flock.SetPermissions(0o600))
}

func locked(file *flock.Flock, held bool, err error) (func() error, error) {
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", file.Path(), err)
	}
	if !held {
		return nil, fmt.Errorf("lock %s: %w", file.Path(), ErrLocked)
	}
	return file.Close, nil
}
