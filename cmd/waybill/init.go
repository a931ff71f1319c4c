// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/keys"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo"
)

// founding is what init is told.
type founding struct {
	dir, product          string
	channels, platforms   []string
	rootKeys              []string // NAME=PATH.pub
	threshold             int
	releaseKey, onlineKey string // PATH.pub
	noDelegations         bool
}

func (a *app) initCommand() *cobra.Command {
	var f founding
	c := &cobra.Command{
		Use:   "init --product NAME [--root-key NAME=PATH.pub]...",
		Short: "Start a repository: policy, keys, and the first root to be signed",
		Long: `Writes waybill.yaml, makes the release and the online key unless they are given, and
stages the first root. Nothing is published yet, and nothing that exists is
overwritten.

The holders of the root key make theirs themselves, on machines that stay offline:
"waybill key new --out root.key", and hand over root.key.pub. Name each of them with
--root-key. Without any, one root key is made here, which is fine to try things out.`,
		Example: `  waybill init --product app --root-key alice=alice.pub --root-key bob=bob.pub --root-key carol=carol.pub
  waybill init --product app --channel stable,beta --platform linux-amd64,darwin-arm64`,
		Args: badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error {
			if f.product == "" {
				return usagef(c, "--product NAME is missing")
			}
			return a.init(c.Context(), &f)
		},
	}
	f.flags(c)
	return exits(c, cli.Network, cli.KeyProblem, cli.Conflict, cli.Local)
}

func (f *founding) flags(c *cobra.Command) {
	s := c.Flags()
	s.StringVar(&f.dir, "dir", "", "`FOLDER` for waybill.yaml and the keys (default: here)")
	s.StringVar(&f.product, "product", "", "`NAME` of the first product")
	s.StringSliceVar(&f.channels, "channel", []string{"stable"}, "`CHANNEL`s of the product")
	s.StringSliceVar(&f.platforms, "platform", []string{runtime.GOOS + "-" + runtime.GOARCH}, "`PLATFORM`s of the product")
	s.StringArrayVar(&f.rootKeys, "root-key", nil, "`NAME=PATH.pub` of a holder of the root key, repeatable")
	s.IntVar(&f.threshold, "root-threshold", 0, "how many of them must sign (default: 2, or 1 if there is one)")
	s.StringVar(&f.releaseKey, "release-key", "", "`PATH.pub` of the release key (default: made here)")
	s.StringVar(&f.onlineKey, "online-key", "", "`PATH.pub` of the online key (default: made here)")
	s.BoolVar(&f.noDelegations, "no-delegations", false, "channels and deltas are signed with the release key too")
}

func (a *app) init(ctx context.Context, f *founding) error {
	if f.dir != "" && a.policyFile == "" {
		a.policyFile = filepath.Join(f.dir, "waybill.yaml")
	}
	for _, path := range []string{a.policyPath(), a.changePath()} {
		if fileExists(path) {
			return &cli.Error{Code: cli.Local, Err: fmt.Errorf("%s: %w", path, fs.ErrExist), Hint: "init starts a new repository only; use another folder, with --dir"}
		}
	}
	wanted, err := a.found(ctx, f)
	if err != nil {
		return err
	}
	p, err := policy.Parse(a.policyPath(), policy.Format(wanted))
	if err != nil {
		return err
	}
	c, err := a.firstRoot(ctx, p)
	if err != nil {
		return err
	}
	in, err := c.Inspect(nil)
	if err != nil {
		return err
	}
	wanted.Root = in.Repository
	if err := a.keep(c); err != nil {
		return err
	}
	if err := durable.Create(durable.OS(), a.policyPath(), policy.Format(wanted), 0o644); err != nil {
		return err
	}
	if p, err = policy.Read(a.policyPath()); err != nil {
		return err
	}
	a.say("wrote %s, root %s", p.Path, p.Root)
	if err := a.announce(c, p); err != nil {
		return err
	}
	a.sayNext(f, p)
	return nil
}

// found makes the keys and the policy that names them.
func (a *app) found(ctx context.Context, f *founding) (*policy.Policy, error) {
	if err := durable.MkdirAll(durable.OS(), a.keyDir(), 0o755); err != nil {
		return nil, err
	}
	p := &policy.Policy{Path: a.policyPath(), Keys: map[string]policy.Key{},
		Products: map[string]policy.Product{f.product: {Name: f.product, Channels: f.channels, Platforms: f.platforms}},
		Deltas:   policy.DefaultDeltas(), Retention: policy.DefaultRetention()}
	holders, err := a.rootKeys(ctx, f, p)
	if err != nil {
		return nil, err
	}
	if f.threshold == 0 {
		f.threshold = min(2, len(holders))
	}
	for name, given := range map[string]string{"release": f.releaseKey, "online": f.onlineKey} {
		if _, taken := p.Keys[name]; taken {
			return nil, &cli.Error{Code: cli.Usage, Err: fmt.Errorf("a root key is called %s, as one that init adds", name), Hint: "call it after the person who holds it"}
		}
		if err := a.workingKey(ctx, p, name, given); err != nil {
			return nil, err
		}
	}
	setRoles(p, holders, f)
	return p, nil
}

