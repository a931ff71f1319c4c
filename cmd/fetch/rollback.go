// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/spf13/cobra"

func (a *app) rollbackCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rollback",
		Short: "Put the version before the installed one back",
		Long: `Puts the version back that the last update replaced. The version that is left is
skipped until a newer one is offered. Needs no network.`,
		Example: `  fetch rollback`,
		Args:    badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			u, err := a.open(nil)
			if err != nil {
				return err
			}
			outcome, err := u.Rollback(c.Context())
			if err != nil {
				return err
			}
			a.sayRollback(outcome)
			return a.object(outcome)
		},
	}
}
