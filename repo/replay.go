// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/release"
)

// A moment is a set of objects as a client may find it while a publication is
// under way.
type moment struct {
	name   string
	staged map[string][]byte
	roots  [][]byte // a client may have been shipped with any of them
}

// replay runs clients over every moment of the publication before anything is
// written: cold from each root, and warm from the live state. Whoever would be
// refused then is the reason to refuse the publication now.
func (p *publication) replay(ctx context.Context) error {
	bucket := newOverlay(p.repo.Source())
	for _, m := range p.moments() {
		for i, root := range m.roots {
			if err := p.replayCold(ctx, bucket.with(m.staged), root); err != nil {
				return fmt.Errorf("%s, a client that starts from root %d would refuse the repository: %w", m.name, i+1, err)
			}
		}
		if p.live.empty {
			continue
		}
		if err := p.replayWarm(ctx, bucket.with(nil), m); err != nil {
			return fmt.Errorf("%s, a client that is up to date would refuse the repository: %w", m.name, err)
		}
	}
	return nil
}

func (p *publication) moments() []moment {
	committed := map[string][]byte{}
	for _, f := range p.change.Files {
		if f.Content != nil {
			committed[layout.Target(f.Target, f.SHA256)] = f.Content
		}
	}
	for _, doc := range p.docs {
		committed[layout.Versioned(doc.Role, doc.Version)] = doc.Metadata
	}
	if p.timestamp != nil {
		committed[layout.Versioned(metadata.SNAPSHOT, p.snapshot.Version)] = p.snapshot.Metadata
		committed[layout.Timestamp] = p.timestamp.Metadata
	}
	after := moment{"after the commit", committed, p.live.roots}
	if p.live.ahead != nil {
		after.roots = append(slices.Clone(after.roots), p.live.ahead)
	}
	if p.root == nil {
		return []moment{after}
	}
	final := map[string][]byte{layout.Root(p.root.Version): p.root.Metadata}
	for name, data := range committed {
		final[name] = data
	}
	roots := append(slices.Clone(p.live.roots), p.root.Metadata)
	last := moment{"after the new root", final, roots}
	if p.rootFirst() || p.timestamp == nil {
		return []moment{last}
	}
	return []moment{after, last}
}

func (p *publication) replayCold(ctx context.Context, src *overlay, root []byte) error {
	client, err := p.client(root, src)
	if err != nil {
		return err
	}
	if err := client.Refresh(ctx); err != nil {
		return err
	}
	if err := p.loadDelegated(ctx, client); err != nil {
		return err
	}
	return p.findAll(ctx, client)
}

// loadDelegated verifies every role that the targets in force delegate to, also
// those of which the publication changes only the keys.
func (p *publication) loadDelegated(ctx context.Context, client *fetcher.Client) error {
	targets := p.handover.newTargets
	if targets == nil {
		targets = p.handover.targets
	}
	for role := range delegatedRoles(targets.Delegations) {
		if _, err := client.Metadata(ctx, role); err != nil {
			return err
		}
	}
	return nil
}

