// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/fetcher/update"
	"github.com/waybill-project/waybill/internal/cli"
)

func (a *app) checkCommand() *cobra.Command {
	var exitCode bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Say whether there is an update, without downloading it",
		Long: `Brings the signed metadata up to date and says what update would do and what it
would cost. The status is 0 with and without an update, unless --exit-code is given.`,
		Example: `  fetch check
  fetch check --exit-code; [ $? -eq 10 ] && fetch update
  fetch check --json | jq .offer.version`,
		Args: badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			u, err := a.open(nil)
			if err != nil {
				return err
			}
			found, err := u.Check(c.Context())
			if err != nil {
				return err
			}
			a.sayCheck(found)
			if err := a.object(found); err != nil {
				return err
			}
			return checkStatus(exitCode, found)
		},
	}
	c.Flags().BoolVar(&exitCode, "exit-code", false, "end with 10 if there is an update, with 11 if not")
	return c
}

func checkStatus(exitCode bool, found *update.Check) error {
	switch {
	case !exitCode:
		return nil
	case found.Offer != nil:
		return &cli.Error{Code: cli.Available}
	}
	return &cli.Error{Code: cli.Nothing}
}

func (a *app) sayCheck(c *update.Check) {
	a.noteRecovery(c.Recovered)
	a.noteClock(c.Clock)
	a.notePassed(c.Passed)
	o := c.Offer
	if o == nil {
		a.say("%s: nothing to do: %s", c.Product, c.Reason)
		return
	}
	a.say("%s %s is available (%s): %s", c.Product, o.Version, c.Reason, cost(o.Way, o.Bytes, o.Full))
}
