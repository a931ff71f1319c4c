// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/repo"
)

func (a *app) verifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "verify",
		Short: "Read every object of the repository as a client and check it",
		Long: `Follows the repository from the pinned root 1 as a client does, hashes every object that
signed metadata lists, and reads every channel. Problems are listed on stdout and the
status is 4, or 5 if all that is wrong is that something has expired.`,
		Example: `  waybill verify --repo s3://releases`,
		Args:    badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.verify(c.Context())
		},
	}
	return exits(c, cli.Network, cli.Verification, cli.Expired, cli.Local)
}

func (a *app) verify(ctx context.Context) error {
	r, _, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	audit, err := r.Verify(ctx, func(object string) {
		if cli.IsTerminal(a.stderr) {
			a.note("%s", cli.Printable(object))
		}
	})
	if err != nil {
		return err
	}
	for _, p := range audit.Problems {
		a.say("%s: %s", cli.Printable(p.Object), cli.Printable(p.What))
	}
	a.say("checked %d objects, %s: %d problems", audit.Objects, cli.Bytes(audit.Bytes), len(audit.Problems))
	if err := a.object(struct {
		Schema int `json:"schema"`
		*repo.Audit
	}{1, audit}); err != nil {
		return err
	}
	return a.problems(audit.Problems)
}

func (a *app) problems(found []repo.Problem) error {
	if len(found) == 0 {
		return nil
	}
	e := &cli.Error{Code: cli.Expired}
	for _, p := range found {
		if !errors.Is(p.Err, fetcher.ErrExpired) {
			e.Code = cli.Verification
		}
	}
	if !a.asJSON {
		e.Err = fmt.Errorf("%d problems; clients refuse these objects", len(found))
		e.Hint = "put the originals back, publish a new release, or refresh what expired"
	}
	return e
}
