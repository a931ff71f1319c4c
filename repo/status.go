// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"context"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/release"
)

// Status is a repository at a glance, read as a client.
type Status struct {
	Empty      bool               `json:"empty"`
	Repository string             `json:"repository"` // fingerprint of root 1, as pinned
	Roles      []RoleStatus       `json:"roles"`
	Releases   []ReleaseStatus    `json:"releases"`
	Violations []policy.Violation `json:"violations"` // where the repository differs from the policy
}

// RoleStatus is one role's live metadata.
type RoleStatus struct {
	Role       string    `json:"role"`
	Version    int64     `json:"version"`
	Expires    time.Time `json:"expires"`
	Keys       []string  `json:"keys"` // names, or short ids
	Threshold  int       `json:"threshold"`
	Signatures int       `json:"signatures"` // good ones
	Targets    int       `json:"targets"`
}

// ReleaseStatus is one release that a channel offers.
type ReleaseStatus struct {
	Product   string    `json:"product"`
	Channel   string    `json:"channel"`
	Platform  string    `json:"platform"`
	Version   string    `json:"version"`
	Published time.Time `json:"published"`
	Length    int64     `json:"length"`
	Deltas    int       `json:"deltas"`
	Retracted string    `json:"retracted,omitempty"` // reason
}

// Status verifies the repository and describes it. An empty repository is not
// an error.
func (r *Repo) Status(ctx context.Context) (*Status, error) {
	s, err := r.load(ctx)
	if err != nil {
		return nil, err
	}
	st := &Status{Empty: s.empty, Repository: r.policy.Root}
	if s.empty {
		return st, nil
	}
	for _, role := range append([]string{metadata.ROOT, metadata.TIMESTAMP, metadata.SNAPSHOT, metadata.TARGETS}, sortedKeys(s.roles)...) {
		rs, err := r.roleStatus(s, role)
		if err != nil {
			return nil, err
		}
		st.Roles = append(st.Roles, *rs)
	}
	st.Violations = r.policy.Check(&s.root.Signed, &s.targets.Signed)
	return st, r.releaseStatus(ctx, s, st)
}

func (r *Repo) roleStatus(s *state, role string) (*RoleStatus, error) {
	a, err := s.authority(role)
	if err != nil {
		return nil, err
	}
	need := a.need(role, s.raw[role], r.KeyNames())
	rs := &RoleStatus{Role: role, Version: s.version(role), Expires: s.expires(role), Threshold: a.threshold, Signatures: need.Have}
	for _, id := range a.ids {
		rs.Keys = append(rs.Keys, keyName(id, r.KeyNames()))
	}
	if role == metadata.TARGETS {
		rs.Targets = len(s.targets.Signed.Targets)
	} else if md := s.roles[role]; md != nil {
		rs.Targets = len(md.Signed.Targets)
	}
	return rs, nil
}

// releaseStatus reads every channel document.
func (r *Repo) releaseStatus(ctx context.Context, s *state, st *Status) error {
	for _, holder := range s.holders() {
		for _, name := range sortedKeys(holder.Targets) {
			product, channel, platform, ok := release.ParseChannelTarget(name)
			if !ok {
				continue
			}
			doc, err := s.client.Channel(ctx, product, channel, platform)
			if err != nil {
				return err
			}
			standing, err := s.client.Standing(ctx, product)
			if err != nil {
				return err
			}
			for _, rel := range doc.Releases {
				st.Releases = append(st.Releases, describeRelease(doc, &rel, standing))
			}
		}
	}
	return nil
}

func describeRelease(doc *release.Channel, rel *release.Release, standing *release.Standing) ReleaseStatus {
	rs := ReleaseStatus{
		Product: doc.Product, Channel: doc.Channel, Platform: doc.Platform, Version: rel.Version,
		Published: rel.Published, Length: rel.Artifact.Length, Deltas: len(rel.Deltas),
	}
	if standing != nil {
		if gone, ok := standing.Retraction(rel.Version); ok {
			rs.Retracted = gone.Reason
			if rs.Retracted == "" {
				rs.Retracted = "retracted"
			}
		}
	}
	return rs
}

func (s *state) holders() []*metadata.TargetsType {
	out := []*metadata.TargetsType{&s.targets.Signed}
	for _, role := range sortedKeys(s.roles) {
		out = append(out, &s.roles[role].Signed)
	}
	return out
}

// FirstRoot gives the bytes of root 1 in the bucket, which endpoints start
// from. It is held against the policy's pin.
func (r *Repo) FirstRoot(ctx context.Context) ([]byte, error) {
	if _, err := r.newClient(ctx, true); err != nil {
		return nil, err
	}
	return r.store.Get(ctx, layout.Root(1), layout.MaxRoot)
}
