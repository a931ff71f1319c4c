// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/keys"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo"
	"github.com/waybill-project/waybill/repo/store"
	"github.com/waybill-project/waybill/signer"
)

// explain is the one place where an error gets its exit status and its hint. A
// verb that knows better returns a *cli.Error itself. Context comes first, as an
// interrupted run fails in every other way too.
func explain(ctx context.Context, err error) error {
	var known *cli.Error
	switch {
	case ctx.Err() != nil:
		return &cli.Error{Code: cli.Interrupted, Err: fmt.Errorf("interrupted: %w", err), Hint: "nothing is half-published; run the command again"}
	case errors.As(err, &known):
		return err
	}
	for _, judge := range []func(error) *cli.Error{ofUse, ofSignatures, ofKeys, ofRace, ofVerification, ofStorage, ofDisk} {
		if e := judge(err); e != nil {
			e.Err = err
			return e
		}
	}
	return &cli.Error{Code: cli.Failure, Err: err}
}

func ofUse(err error) *cli.Error {
	var pe *policy.Error
	switch {
	case errors.As(err, &pe):
		return &cli.Error{Code: cli.Usage, Hint: "correct the policy file; nothing was changed"}
	case errors.Is(err, repo.ErrUnknown):
		return &cli.Error{Code: cli.NoSuch, Hint: "correct the name, or add it to the policy file; `waybill status` lists what is published"}
	case errors.Is(err, repo.ErrNoRole):
		return &cli.Error{Code: cli.Usage, Hint: "the policy changed since the last publication: run `waybill stage` first, then sign and publish that"}
	case errors.Is(err, repo.ErrInvalid):
		return &cli.Error{Code: cli.Refused, Hint: "nothing was published; what is published never changes, so use a new version, or another name"}
	case errors.Is(err, repo.ErrEmpty):
		return &cli.Error{Code: cli.NoSuch, Hint: "publish the change that `waybill init` staged: waybill sign, then waybill publish"}
	case strings.HasPrefix(err.Error(), "unknown command"):
		return &cli.Error{Code: cli.Usage, Hint: "`waybill --help` lists the verbs"}
	}
	return nil
}

func ofSignatures(err error) *cli.Error {
	var te *repo.ThresholdError
	if !errors.As(err, &te) {
		return nil
	}
	if te.Role == metadata.SNAPSHOT || te.Role == metadata.TIMESTAMP {
		return &cli.Error{Code: cli.Unsigned, Hint: "its online keys must be here; one that is being replaced stays under `keys` in the policy until then, or --old-keys-lost"}
	}
	return &cli.Error{Code: cli.Unsigned, Hint: "hand the change file to their holders: waybill sign FILE --key KEY; then waybill publish FILE"}
}

func ofKeys(err error) *cli.Error {
	var ke *signer.KeyError
	switch {
	case errors.Is(err, keys.ErrPassphrase):
		return &cli.Error{Code: cli.KeyProblem, Hint: "check --passphrase-fd, WAYBILL_PASSPHRASE_FILE or WAYBILL_PASSPHRASE; nothing was changed"}
	case errors.Is(err, keys.ErrPermissions):
		return &cli.Error{Code: cli.KeyProblem, Hint: "chmod 600 the file if nobody else has read it; else replace the key"}
	case errors.Is(err, repo.ErrNotAuthorised):
		return &cli.Error{Code: cli.KeyProblem, Hint: "`waybill sign` shows whose signatures are wanted"}
	case errors.Is(err, signer.ErrUnknownScheme), errors.Is(err, keys.ErrUnsupported), errors.As(err, &ke):
		return &cli.Error{Code: cli.KeyProblem}
	}
	return nil
}

func ofRace(err error) *cli.Error {
	switch {
	case errors.Is(err, store.ErrLocked), errors.Is(err, durable.ErrLocked):
		return &cli.Error{Code: cli.Conflict, Hint: "another publisher is at work; run the command again when it is done"}
	case errors.Is(err, repo.ErrConflict), errors.Is(err, store.ErrChanged):
		return &cli.Error{Code: cli.Conflict, Hint: "another publisher was faster and nothing of yours was published; stage the change again"}
	case errors.Is(err, repo.ErrPutBack):
		return &cli.Error{Code: cli.Verification, Hint: "find out who put an old timestamp.json back or removed it; the newest one that this machine saw is in .waybill/trust. To go on from an old one on purpose: --continue-from N, its version"}
	}
	return nil
}

func ofVerification(err error) *cli.Error {
	var ve *fetcher.VerifyError
	if !errors.As(err, &ve) {
		return nil
	}
	if !errors.Is(err, fetcher.ErrExpired) {
		return &cli.Error{Code: cli.Verification, Hint: "what lies in the bucket does not follow from the pinned root; nothing was published"}
	}
	hint := "`waybill refresh` re-signs what online keys can; `waybill stage` renews the rest"
	if ve.Role == "root" {
		hint = "renew it: waybill stage, then waybill sign by the root holders, then waybill publish"
	}
	return &cli.Error{Code: cli.Expired, Hint: hint}
}

func ofStorage(err error) *cli.Error {
	var se *store.Error
	var fe *fetcher.SourceError
	if errors.As(err, &se) || errors.As(err, &fe) {
		return &cli.Error{Code: cli.Network, Hint: "the command can be run again: what was uploaded is not sent twice"}
	}
	return nil
}

func ofDisk(err error) *cli.Error {
	var pe *fs.PathError
	var le *os.LinkError
	var de *fetcher.LocalError
	switch {
	case errors.Is(err, fs.ErrExist):
		return &cli.Error{Code: cli.Local, Hint: "nothing is ever overwritten here; choose another name"}
	case errors.As(err, &pe), errors.As(err, &le), errors.As(err, &de):
		return &cli.Error{Code: cli.Local, Hint: "check the path and its permissions; nothing was published"}
	}
	return nil
}

// usageError is a call that was wrong in itself.
func usageError(c *cobra.Command, err error) error {
	return &cli.Error{Code: cli.Usage, Err: err, Hint: fmt.Sprintf("`%s --help` shows how", c.CommandPath())}
}

func usagef(c *cobra.Command, format string, args ...any) error {
	return usageError(c, fmt.Errorf(format, args...))
}

// badArgs makes cobra's check of the arguments a usage error.
func badArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := check(c, args); err != nil {
			return usageError(c, err)
		}
		return nil
	}
}

const exitAnnotation = "exit"

// exits says which exit codes a verb has besides those of every verb.
func exits(c *cobra.Command, codes ...int) *cobra.Command {
	var b strings.Builder
	for _, code := range codes {
		fmt.Fprintf(&b, "%d ", code)
	}
	c.Annotations = map[string]string{exitAnnotation: b.String()}
	return c
}

// publishing are the exit codes of every verb that publishes.
func publishing() []int {
	return []int{cli.Network, cli.Verification, cli.Expired, cli.Unsigned, cli.KeyProblem, cli.Conflict, cli.Local, cli.Refused, cli.NoSuch}
}

// exitHelp is the part of a verb's help about its exit status.
func exitHelp(c *cobra.Command) string {
	var codes []int
	for _, field := range strings.Fields(c.Annotations[exitAnnotation]) {
		if code, err := strconv.Atoi(field); err == nil {
			codes = append(codes, code)
		}
	}
	return cli.ExitHelp(codes...)
}
