// SPDX-License-Identifier: Apache-2.0

package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/waybill-project/waybill/repo/store"
	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"
)

// Outcome is what becomes of one operation on a Memory.
type Outcome int

const (
	Works  Outcome = iota // as it should
	Fails                 // nothing happens, and an error says so
	Landed                // it happens, and an error says that it did not
	Twice                 // it happens; then it happens again, as when a lost answer makes an SDK repeat it
)

// ErrFault is under the error of an operation that was made to fail.
var ErrFault = errors.New("storage fault")

// Op is an operation on an object: "read", "stat", "list", "write", "delete".
type Op struct{ Kind, Name string }

// Memory is a bucket in memory with conditional writes, whose operations fail
// on command. Objects may be looked at and changed behind the stores' backs.
type Memory struct {
	mu      sync.Mutex
	objects map[string]object
	last    int64
	fault   func(Op) Outcome
}

type object struct {
	data    []byte
	version int64
	cache   string
	kind    string
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// NewMemory makes an empty bucket.
func NewMemory() *Memory { return &Memory{objects: map[string]object{}} }

// Store opens the bucket, as often as wanted.
func (m *Memory) Store() *store.Store { return store.New(blob.NewBucket(m), memoryConditions{}) }

// Fault sets who decides each operation's outcome; nil lets all of them work.
// The function is called for one operation at a time.
func (m *Memory) Fault(decide func(Op) Outcome) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = decide
}

// Objects is a copy of what the bucket holds.
func (m *Memory) Objects() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make(map[string][]byte, len(m.objects))
	for name, o := range m.objects {
		all[name] = bytes.Clone(o.data)
	}
	return all
}

// Set writes an object without any condition; nil data removes it.
func (m *Memory) Set(name string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, name)
	if data != nil {
		m.last++
		m.objects[name] = object{data: bytes.Clone(data), version: m.last}
	}
}

// do runs an operation with the outcome that is decided for it.
func (m *Memory) do(kind, name string, run func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	outcome := Works
	if m.fault != nil {
		outcome = m.fault(Op{kind, name})
	}
	failed := fmt.Errorf("%s %s: %w", kind, name, ErrFault)
	switch outcome {
	case Fails:
		return failed
	case Landed:
		if err := run(); err != nil {
			return err
		}
		return failed
	case Twice:
		if err := run(); err != nil {
			return err
		}
	}
	return run()
}

type memoryConditions struct{}

func (memoryConditions) Token(as func(any) bool) (string, error) {
	var version int64
	if !as(&version) {
		return "", errors.New("not a Memory")
	}
	return fmt.Sprint(version), nil
}

func (memoryConditions) Unchanged(token string) func(func(any) bool) error {
	return func(as func(any) bool) error {
		var w *memoryWriter
		if !as(&w) {
			return errors.New("not a Memory")
		}
		_, err := fmt.Sscan(token, &w.unchanged)
		return err
	}
}

var errCondition = errors.New("condition not met")

func (memoryConditions) Lost(err error) bool { return errors.Is(err, errCondition) }

func (memoryConditions) Absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// What follows is gocloud's driver.Bucket.

func (m *Memory) ErrorCode(err error) gcerrors.ErrorCode {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return gcerrors.NotFound
	case errors.Is(err, errCondition):
		return gcerrors.FailedPrecondition
	}
	return gcerrors.Unknown
}

func (m *Memory) As(any) bool             { return false }
func (m *Memory) ErrorAs(error, any) bool { return false }
func (m *Memory) Close() error            { return nil }

func asVersion(version int64) func(any) bool {
	return func(i any) bool {
		p, ok := i.(*int64)
		if ok {
			*p = version
		}
		return ok
	}
}

func (m *Memory) find(name string) (object, error) {
	o, ok := m.objects[name]
	if !ok {
		return o, fs.ErrNotExist
	}
	return o, nil
}

func (m *Memory) Attributes(_ context.Context, name string) (a *driver.Attributes, err error) {
	err = m.do("stat", name, func() error {
		o, err := m.find(name)
		a = &driver.Attributes{CacheControl: o.cache, ContentType: o.kind, ModTime: epoch,
			Size: int64(len(o.data)), AsFunc: asVersion(o.version)}
		return err
	})
	return a, err
}

func (m *Memory) ListPaged(_ context.Context, opts *driver.ListOptions) (*driver.ListPage, error) {
	page := &driver.ListPage{}
	err := m.do("list", opts.Prefix, func() error {
		page.Objects = nil
		for _, name := range slices.Sorted(maps.Keys(m.objects)) {
			if strings.HasPrefix(name, opts.Prefix) {
				size := int64(len(m.objects[name].data))
				page.Objects = append(page.Objects, &driver.ListObject{Key: name, ModTime: epoch, Size: size})
			}
		}
		return nil
	})
	return page, err
}

type memoryReader struct {
	io.Reader
	o object
}

func (r *memoryReader) Close() error  { return nil }
func (r *memoryReader) As(i any) bool { return asVersion(r.o.version)(i) }
func (r *memoryReader) Attributes() *driver.ReaderAttributes {
	return &driver.ReaderAttributes{ContentType: r.o.kind, ModTime: epoch, Size: int64(len(r.o.data))}
}

func (m *Memory) NewRangeReader(_ context.Context, name string, offset, length int64, _ *driver.ReaderOptions) (r driver.Reader, err error) {
	err = m.do("read", name, func() error {
		o, err := m.find(name)
		if err != nil {
			return err
		}
		if offset > int64(len(o.data)) {
			return errors.New("offset past the end")
		}
		if length < 0 {
			length = int64(len(o.data))
		}
		r = &memoryReader{io.LimitReader(bytes.NewReader(o.data[offset:]), length), o}
		return nil
	})
	return r, err
}

type memoryWriter struct {
	bytes.Buffer
	ctx       context.Context
	m         *Memory
	name      string
	o         object
	absent    bool
	unchanged int64
}

func (m *Memory) NewTypedWriter(ctx context.Context, name, kind string, opts *driver.WriterOptions) (driver.Writer, error) {
	w := &memoryWriter{ctx: ctx, m: m, name: name, o: object{kind: kind, cache: opts.CacheControl}, absent: opts.IfNotExist}
	if opts.BeforeWrite != nil {
		err := opts.BeforeWrite(func(i any) bool {
			p, ok := i.(**memoryWriter)
			if ok {
				*p = w
			}
			return ok
		})
		if err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *memoryWriter) Close() error {
	return w.m.do("write", w.name, func() error {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		stored, exists := w.m.objects[w.name]
		if w.absent && exists || w.unchanged != 0 && stored.version != w.unchanged {
			return errCondition
		}
		w.m.last++
		w.o.data, w.o.version = bytes.Clone(w.Bytes()), w.m.last
		w.m.objects[w.name] = w.o
		return nil
	})
}

func (m *Memory) Delete(_ context.Context, name string, _ *driver.DeleteOptions) error {
	return m.do("delete", name, func() error {
		_, err := m.find(name)
		delete(m.objects, name)
		return err
	})
}

func (m *Memory) Copy(context.Context, string, string, *driver.CopyOptions) error {
	return errors.ErrUnsupported
}

func (m *Memory) SignedURL(context.Context, string, *driver.SignedURLOptions) (string, error) {
	return "", errors.ErrUnsupported
}
