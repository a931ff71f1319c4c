// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/policy"
)

// An Anchor is what the holder of a key has seen verified: the newest root, and
// what the key itself has signed last. It is remembered beside the key, so that a
// change file that claims another history is refused, and one that would undo
// what was signed is noticed.
type Anchor struct {
	Version     int64             `json:"version"`
	Fingerprint string            `json:"fingerprint"` // sha256 of the canonical signed part
	Signed      map[string]Signed `json:"signed,omitempty"`
}

// Signed is a payload that a key has signed.
type Signed struct {
	Version int64  `json:"version"`
	SHA256  string `json:"sha256"`
}

// ReadAnchor reads a remembered root; nil if there is none yet.
func ReadAnchor(path string) (*Anchor, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var a Anchor
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&a); err != nil || a.Version < 1 || len(a.Fingerprint) != 64 {
		return nil, fmt.Errorf("%s: not a remembered root", path)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, fmt.Errorf("%s: not a remembered root", path)
	}
	return &a, nil
}

// Write stores the remembered root durably.
func (a Anchor) Write(path string) error {
	data, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return durable.WriteFile(durable.OS(), path, append(data, '\n'), 0o600)
}

// An Inspection is what a signature on a change would mean.
type Inspection struct {
	Repository string     `json:"repository"` // fingerprint of root 1
	Anchor     Anchor     `json:"anchor"`     // to be remembered by who signs
	Known      bool       `json:"known"`      // the history starts at the remembered root
	First      bool       `json:"first"`      // there is no base: all content is new
	Title      string     `json:"title"`
	Roles      []RoleDiff `json:"roles"`
	Undoes     []string   `json:"undoes,omitempty"` // what this key signed before and would be replaced
	Warnings   []string   `json:"warnings,omitempty"`
}

// A RoleDiff is the difference that a document makes to one role.
type RoleDiff struct {
	Role    string    `json:"role"`
	Was     int64     `json:"was"` // version that it replaces; 0 if new
	Version int64     `json:"version"`
	SHA256  string    `json:"sha256"` // of the payload that is signed
	Expires time.Time `json:"expires"`
	Lasted  time.Time `json:"lasted,omitzero"` // expiry of what it replaces
	Lines   []string  `json:"lines"`           // "+ app/1.1.0/linux-amd64/app, 9800000 bytes"
	Needs   []Need    `json:"needs"`
}

// Inspect verifies what the change was built on, from the root that the holder
// remembers (nil if this is the first time), and says what would change. It
// needs neither network nor repository. A history that does not run through
// the remembered root is an error.
func (c *Change) Inspect(known *Anchor) (*Inspection, error) {
	in := &Inspection{Title: printable(c.Title), First: c.Base == nil}
	if err := c.checkBase(known, in); err != nil {
		return nil, err
	}
	h, err := c.handover()
	if err != nil {
		return nil, err
	}
	for i := range c.Documents {
		diff, err := c.diffRole(&c.Documents[i], h)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Documents[i].Role, err)
		}
		in.Roles = append(in.Roles, *diff)
	}
	if known != nil {
		in.Anchor.Signed = known.Signed
		in.Undoes, err = c.undoes(known.Signed)
	}
	in.Warnings = append(in.Warnings, c.filesNotListed()...)
	return in, err
}

// undoes lists the payloads that a key has signed, that may have been published,
// and that the change takes no notice of: its base is not newer. Whoever hands
// out an old base can so have a retraction signed away.
func (c *Change) undoes(signed map[string]Signed) ([]string, error) {
	var lines []string
	for _, d := range c.Documents {
		was, ok := signed[d.Role]
		if !ok {
			continue
		}
		sum, err := payloadHash(d.Metadata)
		if err != nil {
			return nil, err
		}
		base, err := c.baseVersion(d.Role)
		if err != nil {
			return nil, err
		}
		if sum == was.SHA256 || base > was.Version || base == was.Version && c.baseHash(d.Role) == was.SHA256 {
			continue
		}
		lines = append(lines, fmt.Sprintf("this key has signed %s %d with payload sha256 %s; the change is built on %s %d, as if that was never published", d.Role, was.Version, was.SHA256, d.Role, base))
	}
	return lines, nil
}

