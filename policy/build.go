// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"slices"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/waybill-project/waybill/keys"
)

// RootRoles returns what root metadata that follows the policy has as keys and roles:
// the four top-level roles, and the keys that they use. The caller may change them.
func (p *Policy) RootRoles() (keys map[string]*metadata.Key, roles map[string]*metadata.Role) {
	keys = map[string]*metadata.Key{}
	roles = map[string]*metadata.Role{}
	for _, name := range topLevel {
		role := p.Roles[name]
		roles[name] = &metadata.Role{KeyIDs: p.use(keys, role), Threshold: role.Threshold}
	}
	return keys, roles
}

// TargetsDelegations returns the delegations of targets metadata that follows the
// policy, channels before deltas; nil if it asks for none. Both are terminating, so
// nothing that a later delegation says about their paths is ever asked for.
func (p *Policy) TargetsDelegations() *metadata.Delegations {
	if len(p.Delegations) == 0 {
		return nil
	}
	d := &metadata.Delegations{Keys: map[string]*metadata.Key{}}
	for _, name := range delegated {
		role, ok := p.Delegations[name]
		if !ok {
			continue
		}
		d.Roles = append(d.Roles, metadata.DelegatedRole{
			Name: name, KeyIDs: p.use(d.Keys, role), Threshold: role.Threshold,
			Terminating: true, Paths: []string{pathsOf(name)},
		})
	}
	return d
}

func pathsOf(role string) string {
	if role == RoleChannels {
		return PathsChannels
	}
	return PathsDeltas
}

// use adds the keys of a role to into and returns their ids.
func (p *Policy) use(into map[string]*metadata.Key, role Role) []string {
	ids := make([]string, 0, len(role.Keys))
	for _, name := range role.Keys {
		k := p.Keys[name]
		record := *k.Record
		into[k.ID] = &record
		ids = append(ids, k.ID)
	}
	return ids
}

// Uses tells in which roles the key of this name is, in the order root, targets,
// snapshot, timestamp, channels, deltas.
func (p *Policy) Uses(key string) []string {
	var roles []string
	for _, name := range slices.Concat(topLevel, delegated) {
		role, ok := p.Roles[name]
		if !ok {
			role = p.Delegations[name]
		}
		if slices.Contains(role.Keys, key) {
			roles = append(roles, name)
		}
	}
	return roles
}

// identify returns the policy's key that a record of metadata holds, whatever id it
// goes by there.
func (p *Policy) identify(record *metadata.Key) (Key, bool) {
	if record == nil {
		return Key{}, false
	}
	pub, err := record.ToPublicKey()
	if err != nil {
		return Key{}, false
	}
	own, err := keys.Record(pub)
	if err != nil {
		return Key{}, false
	}
	id, err := keys.ID(own)
	if err != nil {
		return Key{}, false
	}
	return p.KeyByID(id)
}
