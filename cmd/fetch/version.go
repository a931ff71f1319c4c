// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version of this program",
		Example: `  fetch version --json`,
		Args:    badArgs(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			v := thisVersion()
			a.say("fetch %s %s %s/%s", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
			return a.object(map[string]string{"version": v, "go": runtime.Version(), "platform": runtime.GOOS + "-" + runtime.GOARCH})
		},
	}
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

// buildTime is the time of the commit that this program was built from; zero if it is not known.
func buildTime() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			t, _ := time.Parse(time.RFC3339, s.Value)
			return t
		}
	}
	return time.Time{}
}
