// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/spf13/cobra"
)

func (a *app) releaseCommand() *cobra.Command {
	var n newRelease
	c := &cobra.Command{
		Use:   "release PLATFORM=PATH... --version VERSION",
		Short: "Add a release, make its deltas, sign and publish, in one go",
		Long: `Does add, sign and publish in one step, with the keys that this machine holds, and
starts over by itself if another publisher was faster. If a role's key is elsewhere,
the release is staged instead and the status is 6.`,
		Example: `  waybill release linux-amd64=build/app --version 1.4.2
  waybill release linux-amd64=app windows-amd64=app.exe --channel beta --version 2.0.0-rc.1 --notes en=NEWS.md`,
		Args: badArgs(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := n.parse(c, args); err != nil {
				return err
			}
			return a.commitOrStage(c.Context(), n.edit)
		},
	}
	n.flags(c)
	return exits(c, publishing()...)
}
