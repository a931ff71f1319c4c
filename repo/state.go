// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/store"
)

// A state is the repository as it is in force, verified from root 1.
type state struct {
	empty     bool
	roots     [][]byte // root 1 and each one after it
	root      *metadata.Metadata[metadata.RootType]
	timestamp *metadata.Metadata[metadata.TimestampType]
	snapshot  *metadata.Metadata[metadata.SnapshotType]
	targets   *metadata.Metadata[metadata.TargetsType]
	roles     map[string]*metadata.Metadata[metadata.TargetsType] // what targets delegates to
	raw       map[string][]byte                                   // as published, by role
	token     string                                              // of the timestamp that is in force
	numbers   map[string]map[int64]bool                           // numbers that name an object, by role
	ahead     []byte                                              // a root in the bucket that the rest is not signed for yet
	client    *fetcher.Client
}

// load reads the live state as a client does. Expired metadata is accepted: to
// renew it is the publisher's work.
func (r *Repo) load(ctx context.Context) (*state, error) {
	s := &state{roles: map[string]*metadata.Metadata[metadata.TargetsType]{}, raw: map[string][]byte{}}
	stamp, token, err := r.store.Pointer(ctx, layout.Timestamp, layout.MaxTimestamp)
	if err != nil {
		return nil, err
	}
	s.token = token
	if err := r.listNumbers(ctx, s); err != nil {
		return nil, err
	}
	if stamp == nil {
		s.empty = true
		return s, r.checkNothingLost(ctx, s)
	}
	// The token belongs to these bytes, so the client must see the same ones.
	src := newOverlay(r.Source())
	src.staged[layout.Timestamp] = stamp
	err = r.follow(ctx, s, src, false)
	if err == nil && !bytes.Equal(s.raw[metadata.TIMESTAMP], stamp) {
		err = fmt.Errorf("the bucket has another timestamp %d than this machine has seen: %w", s.timestamp.Signed.Version, ErrPutBack)
	}
	switch {
	case err == nil:
	case errors.Is(err, ErrPutBack) || errors.Is(err, fetcher.ErrRollback):
		err = r.startMemoryAnew(ctx, s, src, err)
	case !operational(err):
		err = r.followBehindRoot(ctx, s, src, err)
	}
	if err != nil {
		return nil, err
	}
	return s, r.checkLineage(ctx, s)
}

// followBehindRoot reads a repository whose newest root is there, while the rest
// is signed for the one before: a publication was interrupted that could not have
// old keys sign, or another publisher came between. Clients refuse it; the next
// publication, even a refresh, signs for the newest root and so repairs it.
func (r *Repo) followBehindRoot(ctx context.Context, s *state, src *overlay, why error) error {
	newest := int64(1)
	for s.numbers[metadata.ROOT][newest+1] {
		newest++
	}
	data, err := r.store.Get(ctx, layout.Root(newest), layout.MaxRoot)
	if newest < 2 || err != nil {
		return why
	}
	src.hidden = layout.Root(newest)
	if err := r.follow(ctx, s, src, true); err != nil {
		return why
	}
	if _, err := verifyChain(append(slices.Clone(s.roots), data)); err != nil {
		return why
	}
	s.ahead = data
	return nil
}

