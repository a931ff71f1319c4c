// SPDX-License-Identifier: Apache-2.0

package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/repo"
)

func (a *app) refreshCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "refresh",
		Short: "Sign timestamp again, and what online keys can before it expires (for cron)",
		Long: `Signs timestamp again, and every other role whose online key is here once less than a
third of its lifetime is left. Run it from cron, several times in a timestamp's life.
What only offline keys can renew is named in a warning; "waybill stage" stages it.`,
		Example: `  0 4 * * *  waybill refresh --policy /etc/waybill/waybill.yaml --repo s3://releases`,
		Args:    badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			r, _, err := a.open(c.Context())
			if err != nil {
				return err
			}
			defer r.Close()
			done, err := r.Refresh(c.Context(), a.signWithPolicy())
			if err != nil {
				return err
			}
			return a.sayRefreshed(done)
		},
	}
	return exits(c, publishing()...)
}

// sayRefreshed prints a line for each role that was signed again.
func (a *app) sayRefreshed(done *repo.Published) error {
	for _, role := range done.Renewed {
		a.say("signed %s", role)
	}
	a.say("timestamp is version %d", done.Timestamp)
	for _, w := range done.Warnings {
		a.warn("%s", cli.Printable(w))
	}
	a.sayNextExpiry(done)
	return a.object(published{Schema: 1, Published: done})
}

func (a *app) sayNextExpiry(done *repo.Published) {
	if next := done.NextExpiry; next.Role != "" {
		a.say("next to expire: %s, in %s (%s)", next.Role, span(next.At.Sub(a.now())), next.At.UTC().Format(time.RFC3339))
	}
}
