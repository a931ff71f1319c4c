// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Example: `  waybill version --json`,
		Args:    badArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			v := thisVersion()
			a.say("waybill %s %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return a.object(map[string]string{"version": v, "go": runtime.Version(), "platform": runtime.GOOS + "-" + runtime.GOARCH})
		},
	}
	return exits(c)
}

// thisVersion is what was set at link time, else what the module system knows.
func thisVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}