func setRoles(p *policy.Policy, holders []string, f *founding) {
	const day = 24 * time.Hour
	role := func(name, key string, expires time.Duration) policy.Role {
		return policy.Role{Name: name, Keys: []string{key}, Threshold: 1, Expires: expires}
	}
	timestamp := role(metadata.TIMESTAMP, "online", 7*day)
	timestamp.RefreshEvery = day
	p.Roles = map[string]policy.Role{
		metadata.ROOT:      {Name: metadata.ROOT, Keys: holders, Threshold: f.threshold, Expires: 365 * day},
		metadata.TARGETS:   role(metadata.TARGETS, "release", 90*day),
		metadata.SNAPSHOT:  role(metadata.SNAPSHOT, "online", 14*day),
		metadata.TIMESTAMP: timestamp,
	}
	if !f.noDelegations {
		p.Delegations = map[string]policy.Role{
			policy.RoleChannels: role(policy.RoleChannels, "online", 30*day),
			policy.RoleDeltas:   role(policy.RoleDeltas, "online", 30*day),
		}
	}
}

func (a *app) keyDir() string { return filepath.Join(filepath.Dir(a.policyPath()), "keys") }

// rootKeys takes over the holders' public keys, or makes one key.
func (a *app) rootKeys(ctx context.Context, f *founding, p *policy.Policy) ([]string, error) {
	if len(f.rootKeys) == 0 {
		a.warn("no --root-key: the root key is made on this machine. For real use, have its holders make their own")
		return []string{"root"}, a.workingKey(ctx, p, "root", "")
	}
	var names []string
	for _, given := range f.rootKeys {
		name, path, ok := strings.Cut(given, "=")
		if !ok || name == "" || path == "" || strings.ContainsAny(name, `/\`) || slices.Contains(names, name) {
			return nil, &cli.Error{Code: cli.Usage, Err: fmt.Errorf("--root-key %s: want NAME=PATH.pub, each name once", given)}
		}
		if err := a.takeKey(p, name, path); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// workingKey takes over a public key whose private part lies beside it or is
// elsewhere, or makes a key. A key that an interrupted init made is used again.
func (a *app) workingKey(ctx context.Context, p *policy.Policy, name, given string) error {
	path := filepath.Join(a.keyDir(), name)
	if given != "" {
		if err := a.takeKey(p, name, given); err != nil {
			return err
		}
		return a.linkPrivate(p, name, strings.TrimSuffix(given, ".pub"), given)
	}
	if !fileExists(path) || !fileExists(path+".pub") {
		if _, err := a.makeKey(ctx, path, keys.Ed25519); err != nil {
			return err
		}
		a.note("made key %s", path)
	}
	if err := a.takeKey(p, name, path+".pub"); err != nil {
		return err
	}
	k := p.Keys[name]
	k.Private = "file:keys/" + name
	p.Keys[name] = k
	return nil
}

func (a *app) linkPrivate(p *policy.Policy, name, private, public string) error {
	if private == public || !fileExists(private) {
		a.note("key %s: say in %s under `private` where it is, such as env:NAME", name, a.policyPath())
		return nil
	}
	path, err := filepath.Abs(private)
	if err != nil {
		return err
	}
	k := p.Keys[name]
	k.Private = "file:" + filepath.ToSlash(path)
	p.Keys[name] = k
	return nil
}

// takeKey copies a public key beside the policy, which is complete without its
// holder's files then.
func (a *app) takeKey(p *policy.Policy, name, path string) error {
	pub, err := keys.ReadPublic(path)
	if err != nil {
		return &cli.Error{Code: cli.KeyProblem, Err: fmt.Errorf("key %s: %w", name, err), Hint: "its holder makes it with: waybill key new --out FILE, and hands over FILE.pub"}
	}
	text, err := keys.EncodePublic(pub)
	if err != nil {
		return err
	}
	copied := filepath.Join(a.keyDir(), name+".pub")
	err = durable.Create(durable.OS(), copied, text, 0o644)
	if errors.Is(err, fs.ErrExist) {
		have, readErr := os.ReadFile(copied)
		if readErr != nil || !bytes.Equal(have, text) {
			return fmt.Errorf("key %s: %s holds another key: %w", name, copied, errors.Join(fs.ErrExist, readErr))
		}
	} else if err != nil {
		return err
	}
	info, err := describeKey(pub)
	if err != nil {
		return err
	}
	p.Keys[name] = policy.Key{Name: name, File: "keys/" + name + ".pub", Public: pub, Record: info.Record, ID: info.ID}
	return nil
}

// firstRoot stages root 1 for a bucket that must be empty. Without a bucket it
// is staged all the same: the ceremony needs none.
func (a *app) firstRoot(ctx context.Context, p *policy.Policy) (*repo.Change, error) {
	u := "mem://"
	if a.repoURL != "" || a.env("WAYBILL_REPO") != "" {
		var err error
		if u, err = a.bucketURL(); err != nil {
			return nil, err
		}
	}
	r, err := a.openAt(ctx, u, p)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	d, err := r.Begin(ctx, nil)
	if err != nil {
		return nil, &cli.Error{Code: cli.Conflict, Err: fmt.Errorf("%s: %w", u, err), Hint: "init wants an empty bucket"}
	}
	if err := d.ApplyPolicy(); err != nil {
		return nil, err
	}
	return d.Change()
}

// sayNext prints the commands that make the repository live.
func (a *app) sayNext(f *founding, p *policy.Policy) {
	a.say("\nnext:")
	if len(f.rootKeys) == 0 {
		a.say("  waybill sign\n  waybill publish")
		return
	}
	root := p.Roles[metadata.ROOT]
	a.say("  give %s to %s; %d of them run, each on their own machine:", a.changePath(), list(root.Keys), root.Threshold)
	a.say("    waybill sign change.json --key THEIR.key --confirm-root %s", p.Root)
	a.say("  waybill sign                          (release and online key, here)")
	a.say("  waybill publish THEIR-COPY.json...    (the signed copies)")
}
