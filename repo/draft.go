// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/release"
)

// A Draft is the next state of a repository while it is being edited. Its
// changes exist in memory only, until Change makes a change file of them.
type Draft struct {
	repo    *Repo
	live    *state
	pending *Change // an unpublished change that this one extends
	root    *metadata.RootType
	targets *metadata.TargetsType
	roles   map[string]*metadata.TargetsType
	renew   map[string]bool // roles to sign again although their content is the same
	files   []File
	offers  []offer
	titles  []string
	reports []DeltaReport
}

// Begin reads the live state and lays an unpublished change over it, if there
// is one. It refuses a change whose base has moved.
func (r *Repo) Begin(ctx context.Context, pending *Change) (*Draft, error) {
	live, err := r.load(ctx)
	if err != nil {
		return nil, err
	}
	d := &Draft{repo: r, live: live, pending: pending, roles: map[string]*metadata.TargetsType{}, renew: map[string]bool{}}
	if !live.empty {
		if err := d.copyLive(); err != nil {
			return nil, err
		}
	}
	if pending != nil {
		return d, d.layOver(pending)
	}
	return d, nil
}

// Empty tells whether nothing has been published yet and nothing is drafted.
func (d *Draft) Empty() bool { return d.targets == nil }

func (d *Draft) copyLive() error {
	root, err := parseRoot(d.live.raw[metadata.ROOT])
	if err != nil {
		return err
	}
	d.root = &root.Signed
	for role := range d.live.raw {
		if role == metadata.ROOT || role == metadata.SNAPSHOT || role == metadata.TIMESTAMP {
			continue
		}
		if err := d.take(role, d.live.raw[role]); err != nil {
			return err
		}
	}
	for _, role := range sortedKeys(d.roles) {
		d.dropForeign(role)
	}
	return nil
}

// dropForeign takes out of a delegated role what it must not list. Clients do not
// look at it, but whoever held its key may have put it there.
func (d *Draft) dropForeign(role string) {
	t := d.roles[role]
	before := len(t.Targets)
	for name, file := range t.Targets {
		if checkDelegatedTarget(role, name, file) != nil {
			delete(t.Targets, name)
		}
	}
	if len(t.Targets) < before || t.Delegations != nil {
		t.Delegations = nil
		d.title("drop what " + role + " must not list")
	}
}

func (d *Draft) take(role string, data []byte) error {
	md, err := parseTargets(role, data)
	if err != nil {
		return err
	}
	if role == metadata.TARGETS {
		d.targets = &md.Signed
	} else {
		d.roles[role] = &md.Signed
	}
	return nil
}

func (d *Draft) layOver(pending *Change) error {
	if err := d.live.checkBase(pending); err != nil {
		return err
	}
	for _, doc := range pending.Documents {
		if doc.Role == metadata.ROOT {
			root, err := parseRoot(doc.Metadata)
			if err != nil {
				return err
			}
			d.root = &root.Signed
			continue
		}
		if err := d.take(doc.Role, doc.Metadata); err != nil {
			return err
		}
	}
	d.files, d.reports = slices.Clone(pending.Files), slices.Clone(pending.Deltas)
	d.titles = []string{pending.Title}
	return nil
}

// checkBase refuses a change of which a role has moved on since it was made.
func (s *state) checkBase(c *Change) error {
	for _, doc := range c.Documents {
		live := s.version(doc.Role)
		if live > 0 && sameSigned(s.raw[doc.Role], doc.Metadata) {
			continue // published already
		}
		base, err := c.baseVersion(doc.Role)
		if err != nil {
			return err
		}
		if base != live {
			return fmt.Errorf("the change was made on %s %d, %d is in force now: %w", doc.Role, base, live, ErrConflict)
		}
		if err := checkStep(doc.Role, live, doc.Version); err != nil {
			return err
		}
	}
	return nil
}

// baseVersion gives the version of a role that the change was made on.
func (c *Change) baseVersion(role string) (int64, error) {
	if c.Base == nil {
		return 0, nil
	}
	if role == metadata.ROOT {
		return int64(len(c.Base.Roots)), nil
	}
	data := c.Base.Roles[role]
	if data == nil {
		return 0, nil
	}
	md, err := parseTargets(role, data)
	if err != nil {
		return 0, err
	}
	return md.Signed.Version, nil
}

// holder gives the role that a target name belongs to, and its metadata.
func (d *Draft) holder(name string) (string, *metadata.TargetsType) {
	if d.targets.Delegations != nil {
		for _, role := range d.targets.Delegations.Roles {
			if t := d.roles[role.Name]; t != nil && matches(role.Paths, name) {
				return role.Name, t
			}
		}
	}
	return metadata.TARGETS, d.targets
}

// matches tells whether a name falls under one of the delegated paths. Ours
// use "*" only, which does not cross "/".
func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool {
		ok, err := path.Match(p, name)
		return err == nil && ok
	})
}

