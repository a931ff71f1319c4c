// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// follow makes metadata as the policy wants it.
func follow(p *Policy) (*metadata.RootType, *metadata.TargetsType) {
	root, targets := &metadata.Root().Signed, &metadata.Targets().Signed
	root.Keys, root.Roles = p.RootRoles()
	targets.Delegations = p.TargetsDelegations()
	return root, targets
}

func allUses(p *Policy) map[string]string {
	uses := map[string]string{}
	for name := range p.Keys {
		uses[name] = strings.Join(p.Uses(name), " ")
	}
	return uses
}

func TestBuild(t *testing.T) {
	p := good(t)
	root, targets := follow(p)
	if len(root.Keys) != 5 || len(root.Roles) != 4 {
		t.Errorf("%d keys, %d roles", len(root.Keys), len(root.Roles))
	}
	if got, want := root.Roles["root"].KeyIDs, []string{p.Keys["alice"].ID, p.Keys["bob"].ID, p.Keys["carol"].ID}; !slices.Equal(got, want) {
		t.Errorf("root keys %v, want %v", got, want)
	}
	if _, used := root.Keys[p.Keys["old-alice"].ID]; used {
		t.Error("a key without a role is in root")
	}
	want := fmt.Sprintf("[{channels [%[1]s] 1 true [] [*/channels/*/*] map[]} {deltas [%[1]s] 1 true [] [*/deltas/*/*] map[]}]", p.Keys["online"].ID)
	if got := fmt.Sprint(targets.Delegations.Roles); got != want {
		t.Errorf("delegations %s, want %s", got, want)
	}
	root.Keys[p.Keys["bob"].ID].Scheme = "changed"
	if p.Keys["bob"].Record.Scheme != "ed25519" {
		t.Error("the policy changed with the metadata")
	}
	delete(p.Delegations, RoleChannels)
	if d := p.TargetsDelegations(); len(d.Roles) != 1 || d.Roles[0].Name != RoleDeltas {
		t.Errorf("deltas alone: %+v", d)
	}
	delete(p.Delegations, RoleDeltas)
	if d := p.TargetsDelegations(); d != nil {
		t.Errorf("no delegations: %+v", d)
	}
}

