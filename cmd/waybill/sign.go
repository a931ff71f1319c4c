// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo"
	"github.com/waybill-project/waybill/signer"
)

// signing is what sign is told.
type signing struct {
	file, artifacts, confirmRoot string
	refs                         []string
	yes, replaceSigned           bool
}

func (a *app) signCommand() *cobra.Command {
	var s signing
	c := &cobra.Command{
		Use:   "sign [FILE] [--key KEY]...",
		Short: "Show what a change would do, and sign it",
		Long: `Shows what a change would do to the repository, asks, and adds the signatures that
these keys can give. It needs nothing but the change file and the key: no network, no
repository, no policy. So the holder of an offline key does it on an offline machine.

Without FILE it is the pending change; without --key all keys of the policy that this
machine holds. KEY is a file, file:PATH or env:NAME.

What the change was built on is verified from the root that is remembered beside the
key, in KEY.root, and held against what the key has signed before. The first time there is none: compare the fingerprint with the one
that you got from the other holders before you confirm it. Without a terminal
--confirm-root and --yes stand for the two answers.`,
		Example: `  waybill sign
  waybill sign change.json --key alice/root.key
  waybill sign change.json --key root.key --artifacts build --yes --confirm-root 3f2a...`,
		Args: badArgs(cobra.MaximumNArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			s.file = a.changePath()
			if len(args) == 1 {
				s.file = args[0]
			}
			return a.sign(c.Context(), &s)
		},
	}
	f := c.Flags()
	f.StringArrayVar(&s.refs, "key", nil, "`KEY` to sign with, repeatable")
	f.StringVar(&s.artifacts, "artifacts", "", "hash the files that the change lists again, in `DIR`")
	s.answers(c)
	return exits(c, cli.Verification, cli.Unsigned, cli.KeyProblem, cli.Local)
}

// answers are flags for what is asked at a terminal.
func (s *signing) answers(c *cobra.Command) {
	f := c.Flags()
	f.StringVar(&s.confirmRoot, "confirm-root", "", "the `FINGERPRINT` of root 1, where none is remembered yet")
	f.BoolVar(&s.replaceSigned, "replace-signed", false, "what this key signed before and was not published is withdrawn on purpose")
	f.BoolVarP(&s.yes, "yes", "y", false, "sign without asking")
}

func (a *app) sign(ctx context.Context, s *signing) error {
	c, err := repo.ReadChange(s.file)
	if errors.Is(err, fs.ErrNotExist) {
		return &cli.Error{Code: cli.Local, Err: fmt.Errorf("no change to sign: %w", err), Hint: "stage one first (waybill add, waybill stage), or name the file"}
	}
	if err != nil {
		return &cli.Error{Code: cli.Verification, Err: err, Hint: "get the change file again; nothing was signed"}
	}
	done, err := a.signChange(ctx, s, c)
	if err != nil {
		return err
	}
	return a.reportSigned(s, c, done)
}

// consented is what a person agreed to, and who signed it.
type consented struct {
	policy *policy.Policy
	in     *repo.Inspection
	signed []signature
}

// signChange shows a change, asks, signs it and writes its file.
func (a *app) signChange(ctx context.Context, s *signing, c *repo.Change) (*consented, error) {
	if c.Created.After(a.now().Add(24 * time.Hour)) {
		return nil, &cli.Error{Code: cli.Verification, Err: fmt.Errorf("the change says that it was made on %s, which is still to come", c.Created.UTC().Format(time.RFC3339)),
			Hint: "is the clock of this machine behind? Else do not sign. Nothing was signed"}
	}
	p, candidates, err := a.candidates(s.refs)
	if err != nil {
		return nil, err
	}
	in, err := inspectFor(c, candidates)
	if err != nil {
		return nil, err
	}
	if err := a.show(c, in, p); err != nil {
		return nil, err
	}
	if s.artifacts != "" {
		n, err := c.VerifyFiles(s.artifacts)
		if err != nil {
			return nil, &cli.Error{Code: cli.Verification, Err: err, Hint: "the change vouches for other files than these; do not sign it"}
		}
		a.note("%d files in %s hashed again: they are what the change vouches for", n, s.artifacts)
	}
	if err := a.consent(s, in); err != nil {
		return nil, err
	}
	signed, err := a.signAll(ctx, c, candidates, len(s.refs) > 0)
	if err != nil {
		return nil, err
	}
	for _, sig := range signed {
		a.say("%s signed %s", sig.Key, sig.Role)
	}
	return &consented{p, in, signed}, c.Write(s.file)
}

// inspectFor verifies the change from the root that each key remembers. What it
// gives is known only if every key knows it.
func inspectFor(c *repo.Change, candidates []candidate) (*repo.Inspection, error) {
	var all *repo.Inspection
	var undoes []string
	for i, k := range candidates {
		in, err := c.Inspect(k.anchor)
		if err != nil {
			return nil, &cli.Error{Code: cli.Verification, Err: fmt.Errorf("key %s: %w", k.name, err),
				Hint: "do not sign; ask who sent the change. Nothing was signed"}
		}
		candidates[i].seen = in
		undoes = append(undoes, in.Undoes...)
		if all == nil || !in.Known {
			all = in
		}
	}
	all.Undoes = undoes
	return all, nil
}

