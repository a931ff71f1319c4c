// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/fetcher/update"
)

func (a *app) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "status",
		Short:   "Say what is installed and what the last check found",
		Long:    `Says what is known on this machine; the network is not used and nothing is changed.`,
		Example: `  fetch status --json | jq -r .installed.version`,
		Args:    badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			u, err := a.open(nil)
			if err != nil {
				return err
			}
			s, err := u.Status(c.Context())
			if err != nil {
				return err
			}
			a.sayStatus(s)
			return a.object(s)
		},
	}
}

func (a *app) sayStatus(s *update.Status) {
	a.say("product:    %s, channel %s, platform %s", s.Config.Product, s.Config.Channel, strings.Join(s.Config.Platforms, " or "))
	a.say("repository: %s", strings.Join(s.Config.URLs, ", "))
	a.say("path:       %s", s.Config.Path)
	a.say("installed:  %s", installedText(s.Installed))
	if s.Previous != "" {
		a.say("previous:   %s (fetch rollback)", s.Previous)
	}
	if len(s.Skipped) > 0 {
		a.say("skipped:    %s", strings.Join(s.Skipped, ", "))
	}
	if s.Pending {
		a.say("pending:    an interrupted installation, which the next run ends")
	}
	a.sayChecked(s.Checked)
}

func installedText(i update.Installed) string {
	switch i.Known {
	case update.Absent:
		return "nothing"
	case update.Modified:
		return i.Version + ", but the file was changed since"
	case update.Unknown:
		return "a file that is not known yet"
	}
	return i.Version
}

func (a *app) sayChecked(c *update.Checked) {
	switch {
	case c == nil:
		a.say("last check: never")
		return
	case c.Error != "":
		a.say("last check: %s, failed: %s", when(c.At), c.Error)
	case c.Offer != "":
		a.say("last check: %s, %s was offered: %s", when(c.At), c.Offer, c.Reason)
	default:
		a.say("last check: %s, nothing to do: %s", when(c.At), c.Reason)
	}
	for _, r := range c.Roles {
		expired := ""
		if !r.Expires.After(a.now()) {
			expired = " (expired)"
		}
		a.say("  %-9s version %d, expires %s%s", r.Name, r.Version, when(r.Expires), expired)
	}
}

func when(t time.Time) string { return t.UTC().Format(time.RFC3339) }
