// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-project/waybill/conformance"
)

// metadata returns the metadata files as they are now.
func (m *maker) metadata() map[string][]byte {
	out := maps.Clone(m.files)
	maps.DeleteFunc(out, func(path string, _ []byte) bool { return !strings.HasPrefix(path, "metadata/") })
	return out
}

// rollback are attempts to lead a client back, or to parts of different states.
func rollback() family {
	f := family{"rollback", []recipe{
		{"timestamp_rolled_back", "A timestamp older than the stored one is refused.", "TUF 5.4.3; suite new_timestamp_version_rollback; go-tuf CVE-2022-29173", func(m *maker) {
			old := m.files["metadata/timestamp.json"]
			m.stamp()
			m.ok()
			m.files["metadata/timestamp.json"] = old
			m.stale(conformance.Rollback)
		}},
		{"root_rolled_back", "A root with a version below the one in its name is refused.", "TUF 5.3.5", func(m *maker) {
			m.ok()
			m.publish("root")
			m.ok()
			m.files["metadata/3.root.json"] = m.files["metadata/1.root.json"]
			m.stale("rollback|mismatch")
		}},
		{"root_repeated", "A root with the version of the trusted one is refused.", "TUF 5.3.5; tough CVE-2025-2885", func(m *maker) {
			m.files["metadata/2.root.json"] = m.files["metadata/1.root.json"]
			m.stale("rollback|mismatch")
		}},
		{"root_skipped", "A root that leaves a version out is refused.", "TUF 5.3.5; tough CVE-2025-2885; suite url_and_metadata_version_mismatch[root]", func(m *maker) {
			m.md["root"]["version"] = int64(3)
			m.files["metadata/2.root.json"] = m.signed("root")
			m.stale(conformance.Mismatch)
		}},
		{"root_withheld_after_restart", "A revoked timestamp key stays revoked when the newer root is withheld and the client starts anew.",
			"threat: root withheld; go-tuf v2.4.2 starts from the root it is given", func(m *maker) {
				m.ok()
				old := m.files["metadata/timestamp.json"]
				m.rotate("timestamp", "timestamp-2")
				m.publish("root")
				m.stamp()
				m.ok()
				delete(m.files, "metadata/2.root.json")
				m.files["metadata/timestamp.json"] = old
				m.stale("signature|rollback")
			}},
		{"root_withheld_honest_rest", "A mirror that lost an old root does not stop a client that has it.", "TUF 5.3.3", func(m *maker) {
			m.publish("root")
			m.ok()
			delete(m.files, "metadata/2.root.json")
			m.release("targets")
			m.ok()
		}},
		{"targets_removed", "targets may not vanish from snapshot.", "TUF 5.5.5", func(m *maker) {
			m.ok()
			m.md["snapshot"]["meta"] = object{}
			m.publish("snapshot")
			m.stamp()
			m.fails("rollback|malformed")
		}},
		{"snapshot_same_version_other_content", "A snapshot of equal version and other content, listed by hash in a newer timestamp.", "TUF 5.5", func(m *maker) {
			m.ok()
			m.md["snapshot"]["x-note"] = "again"
			m.store("snapshot")
			m.stamp()
			m.step(conformance.Refresh, conformance.Any)
			delete(m.md["snapshot"], "x-note")
			m.release("targets")
			m.ok()
		}},
		{"root_locks_itself_out", "A root that no root could follow, because no key of its own can sign, is refused.", "TUF 5.3.4; python-tuf issue 2669", func(m *maker) {
			m.ok()
			entry, _ := m.role("root")
			entry["keyids"] = list{"nobody"}
			m.publish("root")
			m.stale("threshold|signature|malformed")
		}},
		{"targets_older_without_consistency", "Without consistent snapshots an older targets under its plain name is refused.", "TUF 5.6.4", func(m *maker) {
			m.hashes = false
			m.inconsistent()
			m.ok()
			old := m.files["metadata/targets.json"]
			m.release("targets")
			m.files["metadata/targets.json"] = old
			m.stops("targets", "rollback|mismatch")
		}},
		{"snapshot_older_without_consistency", "Without consistent snapshots an older snapshot under its plain name is refused.", "TUF 5.5.4", func(m *maker) {
			m.hashes = false
			m.inconsistent()
			m.ok()
			old := m.files["metadata/snapshot.json"]
			m.release("targets")
			m.files["metadata/snapshot.json"] = old
			m.stops("snapshot", "rollback|mismatch")
		}},
		{"timestamp_lost_and_rolled_back", "If a power cut took the stored timestamp, the stored snapshot still forbids an older one.", "threat: state damaged", func(m *maker) {
			m.beyond()
			old := m.metadata()
			m.release("targets")
			m.ok()
			m.files = old
			s := m.fails(conformance.Rollback)
			s.Damage = m.with("timestamp.json", []byte{})
			s.Trusted = map[string]int64{"root": 1, "snapshot": 2, "targets": 2}
		}},
		{"timestamp_rolled_back_under_new_root", "A new root with the same keys lowers no floor.", "TUF 5.3.11, 5.4.3", func(m *maker) { m.undercut(func() {}) }},
		{"timestamp_rolled_back_after_key_added", "A key that comes to the timestamp's lowers no floor: nobody was shut out.", "TUF 5.3.11, 5.4.3", func(m *maker) {
			m.beyond()
			m.undercut(func() { m.listKey("timestamp", edKey("timestamp-2")) })
		}},
		{"timestamp_rolled_back_after_snapshot_key_added", "A key that comes to the snapshot's lowers no floor: nobody was shut out.", "TUF 5.3.11, 5.4.3", func(m *maker) {
			m.beyond()
			m.undercut(func() { m.listKey("snapshot", edKey("snapshot-2")) })
		}},
		{"timestamp_rolled_back_after_threshold_lowered", "A lower threshold lowers no floor: nobody was shut out.", "TUF 5.3.11, 5.4.3", func(m *maker) {
			m.beyond()
			m.addKey("timestamp", edKey("timestamp-2"))
			m.threshold("timestamp", 2)
			m.store("root")
			m.stamp()
			m.from(m.files["metadata/1.root.json"])
			m.undercut(func() { m.threshold("timestamp", 1) })
		}},
		{"timestamp_rolled_back_after_id_changed", "The same key under another id lowers no floor.", "TUF 5.3.11, 5.4.3; TAP 12", func(m *maker) {
			m.beyond()
			m.undercut(func() { m.listKey("timestamp", m.keys["timestamp"][0].as("alias")) })
		}},
		{"timestamp_rolled_back_after_targets_key_new", "A new targets key lowers no floor of the timestamp.", "TUF 5.3.11, 5.4.3", func(m *maker) {
			m.undercut(func() { m.listKey("targets", edKey("targets-2")) })
		}},
		{"delegated_removed", "A role that was listed may not vanish from snapshot.", "TUF 5.5.5; suite targets_role_removal", func(m *maker) {
			m.delegate("targets", "delegated", nil)
			m.store("delegated")
			m.release("targets")
			m.ok()
			delete(m.md, "delegated")
			m.md["targets"]["delegations"] = object{"keys": object{}, "roles": list{}}
			m.release("targets")
			m.stops("snapshot", conformance.Rollback)
		}},
		{"delegated_rolled_back", "A delegated role may not go back in snapshot, asked for or not.", "TUF 5.5.5; tough CVE-2025-2887", func(m *maker) {
			m.delegate("targets", "delegated", nil)
			m.store("delegated")
			m.release("delegated")
			m.ok()
			m.md["delegated"]["version"] = int64(1)
			m.commit()
			m.stops("snapshot", conformance.Rollback)
		}},
		{"delegated_older_file", "An older file of a delegated role in the place of the newer one is refused.", "TUF 5.6.4; tough CVE-2025-2887", func(m *maker) {
			m.hashes = false
			m.delegate("targets", "delegated", nil)
			m.add("delegated", "file", []byte("old\n"))
			m.store("delegated")
			old := m.files["metadata/1.delegated.json"]
			m.release("delegated", "targets")
			m.files["metadata/2.delegated.json"] = old
			m.misses("rollback|mismatch", "file")
		}},
		{"tree_replayed", "The whole repository as it was a year of releases ago is refused.", "TUF 5.4.3", func(m *maker) {
			old := maps.Clone(m.files)
			for range 12 {
				m.release("targets")
			}
			m.ok()
			m.files = old
			m.stale(conformance.Rollback)
		}},
		{"timestamp_refused_is_not_stored", "A refused timestamp is not stored: the next honest one is accepted.", "TUF 5.4.3; tough CVE-2025-2888", func(m *maker) {
			m.ok()
			good := maps.Clone(m.files)
			m.md["snapshot"]["version"] = int64(0)
			m.md["timestamp"]["version"] = int64(50)
			m.md["timestamp"]["meta"] = object{"snapshot.json": object{"version": 1}}
			m.md["timestamp"]["expires"] = date(epoch.AddDate(-1, 0, 0))
			m.store("timestamp")
			m.stale(conformance.Expired)
			m.files = good
			m.md["timestamp"]["version"], m.md["snapshot"]["version"] = int64(1), int64(1)
			m.md["timestamp"]["expires"] = date(epoch.AddDate(1, 0, 0))
			m.release("targets")
			m.ok()
		}},
		{"snapshot_refused_is_not_stored", "A refused snapshot is not stored: the next honest one is accepted.", "TUF 5.5.5; go-tuf CVE-2022-29173; python-tuf CVE-2020-15163", func(m *maker) {
			m.ok()
			m.release("targets")
			good := m.files[m.path("snapshot")]
			m.files[m.path("snapshot")] = replace(good, `"version": 2`, `"version": 9`)
			m.stops("snapshot", conformance.Mismatch)
			m.files[m.path("snapshot")] = good
			m.ok()
		}},
		{"root_refused_is_not_stored", "A root that does not verify is forgotten at once.", "python-tuf CVE-2020-15163", func(m *maker) {
			m.ok()
			evil := newRepo()
			evil.rotate("root", "evil")
			evil.keys["root"] = evil.keys["root"][:1]
			evil.publish("root")
			m.files["metadata/2.root.json"] = evil.files["metadata/2.root.json"]
			m.stale(conformance.Signature)
			delete(m.files, "metadata/2.root.json")
			m.ok()
			m.publish("root")
			m.ok()
		}},
		{"root_good_before_bad_is_kept", "Good roots before a bad one are kept.", "TUF 5.3.8", func(m *maker) {
			m.ok()
			m.publish("root")
			m.files["metadata/3.root.json"] = []byte("{}")
			s := m.fails(conformance.Malformed)
			s.Trusted = map[string]int64{"root": 2, "timestamp": 1, "snapshot": 1, "targets": 1}
		}},
	}}
	for _, hashes := range []bool{false, true} {
		tail := map[bool]string{false: "", true: "_with_hashes"}[hashes]
		f.recipes = append(f.recipes,
			recipe{"snapshot_rolled_back" + tail, "An older snapshot under a newer timestamp is refused, and so is that timestamp.", "TUF 5.4.3; suite snapshot_rollback", func(m *maker) {
				m.hashes = hashes
				m.commit()
				m.ok()
				m.md["snapshot"]["version"] = int64(1)
				m.stamp()
				m.stale(conformance.Rollback)
			}},
			recipe{"targets_rolled_back" + tail, "Older targets under a newer snapshot are refused, and so is that snapshot.", "TUF 5.5.5; suite targets_rollback", func(m *maker) {
				m.hashes = hashes
				m.release("targets")
				m.ok()
				m.md["targets"]["version"] = int64(1)
				m.commit()
				m.stops("snapshot", conformance.Rollback)
			}})
	}
	f.recipes = append(f.recipes, mismatches()...)
	return append1(f, replays())
}

