// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/keys"
)

// live reads what is in force.
func (w *world) live(r *Repo) *state {
	w.t.Helper()
	s, err := r.load(ctx)
	w.must(err)
	return s
}

// craft makes a change of one document, as anybody can who writes change files.
func craft(live *state, role string, version int64, data []byte) *Change {
	return &Change{Schema: 1, Created: epoch, Title: "renew " + role, Base: live.base(), Documents: []Document{{role, version, data}}}
}

func (w *world) craftRoot(live *state, edit func(*metadata.RootType)) *Change {
	w.t.Helper()
	md, err := parseRoot(live.raw[metadata.ROOT])
	w.must(err)
	md.Signed.Version++
	edit(&md.Signed)
	data, err := encode(md)
	w.must(err)
	return craft(live, metadata.ROOT, md.Signed.Version, data)
}

func (w *world) craftTargets(live *state, role string, edit func(*metadata.TargetsType)) *Change {
	w.t.Helper()
	md, err := parseTargets(role, live.raw[role])
	w.must(err)
	md.Signed.Version++
	edit(&md.Signed)
	data, err := encode(md)
	w.must(err)
	return craft(live, role, md.Signed.Version, data)
}

// record gives a key as metadata lists it.
func (w *world) record(name string) *metadata.Key {
	w.t.Helper()
	k, err := keys.Record(w.key(name).Public())
	w.must(err)
	return k
}

func targetFile(content string, custom json.RawMessage) *metadata.TargetFiles {
	t := metadata.TargetFile()
	sum, _ := hex.DecodeString(hexHash([]byte(content)))
	t.Length, t.Hashes = int64(len(content)), metadata.Hashes{"sha256": sum}
	if custom != nil {
		t.Custom = &custom
	}
	return t
}

// refuses reads a change as a file and wants that to fail for the reason given.
func (w *world) refuses(t *testing.T, c *Change, why string) {
	t.Helper()
	data, err := json.Marshal(c)
	w.must(err)
	if _, err = ParseChange(data); err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("got %v, want %q", err, why)
	}
}

const (
	foreignID     = "stands under an id that is not its own"
	unknownMember = `a member that changes do not have: "evil"`
)

var evil = map[string]any{"evil": 1}

func TestAttackerHidesSomethingInARootAndItIsNotRead(t *testing.T) {
	w := newWorld(t)
	live := w.live(w.initialise())
	tests := []struct {
		name     string
		edit     func(*metadata.RootType)
		old, new string // in the text
		why      string
	}{
		{name: "another key under the id of the release key", why: foreignID, edit: func(r *metadata.RootType) {
			r.Keys[w.id("release")] = w.record("mallory")
		}},
		{name: "another key under the id of a holder", why: foreignID, edit: func(r *metadata.RootType) {
			r.Keys[w.id("carol")] = w.record("mallory")
		}},
		{name: "one key under two ids", why: foreignID, edit: func(r *metadata.RootType) {
			r.Keys[w.id("mallory")] = w.record("alice")
			r.Roles["root"].KeyIDs = append(r.Roles["root"].KeyIDs, w.id("mallory"))
		}},
		{name: "a key that nothing uses yet", why: foreignID, edit: func(r *metadata.RootType) {
			r.Keys[strings.Repeat("0", 64)] = w.record("mallory")
		}},
		{name: "a role that TUF does not have", why: `"mirrors"`, edit: func(r *metadata.RootType) {
			r.Roles["mirrors"] = &metadata.Role{KeyIDs: []string{w.id("alice")}, Threshold: 1}
		}},
		{name: "a field beside the known ones", why: unknownMember, edit: func(r *metadata.RootType) { r.UnrecognizedFields = evil }},
		{name: "a field in a role", why: unknownMember, edit: func(r *metadata.RootType) { r.Roles["root"].UnrecognizedFields = evil }},
		{name: "a field in a key", why: unknownMember, edit: func(r *metadata.RootType) { r.Keys[w.id("bob")].UnrecognizedFields = evil }},
		{name: "a field in a key's value", why: unknownMember, edit: func(r *metadata.RootType) { r.Keys[w.id("bob")].Value.UnrecognizedFields = evil }},
		{name: "names without hashes", why: "consistent_snapshot is off", edit: func(r *metadata.RootType) { r.ConsistentSnapshot = false }},
		{name: "another specification", why: "spec_version", edit: func(r *metadata.RootType) { r.SpecVersion = "9.9" }},
		{name: "900 years", why: "it expires only on", edit: func(r *metadata.RootType) { r.Expires = r.Expires.AddDate(900, 0, 0) }},
		{name: "a member twice", why: "version", old: `"version":2`, new: `"version":7,"version":2`},
		{name: "a member in capitals", why: `"KEYIDS"`, old: `"targets":{"keyids":[`, new: `"targets":{"keyids":["` + w.id("mallory") + `"],"KEYIDS":[`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := w.craftRoot(live, func(r *metadata.RootType) {
				if test.edit != nil {
					test.edit(r)
				}
			})
			if test.old != "" {
				c.Documents[0].Metadata = swap(c.Documents[0].Metadata, test.old, test.new)
			}
			w.refuses(t, c, test.why)
		})
	}
	w.copyOf(w.craftRoot(live, func(*metadata.RootType) {})) // without an attack it is read
}

