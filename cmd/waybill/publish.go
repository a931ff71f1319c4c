// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo"
	"github.com/waybill-project/waybill/repo/layout"
)

func (a *app) publishCommand() *cobra.Command {
	var opts repo.PublishOptions
	var sign bool
	var s signing
	c := &cobra.Command{
		Use:   "publish [FILE...]",
		Short: "Check a signed change, upload it and make it live",
		Long: `Publishes the pending change. Each FILE is a copy of it that somebody signed; their
signatures are taken over first. Snapshot and timestamp are made and signed here, with
the online keys. With --sign the keys of the policy that this machine holds sign the change
first, as ` + "`waybill sign`" + ` does: it is shown, and you are asked.

Before anything goes live, clients are replayed over the result: new ones, and those
that have seen earlier states. The replacement of timestamp.json is the commit; if
another publisher was faster, nothing is published and the status is 8.`,
		Example: `  waybill publish
  waybill publish alice/change.json bob/change.json
  waybill stage && waybill publish --sign
  waybill publish --dry-run`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			if sign {
				s.file = a.changePath()
				return a.publish(c.Context(), args, &s, &opts)
			}
			if s.yes || s.replaceSigned || s.confirmRoot != "" {
				return usagef(c, "--yes, --replace-signed and --confirm-root go with --sign")
			}
			return a.publish(c.Context(), args, nil, &opts)
		},
	}
	c.Flags().BoolVar(&sign, "sign", false, "have the keys that are here sign it first")
	s.answers(c)
	c.Flags().BoolVar(&opts.OldKeysLost, "old-keys-lost", false, "the replaced keys are lost or stolen: clients are locked out for a moment")
	c.Flags().BoolVar(&opts.DryRun, "dry-run", false, "check everything, upload nothing")
	return exits(c, publishing()...)
}

// publish makes the pending change live, and has it signed first unless s is nil.
func (a *app) publish(ctx context.Context, files []string, s *signing, opts *repo.PublishOptions) error {
	r, p, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	c, err := a.gather(files)
	if err != nil {
		return err
	}
	if len(files) > 0 && !opts.DryRun {
		if err := a.keep(c); err != nil {
			return err
		}
	}
	if s != nil {
		if _, err := a.signChange(ctx, s, c); err != nil {
			return err
		}
	}
	done, err := r.Publish(ctx, c, a.signWithPolicy(), opts)
	if err != nil {
		return err
	}
	if opts.DryRun {
		a.say("dry run: every check passed, nothing was uploaded")
		return a.object(published{Schema: 1, DryRun: true, Published: done})
	}
	if err := durable.Remove(durable.OS(), a.changePath()); err != nil {
		return err
	}
	return a.report(ctx, r, p, done)
}

// gather gives the pending change with the signatures of its copies.
func (a *app) gather(files []string) (*repo.Change, error) {
	c, err := a.pending()
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		copied, err := repo.ReadChange(file)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, err
		case err != nil:
			return nil, &cli.Error{Code: cli.Verification, Err: err, Hint: "get the signed copy again; nothing was published"}
		case c == nil:
			c = copied
			continue
		}
		if err := c.Merge(copied); err != nil {
			return nil, &cli.Error{Code: cli.Refused, Err: fmt.Errorf("%s: %w", file, err),
				Hint: fmt.Sprintf("it was made from another change than %s; have that one signed", a.changePath())}
		}
	}
	if c == nil {
		return nil, &cli.Error{Code: cli.NoSuch, Err: fmt.Errorf("nothing is staged: no %s", a.changePath()), Hint: "stage something first: waybill add, waybill stage"}
	}
	return c, nil
}

// published is what --json says about a publication.
type published struct {
	Schema int    `json:"schema"`
	DryRun bool   `json:"dry_run,omitempty"`
	Root   string `json:"root_file,omitempty"`
	Client string `json:"client,omitempty"`
	*repo.Published
}

// report says what went live and how a client gets it.
func (a *app) report(ctx context.Context, r *repo.Repo, p *policy.Policy, done *repo.Published) error {
	rootFile, err := a.keepRoot(ctx, r, p)
	if err != nil {
		a.warn("published, but root 1 is not there for clients: %v", err)
	}
	client := clientCommand(p, rootFile)
	if done.AlreadyDone {
		a.say("already published, nothing to do")
	} else {
		a.say("published root %d, targets %d, snapshot %d, timestamp %d", done.Root, done.Targets, done.Snapshot, done.Timestamp)
		a.say("uploaded %d objects, %s", len(done.Objects), cli.Bytes(done.Bytes))
	}
	a.sayDeltas(done.Deltas)
	for _, w := range done.Warnings {
		a.warn("%s", cli.Printable(w))
	}
	a.sayNextExpiry(done)
	a.say("clients: %s", client)
	return a.object(published{Schema: 1, Root: rootFile, Client: client, Published: done})
}

func (a *app) sayDeltas(deltas []repo.DeltaReport) {
	for _, d := range deltas {
		what := fmt.Sprintf("delta %s %s: %s -> %s", d.Product, d.Platform, d.From, d.To)
		if d.Dropped != "" {
			a.say("%s: dropped, %s", what, d.Dropped)
			continue
		}
		a.say("%s: %s, %s of %s saved", what, cli.Bytes(d.Size), percent(d.Full-d.Size, d.Full), cli.Bytes(d.Full))
	}
}

func percent(part, whole int64) string {
	if whole <= 0 {
		return "0%"
	}
	tenths := math.Floor(1000 * float64(part) / float64(whole)) // down: nothing saves all of it
	return fmt.Sprintf("%.1f%%", tenths/10)
}

// keepRoot stores root 1 beside the policy: the file that clients start from.
func (a *app) keepRoot(ctx context.Context, r *repo.Repo, p *policy.Policy) (string, error) {
	path := filepath.Join(filepath.Dir(p.Path), "root.json")
	have, err := durable.ReadFile(durable.OS(), path, layout.MaxRoot)
	if err == nil {
		return path, isRoot(have, path, p)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return path, err
	}
	data, err := r.FirstRoot(ctx)
	if err != nil {
		return path, err
	}
	if err := durable.Create(durable.OS(), path, data, 0o644); err != nil && !errors.Is(err, fs.ErrExist) {
		return path, err
	}
	return path, nil
}

// isRoot holds a root against the policy's pin.
func isRoot(data []byte, path string, p *policy.Policy) error {
	fingerprint, err := fetcher.Fingerprint(data)
	if err == nil && fingerprint != p.Root {
		err = fmt.Errorf("%s is root %s, the policy pins %s", path, fingerprint, p.Root)
	}
	return err
}

// clientCommand is what an endpoint runs once.
func clientCommand(p *policy.Policy, rootFile string) string {
	parts := []string{"fetch init --url URL --root", rootFile}
	if names := slices.Sorted(maps.Keys(p.Products)); len(names) > 0 {
		parts = append(parts, "--product", names[0])
		if channels := p.Products[names[0]].Channels; len(channels) > 0 {
			parts = append(parts, "--channel", channels[0])
		}
		parts = append(parts, "--path", names[0])
	}
	return strings.Join(parts, " ")
}
