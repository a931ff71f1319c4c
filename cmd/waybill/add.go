// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo"
	"github.com/waybill-project/waybill/repo/release"
)

// newRelease is what add and release are told.
type newRelease struct {
	product, version string
	channels, only   []string
	name             string
	notes            map[string]string
	noDeltas         bool
	critical         bool
	files            map[string]string // platform -> path
}

func (n *newRelease) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&n.product, "product", "", "product `NAME` (may be left out if the policy has one)")
	f.StringVar(&n.version, "version", "", "`VERSION` of the release, as in semver.org")
	f.StringSliceVar(&n.channels, "channel", nil, "`CHANNEL` to offer it in, repeatable (may be left out if the product has one)")
	f.StringSliceVar(&n.only, "only-in", nil, "`CHANNEL`s in which it may ever be offered; signed with the release (default: any)")
	f.StringVar(&n.name, "name", "", "file `NAME` in the repository (default: that of PATH)")
	f.StringToStringVar(&n.notes, "notes", nil, "release notes, `LANG=FILE`, repeatable")
	f.BoolVar(&n.noDeltas, "no-deltas", false, "make no deltas from earlier releases")
	f.BoolVar(&n.critical, "critical", false, "mark the release as urgent for users")
}

func (a *app) addCommand() *cobra.Command {
	var n newRelease
	c := &cobra.Command{
		Use:   "add PLATFORM=PATH... --version VERSION",
		Short: "Stage a release: its files, its deltas, and its place in a channel",
		Long: `Stages one version of a product, a file per platform, as the pending change. Nothing
is uploaded yet; sign and publish follow. "waybill release" does it all in one.`,
		Example: `  waybill add linux-amd64=build/app --version 1.4.2
  waybill add linux-amd64=app darwin-arm64=app-mac --name app --product app --channel beta --version 2.0.0-rc.1`,
		Args: badArgs(cobra.MinimumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			if err := n.parse(c, args); err != nil {
				return err
			}
			return a.stage(c.Context(), n.edit)
		},
	}
	n.flags(c)
	return exits(c, cli.Network, cli.Verification, cli.Expired, cli.Local, cli.Refused, cli.NoSuch)
}

func (n *newRelease) parse(c *cobra.Command, args []string) error {
	n.files = map[string]string{}
	for _, arg := range args {
		platform, path, ok := strings.Cut(arg, "=")
		if !ok || path == "" {
			return usagef(c, "%q is not PLATFORM=PATH", arg)
		}
		if err := release.CheckPlatform(platform); err != nil {
			return usageError(c, err)
		}
		if n.files[platform] != "" {
			return usagef(c, "platform %s is there twice", platform)
		}
		n.files[platform] = path
	}
	if n.version == "" {
		return usagef(c, "--version VERSION is missing")
	}
	if err := release.CheckVersion(n.version); err != nil {
		return usageError(c, err)
	}
	return nil
}

func (n *newRelease) edit(ctx context.Context, d *repo.Draft, p *policy.Policy) error {
	product, err := productOf(p, n.product)
	if err != nil {
		return err
	}
	channels, err := channelsOf(product, n.channels)
	if err != nil {
		return err
	}
	for _, platform := range slices.Sorted(maps.Keys(n.files)) {
		art := repo.Artifact{Product: product.Name, Version: n.version, Platform: platform, Path: n.files[platform],
			Name: n.name, Channels: channels, Bounds: n.only, Notes: n.notes, Critical: n.critical}
		if err := d.Add(ctx, art); err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
	}
	if n.noDeltas {
		return nil
	}
	return d.Deltas(ctx)
}

// productOf gives the product that was named, or the only one.
func productOf(p *policy.Policy, name string) (policy.Product, error) {
	names := slices.Sorted(maps.Keys(p.Products))
	if name == "" && len(names) == 1 {
		name = names[0]
	}
	if name == "" {
		return policy.Product{}, &cli.Error{Code: cli.Usage, Err: fmt.Errorf("which product? the policy has %s", list(names)), Hint: "give --product NAME"}
	}
	product, ok := p.Products[name]
	if !ok {
		return product, fmt.Errorf("product %q is not in the policy, which has %s: %w", name, list(names), repo.ErrUnknown)
	}
	return product, nil
}

// channelsOf gives the channels that were named, or the only one.
func channelsOf(product policy.Product, named []string) ([]string, error) {
	if len(named) == 0 && len(product.Channels) == 1 {
		return product.Channels, nil
	}
	if len(named) == 0 {
		return nil, &cli.Error{Code: cli.Usage, Err: fmt.Errorf("which channel? product %s has %s", product.Name, list(product.Channels)), Hint: "give --channel NAME"}
	}
	return named, nil
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