// target finds a target by name in the draft.
func (d *Draft) target(name string) *metadata.TargetFiles {
	if d.targets == nil {
		return nil
	}
	_, t := d.holder(name)
	return t.Targets[name]
}

// set lists a file under its target name.
func (d *Draft) set(f File, custom json.RawMessage) error {
	if err := layout.CheckName(f.Target); err != nil {
		return err
	}
	t := metadata.TargetFile()
	t.Length = f.Length
	var sum metadata.HexBytes
	if err := sum.UnmarshalJSON([]byte(`"` + f.SHA256 + `"`)); err != nil {
		return err
	}
	t.Hashes = metadata.Hashes{"sha256": sum}
	if custom != nil {
		t.Custom = &custom
	}
	_, into := d.holder(f.Target)
	into.Targets[f.Target] = t
	d.files = slices.DeleteFunc(d.files, func(old File) bool { return old.Target == f.Target })
	d.files = append(d.files, f)
	return nil
}

// setDocument lists one of the signed documents of package release.
func (d *Draft) setDocument(name string, content []byte) error {
	return d.set(File{Target: name, Length: int64(len(content)), SHA256: hexHash(content), Content: content}, nil)
}

// document reads a document that the draft or the live repository lists; nil
// if there is none.
func (d *Draft) document(ctx context.Context, name string, max int64) ([]byte, error) {
	t := d.target(name)
	if t == nil {
		return nil, nil
	}
	sum := t.Hashes["sha256"].String()
	for _, f := range d.files {
		if f.Target == name && f.SHA256 == sum && f.Content != nil {
			return f.Content, nil
		}
	}
	if d.live.empty {
		return nil, fmt.Errorf("%s is listed, but its content is missing", name)
	}
	found, err := d.live.client.Target(ctx, name)
	if err != nil {
		return nil, err
	}
	if found.Hashes["sha256"] != sum {
		return nil, fmt.Errorf("%s is listed, but its content is missing", name)
	}
	return d.live.client.Bytes(ctx, found, max)
}

// Change makes the change file of what was edited: nil if nothing differs.
func (d *Draft) Change() (*Change, error) {
	c := &Change{Schema: 1, Created: d.repo.opts.Now().UTC(), Title: strings.Join(d.titles, "; "), Base: d.live.base(), Deltas: d.reports}
	for _, role := range d.order() {
		doc, err := d.documentFor(role)
		if err != nil {
			return nil, err
		}
		if doc != nil {
			c.Documents = append(c.Documents, *doc)
		}
	}
	if len(c.Documents) == 0 {
		return nil, nil
	}
	listed := c.listing()
	for _, f := range d.files {
		if listed[listedFile{f.Target, f.SHA256, f.Length}] {
			c.Files = append(c.Files, f)
		}
	}
	return c, c.check()
}

func (d *Draft) order() []string {
	return append([]string{metadata.ROOT, metadata.TARGETS}, sortedKeys(d.roles)...)
}

// documentFor gives a role's new metadata, or nil if it stays as it is. What a
// pending change holds is kept with its signatures unless it changed again.
func (d *Draft) documentFor(role string) (*Document, error) {
	if role == metadata.ROOT {
		if d.root == nil {
			return nil, errors.New("the draft has no root: apply the policy first")
		}
		return finish(d, role, d.root, &d.root.Version, &d.root.Expires)
	}
	t := d.targets
	if role != metadata.TARGETS {
		t = d.roles[role]
	}
	return finish(d, role, t, &t.Version, &t.Expires)
}

func finish[T metadata.Roles](d *Draft, role string, signed *T, version *int64, expires *time.Time) (*Document, error) {
	md := &metadata.Metadata[T]{Signed: *signed, Signatures: []metadata.Signature{}}
	data, err := encode(md)
	if err != nil {
		return nil, err
	}
	if !d.live.empty && !d.renew[role] && sameSigned(data, d.live.raw[role]) {
		return nil, nil
	}
	if d.pending != nil {
		if doc := d.pending.document(role); doc != nil && sameSigned(data, doc.Metadata) {
			return doc, nil
		}
	}
	lifetime, err := d.repo.lifetime(role)
	if err != nil {
		return nil, err
	}
	*version, *expires = d.live.next(role), expiry(d.repo.opts.Now(), lifetime)
	md.Signed = *signed
	if data, err = encode(md); err != nil {
		return nil, err
	}
	return &Document{Role: role, Version: *version, Metadata: data}, nil
}

func (d *Draft) product(name string) (policy.Product, error) {
	if err := release.CheckProduct(name); err != nil {
		return policy.Product{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	p, ok := d.repo.policy.Products[name]
	if !ok {
		return p, fmt.Errorf("product %q is not in the policy: %w", name, ErrUnknown)
	}
	return p, nil
}
