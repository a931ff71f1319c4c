// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"time"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/fetcher/update"
	"github.com/waybill-project/waybill/internal/cli"
)

const minInterval = time.Second

func (a *app) watchCommand() *cobra.Command {
	var opts update.UpdateOptions
	var interval time.Duration
	c := &cobra.Command{
		Use:   "watch",
		Short: "Update again and again, until stopped",
		Long: `Runs update every interval, give or take a tenth, and sooner after a failure. A
failure is reported and does not end the watch. It ends with 0 once it has replaced
fetch itself, so that a service manager starts the new one. With --json it prints one
object a line.`,
		Example: `  fetch watch --interval 6h
  fetch watch --json | tee -a updates.ndjson`,
		Args: badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if interval < minInterval {
				return usagef(c, "--interval %s is under %s", interval, minInterval)
			}
			u, err := a.open(nil)
			if err != nil {
				return err
			}
			return u.Watch(c.Context(), interval, &opts, func(o *update.Outcome, err error) error {
				return a.sayRun(c, o, err)
			})
		},
	}
	c.Flags().DurationVar(&interval, "interval", time.Hour, "`TIME` between two runs, such as 30m or 6h")
	c.Flags().BoolVar(&opts.AllowDowngrade, "allow-downgrade", false, "go to a lower version if that is what is offered")
	return c
}

// sayRun reports one run of a watch.
func (a *app) sayRun(c *cobra.Command, o *update.Outcome, err error) error {
	switch {
	case err != nil && !a.asJSON:
		a.noteLeft(o)
		cli.Fail("fetch", explain(c.Context(), err), false, a.stdout, a.stderr)
		return nil
	case err != nil:
		return json.NewEncoder(a.stdout).Encode(cli.ErrorObject(explain(c.Context(), tried(err, o))))
	case a.asJSON:
		return json.NewEncoder(a.stdout).Encode(o)
	}
	a.sayOutcome(o)
	if o.Changed && o.Self {
		a.note("fetch replaced itself; start it again")
	}
	return nil
}
