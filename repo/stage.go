// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"fmt"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// ApplyPolicy puts into the draft whatever the policy asks for and the
// repository does not have: root 1 and empty roles at first, later keys,
// thresholds and delegations that differ. Root and targets are also renewed
// when less than a third of their lifetime is left.
func (d *Draft) ApplyPolicy() error {
	if d.root == nil {
		d.first()
		return nil
	}
	d.applyRoot()
	d.applyDelegations()
	for _, role := range []string{metadata.ROOT, metadata.TARGETS} {
		if d.runsOut(role) && d.repo.policy.Roles[role].Expires > 0 {
			d.renew[role] = true
			d.title("renew " + role)
		}
	}
	return nil
}

func (d *Draft) title(t string) {
	if !slices.Contains(d.titles, t) {
		d.titles = append(d.titles, t)
	}
}

func (d *Draft) first() {
	root := metadata.Root()
	d.root = &root.Signed
	d.root.Keys, d.root.Roles = d.repo.policy.RootRoles()
	d.targets = d.newTargets()
	d.targets.Delegations = d.repo.policy.TargetsDelegations()
	for name := range delegatedRoles(d.targets.Delegations) {
		d.roles[name] = d.newTargets()
	}
	d.title("first root")
}

func (d *Draft) newTargets() *metadata.TargetsType {
	return &metadata.Targets().Signed
}

// applyRoot makes the next root if keys or thresholds differ, and has the roles
// signed again whose keys change.
func (d *Draft) applyRoot() {
	was := *d.root
	keys, roles := d.repo.policy.RootRoles()
	next := was
	next.Keys, next.Roles = keys, roles
	for _, role := range topRoles {
		if rootAuthority(&was, role).same(rootAuthority(&next, role)) {
			continue
		}
		d.root = &next
		d.title(fmt.Sprintf("new %s keys", role))
		if role == metadata.TARGETS {
			d.renew[role] = true
		}
	}
}

// applyDelegations takes over the delegations of the policy and has roles signed
// again whose keys change. If the names that are delegated change, targets move
// to the role that they belong to.
func (d *Draft) applyDelegations() {
	old, want := d.targets.Delegations, d.repo.policy.TargetsDelegations()
	if len(diffDelegations(old, want)) == 0 {
		return
	}
	d.targets.Delegations = want
	d.title("new delegations")
	for name := range delegatedRoles(want) {
		switch {
		case d.roles[name] == nil:
			d.roles[name] = d.newTargets()
		case !delegatedAuthority(old, name).same(delegatedAuthority(want, name)):
			d.renew[name] = true
		}
	}
	if !samePaths(old, want) {
		d.moveTargets(delegatedRoles(old))
	}
}

func samePaths(a, b *metadata.Delegations) bool {
	x, y := delegatedRoles(a), delegatedRoles(b)
	if len(x) != len(y) {
		return false
	}
	for name, role := range x {
		if y[name] == nil || !slices.Equal(role.Paths, y[name].Paths) {
			return false
		}
	}
	return true
}

// moveTargets puts each target into the role that its name is delegated to now.
// Of a delegated role it takes only what was delegated to it, and nothing over an
// entry of targets: whoever holds an online key can list any name there, which
// clients do not look at, and must not get it signed by the release key.
func (d *Draft) moveTargets(old map[string]*metadata.DelegatedRole) {
	all := d.targets.Targets
	d.targets.Targets = map[string]*metadata.TargetFiles{}
	keep := delegatedRoles(d.targets.Delegations)
	for _, name := range sortedKeys(d.roles) {
		for target, t := range d.roles[name].Targets {
			if all[target] == nil && t.Custom == nil && old[name] != nil && matches(old[name].Paths, target) {
				all[target] = t
			}
		}
		d.roles[name].Targets = map[string]*metadata.TargetFiles{}
		if keep[name] == nil {
			delete(d.roles, name)
		}
	}
	for name, t := range all {
		_, into := d.holder(name)
		into.Targets[name] = t
	}
}

// runsOut tells whether less than a third of a role's lifetime is left.
func (d *Draft) runsOut(role string) bool {
	if d.live.empty {
		return false
	}
	lifetime, err := d.repo.lifetime(role)
	return err == nil && almostOver(d.live.expires(role), d.repo.opts.Now(), lifetime)
}

func almostOver(expires, now time.Time, lifetime time.Duration) bool {
	return expires.Sub(now) < lifetime/3
}
