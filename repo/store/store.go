// SPDX-License-Identifier: Apache-2.0

// Package store is a bucket as a publisher needs it: objects that are created
// once, and one pointer that is replaced only if nobody else replaced it.
//
// [Open] takes a folder, file:// or mem:// and, through a [Driver], a cloud
// bucket; the drivers live in packages of their own so that only the program
// that wants a provider links its SDK. Then [Store.Create] and [Store.Get] are
// for immutable objects, [Store.Pointer] and [Store.Replace] for the mutable
// one, and [Store.Lock] stands around everything from load to commit.
//
// A folder is written by this package itself and not through gocloud's file
// driver, which neither syncs to disk nor is exclusive in its create-only mode:
// an object appears complete and durable under its name, or not at all. What is
// unfinished lies in publisher/tmp, is never listed, and goes away with the
// next Lock.
//
// What stays: the meaning of the calls, the errors below, the names
// publisher/lock, publisher/lease.json and publisher/tmp.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"

	"gocloud.dev/blob"
)

var (
	// ErrChanged says that the pointer is not what it was when it was read:
	// somebody else published. Load again and try again.
	ErrChanged = errors.New("changed by another publisher")
	// ErrLocked says that another publisher is at work, and who.
	ErrLocked = errors.New("locked by another publisher")
	// ErrTooLarge says that an object is larger than the caller accepts.
	ErrTooLarge = errors.New("object is too large")
)

// Error is trouble with storage: what was done to which object, and why it
// failed. fs.ErrNotExist, fs.ErrExist, ErrChanged, ErrLocked, ErrTooLarge and a
// context's error lie under it where they apply.
type Error struct {
	Op   string
	Name string
	Err  error
}

func (e *Error) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("%s: %v", e.Op, e.Err)
	}
	return fmt.Sprintf("%s %s: %v", e.Op, e.Name, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// Attributes of an object. ETag names the stored version as the provider does;
// it is opaque, equal from Stat and Reader, and no proof of the content.
type Attributes struct {
	Size    int64
	ETag    string
	ModTime time.Time
}

// Object is one entry of a listing.
type Object struct {
	Name    string
	Size    int64
	ModTime time.Time
}

// Store is an open bucket. Its methods may be called from several goroutines.
// Names are slash-separated paths without empty, "." or ".." parts.
type Store struct {
	read  reading
	write writing
	lock  locking
	url   string
}

type reading interface {
	open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, Attributes, error)
	stat(ctx context.Context, name string) (Attributes, error)
	list(ctx context.Context, prefix string) iter.Seq2[Object, error]
}

type writing interface {
	create(ctx context.Context, name string, size int64, open func() (io.ReadCloser, error)) error
	replace(ctx context.Context, name string, data []byte, token string) error
	remove(ctx context.Context, name string) error
	// token names the version that holds data and has these attributes.
	token(data []byte, a Attributes) string
}

type locking interface {
	acquire(ctx context.Context) (func() error, error)
	close() error
}

// New makes a Store over a bucket that is already open and closes it with the
// Store. Without conditions the pointer's replacement is guarded by a lease and
// by reading back, which two publishers can still slip past.
func New(b *blob.Bucket, c Conditions) *Store {
	s := &bucket{b: b, cond: c}
	if c != nil {
		return &Store{read: s, write: s, lock: unlocked{s}}
	}
	l := &lease{bucket: s, now: time.Now, owner: thisOwner()}
	s.lease = l
	return &Store{read: s, write: s, lock: l}
}

// String is where the store lies, without credentials and options.
func (s *Store) String() string { return s.url }

// Get reads a whole object of at most max bytes.
func (s *Store) Get(ctx context.Context, name string, max int64) ([]byte, error) {
	data, _, err := s.get(ctx, name, max)
	return data, failed(ctx, "get", name, err)
}

func (s *Store) get(ctx context.Context, name string, max int64) ([]byte, Attributes, error) {
	if err := checkName(name); err != nil {
		return nil, Attributes{}, err
	}
	return readAll(ctx, s.read, name, max)
}

// Reader reads length bytes from offset, or to the end if length is negative.
// An offset past the end is an error.
func (s *Store) Reader(ctx context.Context, name string, offset, length int64) (io.ReadCloser, Attributes, error) {
	err := checkName(name)
	if err == nil && offset < 0 {
		err = fmt.Errorf("offset %d", offset)
	}
	if err != nil {
		return nil, Attributes{}, failed(ctx, "read", name, err)
	}
	r, attrs, err := s.read.open(ctx, name, offset, length)
	return r, attrs, failed(ctx, "read", name, err)
}