// The dates of a change file are the attacker's own, so they prove nothing.
func TestAttackerDatesAChangeAheadAndItsLongLifeIsNotAccepted(t *testing.T) {
	w := newWorld(t)
	live := w.live(w.initialise())
	c := w.craftRoot(live, func(r *metadata.RootType) { r.Expires = r.Expires.AddDate(900, 0, 0) })
	c.Created = c.Created.AddDate(900, 0, 0)
	data, err := json.Marshal(c)
	w.must(err)
	read, err := ParseChange(data)
	if err == nil {
		_, err = read.Inspect(&Anchor{Version: 1, Fingerprint: w.pin})
	}
	if err == nil {
		t.Error("a root that lasts 900 years is put before the holders, since the file says that it was made then")
	}
}

func TestAttackerHidesSomethingInTargetsAndItIsNotRead(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	live := w.live(r)
	const app, document = "app/1.0.0/linux-amd64/app", "app/channels/stable/linux-amd64.json"
	identity := live.targets.Signed.Targets[app].Custom
	const notPolicy = "is not one that a policy makes"
	tests := []struct {
		name, role string
		edit       func(*metadata.TargetsType)
		why        string
	}{
		{"bins for whatever targets does not list", "targets", func(m *metadata.TargetsType) {
			m.Delegations.Roles = nil
			m.Delegations.Keys[w.id("mallory")] = w.record("mallory")
			m.Delegations.SuccinctRoles = &metadata.SuccinctRoles{KeyIDs: []string{w.id("mallory")}, Threshold: 1, BitLength: 1, NamePrefix: "bin"}
		}, `"succinct_roles"`},
		{"a delegation by hash prefix", "targets", func(m *metadata.TargetsType) {
			m.Delegations.Roles[1].Paths, m.Delegations.Roles[1].PathHashPrefixes = nil, []string{"0", "1"}
		}, `"path_hash_prefixes"`},
		{"a delegation to a role of its own", "targets", func(m *metadata.TargetsType) { m.Delegations.Roles[1].Name = "extras" }, notPolicy},
		{"a delegation of all names", "targets", func(m *metadata.TargetsType) { m.Delegations.Roles[0].Paths = []string{"*/*/*/*"} }, notPolicy},
		{"a name more", "targets", func(m *metadata.TargetsType) {
			m.Delegations.Roles[0].Paths = append(m.Delegations.Roles[0].Paths, "app/1.0.0/*/*")
		}, notPolicy},
		{"a delegation that lets the search go on", "targets", func(m *metadata.TargetsType) { m.Delegations.Roles[0].Terminating = false }, notPolicy},
		{"delegations in another order", "targets", func(m *metadata.TargetsType) {
			m.Delegations.Roles[0], m.Delegations.Roles[1] = m.Delegations.Roles[1], m.Delegations.Roles[0]
		}, notPolicy},
		{"a delegation twice", "targets", func(m *metadata.TargetsType) { m.Delegations.Roles[1] = m.Delegations.Roles[0] }, "channels"},
		{"another key under the id of a delegated one", "targets", func(m *metadata.TargetsType) {
			m.Delegations.Keys[w.id("online")] = w.record("mallory")
		}, foreignID},
		{"a field in a target", "targets", func(m *metadata.TargetsType) { m.Targets[app].UnrecognizedFields = evil }, unknownMember},
		{"a field in the delegations", "targets", func(m *metadata.TargetsType) { m.Delegations.UnrecognizedFields = evil }, unknownMember},
		{"a field in a delegation", "targets", func(m *metadata.TargetsType) { m.Delegations.Roles[0].UnrecognizedFields = evil }, unknownMember},
		{"a field in a delegated key", "targets", func(m *metadata.TargetsType) {
			m.Delegations.Keys[w.id("online")].UnrecognizedFields = evil
		}, unknownMember},
		{"a hash of another kind", "targets", func(m *metadata.TargetsType) { m.Targets[app].Hashes["sha512"] = make([]byte, 64) }, `"sha512"`},
		{"a name that leaves the folder", "targets", func(m *metadata.TargetsType) { m.Targets["app/../../x"] = m.Targets[app] }, "app/../../x"},
		{"another specification", "targets", func(m *metadata.TargetsType) { m.SpecVersion = "9.9" }, "spec_version"},
		{"900 years", "targets", func(m *metadata.TargetsType) { m.Expires = m.Expires.AddDate(900, 0, 0) }, "it expires only on"},
		{"an identity where online keys sign", "deltas", func(m *metadata.TargetsType) {
			m.Targets["app/deltas/linux-amd64/app"] = targetFile("evil", *identity)
		}, "has custom data"},
		{"software where online keys sign", "channels", func(m *metadata.TargetsType) { m.Targets[app] = targetFile("evil", nil) }, "is not delegated to it"},
		{"the standing where online keys sign", "channels", func(m *metadata.TargetsType) {
			m.Targets["app/standing.json"] = m.Targets[document]
		}, "is not delegated to it"},
		{"a delegation where online keys sign", "channels", func(m *metadata.TargetsType) { m.Delegations = live.targets.Signed.Delegations }, "it delegates further"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { w.refuses(t, w.craftTargets(live, test.role, test.edit), test.why) })
	}
	for _, role := range []string{"targets", "channels", "deltas"} {
		w.copyOf(w.craftTargets(live, role, func(*metadata.TargetsType) {}))
	}
}
