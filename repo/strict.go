// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/keys"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo/layout"
)

// A change is ours and nobody else's: it holds exactly what this package writes.
// Whatever else TUF allows is refused, so that nothing can be signed that the
// diff does not show: a key under a foreign id, fields at any depth that nobody
// knows, delegations in other forms, hashes of other kinds.

// maxStep bounds how far a version may run ahead of its base: numbers are skipped
// only for objects that unfinished publications have left.
const maxStep = 1000

// usedUp is the version above which a role counts as driven up by a thief of its
// key: nobody publishes that often. Its numbers start anew with the next root that
// replaces the keys of snapshot or timestamp, as clients forget what they saw then
// (TUF specification 5.3.11); without one, they refuse it.
const usedUp = 1 << 32

func (d *Document) check(created time.Time) error {
	if d.Role != metadata.ROOT && d.Role != metadata.TARGETS && d.Role != policy.RoleChannels && d.Role != policy.RoleDeltas {
		return fmt.Errorf("a change cannot hold role %q", d.Role)
	}
	if err := fetcher.CheckMetadata(d.Role, d.Metadata); err != nil {
		return err
	}
	if err := checkShape(d.Metadata); err != nil {
		return err
	}
	md, err := parse(d.Role, d.Metadata)
	if err != nil {
		return err
	}
	var version int64
	var expires time.Time
	switch m := md.(type) {
	case *metadata.Metadata[metadata.RootType]:
		version, expires = m.Signed.Version, m.Signed.Expires
		err = checkRoot(&m.Signed)
	case *metadata.Metadata[metadata.TargetsType]:
		version, expires = m.Signed.Version, m.Signed.Expires
		err = checkTargets(d.Role, &m.Signed)
	}
	switch {
	case err != nil:
		return err
	case version != d.Version:
		return fmt.Errorf("version %d holds version %d", d.Version, version)
	case expires.Sub(created) > policy.MaxExpires:
		return fmt.Errorf("it expires only on %s", expires.Format(time.DateOnly))
	}
	return nil
}

// shape lists the members that a JSON object may have; "*" stands for any name.
type shape map[string]shape

var (
	roleShape   = shape{"keyids": nil, "threshold": nil}
	keysShape   = shape{"*": {"keytype": nil, "scheme": nil, "keyval": {"public": nil}}}
	signedShape = shape{
		"_type": nil, "spec_version": nil, "version": nil, "expires": nil,
		"consistent_snapshot": nil, "keys": keysShape,
		"roles":       {"root": roleShape, "targets": roleShape, "snapshot": roleShape, "timestamp": roleShape},
		"targets":     {"*": {"length": nil, "hashes": {"sha256": nil}, "custom": nil}},
		"delegations": {"keys": keysShape, "roles": {"name": nil, "keyids": nil, "threshold": nil, "paths": nil, "terminating": nil}},
	}
)

func checkShape(data []byte) error {
	e, err := openEnvelope(data)
	if err != nil {
		return err
	}
	var signed any
	if err := json.Unmarshal(e.Signed, &signed); err != nil {
		return err
	}
	return signedShape.check(signed)
}

// check walks a value; lists are transparent.
func (s shape) check(value any) error {
	if s == nil {
		return nil
	}
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			if err := s.check(item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, name := range sortedKeys(v) {
			below, known := s[name]
			if !known {
				below, known = s["*"]
			}
			if !known {
				return fmt.Errorf("a member that changes do not have: %q", name)
			}
			if err := below.check(v[name]); err != nil {
				return fmt.Errorf("%q: %w", name, err)
			}
		}
	}
	return nil
}

func checkRoot(root *metadata.RootType) error {
	if !root.ConsistentSnapshot {
		return errors.New("consistent_snapshot is off")
	}
	return checkKeys(root.Keys)
}

func checkTargets(role string, t *metadata.TargetsType) error {
	if role != metadata.TARGETS {
		return checkDelegated(role, t)
	}
	for name := range t.Targets {
		if err := layout.CheckName(name); err != nil {
			return err
		}
	}
	if t.Delegations == nil {
		return nil
	}
	want := []struct{ name, path string }{{policy.RoleChannels, policy.PathsChannels}, {policy.RoleDeltas, policy.PathsDeltas}}
	at := 0
	for _, r := range t.Delegations.Roles {
		for at < len(want) && want[at].name != r.Name {
			at++
		}
		if at == len(want) || !slices.Equal(r.Paths, []string{want[at].path}) || !r.Terminating {
			return fmt.Errorf("delegation %q is not one that a policy makes", r.Name)
		}
		at++
	}
	return checkKeys(t.Delegations.Keys)
}

// checkDelegated holds a role with online keys to documents and patches: names
// that are delegated to it, and no identity that could make software of them.
func checkDelegated(role string, t *metadata.TargetsType) error {
	if t.Delegations != nil {
		return errors.New("it delegates further")
	}
	for name, file := range t.Targets {
		if err := checkDelegatedTarget(role, name, file); err != nil {
			return err
		}
	}
	return nil
}

func checkDelegatedTarget(role, name string, file *metadata.TargetFiles) error {
	paths := policy.PathsChannels
	if role == policy.RoleDeltas {
		paths = policy.PathsDeltas
	}
	switch {
	case !matches([]string{paths}, name):
		return fmt.Errorf("%s is not delegated to it", name)
	case file.Custom != nil:
		return fmt.Errorf("%s has custom data", name)
	}
	return layout.CheckName(name)
}

// checkKeys holds each id against its record: clients need not, so a record under
// the id of another key would be followed without being seen.
func checkKeys(all map[string]*metadata.Key) error {
	for id, record := range all {
		public, err := record.ToPublicKey()
		if err != nil {
			return fmt.Errorf("key %s: %w", keyName(id, nil), err)
		}
		want, err := keys.Record(public)
		if err != nil {
			return fmt.Errorf("key %s: %w", keyName(id, nil), err)
		}
		wantID, err := keys.ID(want)
		if err != nil {
			return err
		}
		if id != wantID || !sameKey(record, want) {
			return fmt.Errorf("key %s stands under an id that is not its own, which is %s", keyName(id, nil), wantID)
		}
	}
	return nil
}

func sameKey(a, b *metadata.Key) bool {
	return a != nil && b != nil && a.Type == b.Type && a.Scheme == b.Scheme && reflect.DeepEqual(a.Value.PublicKey, b.Value.PublicKey)
}

// checkStep holds a document's version against that of its base.
func checkStep(role string, base, version int64) error {
	switch {
	case role == metadata.ROOT && version != base+1:
		return fmt.Errorf("root %d cannot follow root %d: %w", version, base, ErrInvalid)
	case base > usedUp && version <= maxStep && role != metadata.ROOT:
		return nil
	case version <= base || version > base+maxStep:
		return fmt.Errorf("%s %d cannot follow %s %d: %w", role, version, role, base, ErrInvalid)
	}
	return nil
}
