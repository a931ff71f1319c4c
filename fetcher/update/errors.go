// SPDX-License-Identifier: Apache-2.0

package update

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/waybill-project/waybill/fetcher"
)

// ErrNotSetUp says that a state folder has no configuration yet.
var ErrNotSetUp = errors.New("not set up")

// ConfigError is a configuration that is missing or wrong.
type ConfigError struct {
	Path string
	Err  error
}

func (e *ConfigError) Error() string { return fmt.Sprintf("%s: %v", e.Path, e.Err) }
func (e *ConfigError) Unwrap() error { return e.Err }

// NoSuchError says that the repository, which was verified, has no such thing.
type NoSuchError struct {
	What string
	Err  error
}

func (e *NoSuchError) Error() string { return "there is no " + e.What }
func (e *NoSuchError) Unwrap() error { return e.Err }

// absent turns the plain absence of a signed thing into a NoSuchError; what is listed but cannot be fetched stays what it is.
func absent(err error, format string, args ...any) error {
	var source *fetcher.SourceError
	var verify *fetcher.VerifyError
	var disk *fetcher.LocalError
	if !errors.Is(err, fs.ErrNotExist) || errors.As(err, &source) || errors.As(err, &verify) || errors.As(err, &disk) {
		return err
	}
	return &NoSuchError{fmt.Sprintf(format, args...), err}
}

func local(path string, err error) error {
	if err == nil {
		return nil
	}
	var already *fetcher.LocalError
	if errors.As(err, &already) {
		return err
	}
	return &fetcher.LocalError{Path: path, Err: err}
}
