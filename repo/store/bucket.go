// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"sync"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

const (
	attempts     = 3
	worthLooking = 1 << 20 // bytes of upload that one question in advance may save
	maxPointer   = 1 << 20
	readBack     = 30 * time.Second
	partSize     = 8 << 20
	parts        = 9000 // S3 takes 10,000
)

// bucket is a store over gocloud.
type bucket struct {
	b     *blob.Bucket
	cond  Conditions
	lease *lease // without cond

	pointer sync.Mutex // without cond: orders replacements in this process
}

func (b *bucket) open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, Attributes, error) {
	r, err := b.b.NewRangeReader(ctx, name, offset, length, nil)
	if err != nil {
		return nil, Attributes{}, b.absent(err)
	}
	attrs := Attributes{Size: r.Size(), ModTime: r.ModTime()}
	attrs.ETag, err = b.version(r.As, attrs)
	if err != nil {
		r.Close()
		return nil, Attributes{}, err
	}
	return r, attrs, nil
}

func (b *bucket) stat(ctx context.Context, name string) (Attributes, error) {
	a, err := b.b.Attributes(ctx, name)
	if err != nil {
		return Attributes{}, b.absent(err)
	}
	attrs := Attributes{Size: a.Size, ModTime: a.ModTime}
	attrs.ETag, err = b.version(a.As, attrs)
	return attrs, err
}

func (b *bucket) version(as func(any) bool, a Attributes) (string, error) {
	if b.cond == nil {
		return fmt.Sprintf("%x-%x", a.ModTime.UnixNano(), a.Size), nil
	}
	token, err := b.cond.Token(as)
	if err == nil && token == "" {
		err = errors.New("the provider gives the stored version no name")
	}
	return token, err
}

func (b *bucket) list(ctx context.Context, prefix string) iter.Seq2[Object, error] {
	return func(yield func(Object, error) bool) {
		it := b.b.List(&blob.ListOptions{Prefix: prefix})
		for {
			o, err := it.Next(ctx)
			if err == io.EOF {
				return
			}
			if err != nil {
				yield(Object{}, err)
				return
			}
			if !o.IsDir && !yield(Object{Name: o.Key, Size: o.Size, ModTime: o.ModTime}, nil) {
				return
			}
		}
	}
}

func (b *bucket) create(ctx context.Context, name string, size int64, open func() (io.ReadCloser, error)) error {
	if size >= worthLooking {
		if _, err := b.stat(ctx, name); err == nil {
			return fs.ErrExist
		}
	}
	var err error
	for range attempts {
		if err = b.createOnce(ctx, name, size, open); err == nil || !b.lost(err) {
			return err
		}
		// A provider may also refuse because of another write that then failed.
		if _, err := b.stat(ctx, name); !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(fs.ErrExist, err)
		}
	}
	return fmt.Errorf("refused %d times over other writes that left nothing: %w", attempts, err)
}

func (b *bucket) createOnce(ctx context.Context, name string, size int64, open func() (io.ReadCloser, error)) error {
	src, err := newSource(ctx, name, size, open)
	if err != nil {
		return err
	}
	opts := writerOptions(name, size)
	opts.IfNotExist = true
	return src.finish(b.b.Upload(src.ctx, name, src, opts))
}

func writerOptions(name string, size int64) *blob.WriterOptions {
	opts := &blob.WriterOptions{ContentType: layout.ContentType(name), CacheControl: layout.CacheControl(name)}
	if opts.ContentType == "" {
		opts.ContentType = "application/octet-stream"
	}
	if size > parts*partSize {
		opts.BufferSize = int(size/parts + 1)
	}
	return opts
}

func (b *bucket) replace(ctx context.Context, name string, data []byte, token string) error {
	if b.cond == nil {
		return b.replaceLeased(ctx, name, data, token)
	}
	opts := writerOptions(name, int64(len(data)))
	if token == "" {
		opts.IfNotExist = true
	} else {
		opts.BeforeWrite = b.cond.Unchanged(token)
	}
	err := b.b.Upload(ctx, name, bytes.NewReader(data), opts)
	if err == nil || holds(ctx, b, name, data) {
		return nil
	}
	if b.lost(err) {
		return fmt.Errorf("%w: %w", ErrChanged, err)
	}
	return fmt.Errorf("%w (whether it was written is unknown)", err)
}

// replaceLeased is the best that a provider without conditions allows: look,
// write, look again.
func (b *bucket) replaceLeased(ctx context.Context, name string, data []byte, token string) error {
	b.pointer.Lock()
	defer b.pointer.Unlock()
	if err := b.lease.check(ctx); err != nil {
		return err
	}
	if err := unchanged(ctx, b, name, token); err != nil {
		return err
	}
	opts := writerOptions(name, int64(len(data)))
	opts.IfNotExist = token == ""
	if err := b.b.Upload(ctx, name, bytes.NewReader(data), opts); err != nil && !holds(ctx, b, name, data) {
		if b.lost(err) {
			return fmt.Errorf("%w: %w", ErrChanged, err)
		}
		return fmt.Errorf("%w (whether it was written is unknown)", err)
	}
	if !holds(ctx, b, name, data) {
		return ErrChanged
	}
	return b.lease.check(ctx)
}

// holds asks, also after an interrupt, whether the object is exactly data.
func holds(ctx context.Context, in reading, name string, data []byte) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readBack)
	defer cancel()
	stored, _, err := readAll(ctx, in, name, int64(len(data)))
	return err == nil && bytes.Equal(stored, data)
}

func (b *bucket) remove(ctx context.Context, name string) error {
	return b.absent(b.b.Delete(ctx, name))
}

func (b *bucket) lost(err error) bool {
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		return true
	}
	return b.cond != nil && b.cond.Lost(err)
}

func (b *bucket) absent(err error) error {
	if err == nil {
		return nil
	}
	missing := gcerrors.Code(err) == gcerrors.NotFound
	if b.cond != nil {
		missing = b.cond.Absent(err)
	}
	if missing {
		return fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return err
}

// unlocked is the lock of a bucket that needs none.
type unlocked struct{ b *bucket }

func (unlocked) acquire(context.Context) (func() error, error) {
	return func() error { return nil }, nil
}

func (u unlocked) close() error { return u.b.b.Close() }

// token is the provider's where it compares, the content's where we do.
func (b *bucket) token(data []byte, a Attributes) string {
	if b.cond != nil {
		return a.ETag
	}
	return digest(data)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// unchanged compares a stored object with the digest that is its token.
func unchanged(ctx context.Context, in reading, name, token string) error {
	stored, _, err := readAll(ctx, in, name, maxPointer)
	switch {
	case errors.Is(err, fs.ErrNotExist) && token == "":
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, ErrTooLarge):
		return ErrChanged
	case err == nil && digest(stored) != token:
		return ErrChanged
	}
	return err
}
