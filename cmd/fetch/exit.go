// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/fetcher/install"
	"github.com/waybill-project/waybill/fetcher/update"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/release"
)

// explain is the one place where an error gets its exit status and its hint. A
// verb that knows better returns a *cli.Error itself. Context comes first, as an
// interrupted run fails in every other way too.
func explain(ctx context.Context, err error) error {
	var known *cli.Error
	switch {
	case ctx.Err() != nil:
		return &cli.Error{Code: cli.Interrupted, Err: fmt.Errorf("interrupted: %w", err),
			Hint: "the installed version is as it was; run the command again and it goes on where it stopped"}
	case errors.As(err, &known):
		return err
	}
	for _, judge := range []func(error) *cli.Error{ofUse, ofVerification, ofPolicy, ofNetwork, ofDisk} {
		if e := judge(err); e != nil {
			e.Err = err
			return e
		}
	}
	return &cli.Error{Code: cli.Failure, Err: err}
}

func ofUse(err error) *cli.Error {
	var config *update.ConfigError
	var missing *update.NoSuchError
	switch {
	case errors.Is(err, update.ErrNotSetUp):
		return &cli.Error{Code: cli.Usage, Hint: "set it up with `fetch init`, or name the folder with --state or FETCH_STATE"}
	case errors.As(err, &config):
		return &cli.Error{Code: cli.Usage, Hint: "correct it, or set up anew with `fetch init --replace`"}
	case errors.As(err, &missing):
		return &cli.Error{Code: cli.NoSuch, Hint: "check the spelling; what was verified does not list it"}
	case strings.HasPrefix(err.Error(), "unknown command"):
		return &cli.Error{Code: cli.Usage, Hint: "`fetch --help` lists the verbs"}
	}
	return nil
}

func ofVerification(err error) *cli.Error {
	var verify *fetcher.VerifyError
	switch {
	case !errors.As(err, &verify):
		return nil
	case errors.Is(err, fetcher.ErrClock):
		return &cli.Error{Code: cli.Expired, Hint: "set the clock of this machine; nothing was changed"}
	case errors.Is(err, fetcher.ErrExpired):
		return &cli.Error{Code: cli.Expired,
			Hint: "nothing was changed; if this machine's clock is right, the publisher has to run `waybill refresh`"}
	}
	return &cli.Error{Code: cli.Verification,
		Hint: "nothing was changed and the installed version is safe to run; if it happens again, tell the publisher: somebody may be tampering"}
}

func ofPolicy(err error) *cli.Error {
	switch {
	case errors.Is(err, release.ErrDowngrade):
		return &cli.Error{Code: cli.Refused, Hint: "if going back is what you want, add --allow-downgrade"}
	case errors.Is(err, release.ErrSkipped):
		return &cli.Error{Code: cli.Refused, Hint: "it was rolled back here; to have it all the same, name it with --version"}
	}
	for _, refusal := range []error{release.ErrNoRelease, release.ErrRetracted, release.ErrBelowMinimum, release.ErrMinimumFrom,
		release.ErrMinimumOS, release.ErrKind, release.ErrNotOpen} {
		if errors.Is(err, refusal) {
			return &cli.Error{Code: cli.Refused, Hint: "nothing was changed; `fetch check` says what is offered"}
		}
	}
	return nil
}

func ofNetwork(err error) *cli.Error {
	var source *fetcher.SourceError
	if !errors.As(err, &source) {
		return nil
	}
	return &cli.Error{Code: cli.Network, Hint: "check the network and the url; the next run goes on where this one stopped"}
}

func ofDisk(err error) *cli.Error {
	var installing *install.Error
	var disk *fetcher.LocalError
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.Is(err, durable.ErrLocked):
		return &cli.Error{Code: cli.Local, Hint: "another fetch is at work with this state folder; run it again when that has ended"}
	case errors.Is(err, install.ErrSpace):
		return &cli.Error{Code: cli.Local, Hint: "make room and run it again; the installed version is as it was"}
	case errors.Is(err, install.ErrNoPrevious):
		return &cli.Error{Code: cli.Local, Hint: "a version is kept from the first update on, and used up by a rollback"}
	case errors.Is(err, install.ErrNotRegular):
		return &cli.Error{Code: cli.Local, Hint: "set up anew with `fetch init --replace --path FILE`, naming a plain file"}
	case errors.Is(err, fs.ErrExist):
		return &cli.Error{Code: cli.Local, Hint: "it is set up already; to set it up anew, add --replace"}
	case errors.As(err, &installing):
		return &cli.Error{Code: cli.Local, Hint: "the installed version is whole; make the place writable for this user and run it again"}
	case errors.As(err, &disk), errors.As(err, &path), errors.As(err, &link):
		return &cli.Error{Code: cli.Local, Hint: "the installed version is as it was; make room, or the path usable for this user, and run it again"}
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

// exitsOf are the exit codes that a verb has besides those of every verb.
func exitsOf(verb string) []int {
	repository := []int{cli.Network, cli.Verification, cli.Expired, cli.Local}
	switch verb {
	case "init", "rollback", "status":
		return []int{cli.Local}
	case "check":
		return append(repository, cli.Refused, cli.NoSuch, cli.Available, cli.Nothing)
	case "update":
		return append(repository, cli.Refused, cli.NoSuch, cli.Nothing)
	case "watch", "get", "fetch":
		return append(repository, cli.Refused, cli.NoSuch)
	}
	return nil
}

// exitHelp is the part of a verb's help about its exit status.
func exitHelp(c *cobra.Command) string {
	codes := append(exitsOf(c.Name()), cli.OK, cli.Failure, cli.Usage, cli.Interrupted)
	var b strings.Builder
	for _, e := range cli.ExitCodes() {
		if slices.Contains(codes, e.Code) {
			fmt.Fprintf(&b, "  %-4d %s\n", e.Code, e.Meaning)
		}
	}
	return b.String()
}