// findAll looks up what the publication adds, by the standard search, and reads
// its channel documents.
func (p *publication) findAll(ctx context.Context, client *fetcher.Client) error {
	for _, f := range p.change.Files {
		if !p.files[f.Target] {
			continue
		}
		t, err := client.Target(ctx, f.Target)
		if err != nil {
			return err
		}
		if t.Hashes["sha256"] != f.SHA256 {
			return &fetcher.VerifyError{Target: f.Target, Err: fmt.Errorf("%w: the search finds sha256 %s", fetcher.ErrMismatch, t.Hashes["sha256"])}
		}
		if product, channel, platform, ok := release.ParseChannelTarget(f.Target); ok {
			if err := checkChannel(ctx, client, product, channel, platform); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkChannel makes sure that a client could act on every release of a channel
// document: artifacts with the right identity, and patches that are there.
func checkChannel(ctx context.Context, client *fetcher.Client, product, channel, platform string) error {
	doc, err := client.Channel(ctx, product, channel, platform)
	if err != nil {
		return err
	}
	for i := range doc.Releases {
		if _, err := client.Artifact(ctx, doc, &doc.Releases[i]); err != nil {
			return err
		}
		for _, e := range doc.Releases[i].Deltas {
			t, err := client.Target(ctx, e.Target)
			if err != nil {
				return err
			}
			if t.Length != e.Length {
				return &fetcher.VerifyError{Target: e.Target, Err: fetcher.ErrMismatch}
			}
		}
	}
	return nil
}

// client makes a client for a replay. Dates are judged by checkDates, since what
// has expired already must not stand in the way of its own renewal.
func (p *publication) client(root []byte, src *overlay) (*fetcher.Client, error) {
	return fetcher.New(root, "", src, &fetcher.Options{Ephemeral: true, UnsafeIgnoreExpiry: true, Now: func() time.Time { return p.now }})
}

// replayWarm brings a client to the live state, and then shows it the moment.
func (p *publication) replayWarm(ctx context.Context, src *overlay, m moment) error {
	if p.root != nil || p.live.ahead != nil {
		src.hidden = layout.Root(p.live.version(metadata.ROOT) + 1)
	}
	client, err := p.client(p.live.roots[0], src)
	if err != nil {
		return err
	}
	if err := client.Refresh(ctx); err != nil {
		return err
	}
	src.staged, src.hidden = m.staged, ""
	return client.Refresh(ctx)
}

// checkDates refuses metadata that would run out before the next planned refresh
// if this publication makes it, and warns of what else does. On top of a role
// that has expired nothing is published but a renewal or a new root.
func (p *publication) checkDates() error {
	if err := p.checkClock(); err != nil {
		return err
	}
	next := p.now.Add(p.repo.policy.Roles[metadata.TIMESTAMP].RefreshEvery)
	made := p.madeDates()
	for _, role := range sortedKeys(made) {
		if made[role].Before(next) {
			return fmt.Errorf("%s would expire on %s, before the next refresh: %w", role, made[role].Format(time.RFC3339), ErrInvalid)
		}
	}
	for _, role := range sortedKeys(p.live.raw) {
		at := p.live.expires(role)
		if _, ok := made[role]; ok || !at.Before(next) {
			continue
		}
		if at.After(p.now) {
			p.warn("%s %d expires on %s, before the next refresh", role, p.live.version(role), at.Format(time.RFC3339))
			continue
		}
		if p.root == nil && !p.renewAll {
			return &fetcher.VerifyError{Role: role, Version: p.live.version(role), Err: &fetcher.ExpiredError{Role: role, Expires: at, Clock: p.now}}
		}
		p.warn("%s %d has expired on %s: clients refuse the repository until it is renewed too", role, p.live.version(role), at.Format(time.RFC3339))
	}
	return nil
}

// checkClock refuses to replace a timestamp that lasts longer than one made now
// would: this machine's clock is behind, and clients would find the new one
// expired. Or the policy has shortened the lifetime, which the operator then says.
func (p *publication) checkClock() error {
	if p.live.empty || p.timestamp == nil || p.repo.opts.ContinueFrom == p.live.version(metadata.TIMESTAMP) {
		return nil
	}
	at := p.live.expires(metadata.TIMESTAMP)
	if at.Sub(p.now) <= p.repo.policy.Roles[metadata.TIMESTAMP].Expires+time.Hour {
		return nil
	}
	return fmt.Errorf("timestamp %d lasts until %s, longer than one made now would; this machine's clock says %s: is it behind? (if not, --continue-from %d): %w",
		p.live.version(metadata.TIMESTAMP), at.Format(time.RFC3339), p.now.Format(time.RFC3339), p.live.version(metadata.TIMESTAMP), ErrInvalid)
}

// madeDates gives the expiry dates of the metadata that this publication makes.
func (p *publication) madeDates() map[string]time.Time {
	made := map[string]time.Time{}
	for _, doc := range p.docs {
		if md, err := parseTargets(doc.Role, doc.Metadata); err == nil {
			made[doc.Role] = md.Signed.Expires
		}
	}
	if p.root != nil {
		made[metadata.ROOT] = p.handover.newRoot.Expires
	}
	if p.timestamp != nil {
		for _, role := range []string{metadata.SNAPSHOT, metadata.TIMESTAMP} {
			made[role] = expiry(p.now, p.repo.policy.Roles[role].Expires)
		}
	}
	return made
}

// readBack looks at the bucket as a new client does, and brings this machine's
// memory of the repository up to date.
func (p *publication) readBack(ctx context.Context) error {
	client, err := p.repo.newClient(ctx, false)
	if err != nil {
		return err
	}
	c, err := client(p.repo.Source())
	if err != nil {
		return err
	}
	if err := c.Refresh(ctx); err != nil {
		return fmt.Errorf("published, but reading it back as a client failed: %w", err)
	}
	data, err := c.Metadata(ctx, metadata.TIMESTAMP)
	if err != nil {
		return err
	}
	md, err := parse(metadata.TIMESTAMP, data)
	if err != nil {
		return err
	}
	if v := md.(*metadata.Metadata[metadata.TimestampType]).Signed.Version; v < p.result.Timestamp {
		return errors.New("published, but an older timestamp is read back")
	}
	return nil
}

// describe fills in the versions and dates of the result.
func (p *publication) describe() {
	r := &p.result
	r.Root, r.Targets = p.live.version(metadata.ROOT), p.live.version(metadata.TARGETS)
	r.Snapshot, r.Timestamp = p.live.version(metadata.SNAPSHOT), p.live.version(metadata.TIMESTAMP)
	dates := map[string]time.Time{}
	for role := range p.live.raw {
		dates[role] = p.live.expires(role)
	}
	for role, at := range p.madeDates() {
		dates[role] = at
	}
	if p.root != nil {
		r.Root = p.root.Version
	}
	for _, doc := range p.docs {
		if doc.Role == metadata.TARGETS {
			r.Targets = doc.Version
		}
	}
	if p.timestamp != nil {
		r.Snapshot, r.Timestamp = p.snapshot.Version, p.timestamp.Version
	}
	for _, role := range sortedKeys(dates) {
		if r.NextExpiry.Role == "" || dates[role].Before(r.NextExpiry.At) {
			r.NextExpiry = Expiry{role, dates[role]}
		}
	}
}
