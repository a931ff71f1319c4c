// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"errors"
	"fmt"
	"strings"
)

var (
	// ErrNoKey is what a SignFunc returns for a key that this machine does not
	// hold. Every other error of a SignFunc ends the publication.
	ErrNoKey = errors.New("no such key on this machine")
	// ErrConflict means that another publisher was faster, or that the base of
	// a change has moved. Nothing was published; start again from what is live.
	ErrConflict = errors.New("the repository has moved on")
	// ErrEmpty means that nothing has been published yet.
	ErrEmpty = errors.New("the repository is empty")
	// ErrPutBack means that the bucket holds signed metadata that was built on
	// a newer snapshot than timestamp.json names: somebody put an old timestamp
	// back.
	ErrPutBack = errors.New("the timestamp is older than signed metadata in the bucket")
	// ErrNotAuthorised means that a key may sign nothing in a change.
	ErrNotAuthorised = errors.New("the key may sign nothing in this change")
	// ErrUnknown means that a product, channel, platform, version or target is
	// not there.
	ErrUnknown = errors.New("not in the repository")
	// ErrNoRole means that the repository still has a delegated role that left the
	// policy. Stage what the policy asks for first.
	ErrNoRole = errors.New("the policy has no role")
	// ErrInvalid means that what was asked for breaks a rule of the repository.
	ErrInvalid = errors.New("not allowed")
)

// A ThresholdError says that a role has too few signatures to be published.
type ThresholdError struct {
	Role    string
	By      string   // the metadata that asks for them: "root 2"
	Have    int      // good signatures
	Need    int      // the threshold
	Missing []string // keys that could still sign, by name where the policy has one
}

func (e *ThresholdError) Error() string {
	return fmt.Sprintf("%s has %d of the %d signatures that %s asks for (missing: %s)",
		e.Role, e.Have, e.Need, e.By, strings.Join(e.Missing, ", "))
}
