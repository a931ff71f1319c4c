// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/waybill-project/waybill/internal/durable"
)

// The rules a repository can break. Each is found with errors.Is under a
// *VerifyError, except ErrTooSlow, which is under a *SourceError: a slow line is
// no proof of a hostile one.
var (
	ErrSignature     = errors.New("signature is not valid")
	ErrThreshold     = errors.New("not enough valid signatures")
	ErrExpired       = errors.New("expired")
	ErrRollback      = errors.New("older than what was already seen")
	ErrMismatch      = errors.New("differs from what was signed")
	ErrTooLarge      = errors.New("larger than allowed")
	ErrTooSlow       = errors.New("transfer is too slow")
	ErrMalformed     = errors.New("malformed")
	ErrWrongSoftware = errors.New("is not the software that was asked for")
	ErrClock         = errors.New("the clock of this machine is behind what was already verified")
)

// VerifyError reports a hostile or broken repository: what was offered does
// not follow from the trusted root. Role and Version, or Target, say what was
// looked at; they are zero where they do not apply.
type VerifyError struct {
	Role    string
	Version int64
	Target  string
	Err     error
}

func (e *VerifyError) Error() string {
	switch {
	case e.Target != "":
		return fmt.Sprintf("target %s: %v", e.Target, e.Err)
	case e.Role != "" && e.Version > 0:
		return fmt.Sprintf("%s version %d: %v", e.Role, e.Version, e.Err)
	case e.Role != "":
		return fmt.Sprintf("%s: %v", e.Role, e.Err)
	}
	return e.Err.Error()
}

func (e *VerifyError) Unwrap() error { return e.Err }

// ExpiredError is the Err of a *VerifyError for metadata that was genuine but
// is over its date. Clock is the time that it was compared with; Behind is set
// when the clock of the machine stood before that time, so that the date of
// the last verification was used instead.
type ExpiredError struct {
	Role    string
	Expires time.Time
	Clock   time.Time
	Behind  bool
}

func (e *ExpiredError) Error() string {
	const day = "2006-01-02T15:04:05Z"
	s := fmt.Sprintf("expired %s, clock says %s", e.Expires.UTC().Format(day), e.Clock.UTC().Format(day))
	if e.Behind {
		s += " (last verified time; the clock of this machine is behind it)"
	}
	return s
}

// Is matches ErrExpired, and ErrClock when the machine's clock is behind.
func (e *ExpiredError) Is(target error) bool {
	return target == ErrExpired || (e.Behind && target == ErrClock)
}

// SourceError reports trouble between us and the repository: the network, the
// server, a directory that cannot be read. An object that a repository lists
// but does not hold is a SourceError that wraps fs.ErrNotExist.
type SourceError struct {
	Name string
	Err  error
}

func (e *SourceError) Error() string { return fmt.Sprintf("fetch %s: %v", e.Name, e.Err) }
func (e *SourceError) Unwrap() error { return e.Err }

// LocalError reports trouble with this machine's disk or locks.
type LocalError struct {
	Path string
	Err  error
}

func (e *LocalError) Error() string {
	var named *fs.PathError
	if errors.As(e.Err, &named) && named.Path == e.Path {
		return e.Err.Error()
	}
	return fmt.Sprintf("%s: %v", e.Path, e.Err)
}

func (e *LocalError) Unwrap() error { return e.Err }

// ErrSpace is found under a *LocalError that was noticed before anything was requested.
var ErrSpace = durable.ErrSpace

// Class names whose fault err is, in one word: "canceled", "expired",
// "verification", "network", "local", "absent" or "failure"; "" for nil.
func Class(err error) string {
	var verify *VerifyError
	var source *SourceError
	var local *LocalError
	switch {
	case err == nil:
		return ""
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.As(err, &verify):
		if errors.Is(err, ErrExpired) {
			return "expired"
		}
		return "verification"
	case errors.As(err, &source):
		return "network"
	case errors.As(err, &local):
		return "local"
	case errors.Is(err, fs.ErrNotExist):
		return "absent"
	}
	return "failure"
}

// guard turns a panic below an exported method into a typed error. It is the
// last line: no input is known to cause one.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = &VerifyError{Err: fmt.Errorf("%w: internal fault: %v", ErrMalformed, r)}
	}
}

func local(path string, err error) error {
	if err == nil {
		return nil
	}
	var already *LocalError
	if errors.As(err, &already) {
		return err
	}
	return &LocalError{Path: path, Err: err}
}