func (c *Change) baseHash(role string) string {
	data := c.Base.Roles[role]
	if role == metadata.ROOT {
		data = c.Base.Roots[len(c.Base.Roots)-1]
	}
	sum, err := payloadHash(data)
	if err != nil {
		return ""
	}
	return sum
}

// Remember adds to the anchor what was signed.
func (in *Inspection) Remember(roles []string) Anchor {
	a := in.Anchor
	a.Signed = maps.Clone(a.Signed)
	if a.Signed == nil {
		a.Signed = map[string]Signed{}
	}
	for _, r := range in.Roles {
		if slices.Contains(roles, r.Role) {
			a.Signed[r.Role] = Signed{r.Version, r.SHA256}
		}
	}
	return a
}

// checkBase verifies the chain of roots and the base that it signs.
func (c *Change) checkBase(known *Anchor, in *Inspection) error {
	if c.Base == nil {
		return c.checkFirst(known, in)
	}
	root, err := verifyChain(c.Base.Roots)
	if err != nil {
		return err
	}
	in.Repository, err = fetcher.Fingerprint(c.Base.Roots[0])
	if err != nil {
		return err
	}
	if known != nil {
		if err := passesThrough(c.Base.Roots, *known); err != nil {
			return err
		}
		in.Known = true
	}
	newest := c.Base.Roots[len(c.Base.Roots)-1]
	fingerprint, err := fetcher.Fingerprint(newest)
	if err != nil {
		return err
	}
	in.Anchor = Anchor{Version: root.Version, Fingerprint: fingerprint}
	return c.checkBaseRoles(root)
}

func (c *Change) checkFirst(known *Anchor, in *Inspection) error {
	d := c.document(metadata.ROOT)
	if d == nil || d.Version != 1 {
		return errors.New("a change without a base must bring root 1")
	}
	fingerprint, err := fetcher.Fingerprint(d.Metadata)
	if err != nil {
		return err
	}
	if known != nil && (known.Version != 1 || known.Fingerprint != fingerprint) {
		return fmt.Errorf("this is the first root of another repository: the root remembered beside the key is version %d, %s", known.Version, known.Fingerprint)
	}
	in.Repository, in.Known = fingerprint, known != nil
	in.Anchor = Anchor{Version: 1, Fingerprint: fingerprint}
	return nil
}

// verifyChain walks the roots as a client does (TUF specification 5.3).
func verifyChain(roots [][]byte) (*metadata.RootType, error) {
	var current *metadata.RootType
	for i, data := range roots {
		next, err := parseRoot(data)
		if err != nil {
			return nil, err
		}
		if next.Signed.Version != int64(i)+1 {
			return nil, fmt.Errorf("root %d stands where root %d should", next.Signed.Version, i+1)
		}
		h := handover{root: current, newRoot: &next.Signed}
		all, err := h.rootAuthorities()
		if err != nil {
			return nil, err
		}
		for _, a := range all {
			if err := a.verify(metadata.ROOT, data); err != nil {
				return nil, fmt.Errorf("root %d: %w", next.Signed.Version, err)
			}
		}
		current = &next.Signed
	}
	if current == nil {
		return nil, errors.New("no root")
	}
	return current, nil
}

func passesThrough(roots [][]byte, known Anchor) error {
	if known.Version > int64(len(roots)) {
		return fmt.Errorf("the change was built on root %d; root %d was seen before: it is out of date", len(roots), known.Version)
	}
	got, err := fetcher.Fingerprint(roots[known.Version-1])
	if err != nil {
		return err
	}
	if got != known.Fingerprint {
		return fmt.Errorf("root %d of the change is %s, the root remembered beside the key is %s: this is another repository, or somebody tampered with the file", known.Version, got, known.Fingerprint)
	}
	return nil
}

