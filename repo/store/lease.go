// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"sync"
	"time"
)

const (
	leaseName = "publisher/lease.json"
	leaseTime = time.Hour
	maxLease  = 4 << 10
)

// owner is the content of publisher/lease.json.
type owner struct {
	Schema  int       `json:"schema"`
	Owner   string    `json:"owner"`
	Host    string    `json:"host"`
	Nonce   string    `json:"nonce"`
	Start   time.Time `json:"start"`
	Expires time.Time `json:"expires"`
}

func thisOwner() owner {
	o := owner{Schema: 1, Owner: "unknown", Host: "unknown"}
	if u, err := user.Current(); err == nil {
		o.Owner = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		o.Host = h
	}
	return o
}

func (o owner) locked() error {
	return fmt.Errorf("%w: %q on %q, since %s, until %s unless it ends sooner", ErrLocked, o.Owner, o.Host,
		o.Start.Format(time.RFC3339), o.Expires.Format(time.RFC3339))
}

// lease is the lock of a bucket without conditional replacement. It is
// advisory: it depends on clocks that agree to well under its hour, and between
// its last check and the write that follows another publisher can take over an
// expired lease.
type lease struct {
	*bucket
	now   func() time.Time
	owner owner

	mu   sync.Mutex
	held *owner
}

func (l *lease) acquire(ctx context.Context) (func() error, error) {
	mine := l.owner
	mine.Nonce = rand.Text()
	mine.Start = l.now().UTC().Truncate(time.Second)
	mine.Expires = mine.Start.Add(leaseTime)
	err := l.claim(ctx, mine)
	if errors.Is(err, fs.ErrExist) {
		if err = l.evict(ctx); err == nil {
			err = l.claim(ctx, mine)
		}
	}
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := l.confirm(ctx, mine); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = &mine
	return func() error { return l.release(context.WithoutCancel(ctx), mine) }, nil
}

func (l *lease) claim(ctx context.Context, mine owner) error {
	data, err := json.Marshal(mine)
	if err != nil {
		return err
	}
	return l.create(ctx, leaseName, int64(len(data)), func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	})
}

// evict removes a lease that has run out.
func (l *lease) evict(ctx context.Context) error {
	theirs, err := l.current(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if l.now().Before(theirs.Expires) {
		return theirs.locked()
	}
	if err := l.remove(ctx, leaseName); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (l *lease) confirm(ctx context.Context, mine owner) error {
	stored, err := l.current(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: own lease was taken away", ErrLocked)
	}
	if err != nil {
		return err
	}
	if stored.Nonce != mine.Nonce {
		return stored.locked()
	}
	return nil
}

// check refuses to go on with a lease that was lost. Without one it has
// nothing to say: whoever replaces without Lock relies on reading back alone.
func (l *lease) check(ctx context.Context) error {
	l.mu.Lock()
	held := l.held
	l.mu.Unlock()
	if held == nil {
		return nil
	}
	if !l.now().Before(held.Expires) {
		return fmt.Errorf("%w: own lease ran out at %s", ErrLocked, held.Expires.Format(time.RFC3339))
	}
	return l.confirm(ctx, *held)
}

func (l *lease) release(ctx context.Context, mine owner) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil || l.held.Nonce != mine.Nonce {
		return nil
	}
	l.held = nil
	err := l.confirm(ctx, mine)
	if errors.Is(err, ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	return l.remove(ctx, leaseName)
}

// current reads the lease. One that cannot be read as such counts as taken by
// an unknown owner who never lets go: a person has to look at it.
func (l *lease) current(ctx context.Context) (owner, error) {
	data, _, err := readAll(ctx, l.bucket, leaseName, maxLease)
	if err != nil {
		return owner{}, err
	}
	var o owner
	if err := json.Unmarshal(data, &o); err != nil || o.Schema != 1 || o.Nonce == "" {
		return owner{}, fmt.Errorf("%w: %s is not understood; delete it if no publisher is at work", ErrLocked, leaseName)
	}
	return o, nil
}

func (l *lease) close() error { return l.b.Close() }