// show prints the change for the person who is to sign it. With --json it goes
// to stderr, since the answer is wanted all the same.
func (a *app) show(c *repo.Change, in *repo.Inspection, p *policy.Policy) error {
	needs, err := c.Needs(keyNames(p))
	if err != nil {
		return err
	}
	a.note("%s (made %s)", cli.Printable(in.Title), c.Created.UTC().Format(time.RFC3339))
	a.note("repository, by its root 1: %s", in.Repository)
	for _, role := range in.Roles {
		a.showRole(role, needs[role.Role])
	}
	for _, w := range slices.Concat(in.Warnings, in.Undoes) {
		a.warn("%s", cli.Printable(w))
	}
	return nil
}

func (a *app) showRole(role repo.RoleDiff, needs []repo.Need) {
	if role.Was > 0 {
		a.note("\n%s version %d -> %d, expires %s (until now %s)", role.Role, role.Was, role.Version,
			role.Expires.UTC().Format(time.RFC3339), role.Lasted.UTC().Format(time.RFC3339))
	} else {
		a.note("\n%s version %d, new, expires %s", role.Role, role.Version, role.Expires.UTC().Format(time.RFC3339))
	}
	for _, line := range role.Lines {
		a.note("  %s", cli.Printable(line))
	}
	a.note("  payload sha256 %s", role.SHA256)
	for _, need := range needs {
		a.note("  %d of %d signatures that %s asks for: %s", need.Have, need.Threshold, need.By, list(need.Signed))
	}
}

// consent asks: is this the repository, may it replace what was signed before, and
// is it wanted.
func (a *app) consent(s *signing, in *repo.Inspection) error {
	if s.confirmRoot != "" && s.confirmRoot != in.Repository {
		return &cli.Error{Code: cli.Verification, Err: fmt.Errorf("root 1 of the change is %s, not %s", in.Repository, s.confirmRoot),
			Hint: "this is another repository; nothing was signed"}
	}
	if !in.Known && s.confirmRoot == "" {
		a.note("\nThis key has not seen this repository before. Compare the fingerprint of root 1\nwith the one that the other holders have, over another way than this file came:\n\n  %s\n", in.Repository)
		if err := a.ask("Is it the same?", "--confirm-root "+in.Repository+" (after comparing it)"); err != nil {
			return err
		}
	}
	if len(in.Undoes) > 0 && !s.replaceSigned {
		if err := a.ask("Was what this key signed before withdrawn on purpose?", "--replace-signed (after asking who staged the change)"); err != nil {
			return err
		}
	}
	if s.yes {
		return nil
	}
	return a.ask("Sign this?", "--yes")
}

func (a *app) ask(question, flag string) error {
	yes, err := cli.Confirm(a.stdin, a.stderr, question, flag)
	if err != nil {
		return err
	}
	if !yes {
		return &cli.Error{Code: cli.Failure, Err: errors.New("declined; nothing was signed")}
	}
	return nil
}

// signature is a role that a key signed.
type signature struct {
	Key  string `json:"key"`
	Role string `json:"role"`
}

// signAll signs with every key. A key of the policy that may sign nothing is
// passed over; one that was named must be of use.
func (a *app) signAll(ctx context.Context, c *repo.Change, candidates []candidate, named bool) ([]signature, error) {
	var all []signature
	for _, k := range candidates {
		roles, err := a.signOne(ctx, c, k)
		if errors.Is(err, repo.ErrNotAuthorised) && !named {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", k.name, err)
		}
		for _, role := range roles {
			all = append(all, signature{k.name, role})
		}
		if err := remember(k, roles); err != nil {
			return nil, err
		}
	}
	if len(all) == 0 {
		return nil, &cli.Error{Code: cli.KeyProblem, Err: errors.New("none of the keys here may sign anything in this change"), Hint: "name another with --key, or hand the file to its holders"}
	}
	return all, nil
}

// signOne opens a key only when its first signature is wanted, unless it must
// be opened to know which key it is.
func (a *app) signOne(ctx context.Context, c *repo.Change, k candidate) ([]string, error) {
	var s signer.Signer
	open := func() (err error) {
		if s == nil {
			s, err = a.openSigner(ctx, k.ref)
		}
		return err
	}
	id := k.id
	if id == "" {
		if err := open(); err != nil {
			return nil, err
		}
		var err error
		if id, err = keyID(s); err != nil {
			return nil, err
		}
	}
	return c.Sign(ctx, id, func(ctx context.Context, payload []byte) (metadata.Signature, error) {
		if err := open(); err != nil {
			return metadata.Signature{}, err
		}
		return signer.Sign(ctx, s, payload)
	})
}

// remember stores, beside the key, the root that was verified and what was signed.
// Where the policy pins the root that is enough, and the key's folder may be
// read-only.
func remember(k candidate, roles []string) error {
	path := anchorPath(k.ref)
	if path == "" || k.pinned {
		return nil
	}
	return k.seen.Remember(roles).Write(path)
}

func (a *app) reportSigned(s *signing, c *repo.Change, done *consented) error {
	needs, err := c.Needs(keyNames(done.policy))
	if err != nil {
		return err
	}
	state := &staged{Schema: 1, File: s.file, Title: c.Title, Repository: done.in.Repository}
	for _, role := range done.in.Roles {
		state.Roles = append(state.Roles, roleState{role.Role, role.Version, role.SHA256, role.Lines, needs[role.Role]})
	}
	a.sayMissing(state)
	return a.object(struct {
		*staged
		Signed []signature `json:"signed"`
	}{state, done.signed})
}
