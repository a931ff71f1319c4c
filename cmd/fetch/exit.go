// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

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
	case errors.Is(err, fetcher.ErrExpired):
		return &cli.Error{Code: cli.Expired, Hint: expiryHint(err)}
	}
	return &cli.Error{Code: cli.Verification,
		Hint: "nothing was changed and the installed version is safe to run; if it happens again, tell the publisher: somebody may be tampering"}
}

// expiryHint says what to do: with a clock that is wrong here, with a date that is over there.
func expiryHint(err error) string {
	var expired *fetcher.ExpiredError
	if !errors.As(err, &expired) {
		return "nothing was changed"
	}
	clock := expired.Clock.UTC().Format("2006-01-02 15:04 UTC")
	const unchanged = "nothing was changed; "
	switch {
	case expired.Behind:
		return unchanged + "the clock of this machine is wrong: it is at least " + clock + "; set it and run this again"
	case expired.Clock.Sub(expired.Expires) > longExpired:
		return unchanged + "compare this machine's clock, " + clock + ", with a watch: if it is right, the repository is abandoned or held back from you; ask the publisher"
	case expired.Role == "root" || expired.Role == "targets":
		return unchanged + "if it is " + clock + " now, the publisher has to sign a new " + expired.Role + " with the keys that are kept offline"
	}
	return unchanged + "if it is " + clock + " now, the publisher has to run `waybill refresh`, or a mirror stands still"
}

// longExpired is for how long no publisher overlooks an expired role.
const longExpired = 180 * 24 * time.Hour

// fromBundle gives errors about a bundle hints of their own.
func fromBundle(from string, err error) error {
	var source *fetcher.SourceError
	var verify *fetcher.VerifyError
	switch {
	case from == "":
		return err
	case errors.Is(err, fetcher.ErrRollback):
		return &cli.Error{Code: cli.Verification, Err: err, Hint: "the bundle is older than what was verified here before; make a new one"}
	case errors.Is(err, fetcher.ErrExpired):
		return &cli.Error{Code: cli.Expired, Err: err, Hint: expiryHint(err) + "; then make a new bundle"}
	case errors.As(err, &source) && !errors.As(err, &verify):
		return &cli.Error{Code: cli.Network, Err: err,
			Hint: "a bundle is a folder, or a tar or zip file that is not compressed, with metadata/ and targets/"}
	}
	return err
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
	for _, refusal := range []string{"401 ", "403 ", "token: "} {
		if strings.Contains(err.Error(), refusal) {
			return &cli.Error{Code: cli.Network, Hint: "the server wants credentials; `fetch init --replace` takes --token-file and --header-file"}
		}
	}
	return &cli.Error{Code: cli.Network, Hint: "check the network and the url; the next run goes on where this one stopped"}
}

func ofDisk(err error) *cli.Error {
	var installing *install.Error
	var disk *fetcher.LocalError
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.Is(err, update.ErrPermissions):
		return &cli.Error{Code: cli.Local, Hint: "let only this user read it: chmod 600"}
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
	case "update", "install":
		return append(repository, cli.Refused, cli.NoSuch, cli.Nothing)
	case "serve":
		return []int{cli.Local}
	case "watch", "get", "fetch":
		return append(repository, cli.Refused, cli.NoSuch)
	}
	return nil
}
