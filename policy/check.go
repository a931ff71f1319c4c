// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/waybill-project/waybill/keys"
)

// Violation is one way in which a repository differs from its policy.
type Violation struct {
	Role string // the role that differs
	What string
}

func (v Violation) String() string {
	if !keyName.MatchString(v.Role) {
		return fmt.Sprintf("%q: %s", v.Role, v.What) // the name comes from metadata
	}
	return v.Role + ": " + v.What
}

// Check lists every way in which metadata differs from the policy, in a fixed order:
// keys, thresholds, consistent snapshots, delegations with their paths and order. With
// nil targets only root is compared. Nil means that nothing differs. Expiry is not
// judged here, it takes a clock; the pinned fingerprint neither, it takes root 1.
func (p *Policy) Check(root *metadata.RootType, targets *metadata.TargetsType) []Violation {
	var c checker
	c.policy = p
	if root == nil {
		c.add(metadata.ROOT, "there is no root metadata")
	} else {
		c.root(root)
	}
	if targets != nil {
		c.delegations(targets.Delegations)
	}
	return c.found
}

type checker struct {
	policy *Policy
	found  []Violation
}

func (c *checker) add(role, format string, args ...any) {
	c.found = append(c.found, Violation{Role: role, What: fmt.Sprintf(format, args...)})
}

func (c *checker) root(root *metadata.RootType) {
	if !root.ConsistentSnapshot {
		c.add(metadata.ROOT, "consistent_snapshot is false, want true")
	}
	used := map[string]bool{}
	for _, name := range topLevel {
		have := root.Roles[name]
		if have == nil {
			c.add(name, "the role is missing")
			continue
		}
		c.role(c.policy.Roles[name], have.KeyIDs, have.Threshold, root.Keys, used)
	}
	for _, name := range sorted(root.Roles) {
		if !slices.Contains(topLevel, name) {
			c.add(name, "the role is not in the policy")
		}
	}
	c.unused(metadata.ROOT, root.Keys, used)
}

func (c *checker) delegations(have *metadata.Delegations) {
	if have == nil {
		have = &metadata.Delegations{}
	}
	if have.SuccinctRoles != nil {
		c.add(metadata.TARGETS, "has succinct delegations, want none")
	}
	used := map[string]bool{}
	var order []string
	for _, role := range have.Roles {
		if slices.Contains(order, role.Name) {
			c.add(role.Name, "the delegation is there twice")
		}
		order = append(order, role.Name)
		c.delegation(role, have.Keys, used)
	}
	for _, name := range delegated {
		if _, want := c.policy.Delegations[name]; want && !slices.Contains(order, name) {
			c.add(name, "the delegation is missing")
		}
	}
	first, second := slices.Index(order, RoleChannels), slices.Index(order, RoleDeltas)
	if first >= 0 && second >= 0 && first > second {
		c.add(metadata.TARGETS, "delegates to %s, want %s before %s", strings.Join(order, ", "), RoleChannels, RoleDeltas)
	}
	c.unused(metadata.TARGETS, have.Keys, used)
}

func (c *checker) delegation(have metadata.DelegatedRole, records map[string]*metadata.Key, used map[string]bool) {
	want, ok := c.policy.Delegations[have.Name]
	if !ok {
		c.add(have.Name, "the delegation is not in the policy")
		for _, id := range have.KeyIDs {
			used[id] = true
		}
		return
	}
	c.role(want, have.KeyIDs, have.Threshold, records, used)
	if paths := []string{pathsOf(have.Name)}; !slices.Equal(have.Paths, paths) {
		c.add(have.Name, "paths are %q, want %q", have.Paths, paths)
	}
	if len(have.PathHashPrefixes) != 0 {
		c.add(have.Name, "has path hash prefixes, want none")
	}
	if !have.Terminating {
		c.add(have.Name, "is not terminating, want terminating")
	}
}

// role compares keys by what they are, then their records; ids alone could hide a
// record that holds another key.
func (c *checker) role(want Role, ids []string, threshold int, records map[string]*metadata.Key, used map[string]bool) {
	if threshold != want.Threshold {
		c.add(want.Name, "threshold is %d, want %d", threshold, want.Threshold)
	}
	present := map[string]bool{}
	for _, id := range ids {
		used[id] = true
		k, known := c.policy.identify(records[id])
		switch {
		case records[id] == nil:
			c.add(want.Name, "names key %s, which is not defined", short(id))
			continue
		case known && present[k.ID]:
			c.add(want.Name, "has key %s twice", k.Name)
		case !known:
			c.add(want.Name, "has key %s, which the policy does not know", short(id))
		case !c.wants(want, k):
			c.add(want.Name, "has key %s, which the policy does not give it", named(k))
		case !sameRecord(k, id, records[id]):
			c.add(want.Name, "has key %s under another id or in another form", named(k))
		}
		present[k.ID] = true
	}
	for _, name := range want.Keys {
		if k := c.policy.Keys[name]; !present[k.ID] {
			c.add(want.Name, "lacks key %s", named(k))
		}
	}
}

func (c *checker) unused(role string, records map[string]*metadata.Key, used map[string]bool) {
	for _, id := range sorted(records) {
		if used[id] {
			continue
		}
		if k, ok := c.policy.identify(records[id]); ok {
			c.add(role, "lists key %s, which no role uses", named(k))
		} else {
			c.add(role, "lists key %s, which no role uses", short(id))
		}
	}
}

// wants compares by id, because one key may have two names in a policy.
func (c *checker) wants(role Role, k Key) bool {
	return slices.ContainsFunc(role.Keys, func(name string) bool { return c.policy.Keys[name].ID == k.ID })
}

func sameRecord(k Key, id string, record *metadata.Key) bool {
	computed, err := keys.ID(record)
	return err == nil && id == k.ID && computed == k.ID
}

func named(k Key) string { return fmt.Sprintf("%s (%s)", k.Name, short(k.ID)) }

func short(id string) string {
	if fingerprintForm.MatchString(id) {
		return id[:12]
	}
	return fmt.Sprintf("%.32q", id)
}
