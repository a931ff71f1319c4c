// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/waybill-project/waybill/internal/durable"
)

// patience is how long a replacement outside Lock waits for another one.
const patience = 10 * time.Second

func (d *dir) acquire(context.Context) (func() error, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.release != nil {
		return nil, fmt.Errorf("%w: this one, in %s", ErrLocked, d.root)
	}
	p, err := d.lockPath()
	if err != nil {
		return nil, err
	}
	unlock, err := durable.TryLock(p)
	if errors.Is(err, durable.ErrLocked) {
		return nil, d.locked(err)
	}
	if err != nil {
		return nil, err
	}
	if err := d.clean(); err != nil {
		return nil, errors.Join(err, unlock())
	}
	d.release = unlock
	return sync.OnceValue(d.unlock), nil
}

func (d *dir) unlock() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer func() { d.release = nil }()
	return d.release()
}

// lockBriefly guards one change by a publisher that does not hold Lock; of one
// that does, nothing more is asked. The caller holds mu.
func (d *dir) lockBriefly(ctx context.Context) (func() error, error) {
	if d.release != nil {
		return func() error { return nil }, nil
	}
	p, err := d.lockPath()
	if err != nil {
		return nil, err
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	unlock, err := durable.Lock(wait, p)
	if err != nil && wait.Err() != nil && ctx.Err() == nil {
		return nil, d.locked(err)
	}
	return unlock, err
}

func (d *dir) locked(err error) error {
	return fmt.Errorf("%w: a program on this machine holds %s: %w", ErrLocked, lockName, err)
}

func (d *dir) lockPath() (string, error) {
	p := filepath.Join(d.root, filepath.FromSlash(lockName))
	return p, durable.MkdirAll(d.fs, filepath.Dir(p), 0o755)
}

// clean removes what publishers that died have left unfinished. Whoever holds
// the lock is the only one who writes.
func (d *dir) clean() error {
	return durable.CleanTemps(d.fs, d.tmp())
}

func (d *dir) close() error { return nil }