func TestUses(t *testing.T) {
	p := good(t)
	for name, want := range map[string]string{
		"alice": "root", "release": "targets", "online": "snapshot timestamp channels deltas", "old-alice": "", "nobody": "",
	} {
		if got := strings.Join(p.Uses(name), " "); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// change is one way in which live metadata may differ; says is what Check must answer.
type change struct {
	edit func(p *Policy, root *metadata.RootType, targets *metadata.TargetsType)
	says []string
}

func TestCheckRoot(t *testing.T) {
	for name, c := range map[string]change{
		"nothing": {func(*Policy, *metadata.RootType, *metadata.TargetsType) {}, nil},
		"consistent_snapshot": {func(_ *Policy, r *metadata.RootType, _ *metadata.TargetsType) { r.ConsistentSnapshot = false },
			[]string{"root: consistent_snapshot is false, want true"}},
		"threshold": {func(_ *Policy, r *metadata.RootType, _ *metadata.TargetsType) { r.Roles["root"].Threshold = 1 },
			[]string{"root: threshold is 1, want 2"}},
		"order of keys": {func(_ *Policy, r *metadata.RootType, _ *metadata.TargetsType) { slices.Reverse(r.Roles["root"].KeyIDs) }, nil},
		"lost key": {func(_ *Policy, r *metadata.RootType, _ *metadata.TargetsType) {
			r.Roles["root"].KeyIDs = r.Roles["root"].KeyIDs[1:]
		}, []string{"root: lacks key alice (", "root: lists key alice ("}},
		"old key": {func(p *Policy, r *metadata.RootType, _ *metadata.TargetsType) {
			k := p.Keys["old-alice"]
			r.Keys[k.ID] = k.Record
			r.Roles["root"].KeyIDs[0] = k.ID
			delete(r.Keys, p.Keys["alice"].ID)
		}, []string{"root: has key old-alice (748a031656dc), which the policy does not give it", "root: lacks key alice ("}},
		"stranger": {func(p *Policy, r *metadata.RootType, _ *metadata.TargetsType) {
			delete(p.Keys, "release")
			p.Roles["targets"] = Role{Name: "targets", Keys: []string{"bob"}, Threshold: 1}
		}, []string{"targets: has key eff91b0f439c, which the policy does not know", "targets: lacks key bob ("}},
		"key twice": {func(_ *Policy, r *metadata.RootType, _ *metadata.TargetsType) {
			ids := r.Roles["root"].KeyIDs
			r.Roles["root"].KeyIDs = append(ids, ids[0])
		}, []string{"root: has key alice twice"}},
		"undefined key": {func(_ *Policy, r *metadata.RootType, _ *metadata.TargetsType) {
			r.Roles["snapshot"].KeyIDs = append(r.Roles["snapshot"].KeyIDs, "\x1b[2J")
		}, []string{`snapshot: names key "\x1b[2J", which is not defined`}},
		"null key": {func(p *Policy, r *metadata.RootType, _ *metadata.TargetsType) { r.Keys[p.Keys["release"].ID] = nil },
			[]string{"targets: names key", "targets: lacks key release ("}},
		"id of another key": {func(p *Policy, r *metadata.RootType, _ *metadata.TargetsType) {
			r.Keys[p.Keys["release"].ID] = p.Keys["bob"].Record
		}, []string{"targets: has key bob (", "targets: lacks key release ("}},
		"other record": {func(p *Policy, r *metadata.RootType, _ *metadata.TargetsType) {
			r.Keys[p.Keys["release"].ID].Scheme = "ecdsa-sha2-nistp384"
		}, []string{"targets: has key release ("}},
		"unsupported key": {func(p *Policy, r *metadata.RootType, _ *metadata.TargetsType) {
			r.Keys[p.Keys["release"].ID] = p384Record(t)
		}, []string{"targets: has key", "targets: lacks key release ("}},
		"unused key": {func(p *Policy, r *metadata.RootType, _ *metadata.TargetsType) {
			r.Keys[p.Keys["old-alice"].ID] = p.Keys["old-alice"].Record
			r.Keys["ff"] = p384Record(t)
		}, []string{"root: lists key old-alice (748a031656dc), which no role uses", `root: lists key "ff", which no role uses`}},
		"lost role": {func(p *Policy, r *metadata.RootType, _ *metadata.TargetsType) {
			delete(r.Roles, "targets")
			delete(r.Keys, p.Keys["release"].ID)
		}, []string{"targets: the role is missing"}},
		"null role": {func(p *Policy, r *metadata.RootType, _ *metadata.TargetsType) {
			r.Roles["targets"] = nil
			delete(r.Keys, p.Keys["release"].ID)
		}, []string{"targets: the role is missing"}},
		"strange role": {func(_ *Policy, r *metadata.RootType, _ *metadata.TargetsType) { r.Roles["\x1b"] = &metadata.Role{} },
			[]string{`"\x1b": the role is not in the policy`}},
	} {
		compare(t, name, c)
	}
}

func TestCheckDelegations(t *testing.T) {
	for name, c := range map[string]change{
		"none": {func(_ *Policy, _ *metadata.RootType, d *metadata.TargetsType) { d.Delegations = nil },
			[]string{"channels: the delegation is missing", "deltas: the delegation is missing"}},
		"order": {func(_ *Policy, _ *metadata.RootType, d *metadata.TargetsType) { slices.Reverse(d.Delegations.Roles) },
			[]string{"targets: delegates to deltas, channels, want channels before deltas"}},
		"paths": {func(_ *Policy, _ *metadata.RootType, d *metadata.TargetsType) {
			d.Delegations.Roles[0].Paths = []string{"*"}
		}, []string{`channels: paths are ["*"], want ["*/channels/*/*"]`}},
		"more paths": {func(_ *Policy, _ *metadata.RootType, d *metadata.TargetsType) {
			d.Delegations.Roles[1].Paths = append(d.Delegations.Roles[1].Paths, "*/*/*/*")
		}, []string{`deltas: paths are ["*/deltas/*/*" "*/*/*/*"], want ["*/deltas/*/*"]`}},
		"hash prefixes": {func(_ *Policy, _ *metadata.RootType, d *metadata.TargetsType) {
			d.Delegations.Roles[1].PathHashPrefixes = []string{"00"}
		}, []string{"deltas: has path hash prefixes, want none"}},
		"not terminating": {func(_ *Policy, _ *metadata.RootType, d *metadata.TargetsType) {
			d.Delegations.Roles[0].Terminating = false
		},
			[]string{"channels: is not terminating, want terminating"}},
		"threshold": {func(_ *Policy, _ *metadata.RootType, d *metadata.TargetsType) { d.Delegations.Roles[0].Threshold = 0 },
			[]string{"channels: threshold is 0, want 1"}},
		"one more": {func(p *Policy, _ *metadata.RootType, d *metadata.TargetsType) {
			d.Delegations.Roles = append(d.Delegations.Roles, metadata.DelegatedRole{Name: "evil"})
		}, []string{"evil: the delegation is not in the policy"}},
		"twice": {func(p *Policy, _ *metadata.RootType, d *metadata.TargetsType) {
			d.Delegations.Roles = append(d.Delegations.Roles, d.Delegations.Roles[1])
		}, []string{"deltas: the delegation is there twice"}},
		"unasked": {func(p *Policy, _ *metadata.RootType, d *metadata.TargetsType) { p.Delegations = nil },
			[]string{"channels: the delegation is not in the policy", "deltas: the delegation is not in the policy"}},
		"succinct": {func(p *Policy, _ *metadata.RootType, d *metadata.TargetsType) {
			d.Delegations.SuccinctRoles = &metadata.SuccinctRoles{}
		}, []string{"targets: has succinct delegations, want none"}},
		"unused key": {func(p *Policy, _ *metadata.RootType, d *metadata.TargetsType) {
			d.Delegations.Keys[p.Keys["bob"].ID] = p.Keys["bob"].Record
		}, []string{"targets: lists key bob ("}},
		"other key": {func(p *Policy, _ *metadata.RootType, d *metadata.TargetsType) {
			d.Delegations.Roles[0].KeyIDs = []string{p.Keys["bob"].ID}
			d.Delegations.Keys[p.Keys["bob"].ID] = p.Keys["bob"].Record
		}, []string{"channels: has key bob (", "channels: lacks key online ("}},
	} {
		compare(t, name, c)
	}
	p := good(t)
	root, _ := follow(p)
	if v := p.Check(root, nil); v != nil {
		t.Errorf("root alone: %v", v)
	}
	if v := p.Check(nil, nil); len(v) != 1 {
		t.Errorf("nothing at all: %v", v)
	}
}

func compare(t *testing.T, name string, c change) {
	t.Helper()
	p := good(t)
	root, targets := follow(p)
	c.edit(p, root, targets)
	got := p.Check(root, targets)
	ok := len(got) == len(c.says)
	for i := range got {
		ok = ok && strings.HasPrefix(got[i].String(), c.says[i])
	}
	if !ok {
		t.Errorf("%s: %q, want %q", name, got, c.says)
	}
}

func p384Record(t *testing.T) *metadata.Key {
	t.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	record, err := metadata.KeyFromPublicKey(priv.Public())
	if err != nil {
		t.Fatal(err)
	}
	return record
}

// The patterns must part targets as the design of names means them to.
func TestPaths(t *testing.T) {
	d := good(t).TargetsDelegations()
	for target, want := range map[string]string{
		"app/channels/stable/linux-amd64.json":    "channels",
		"app/deltas/linux-amd64/aaaa-bbbb.bsdiff": "deltas",
		"app/1.4.2/linux-amd64/app":               "",
		"app/standing.json":                       "",
		"app/channels/stable/x/y.json":            "",
		"x/app/channels/stable/y.json":            "",
		"app/channels/stable":                     "",
	} {
		var names []string
		for _, r := range d.GetRolesForTarget(target) {
			names = append(names, r.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: %q, want %q", target, got, want)
		}
	}
}
