// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// makeSnapshot lists the new documents beside what was listed before: a role
// that was in snapshot once stays there, since warm clients refuse its removal.
func (p *publication) makeSnapshot(ctx context.Context) error {
	md := metadata.Snapshot(expiry(p.now, p.repo.policy.Roles[metadata.SNAPSHOT].Expires))
	md.Signed.Meta = map[string]*metadata.MetaFiles{}
	base := int64(0)
	if !p.live.empty {
		base = p.live.snapshot.Signed.Version
		for name, meta := range p.live.snapshot.Signed.Meta {
			md.Signed.Meta[name] = meta
		}
	}
	for _, doc := range p.docs {
		md.Signed.Meta[doc.Role+".json"] = metaFile(doc)
	}
	md.Signed.Version = p.number(metadata.SNAPSHOT)
	md.Signed.UnrecognizedFields = map[string]any{lineageField: base}
	data, err := encode(md)
	if err != nil {
		return err
	}
	p.snapshot = &Document{Role: metadata.SNAPSHOT, Version: md.Signed.Version, Metadata: data}
	return p.complete(ctx, p.snapshot, true)
}

func (p *publication) makeTimestamp(ctx context.Context) error {
	md := metadata.Timestamp(expiry(p.now, p.repo.policy.Roles[metadata.TIMESTAMP].Expires))
	md.Signed.Version = p.number(metadata.TIMESTAMP)
	md.Signed.Meta = map[string]*metadata.MetaFiles{"snapshot.json": metaFile(*p.snapshot)}
	data, err := encode(md)
	if err != nil {
		return err
	}
	p.timestamp = &Document{Role: metadata.TIMESTAMP, Version: md.Signed.Version, Metadata: data}
	all, err := p.handover.authorities(metadata.TIMESTAMP, p.opts.OldKeysLost)
	if err != nil {
		return err
	}
	for _, a := range all {
		if err := p.signFor(ctx, p.timestamp, a); err != nil {
			return err
		}
		if err := p.meets(p.timestamp, a); err != nil {
			return err
		}
	}
	return nil
}

// number gives the version for a new snapshot or timestamp, see usedUp.
func (p *publication) number(role string) int64 {
	n := p.live.next(role)
	if n > usedUp && p.opts.OldKeysLost && p.forgotten() {
		n = p.live.free(role, 1)
	}
	return n
}

func (p *publication) forgotten() bool {
	if p.handover.root == nil || p.handover.newRoot == nil {
		return false
	}
	for _, role := range []string{metadata.SNAPSHOT, metadata.TIMESTAMP} {
		if rootAuthority(p.handover.newRoot, role).excludes(rootAuthority(p.handover.root, role)) {
			return true
		}
	}
	return false
}

// metaFile describes a document with length and sha256, so that clients parse
// nothing but root and timestamp before it is authenticated.
func metaFile(doc Document) *metadata.MetaFiles {
	sum := sha256.Sum256(doc.Metadata)
	m := metadata.MetaFile(doc.Version)
	m.Length = int64(len(doc.Metadata))
	m.Hashes = metadata.Hashes{"sha256": sum[:]}
	return m
}

// Refresh signs the timestamp again, and any other role that this machine's
// keys can sign once less than a third of its lifetime is left. A role that
// runs out and cannot be signed here is a warning.
func (r *Repo) Refresh(ctx context.Context, sign SignFunc) (*Published, error) {
	return r.retry(ctx, func() (*Published, error) {
		return r.publish(ctx, &Change{Schema: 1, Created: r.opts.Now()}, sign, nil, func(p *publication) error { return p.renewRoles(ctx) })
	})
}

func (p *publication) renewRoles(ctx context.Context) error {
	if p.live.empty {
		return ErrEmpty
	}
	p.renewAll = true
	for _, role := range append([]string{metadata.TARGETS}, sortedKeys(p.live.roles)...) {
		if err := p.renew(ctx, role); err != nil {
			return err
		}
	}
	if at := p.live.expires(metadata.ROOT); almostOver(at, p.now, p.repo.policy.Roles[metadata.ROOT].Expires) {
		p.warn("root %d expires on %s: stage, sign and publish a new one", p.live.version(metadata.ROOT), at.Format(time.DateOnly))
	}
	p.result.Renewed = append(p.result.Renewed, metadata.SNAPSHOT, metadata.TIMESTAMP)
	return nil
}

// renew adds a role's unchanged content to the change, with a new version and
// date, if the role runs out and can be signed here.
func (p *publication) renew(ctx context.Context, role string) error {
	lifetime, err := p.repo.lifetime(role)
	if err != nil {
		return nil // in the repository, but no longer in the policy
	}
	if !almostOver(p.live.expires(role), p.now, lifetime) {
		return nil
	}
	doc, err := p.again(role)
	if err != nil {
		return err
	}
	a, err := p.live.authority(role)
	if err != nil {
		return err
	}
	if err := p.signFor(ctx, doc, a); err != nil {
		p.warn("%s %d expires on %s and could not be renewed: %v", role, p.live.version(role), p.live.expires(role).Format(time.DateOnly), err)
		return nil
	}
	if err := p.meets(doc, a); err != nil {
		p.warn("%s %d expires on %s: %v", role, p.live.version(role), p.live.expires(role).Format(time.DateOnly), err)
		return nil
	}
	p.change.Base = p.live.base()
	p.change.Documents = append(p.change.Documents, *doc)
	p.result.Renewed = append(p.result.Renewed, role)
	return nil
}

// again gives a role's unchanged content a new version and date.
func (p *publication) again(role string) (*Document, error) {
	lifetime, err := p.repo.lifetime(role)
	if err != nil {
		return nil, err
	}
	md, err := parseTargets(role, p.live.raw[role])
	if err != nil {
		return nil, err
	}
	md.Signed.Version, md.Signed.Expires = p.live.next(role), expiry(p.now, lifetime)
	data, err := encode(md)
	if err != nil {
		return nil, err
	}
	return &Document{Role: role, Version: md.Signed.Version, Metadata: data}, nil
}

// authority gives the keys that a live role must be signed with.
func (s *state) authority(role string) (authority, error) {
	all, err := s.handover().topOrDelegated(role)
	if err != nil {
		return authority{}, fmt.Errorf("%s: %w", role, err)
	}
	return all[0], nil
}

func (h handover) topOrDelegated(role string) ([]authority, error) {
	if role == metadata.ROOT {
		return []authority{rootAuthority(h.root, role)}, nil
	}
	return h.authorities(role, false)
}

func (p *publication) warn(format string, args ...any) {
	p.result.Warnings = append(p.result.Warnings, fmt.Sprintf(format, args...))
}