// startMemoryAnew follows the operator's word that a timestamp is the one to go
// on from, although this machine has seen a newer one. What it remembers is set
// aside, not deleted: it may be wanted to restore the newer one.
func (r *Repo) startMemoryAnew(ctx context.Context, s *state, src fetcher.Source, why error) error {
	if r.opts.ContinueFrom == 0 {
		return why
	}
	if err := r.follow(ctx, s, src, true); err != nil {
		return err
	}
	if s.timestamp.Signed.Version != r.opts.ContinueFrom {
		return fmt.Errorf("the bucket has timestamp %d, not %d: %w", s.timestamp.Signed.Version, r.opts.ContinueFrom, why)
	}
	if r.opts.Work == "" {
		return nil
	}
	aside := "trust-until-" + r.opts.Now().UTC().Format("20060102T150405Z")
	err := durable.Replace(durable.OS(), filepath.Join(r.opts.Work, "trust"), filepath.Join(r.opts.Work, aside))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (r *Repo) listNumbers(ctx context.Context, s *state) error {
	s.numbers = map[string]map[int64]bool{}
	for o, err := range r.store.List(ctx, "metadata/") {
		if err != nil {
			return err
		}
		role, n, ok := layout.ParseVersioned(o.Name)
		if !ok {
			continue
		}
		if s.numbers[role] == nil {
			s.numbers[role] = map[int64]bool{}
		}
		s.numbers[role][n] = true
	}
	return nil
}

// checkNothingLost refuses to start afresh where a repository has been: the
// first snapshot is built on none, so any other one shows that there was a
// timestamp, and that it was deleted.
func (r *Repo) checkNothingLost(ctx context.Context, s *state) error {
	for n := range s.numbers[metadata.SNAPSHOT] {
		data, err := r.store.Get(ctx, layout.Versioned(metadata.SNAPSHOT, n), layout.MaxMetadata)
		if err != nil {
			return err
		}
		if base, ok := lineage(data); !ok || base > 0 {
			return fmt.Errorf("%s is missing, but the bucket holds snapshot %d: %w", layout.Timestamp, n, ErrPutBack)
		}
	}
	return nil
}

// follow walks root, timestamp, snapshot, targets and what it delegates to.
func (r *Repo) follow(ctx context.Context, s *state, src fetcher.Source, forget bool) error {
	client, err := r.newClient(ctx, forget)
	if err != nil {
		return err
	}
	if s.client, err = client(src); err != nil {
		return err
	}
	if err := s.client.Refresh(ctx); err != nil {
		return err
	}
	s.roots = s.client.Roots()
	return s.read(ctx)
}

// newClient makes clients that start from root 1, as the policy pins it. They
// remember what they have seen in the working folder, unless told to forget.
func (r *Repo) newClient(ctx context.Context, forget bool) (func(fetcher.Source) (*fetcher.Client, error), error) {
	first, err := r.store.Get(ctx, layout.Root(1), layout.MaxRoot)
	if err != nil {
		return nil, err
	}
	fingerprint, err := fetcher.Fingerprint(first)
	if err != nil {
		return nil, &fetcher.VerifyError{Role: metadata.ROOT, Version: 1, Err: err}
	}
	if fingerprint != r.policy.Root {
		return nil, &fetcher.VerifyError{Role: metadata.ROOT, Version: 1, Err: fmt.Errorf("%w: its fingerprint is %s, the policy pins %s", fetcher.ErrMismatch, fingerprint, r.policy.Root)}
	}
	opts := &fetcher.Options{Now: r.opts.Now, Logger: r.opts.Logger, UnsafeIgnoreExpiry: true, Ephemeral: forget || r.opts.Work == ""}
	dir := ""
	if !opts.Ephemeral {
		dir = filepath.Join(r.opts.Work, "trust")
	}
	return func(src fetcher.Source) (*fetcher.Client, error) { return fetcher.New(first, dir, src, opts) }, nil
}

// read parses what the client has verified.
func (s *state) read(ctx context.Context) error {
	for _, role := range topRoles {
		if err := s.readRole(ctx, role); err != nil {
			return err
		}
	}
	for name := range delegatedRoles(s.targets.Signed.Delegations) {
		if err := s.readRole(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *state) readRole(ctx context.Context, role string) error {
	data, err := s.client.Metadata(ctx, role)
	if err != nil {
		return err
	}
	md, err := parse(role, data)
	if err != nil {
		return err
	}
	s.raw[role] = data
	switch m := md.(type) {
	case *metadata.Metadata[metadata.RootType]:
		s.root = m
	case *metadata.Metadata[metadata.TimestampType]:
		s.timestamp = m
	case *metadata.Metadata[metadata.SnapshotType]:
		s.snapshot = m
	case *metadata.Metadata[metadata.TargetsType]:
		if role == metadata.TARGETS {
			s.targets = m
		} else {
			s.roles[role] = m
		}
	}
	return nil
}

// checkLineage looks for proof that a newer timestamp was in force before: a
// snapshot, signed with the present keys, that was built on a newer one.
func (r *Repo) checkLineage(ctx context.Context, s *state) error {
	live := s.snapshot.Signed.Version
	if r.opts.ContinueFrom == s.timestamp.Signed.Version {
		return nil
	}
	signers := rootAuthority(&s.root.Signed, metadata.SNAPSHOT)
	for n := range s.numbers[metadata.SNAPSHOT] {
		if n <= live {
			continue
		}
		data, err := r.store.Get(ctx, layout.Versioned(metadata.SNAPSHOT, n), layout.MaxMetadata)
		if errors.Is(err, store.ErrTooLarge) {
			continue
		}
		if err != nil {
			return err
		}
		if base, ok := lineage(data); ok && base > live && signers.verify(metadata.SNAPSHOT, data) == nil {
			return fmt.Errorf("timestamp %d names snapshot %d, but snapshot %d was built on snapshot %d: %w",
				s.timestamp.Signed.Version, live, n, base, ErrPutBack)
		}
	}
	return nil
}

// lineage reads the version of the snapshot that a snapshot was built on.
func lineage(data []byte) (int64, bool) {
	md, err := parse(metadata.SNAPSHOT, data)
	if err != nil {
		return 0, false
	}
	n, ok := md.(*metadata.Metadata[metadata.SnapshotType]).Signed.UnrecognizedFields[lineageField].(float64)
	return int64(n), ok
}

// version gives the live version of a role, 0 if there is none.
func (s *state) version(role string) int64 {
	switch {
	case s.empty:
		return 0
	case role == metadata.ROOT:
		return s.root.Signed.Version
	case role == metadata.TIMESTAMP:
		return s.timestamp.Signed.Version
	case role == metadata.SNAPSHOT:
		return s.snapshot.Signed.Version
	case role == metadata.TARGETS:
		return s.targets.Signed.Version
	case s.roles[role] != nil:
		return s.roles[role].Signed.Version
	}
	return 0
}

// expires gives the date of a role's live metadata.
func (s *state) expires(role string) time.Time {
	switch role {
	case metadata.ROOT:
		return s.root.Signed.Expires
	case metadata.TIMESTAMP:
		return s.timestamp.Signed.Expires
	case metadata.SNAPSHOT:
		return s.snapshot.Signed.Expires
	case metadata.TARGETS:
		return s.targets.Signed.Expires
	}
	if md := s.roles[role]; md != nil {
		return md.Signed.Expires
	}
	return time.Time{}
}

// next gives the number for a role's next metadata: the first one above what is
// in force, or was ever listed by snapshot, that no object has. Objects far ahead
// do not matter: anybody who can write to the bucket can put them there.
func (s *state) next(role string) int64 {
	n := s.version(role) + 1
	if role == metadata.ROOT {
		return n
	}
	if !s.empty && s.snapshot.Signed.Meta[role+".json"] != nil {
		n = max(n, s.snapshot.Signed.Meta[role+".json"].Version+1)
	}
	if n > usedUp && role != metadata.SNAPSHOT && role != metadata.TIMESTAMP {
		n = 1
	}
	return s.free(role, n)
}

func (s *state) free(role string, n int64) int64 {
	for s.numbers[role][n] {
		n++
	}
	return n
}

// handover gives what is in force, to be completed by a change.
func (s *state) handover() handover {
	if s.empty {
		return handover{}
	}
	return handover{root: &s.root.Signed, targets: &s.targets.Signed}
}

// base gives the signed metadata for a change that is built on this state; nil
// if there is none.
func (s *state) base() *Base {
	if s.empty {
		return nil
	}
	b := &Base{Roots: s.roots, Roles: map[string][]byte{metadata.TARGETS: s.raw[metadata.TARGETS]}}
	for role := range s.roles {
		b.Roles[role] = s.raw[role]
	}
	return b
}
