// SPDX-License-Identifier: Apache-2.0

package install

import (
	"errors"
	"fmt"

	"github.com/waybill-project/waybill/internal/durable"
)

// Rules that an Error may wrap.
var (
	ErrNotRegular = errors.New("not a regular file")
	ErrMismatch   = errors.New("bytes differ from what was verified")
	ErrNoPrevious = errors.New("no previous version is kept")
	ErrCorrupt    = errors.New("unreadable record")
	ErrSpace      = durable.ErrSpace
)

// Error is trouble with the local disk: what was being done, to which path, and why it failed.
type Error struct {
	Op   string
	Path string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("%s %s: %v", e.Op, e.Path, cause(e.Err)) }

func (e *Error) Unwrap() error { return e.Err }

func fail(op, path string, err error) error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return err
	}
	return &Error{Op: op, Path: path, Err: err}
}
