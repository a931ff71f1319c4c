// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo"
)

func (a *app) stageCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "stage",
		Short: "Stage what the policy asks for and the repository does not have yet",
		Long: `Compares the repository with the policy and stages what is missing: keys that come
and go, thresholds, delegations, and offline roles that run out. Rotating a key is:
edit waybill.yaml, stage, sign, publish.

The change file holds everything that the holders of offline keys need.`,
		Example: `  waybill stage && waybill publish --sign`,
		Args:    badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			return a.stage(c.Context(), func(_ context.Context, d *repo.Draft, _ *policy.Policy) error { return d.ApplyPolicy() })
		},
	}
	return exits(c, cli.Network, cli.Verification, cli.Expired, cli.Local, cli.Refused)
}

// edit is what a verb does to a draft.
type edit func(ctx context.Context, d *repo.Draft, p *policy.Policy) error

// stage makes an edit on top of what is pending and writes the change file.
func (a *app) stage(ctx context.Context, do edit) error {
	r, p, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	c, err := a.drafted(ctx, r, p, do)
	if err != nil {
		return err
	}
	if c == nil {
		a.say("nothing to stage: the repository is as the policy wants it")
		return a.object(staged{Schema: 1})
	}
	return a.announce(c, p)
}

// drafted gives the change that an edit makes of the live repository and the
// pending change, already written to the change file; nil if it makes none.
func (a *app) drafted(ctx context.Context, r *repo.Repo, p *policy.Policy, do edit) (*repo.Change, error) {
	before, err := a.pending()
	if err != nil {
		return nil, err
	}
	if before != nil {
		a.warn("adding to the pending change %q; its earlier signatures no longer count where it changes", before.Title)
	}
	d, err := r.Begin(ctx, before)
	if err != nil {
		return nil, err
	}
	if err := do(ctx, d, p); err != nil {
		return nil, err
	}
	c, err := d.Change()
	if err != nil || c == nil {
		return nil, err
	}
	return c, a.keep(c)
}

// keep writes the pending change.
func (a *app) keep(c *repo.Change) error {
	if a.changeFile == "" {
		if err := durable.MkdirAll(durable.OS(), a.workDir(), 0o700); err != nil {
			return err
		}
	}
	return c.Write(a.changePath())
}

// staged is what --json says about a change file.
type staged struct {
	Schema     int         `json:"schema"`
	File       string      `json:"file,omitempty"`
	Title      string      `json:"title,omitempty"`
	Repository string      `json:"repository,omitempty"`
	Roles      []roleState `json:"roles,omitempty"`
}

type roleState struct {
	Role    string      `json:"role"`
	Version int64       `json:"version"`
	SHA256  string      `json:"sha256"`
	Lines   []string    `json:"lines"`
	Needs   []repo.Need `json:"needs"`
}

func (a *app) describe(c *repo.Change, p *policy.Policy) (*staged, error) {
	in, err := c.Inspect(nil)
	if err != nil {
		return nil, err
	}
	needs, err := c.Needs(keyNames(p))
	if err != nil {
		return nil, err
	}
	s := &staged{Schema: 1, File: a.changePath(), Title: c.Title, Repository: in.Repository}
	for _, role := range in.Roles {
		s.Roles = append(s.Roles, roleState{role.Role, role.Version, role.SHA256, role.Lines, needs[role.Role]})
	}
	return s, nil
}

// announce says what is pending now and who must sign it.
func (a *app) announce(c *repo.Change, p *policy.Policy) error {
	s, err := a.describe(c, p)
	if err != nil {
		return err
	}
	a.say("staged in %s", s.File)
	for _, role := range s.Roles {
		a.say("%s version %d", role.Role, role.Version)
		for _, line := range role.Lines {
			a.say("  %s", cli.Printable(line))
		}
	}
	a.sayMissing(s)
	return a.object(s)
}

// sayMissing lists the signatures that are still wanted.
func (a *app) sayMissing(s *staged) {
	complete := true
	for _, role := range s.Roles {
		for _, need := range role.Needs {
			if !need.Met() {
				complete = false
				a.say("%s wants %d more of the signatures that %s asks for: %s", role.Role, need.Threshold-need.Have, need.By, list(need.Missing))
			}
		}
	}
	if complete {
		a.say("all signatures are there: waybill publish")
	}
}

// commitOrStage publishes an edit at once if the keys on this machine suffice;
// else it stages the edit and says whose signatures are missing.
func (a *app) commitOrStage(ctx context.Context, do edit) error {
	r, p, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	waiting, err := a.pending()
	if err != nil {
		return err
	}
	if waiting != nil {
		a.warn("the change %q is pending; it stays, and may have to be staged again after this", waiting.Title)
	}
	done, err := r.Commit(ctx, func(ctx context.Context, d *repo.Draft) error { return do(ctx, d, p) }, a.signWithPolicy(), nil)
	var few *repo.ThresholdError
	if errors.As(err, &few) {
		if _, err := a.drafted(ctx, r, p, do); err != nil {
			return err
		}
		return &cli.Error{Code: cli.Unsigned, Err: fmt.Errorf("staged in %s, not published: %w", a.changePath(), few),
			Hint: "have it signed: waybill sign; then waybill publish"}
	}
	if err != nil {
		return err
	}
	return a.report(ctx, r, p, done)
}
