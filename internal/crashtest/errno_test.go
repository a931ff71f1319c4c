// SPDX-License-Identifier: Apache-2.0

//go:build unix

package crashtest

import (
	"errors"
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/fetcher/install"
	"github.com/waybill-project/waybill/fetcher/update"
	"github.com/waybill-project/waybill/internal/crashfs"
	"github.com/waybill-project/waybill/internal/durable"
)

var errnos = []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EROFS, syscall.EMFILE, syscall.EINTR, syscall.EDQUOT}

// trouble lets operation number at fail, from 1: it is not done, or done in spite of the error.
type trouble struct {
	at     int
	errno  syscall.Errno
	landed bool
	count  int
	fs     *hooked
}

func newTrouble(fsys durable.FS, at int, errno syscall.Errno, landed bool) *trouble {
	x := &trouble{at: at, errno: errno, landed: landed}
	x.fs = &hooked{under: fsys, hook: x.hook}
	return x
}

func (x *trouble) hook(c call, do func() error) error {
	x.count++
	if x.count != x.at {
		return do()
	}
	if x.landed && c.kind != open {
		_ = do()
	}
	return &fsError{string(c.kind), c.path, x.errno}
}

// fsError is what package os makes of an error number.
type fsError struct {
	op, path string
	errno    syscall.Errno
}

func (e *fsError) Error() string { return fmt.Sprintf("%s %s: %v", e.op, e.path, e.errno) }
func (e *fsError) Unwrap() error { return e.errno }

// TestErrorFigures lets every operation, reading included, fail in every way.
func TestErrorFigures(t *testing.T) {
	total := 0
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			healed := map[uint64]bool{}
			n := 0
			for _, errno := range errnos {
				for _, landed := range []bool{false, true} {
					if errno != syscall.EIO && (landed || testing.Short()) {
						continue
					}
					n += s.fail(t, errno, landed, healed)
				}
			}
			t.Logf("%d errors, %d states after them", n, len(healed))
			total += n
		})
	}
	t.Logf("figure D5: %d errors, %d error numbers at every operation, no violation and nothing left behind; bound 0 violations", total, len(errnos))
}

// fail counts the operations, each of which failed once.
func (s *scenario) fail(t *testing.T, errno syscall.Errno, landed bool, healed map[uint64]bool) int {
	for at := 1; ; at++ {
		f := s.image.Clone()
		x := newTrouble(f, at, errno, landed)
		err := s.run(x.fs, func(func(*crashfs.FS) error) {})
		if x.count < at {
			must(t, err)
			return at - 1
		}
		bad := s.survives(f, err)
		if x.fs.files != 0 {
			bad = errors.Join(bad, fmt.Errorf("%d files stay open", x.fs.files))
		}
		if digest := f.Digest(); bad == nil && !healed[digest] {
			healed[digest] = true
			bad = s.healBy(f, s.dayAfter(), asIs)
		}
		if bad != nil {
			t.Errorf("%v at operation %d, landed %v, gave %v: %v", errno, at, landed, err, bad)
		}
		if t.Failed() {
			return at
		}
	}
}

// dayAfter is a run that takes away what an error kept from being removed in time.
func (s *scenario) dayAfter() func(durable.FS) error {
	if s.later != nil {
		return s.later
	}
	return s.again
}

// survives checks what a run left that met an error and came back with err.
func (s *scenario) survives(f *crashfs.FS, err error) error {
	if err == nil {
		return errors.Join(s.always(f), s.kept(f))
	}
	var local *fetcher.LocalError
	var installing *install.Error
	var config *update.ConfigError
	if !errors.As(err, &local) && !errors.As(err, &installing) && !errors.As(err, &config) && !isErrno(err) {
		return errors.Join(s.always(f), fmt.Errorf("%T is no typed error", err))
	}
	return s.always(f)
}

// isErrno is for operations that package crashtest does itself.
func isErrno(err error) bool {
	return slices.ContainsFunc(errnos, func(e syscall.Errno) bool { return errors.Is(err, e) })
}
