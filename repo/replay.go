// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"context"
	"errors"
	"fmt"
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
	for _, m := range p.moments() {
		for i, root := range m.roots {
			if err := p.replayCold(ctx, m, root); err != nil {
				return fmt.Errorf("%s, a client that starts from root %d would refuse the repository: %w", m.name, i+1, err)
			}
		}
		if p.live.empty {
			continue
		}
		if err := p.replayWarm(ctx, m); err != nil {
			return fmt.Errorf("%s, a client that is up to date would refuse the repository: %w", m.name, err)
		}
	}
	return p.lookAhead()
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
	if p.root == nil {
		return []moment{{"after the commit", committed, p.live.roots}}
	}
	final := map[string][]byte{layout.Root(p.root.Version): p.root.Metadata}
	for name, data := range committed {
		final[name] = data
	}
	roots := append(append([][]byte{}, p.live.roots...), p.root.Metadata)
	last := moment{"after the new root", final, roots}
	if p.rootFirst() {
		return []moment{last}
	}
	return []moment{{"before the new root", committed, p.live.roots}, last}
}

func (p *publication) replayCold(ctx context.Context, m moment, root []byte) error {
	src := newOverlay(p.repo.Source())
	src.staged = m.staged
	client, err := fetcher.New(root, "", src, &fetcher.Options{Ephemeral: true, Now: func() time.Time { return p.now }})
	if err != nil {
		return err
	}
	if err := client.Refresh(ctx); err != nil {
		return err
	}
	return p.findAll(ctx, client)
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

// replayWarm brings a client to the live state, at a time when that was fresh,
// and then shows it the moment.
func (p *publication) replayWarm(ctx context.Context, m moment) error {
	now := p.now
	for role := range p.live.raw {
		if e := p.live.expires(role); e.Before(now) {
			now = e.Add(-time.Second)
		}
	}
	src := newOverlay(p.repo.Source())
	if p.root != nil {
		src.hide(layout.Root(p.root.Version))
	}
	client, err := fetcher.New(p.live.roots[0], "", src, &fetcher.Options{Ephemeral: true, Now: func() time.Time { return now }})
	if err != nil {
		return err
	}
	if err := client.Refresh(ctx); err != nil {
		return err
	}
	now, src.staged = p.now, m.staged
	return client.Refresh(ctx)
}

// lookAhead refuses metadata that would run out before the next planned
// refresh if this publication made it, and warns of older metadata.
func (p *publication) lookAhead() error {
	next := p.now.Add(p.repo.policy.Roles[metadata.TIMESTAMP].RefreshEvery)
	made := map[string]time.Time{}
	for _, doc := range append([]Document{}, p.docs...) {
		md, err := parseTargets(doc.Role, doc.Metadata)
		if err != nil {
			return err
		}
		made[doc.Role] = md.Signed.Expires
	}
	if p.root != nil {
		made[metadata.ROOT] = p.handover.newRoot.Expires
	}
	for role, at := range made {
		if at.Before(next) {
			return fmt.Errorf("%s would expire on %s, before the next refresh: %w", role, at.Format(time.RFC3339), ErrInvalid)
		}
	}
	if p.live.empty {
		return nil
	}
	for _, role := range sortedKeys(p.live.raw) {
		remade := role == metadata.SNAPSHOT || role == metadata.TIMESTAMP
		if _, ok := made[role]; ok || remade && p.timestamp != nil {
			continue
		}
		if at := p.live.expires(role); at.Before(next) {
			p.warn("%s %d expires on %s, before the next refresh", role, p.live.version(role), at.Format(time.RFC3339))
		}
	}
	return nil
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
	if p.root != nil {
		r.Root, dates[metadata.ROOT] = p.root.Version, p.handover.newRoot.Expires
	}
	for _, doc := range p.docs {
		if doc.Role == metadata.TARGETS {
			r.Targets = doc.Version
		}
		if md, err := parseTargets(doc.Role, doc.Metadata); err == nil {
			dates[doc.Role] = md.Signed.Expires
		}
	}
	if p.timestamp != nil {
		r.Snapshot, r.Timestamp = p.snapshot.Version, p.timestamp.Version
		for _, role := range []string{metadata.SNAPSHOT, metadata.TIMESTAMP} {
			dates[role] = expiry(p.now, p.repo.policy.Roles[role].Expires)
		}
	}
	for _, role := range sortedKeys(dates) {
		if r.NextExpiry.Role == "" || dates[role].Before(r.NextExpiry.At) {
			r.NextExpiry = Expiry{role, dates[role]}
		}
	}
}
