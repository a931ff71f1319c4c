// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo"
	"github.com/waybill-project/waybill/repo/release"
)

// promotion is what promote is told.
type promotion struct {
	product, version, from, to string
	platforms                  []string
	noDeltas                   bool
}

func (a *app) promoteCommand() *cobra.Command {
	var m promotion
	c := &cobra.Command{
		Use:   "promote VERSION --from CHANNEL --to CHANNEL",
		Short: "Offer a release of one channel in another too",
		Long: `Offers a release of one channel in another one, with deltas from the releases that
are there. The files are not uploaded again and not signed again.`,
		Example: `  waybill promote 2.0.0 --from beta --to stable
  waybill promote 2.0.0 --from beta --to stable --platform linux-amd64`,
		Args: badArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			m.version = args[0]
			if err := release.CheckVersion(m.version); err != nil {
				return usageError(c, err)
			}
			if m.from == "" || m.to == "" || m.from == m.to {
				return usagef(c, "--from CHANNEL and --to CHANNEL must name two channels")
			}
			return a.commitOrStage(c.Context(), m.edit)
		},
	}
	f := c.Flags()
	f.StringVar(&m.product, "product", "", "product `NAME` (may be left out if the policy has one)")
	f.StringVar(&m.from, "from", "", "`CHANNEL` where the release is now")
	f.StringVar(&m.to, "to", "", "`CHANNEL` where it is to be")
	f.StringSliceVar(&m.platforms, "platform", nil, "`PLATFORM`s to promote (default: all that have the release)")
	f.BoolVar(&m.noDeltas, "no-deltas", false, "make no deltas")
	return exits(c, publishing()...)
}

func (m *promotion) edit(ctx context.Context, d *repo.Draft, p *policy.Policy) error {
	product, err := productOf(p, m.product)
	if err != nil {
		return err
	}
	if err := d.Promote(ctx, product.Name, m.version, m.from, m.to, m.platforms); err != nil || m.noDeltas {
		return err
	}
	return d.Deltas(ctx)
}