func (c *Change) checkBaseRoles(root *metadata.RootType) error {
	data := c.Base.Roles[metadata.TARGETS]
	if err := rootAuthority(root, metadata.TARGETS).verify(metadata.TARGETS, data); err != nil {
		return fmt.Errorf("base targets: %w", err)
	}
	targets, err := parseTargets(metadata.TARGETS, data)
	if err != nil {
		return err
	}
	for role, data := range c.Base.Roles {
		if role == metadata.TARGETS {
			continue
		}
		a, ok := delegationAuthority(&targets.Signed, role)
		if !ok {
			return fmt.Errorf("base %s: targets does not delegate to it", role)
		}
		if err := a.verify(role, data); err != nil {
			return fmt.Errorf("base %s: %w", role, err)
		}
	}
	return nil
}

func (c *Change) diffRole(d *Document, h handover) (*RoleDiff, error) {
	base, err := c.baseVersion(d.Role)
	if err != nil {
		return nil, err
	}
	if err := checkStep(d.Role, base, d.Version); err != nil {
		return nil, err
	}
	sum, err := payloadHash(d.Metadata)
	if err != nil {
		return nil, err
	}
	diff := &RoleDiff{Role: d.Role, Version: d.Version, SHA256: sum}
	all, err := h.authorities(d.Role, false)
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		diff.Needs = append(diff.Needs, a.need(d.Role, d.Metadata, nil))
	}
	if d.Role == metadata.ROOT {
		diff.Expires = h.newRoot.Expires
		if h.root != nil {
			diff.Was, diff.Lasted = h.root.Version, h.root.Expires
		}
		diff.Lines = allPrintable(diffRoots(h.root, h.newRoot))
	} else if err := c.diffTargets(d, diff); err != nil {
		return nil, err
	}
	if !diff.Lasted.IsZero() && diff.Expires.Sub(diff.Lasted) > policy.MaxExpires {
		return nil, fmt.Errorf("it expires only on %s: %w", diff.Expires.Format(time.DateOnly), ErrInvalid)
	}
	return diff, nil
}

func (c *Change) diffTargets(d *Document, diff *RoleDiff) error {
	next, err := parseTargets(d.Role, d.Metadata)
	if err != nil {
		return err
	}
	var was *metadata.TargetsType
	if c.Base != nil && c.Base.Roles[d.Role] != nil {
		old, err := parseTargets(d.Role, c.Base.Roles[d.Role])
		if err != nil {
			return err
		}
		was, diff.Was, diff.Lasted = &old.Signed, old.Signed.Version, old.Signed.Expires
	}
	diff.Expires = next.Signed.Expires
	diff.Lines = allPrintable(diffTargets(was, &next.Signed, c.Files))
	return nil
}

// filesNotListed warns of files that no document of the change lists: they
// would be uploaded, but nothing would vouch for them.
func (c *Change) filesNotListed() []string {
	var warnings []string
	listed := c.listing()
	for _, f := range c.Files {
		if !listed[listedFile{f.Target, f.SHA256, f.Length}] {
			warnings = append(warnings, fmt.Sprintf("no document lists %s with sha256 %s", f.Target, f.SHA256))
		}
	}
	return warnings
}

type listedFile struct {
	target, sha256 string
	length         int64
}

// listing is the set of all targets that the change's documents list.
func (c *Change) listing() map[listedFile]bool {
	all := map[listedFile]bool{}
	for _, d := range c.Documents {
		if d.Role == metadata.ROOT {
			continue
		}
		md, err := parseTargets(d.Role, d.Metadata)
		if err != nil {
			continue
		}
		for name, t := range md.Signed.Targets {
			all[listedFile{name, t.Hashes["sha256"].String(), t.Length}] = true
		}
	}
	return all
}
