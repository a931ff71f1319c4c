// SPDX-License-Identifier: Apache-2.0

package main

import (
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/fetcher/update"
	"github.com/waybill-project/waybill/internal/cli"
)

func (a *app) installCommand() *cobra.Command {
	var opts update.UpdateOptions
	var exitCode bool
	c := &cobra.Command{
		Use:   "install BUNDLE",
		Short: "Update from a repository that was carried here, without the network",
		Long: `Does what update does, but reads from BUNDLE: a folder that holds a copy of the
repository, or a tar or zip file of one, not compressed. Nothing is extracted, and the
network is not used. Signatures and dates are checked as ever: a bundle that is older
than what this endpoint has seen, or that has expired, is refused.`,
		Example: `  fetch install /media/stick/app.tar
  tar -C repo -cf app.tar metadata targets`,
		Args: badArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			return a.update(c, args[0], opts, exitCode)
		},
	}
	updateFlags(c, &opts)
	c.Flags().BoolVar(&exitCode, "exit-code", false, "end with 11 if there was nothing to do")
	return c
}

// update runs one update, from a bundle if one is named.
func (a *app) update(c *cobra.Command, from string, opts update.UpdateOptions, exitCode bool) error {
	u, done, err := a.openFrom(from)
	if err != nil {
		return err
	}
	defer done()
	outcome, err := u.Update(c.Context(), &opts)
	if err != nil {
		a.noteLeft(outcome)
		return tried(fromBundle(from, err), outcome)
	}
	a.sayOutcome(outcome)
	if err := a.object(outcome); err != nil {
		return err
	}
	if exitCode && !outcome.Changed {
		return &cli.Error{Code: cli.Nothing}
	}
	return nil
}

// openFrom opens the endpoint with a bundle in place of the configured repository; "" is none.
func (a *app) openFrom(from string) (u *update.Updater, done func(), err error) {
	if from == "" {
		u, err = a.open(nil)
		return u, func() {}, err
	}
	path, err := filepath.Abs(from)
	if err != nil {
		return nil, nil, err
	}
	bundle, err := update.OpenBundle(path)
	if err != nil {
		return nil, nil, fromBundle(from, err)
	}
	if u, err = a.open(bundle); err != nil {
		bundle.Close()
		return nil, nil, err
	}
	return u, func() { bundle.Close() }, nil
}