func append1(f family, more []recipe) family {
	f.recipes = append(f.recipes, more...)
	return f
}

// undercut changes root and serves it with the repository of before.
func (m *maker) undercut(change func()) {
	old := m.metadata()
	m.release("targets")
	m.ok()
	change()
	m.publish("root")
	old["metadata/2.root.json"] = m.files["metadata/2.root.json"]
	m.files = old
	s := m.fails(conformance.Rollback)
	s.Trusted = map[string]int64{"root": 2}
}

// mismatches are files whose version is not the one in their name.
func mismatches() []recipe {
	var out []recipe
	for _, role := range []string{"snapshot", "targets"} {
		for word, version := range map[string]int64{"higher": 3, "lower": 1} {
			expect := map[string]string{"higher": conformance.Mismatch, "lower": "rollback|mismatch"}[word]
			out = append(out, recipe{role + "_version_" + word, "A " + role + " whose version is " + word + " than what was listed is refused.",
				"TUF 5.5.4, 5.6.4; suite url_and_metadata_version_mismatch[" + role + "]", func(m *maker) {
					m.hashes = false
					m.ok()
					m.release("targets")
					path := m.path(role)
					m.md[role]["version"] = version
					m.files[path] = m.signed(role)
					m.md[role]["version"] = int64(2)
					m.stops(role, expect)
				}})
		}
	}
	return sorted(out)
}

