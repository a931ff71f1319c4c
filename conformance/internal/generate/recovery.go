// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"maps"

	"github.com/waybill-project/waybill/conformance"
)

// recovery is what must be possible after an attacker with online keys raised versions.
func recovery() family {
	var f family
	f.name = "recovery"
	const most = int64(1)<<53 - 2
	for _, c := range []struct {
		name, shows, role string
		rotated           []string
	}{
		{"targets_fast_forwarded_new_snapshot_key", "After a new snapshot key, targets may have a lower version.", "targets", []string{"snapshot"}},
		{"snapshot_fast_forwarded_new_snapshot_key", "After a new snapshot key alone, snapshot may have a lower version.", "snapshot", []string{"snapshot"}},
		{"snapshot_fast_forwarded_new_timestamp_key", "After a new timestamp key alone, snapshot may have a lower version.", "snapshot", []string{"timestamp"}},
		{"snapshot_fast_forwarded_both_keys_new", "After new snapshot and timestamp keys, snapshot may have a lower version.", "snapshot", []string{"snapshot", "timestamp"}},
		{"timestamp_fast_forwarded_new_timestamp_key", "After a new timestamp key, timestamp may have a lower version.", "timestamp", []string{"timestamp"}},
		{"everything_fast_forwarded_all_keys_new", "After new keys for all online roles, all versions may be lower.", "all", []string{"snapshot", "timestamp"}},
	} {
		f.recipes = append(f.recipes, recipe{c.name, c.shows, "TUF 5.3.11; suite targets_fast_forward_recovery, new_snapshot_fast_forward_recovery, new_timestamp_fast_forward_recovery", func(m *maker) {
			roles := []string{c.role}
			if c.role == "all" {
				roles = []string{"targets", "snapshot", "timestamp"}
			}
			for _, role := range roles {
				m.md[role]["version"] = most - 1
			}
			m.release("targets")
			m.ok()
			for _, role := range c.rotated {
				m.rotate(role, role+"-2")
			}
			m.publish("root")
			for _, role := range roles {
				m.md[role]["version"] = int64(1)
			}
			m.release("targets")
			m.ok()
			m.ok()
		}})
	}
	for _, role := range []string{"timestamp", "snapshot", "targets"} {
		f.recipes = append(f.recipes,
			recipe{role + "_fast_forwarded_same_keys", "Without new keys there is no way back from a high version of " + role + ".", "TUF 5.4.3, 5.5.5", func(m *maker) {
				good := maps.Clone(m.files)
				versions := map[string]int64{}
				for _, r := range topLevel {
					versions[r] = m.version(r)
				}
				m.md[role]["version"] = most - 1
				m.release("targets")
				m.ok()
				m.files = good
				m.stale(conformance.Rollback)
			}},
			recipe{role + "_version_at_limit", "A version of 2^53-1 is the highest that every reader takes exactly.", "RFC 8259 6", func(m *maker) {
				m.md[role]["version"] = most
				m.release("targets")
				m.ok()
			}},
			recipe{role + "_version_over_limit", "A version that some readers would round is refused.", "RFC 8259 6; threat: fast-forward", func(m *maker) {
				m.beyond()
				m.ok()
				m.md[role]["version"] = most + 1
				m.release("targets")
				m.fails(conformance.Malformed)
			}},
			recipe{role + "_version_over_64_bits", "A version that no integer holds is refused.", "threat: fast-forward", func(m *maker) {
				m.ok()
				m.release("targets")
				m.md[role]["version"] = rawJSON("99999999999999999999")
				m.files[m.pathOf(role, 2)] = m.signed(role)
				switch role {
				case "targets":
					m.md[role]["version"] = int64(2)
					m.commit()
				case "snapshot":
					m.md[role]["version"] = int64(2)
					m.stamp()
				}
				m.fails(conformance.Malformed)
			}})
	}
	f.recipes = append(f.recipes,
		recipe{"fast_forward_recovered_after_interruption", "New keys lower the floors even if the run that saw them went no further.", "TUF 5.3.11", func(m *maker) {
			m.md["timestamp"]["version"], m.md["snapshot"]["version"] = most-1, most-1
			m.release("targets")
			m.ok()
			m.rotate("timestamp", "timestamp-2")
			m.rotate("snapshot", "snapshot-2")
			m.publish("root")
			m.md["timestamp"]["version"], m.md["snapshot"]["version"] = int64(1), int64(1)
			delete(m.files, "metadata/timestamp.json")
			s := m.fails(conformance.Network)
			s.Trusted = map[string]int64{"root": 2}
			m.release("targets")
			m.ok()
		}},
		recipe{"targets_key_revoked_cold", "What a revoked targets key signed is refused by a new client.", "TUF 5.6.3", func(m *maker) { revoked(m, false) }},
		recipe{"targets_key_revoked_warm", "What a revoked targets key signed is refused, stored or not.", "TUF 5.6.3", func(m *maker) { revoked(m, true) }},
		recipe{"targets_key_rotated_same_file", "Targets signed by old and new key stay good when the old key goes.", "TUF 5.6.3", func(m *maker) {
			m.keys["targets"] = append(m.keys["targets"], edKey("targets-2"))
			m.release("targets")
			m.ok()
			m.rotate("targets", "targets-2")
			m.publish("root")
			m.ok()
		}},
		recipe{"online_keys_cannot_add_targets", "Timestamp and snapshot keys do not suffice to list a target.", "TUF 5.6.3 (key compromise)", func(m *maker) {
			m.ok()
			m.add("targets", "evil.bin", []byte("evil\n"))
			m.keys["targets"] = []*key{edKey("timestamp"), edKey("snapshot")}
			m.release("targets")
			m.misses(conformance.Signature, "evil.bin")
		}},
	)
	return f
}

func revoked(m *maker, warm bool) {
	m.add("targets", "evil.bin", []byte("evil\n"))
	m.release("targets")
	if warm {
		m.ok()
	}
	old := m.keys["targets"]
	m.rotate("targets", "targets-2")
	m.publish("root")
	m.keys["targets"] = old
	s := m.misses(conformance.Signature, "evil.bin")
	s.Trusted = map[string]int64{"root": 2, "timestamp": 2, "snapshot": 2}
}
