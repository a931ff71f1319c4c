// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo"
	"github.com/waybill-project/waybill/repo/release"
)

func (a *app) retractCommand() *cobra.Command {
	var product, reason, fallback string
	c := &cobra.Command{
		Use:   "retract VERSION --reason TEXT",
		Short: "Withdraw a release: nobody installs it any more",
		Long: `Withdraws a release for good. It is never newly installed again; a client that runs
it goes down as far as --fallback, and otherwise waits for a newer release. This is
signed with the release key, so that no online key can undo it.`,
		Example: `  waybill retract 1.4.2 --reason "loses settings" --fallback 1.4.1`,
		Args:    badArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			version := args[0]
			if err := release.CheckVersion(version); err != nil {
				return usageError(c, err)
			}
			if reason == "" {
				return usagef(c, "--reason TEXT is missing: users are shown why")
			}
			return a.commitOrStage(c.Context(), func(ctx context.Context, d *repo.Draft, p *policy.Policy) error {
				of, err := productOf(p, product)
				if err != nil {
					return err
				}
				return d.Retract(ctx, of.Name, version, reason, fallback)
			})
		},
	}
	f := c.Flags()
	f.StringVar(&product, "product", "", "product `NAME` (may be left out if the policy has one)")
	f.StringVar(&reason, "reason", "", "`TEXT` that users are shown")
	f.StringVar(&fallback, "fallback", "", "`VERSION` down to which a client that runs it may go")
	return exits(c, publishing()...)
}
