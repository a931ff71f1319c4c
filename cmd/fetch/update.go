// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/fetcher/update"
)

func (a *app) updateCommand() *cobra.Command {
	var opts update.UpdateOptions
	var exitCode bool
	var from string
	c := &cobra.Command{
		Use:   "update",
		Short: "Install the newest release of the channel, if there is one",
		Long: `Brings the signed metadata up to date, fetches the newest release by the cheapest
way that works, and puts it in place of the installed one. The first run installs. The
version before is kept for rollback. Whatever fails, the installed version stays.`,
		Example: `  fetch update
  fetch update --version 1.4.1 --allow-downgrade
  fetch update --json | jq .saved_percent`,
		Args: badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.update(c, from, opts, exitCode)
		},
	}
	updateFlags(c, &opts)
	c.Flags().BoolVar(&exitCode, "exit-code", false, "end with 11 if there was nothing to do")
	c.Flags().StringVar(&from, "from", "", "`BUNDLE` to read from in place of the network, see install")
	return c
}

func updateFlags(c *cobra.Command, opts *update.UpdateOptions) {
	c.Flags().StringVar(&opts.Version, "version", "", "this `VERSION` and no other")
	c.Flags().BoolVar(&opts.AllowDowngrade, "allow-downgrade", false, "go to a lower version if that is what is offered")
}