// replays are all pairs of a stored and a served state.
func replays() []recipe {
	var out []recipe
	for stored := 1; stored <= 4; stored++ {
		for served := 1; served <= 4; served++ {
			if stored == served {
				continue
			}
			word, shows := "followed_by", "A client at state %d goes on to state %d."
			if served < stored {
				word, shows = "replayed_as", "A client at state %d does not go back to state %d."
			}
			out = append(out, recipe{
				fmt.Sprintf("state_%d_%s_%d", stored, word, served), fmt.Sprintf(shows, stored, served), "TUF 5.4.3 (rollback)",
				func(m *maker) { replay(m, stored, served) },
			})
		}
	}
	return out
}

func replay(m *maker, stored, served int) {
	states := []map[string][]byte{m.metadata()}
	for range 3 {
		m.release("targets")
		states = append(states, m.metadata())
	}
	show := func(i int) {
		m.files = states[i-1]
		for _, role := range topLevel[1:] {
			m.md[role]["version"] = int64(i)
		}
	}
	show(stored)
	m.ok()
	show(served)
	if served < stored {
		m.stale(conformance.Rollback)
		return
	}
	m.ok()
}

// mixture are files of different states served together.
func mixture() family {
	f := family{name: "mixture"}
	for _, hashes := range []bool{false, true} {
		tail := map[bool]string{false: "", true: "_with_hashes"}[hashes]
		for _, role := range []string{"snapshot", "targets"} {
			for shown := 1; shown <= 3; shown++ {
				name := fmt.Sprintf("%s_of_state_%d_in_state_2%s", role, shown, tail)
				shows := fmt.Sprintf("Of three states the second is served, with the %s of the number %d in its place.", role, shown)
				f.recipes = append(f.recipes, recipe{name, shows, "TUF 5.5.4, 5.6.4 (mix-and-match)", func(m *maker) { mix(m, role, shown, hashes) }})
			}
		}
	}
	f.recipes = append(f.recipes,
		recipe{"timestamp_ahead_of_snapshot", "A timestamp that lists a snapshot which is not there yet: the edge of a CDN is behind.", "TUF 5.5", func(m *maker) {
			m.ok()
			m.release("targets")
			late := m.files[m.path("snapshot")]
			delete(m.files, m.path("snapshot"))
			m.stops("snapshot", conformance.Network)
			m.files[m.path("snapshot")] = late
			m.ok()
		}},
		recipe{"target_of_other_release", "The file of another release in the place of this one's is refused.", "TUF 5.7.2 (mix-and-match)", func(m *maker) {
			old := []byte(appOne)
			m.add("targets", "app.bin", []byte("version 2 of the application\n"))
			m.release("targets")
			m.files[m.target("app.bin", sum256([]byte("version 2 of the application\n")))] = old
			m.misses(conformance.Mismatch, "app.bin")
		}},
		recipe{"delegated_of_other_role", "A role signed with good keys in the place of another role is refused.", "TUF 5.6.3", func(m *maker) {
			m.hashes = false
			m.delegate("targets", "left", object{"paths": list{"left/*"}})
			m.delegate("targets", "right", object{"paths": list{"right/*"}})
			m.add("left", "right/file", []byte("from the left\n"))
			m.store("left", "right")
			m.release("targets")
			m.files[m.path("right")] = m.files[m.path("left")]
			m.misses(conformance.Signature, "right/file")
		}},
		recipe{"repository_of_stranger", "Another repository at the same address is refused.", "TUF 5.4.2", func(m *maker) {
			m.ok()
			other := newRepo()
			for _, role := range topLevel {
				other.rotate(role, "stranger-"+role)
				other.keys[role] = other.keys[role][:1]
			}
			other.store("root")
			other.release("targets")
			delete(other.files, "metadata/1.root.json")
			m.files = other.files
			m.stale(conformance.Signature)
		}},
	)
	return f
}

func mix(m *maker, role string, shown int, hashes bool) {
	m.hashes = hashes
	m.release("targets")
	states := []map[string][]byte{nil}
	for range 3 {
		states = append(states, map[string][]byte{"file": m.files[m.path(role)]})
		if len(states) == 3 {
			states[0] = m.metadata()
		}
		m.release("targets")
	}
	m.files = states[0]
	for _, r := range topLevel[1:] {
		m.md[r]["version"] = int64(3)
	}
	m.files[m.path(role)] = states[shown]["file"]
	if shown == 2 {
		m.ok()
		return
	}
	m.stops(role, map[bool]string{true: "mismatch|too-large|rollback", false: "mismatch|rollback"}[hashes])
}

func sorted(r []recipe) []recipe {
	slices.SortFunc(r, func(a, b recipe) int { return strings.Compare(a.name, b.name) })
	return r
}