// Stat gives an object's attributes.
func (s *Store) Stat(ctx context.Context, name string) (Attributes, error) {
	if err := checkName(name); err != nil {
		return Attributes{}, failed(ctx, "stat", name, err)
	}
	attrs, err := s.read.stat(ctx, name)
	return attrs, failed(ctx, "stat", name, err)
}

// Create stores size bytes from open under a name that must be free, with the
// headers that package layout gives the name. It streams; open may be called
// again when the provider asks for a retry. A name that is taken is an error
// over fs.ErrExist; so is, rarely, the name of an upload whose answer was lost,
// so compare before calling it a conflict. Failed and cancelled uploads leave
// nothing under the name. Trouble with what open gives, a length other than
// size included, is not an *Error.
func (s *Store) Create(ctx context.Context, name string, size int64, open func() (io.ReadCloser, error)) error {
	if err := checkName(name); err != nil {
		return failed(ctx, "create", name, err)
	}
	return failed(ctx, "create", name, s.write.create(ctx, name, size, open))
}

// List yields every object whose name begins with prefix, in no promised order.
// It ends with the first error.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		for o, err := range s.read.list(ctx, prefix) {
			if err != nil {
				yield(Object{}, failed(ctx, "list", prefix, err))
				return
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

// Pointer reads the mutable object and the token that Replace wants. Data and
// token belong to the same version. An absent object is no error: its data is
// nil and its token "".
func (s *Store) Pointer(ctx context.Context, name string, max int64) (data []byte, token string, err error) {
	data, attrs, err := s.get(ctx, name, max)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", failed(ctx, "get", name, err)
	}
	return data, s.write.token(data, attrs), nil
}

// Replace writes the mutable object if it still is what Pointer gave with this
// token; "" means that there must be none. Otherwise nothing is written and the
// error is over ErrChanged. When the object holds data already, perhaps because
// the provider's answer to this very write was lost, Replace succeeds.
func (s *Store) Replace(ctx context.Context, name string, data []byte, token string) error {
	if err := checkName(name); err != nil {
		return failed(ctx, "replace", name, err)
	}
	err := s.write.replace(ctx, name, data, token)
	if errors.Is(err, ErrChanged) && holds(ctx, s.read, name, data) {
		return nil
	}
	return failed(ctx, "replace", name, err)
}

// Lock keeps other publishers out until unlock, or fails at once with an error
// over ErrLocked. A folder is locked by the operating system, which frees the
// lock of a program that died. A bucket with conditional writes needs no lock
// and takes none. Any other bucket gets a lease object that runs out after an
// hour; Replace refuses once the lease has been lost.
func (s *Store) Lock(ctx context.Context) (unlock func() error, err error) {
	release, err := s.lock.acquire(ctx)
	if err != nil {
		return nil, failed(ctx, "lock", "", err)
	}
	return func() error { return failed(context.WithoutCancel(ctx), "unlock", "", release()) }, nil
}

// Delete removes an object; an absent one is an error over fs.ErrNotExist.
func (s *Store) Delete(ctx context.Context, name string) error {
	if err := checkName(name); err != nil {
		return failed(ctx, "delete", name, err)
	}
	return failed(ctx, "delete", name, s.write.remove(ctx, name))
}

// Close frees what Open took. It does not unlock.
func (s *Store) Close() error { return failed(context.Background(), "close", "", s.lock.close()) }

// checkName refuses what a file system would take for another place.
func checkName(name string) error {
	if !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, "\\\x00") {
		return fmt.Errorf("%w: not an object name: %q", fs.ErrInvalid, name)
	}
	return nil
}

func failed(ctx context.Context, op, name string, err error) error {
	var source *sourceError
	if err == nil || errors.As(err, &source) {
		return err
	}
	if cause := ctx.Err(); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", cause, err)
	}
	return &Error{Op: op, Name: name, Err: err}
}

func readAll(ctx context.Context, from reading, name string, max int64) ([]byte, Attributes, error) {
	r, attrs, err := from.open(ctx, name, 0, -1)
	if err != nil {
		return nil, Attributes{}, err
	}
	defer r.Close()
	if attrs.Size > max {
		return nil, attrs, fmt.Errorf("%w: %d bytes, at most %d allowed", ErrTooLarge, attrs.Size, max)
	}
	data, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, attrs, err
	}
	if int64(len(data)) > max {
		return nil, attrs, fmt.Errorf("%w: over %d bytes", ErrTooLarge, max)
	}
	return data, attrs, nil
}
