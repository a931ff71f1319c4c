// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"fmt"

	"github.com/waybill-project/waybill/conformance"
)

const appOne = "version 1 of the application\n"

func basic() family {
	return family{"basic", []recipe{
		{"refresh_honest", "A first refresh asks for root 2, timestamp, snapshot 1 and targets 1, each once, and stores what it got.",
			"TUF 5.2-5.6; suite basic_refresh_requests, basic_refresh_trusted_data", func(m *maker) {
				m.ok().Asked = []string{"metadata/2.root.json", "metadata/timestamp.json", "metadata/1.snapshot.json", "metadata/1.targets.json"}
			}},
		{"refresh_repeated", "With nothing new a refresh asks for the next root and the timestamp, no more.",
			"TUF 5.3.2, 5.4.3", func(m *maker) {
				m.ok()
				m.ok().Asked = []string{"metadata/2.root.json", "metadata/timestamp.json"}
			}},
		{"refresh_follows_releases", "Five releases in a row are followed.", "TUF 5.4-5.6", func(m *maker) {
			for range 5 {
				m.ok()
				m.release("targets")
			}
			m.ok()
		}},
		{"refresh_after_long_absence", "A client that missed many releases and roots arrives at the newest.", "TUF 5.3.3-5.6", func(m *maker) {
			m.ok()
			for range 6 {
				m.publish("root")
				m.release("targets")
			}
			m.ok()
		}},
		{"download_refreshes_first", "A download of an unknown target fails, but has brought the metadata up to date.",
			"suite implicit_refresh", func(m *maker) {
				s := m.misses(conformance.Absent, "nowhere")
				s.Trusted = map[string]int64{"root": 1, "timestamp": 1, "snapshot": 1, "targets": 1}
			}},
		{"initial_root_without_version", "A first root that is no root is refused before anything is asked for.",
			"TUF 5.2; suite invalid_initial_root", func(m *maker) {
				m.from(replace(m.files["metadata/1.root.json"], `"version": 1`, `"versiom": 1`))
				m.fails(conformance.Fail).Asked = []string{}
			}},
		{"initial_root_unsigned", "A first root that a stranger signed is refused before anything is asked for.",
			"TUF 5.2; suite unsigned_initial_root", func(m *maker) {
				m.from(sign(marshal(m.md["root"]), edKey("stranger")))
				m.fails(conformance.Fail).Asked = []string{}
			}},
		{"initial_root_newer", "A client may begin at root 3.", "TUF 5.2; suite static_repository", func(m *maker) {
			m.publish("root", "root")
			m.from(m.files["metadata/3.root.json"])
			m.publish("root")
			m.ok()
		}},
		{"initial_root_expired", "The date of the first root does not matter if a valid one follows.",
			"TUF 5.3.10; suite expired_local_root", func(m *maker) {
				m.md["root"]["expires"] = date(epoch.AddDate(-1, 0, 0))
				m.store("root")
				m.from(m.files["metadata/1.root.json"])
				m.md["root"]["expires"] = date(epoch.AddDate(1, 0, 0))
				m.publish("root")
				m.ok()
			}},
		{"timestamp_same_version_other_content", "A timestamp of equal version ends the update quietly; the old one is kept.",
			"TUF 5.4.3; suite timestamp_content_changes", func(m *maker) {
				m.ok()
				m.md["timestamp"]["meta"] = object{"snapshot.json": object{"version": 100}}
				m.store("timestamp")
				s := m.ok()
				s.Asked = []string{"metadata/2.root.json", "metadata/timestamp.json"}
			}},
		{"metadata_spaced_oddly", "Space around and inside metadata changes nothing, and is stored as served.",
			"suite metadata_bytes_match", func(m *maker) {
				m.files["metadata/timestamp.json"] = fmt.Appendf(nil, "\n\t %s \n\n ", m.files["metadata/timestamp.json"])
				m.ok()
			}},
		{"metadata_compact", "Metadata without any space is read.", "TUF 4.2", func(m *maker) {
			for _, role := range topLevel {
				m.files[m.path(role)] = envelopeCompact(marshal(m.md[role]), m.keys[role]...)
			}
			m.list()
			m.files[m.path("snapshot")] = envelopeCompact(marshal(m.md["snapshot"]), m.keys["snapshot"]...)
			m.md["timestamp"]["meta"] = object{"snapshot.json": m.meta("snapshot")}
			m.files[m.path("timestamp")] = envelopeCompact(marshal(m.md["timestamp"]), m.keys["timestamp"]...)
			m.ok()
		}},
		{"metadata_without_hashes", "Snapshot and timestamp may list versions only.", "TUF 4.4", func(m *maker) {
			m.hashes = false
			m.release("targets")
			m.ok()
			m.release("targets")
			m.ok()
		}},
		{"metadata_with_hashes", "Right hashes and lengths in snapshot and timestamp are accepted.", "TUF 4.4; suite basic_metadata_hash_support", func(m *maker) {
			m.ok()
			m.release("targets")
			m.ok()
		}},
		{"metadata_sha512_only", "A hash of 512 bits alone is enough.", "TUF 4.4", func(m *maker) {
			m.list()
			m.md["snapshot"]["meta"].(object)["targets.json"].(object)["hashes"] = object{"sha512": sum512(m.files[m.path("targets")])}
			m.publish("snapshot")
			m.stamp()
			m.ok()
		}},
		{"fields_unknown", "Fields that nobody knows are kept as part of what is signed.", "TUF 4.1; suite custom_fields", func(m *maker) {
			m.ok()
			m.md["root"]["x-custom"] = object{"text": "a \"quoted\" \\ text", "deep": list{1, object{"b": true}}}
			m.md["root"]["keys"].(object)[m.keys["root"][0].id].(object)["x-extra"] = list{1, "a"}
			entry, _ := m.role("targets")
			entry["x-other"] = true
			m.publish("root")
			for _, role := range []string{"timestamp", "snapshot", "targets"} {
				m.md[role]["x-custom"] = "odd"
			}
			m.targets("targets")["app.bin"].(object)["x-field"] = 1
			m.release("targets")
			m.ok()
		}},
		{"field_unknown_null", "An unknown field may be null.", "TUF 4.1", func(m *maker) {
			m.md["targets"]["x-custom"] = nil
			m.release("targets")
			m.ok()
		}},
		{"field_unknown_big_integer", "An integer beyond 2^53 in an unknown field is signed as it is written.", "OLPC canonical JSON; go-tuf v2.4.2", func(m *maker) {
			m.resigned("targets", `"version":1`, `"version":1,"x-big":9007199254740993`)
			m.ok()
		}},
		{"field_unknown_unicode", "Text beyond ASCII is signed as UTF-8, escaped or not.", "OLPC canonical JSON", func(m *maker) {
			m.resigned("targets", `"version":1`, `"version":1,"x-text":"\u00e9 é \u0001 \uD83D\uDE00 \/"`)
			m.ok()
		}},
		{"field_without_name", "The name of an unknown field may be empty.", "RFC 8259 4", func(m *maker) {
			m.md["timestamp"][""] = object{"": ""}
			m.stamp()
			m.ok()
		}},
		{"field_name_escaped", "In names too only quote and backslash are escaped before signing.", "OLPC canonical JSON", func(m *maker) {
			m.md["timestamp"]["x \"quoted\" \\ \t\u0001 \u20ac"] = 1
			m.stamp()
			m.ok()
		}},
		{"field_names_beyond_16_bits", "Names are sorted by code point, not by 16-bit units.", "OLPC canonical JSON", func(m *maker) {
			m.md["timestamp"]["\uff5e"], m.md["timestamp"]["\U0001f600"] = 1, 2
			m.stamp()
			m.ok()
		}},
		{"field_names_alike", "Names that differ in case are different names.", "RFC 8259 4", func(m *maker) {
			m.md["timestamp"]["Version"], m.md["timestamp"]["EXPIRES"] = 99, "never"
			m.stamp()
			m.ok()
		}},
		{"custom_of_many_small_values", "custom may hold a long list of small numbers.", "TUF 4.5", func(m *maker) {
			numbers := list{}
			for i := range 2000 {
				numbers = append(numbers, i%10)
			}
			m.targets("targets")["app.bin"].(object)["custom"] = object{"numbers": numbers}
			m.md["targets"]["version"] = int64(2)
			m.files[m.path("targets")] = envelopeCompact(marshal(m.md["targets"]), m.keys["targets"]...)
			m.commit()
			m.gets(map[string]string{"app.bin": appOne})
		}},
		{"targets_five_hundred", "A role may list five hundred targets.", "TUF 4.5", func(m *maker) {
			entry := m.targets("targets")["app.bin"]
			for i := range 500 {
				m.targets("targets")[fmt.Sprintf("many/%03d", i)] = entry
			}
			m.files[m.target("many/499", sum256([]byte(appOne)))] = []byte(appOne)
			m.release("targets")
			m.gets(map[string]string{"many/499": appOne})
		}},
		{"snapshot_lists_root", "A snapshot may list root, as old repositories do.", "TUF 1.0 before 2018", func(m *maker) {
			m.list()
			m.md["snapshot"]["meta"].(object)["root.json"] = object{"version": 1}
			m.publish("snapshot")
			m.stamp()
			m.ok()
		}},
		{"key_field_deprecated", "keyid_hash_algorithms in a key changes nothing.", "suite deprecated_keyid_hash_algorithms", func(m *maker) {
			m.md["root"]["keys"].(object)[m.keys["snapshot"][0].id].(object)["keyid_hash_algorithms"] = list{"md5"}
			m.publish("root")
			m.ok()
		}},
		{"custom_of_target_free", "custom of a target is any JSON object, kept and signed.", "TUF 4.5", func(m *maker) {
			m.targets("targets")["app.bin"].(object)["custom"] = object{"a": nil, "b": list{nil, object{}}, "c": "\u20ac", "d": -1}
			m.release("targets")
			m.gets(map[string]string{"app.bin": appOne})
		}},
		{"targets_empty", "A repository without a single target is fine.", "TUF 4.5", func(m *maker) {
			delete(m.targets("targets"), "app.bin")
			m.release("targets")
			m.ok()
		}},
		{"snapshot_consistency_off", "Without consistent snapshots files have no version in their name.", "TUF 6.2", func(m *maker) {
			m.inconsistent()
			m.gets(map[string]string{"dir/app.bin": "a file\n"})
		}},
		{"snapshot_consistency_off_odd_role", "Without consistent snapshots the name of a role is one segment all the same.", "TUF 6.2; suite unusual_role_name", func(m *maker) {
			m.inconsistent()
			m.delegate("targets", "../role", nil)
			m.add("../role", "file", []byte("of an odd role\n"))
			m.store("../role")
			m.release("targets")
			m.gets(map[string]string{"file": "of an odd role\n"})
		}},
		{"snapshot_consistency_turned_on", "Consistent snapshots may begin with a later root.", "TUF 5.3.12", func(m *maker) {
			m.inconsistent()
			m.ok()
			m.md["root"]["consistent_snapshot"], m.consistent = true, true
			m.publish("root")
			m.add("targets", "dir/app.bin", []byte("a file\n"))
			m.release("targets")
			m.gets(map[string]string{"dir/app.bin": "a file\n"})
		}},
		{"snapshot_without_targets", "A snapshot that does not list targets leads nowhere.", "TUF 4.4, 5.6", func(m *maker) {
			m.ok()
			m.md["snapshot"]["meta"] = object{"other.json": object{"version": 1}}
			m.publish("snapshot")
			m.stamp()
			m.fails(conformance.Fail)
		}},
		{"snapshot_entry_without_file", "A snapshot may list roles that nobody asks for.", "TUF 4.4", func(m *maker) {
			m.list()
			m.md["snapshot"]["meta"].(object)["unused.json"] = object{"version": 7}
			m.publish("snapshot")
			m.stamp()
			m.ok()
		}},
		{"repository_like_tuf_on_ci", "Opaque key ids, custom fields, empty signatures of those who did not sign, a delegated role.",
			"suite static_repository[tuf-on-ci]", likeTUFOnCI},
		{"repository_like_root_signing", "A chain that begins at root 12: P-256 keys under their hashes, three of five sign, long-lived metadata.",
			"suite static_repository[sigstore-root-signing]", likeRootSigning},
	}}
}

func likeTUFOnCI(m *maker) {
	for _, role := range []string{"root", "targets"} {
		entry, _ := m.role(role)
		entry["keyids"], m.keys[role] = list{}, nil
		for _, person := range []string{"ann", "ben", "cho"} {
			k := p256Key(person)
			k.record["x-tuf-on-ci-keyowner"] = "@" + person
			m.addKey(role, k.as(sum256([]byte("opaque "+person))))
		}
		entry["x-tuf-on-ci-note"] = "two of three"
		m.threshold(role, 2)
		m.keys[role][2].sign = func([]byte) string { return "" }
	}
	m.md["root"]["x-tuf-on-ci-expiry-period"] = 365
	m.store("root")
	m.from(m.files["metadata/1.root.json"])
	m.delegate("targets", "team", object{"paths": list{"team/*"}, "terminating": true})
	m.add("team", "team/file", []byte("of the team\n"))
	m.store("team")
	m.release("targets")
	m.ok()
	m.publish("root")
	m.release("targets")
	m.gets(map[string]string{"team/file": "of the team\n"})
}

func likeRootSigning(m *maker) {
	for _, role := range []string{"root", "targets"} {
		entry, _ := m.role(role)
		entry["keyids"], m.keys[role] = list{}, nil
		for _, holder := range []string{"1", "2", "3", "4", "5"} {
			m.addKey(role, p256Key("holder "+holder))
		}
		m.threshold(role, 3)
		m.keys[role] = m.keys[role][1:4]
	}
	online := p256Key("online")
	for _, role := range []string{"timestamp", "snapshot"} {
		entry, _ := m.role(role)
		entry["keyids"], m.keys[role] = list{}, nil
		m.addKey(role, online)
	}
	m.md["root"]["version"] = int64(12)
	m.store("root")
	m.from(m.files["metadata/12.root.json"])
	m.publish("root", "root")
	delete(m.files, "metadata/1.root.json")
	m.targets("targets")["app.bin"].(object)["custom"] = object{"sigstore": object{"status": "Active", "usage": "Unknown"}}
	m.release("targets")
	m.gets(map[string]string{"app.bin": appOne})
}

// inconsistent turns consistent snapshots off with a second root.
func (m *maker) inconsistent() {
	m.consistent = false
	m.md["root"]["consistent_snapshot"] = false
	m.publish("root")
	m.add("targets", "dir/app.bin", []byte("a file\n"))
	m.release("targets")
}

func envelopeCompact(raw []byte, keys ...*key) []byte {
	return marshal(object{"signed": rawJSON(raw), "signatures": signatures(raw, keys...)})
}

// absence are files that are listed and not there.
func absence() family {
	lost := func(role string) func(m *maker) {
		return func(m *maker) {
			m.ok()
			m.release("targets")
			delete(m.files, m.path(role))
			m.stops(role, conformance.Network)
			m.store(role)
			m.ok()
		}
	}
	return family{"absence", []recipe{
		{"timestamp_absent", "Without a timestamp the update fails and nothing changes.", "TUF 5.4; suite timestamp_404", lost("timestamp")},
		{"snapshot_absent", "Without the snapshot the update fails; the timestamp is kept, the old files too.", "TUF 5.5; suite snapshot_404", lost("snapshot")},
		{"targets_absent", "Without the targets the update fails; timestamp and snapshot are kept.", "TUF 5.6; suite targets_404", lost("targets")},
		{"repository_absent", "A server that has nothing at all is a failure.", "TUF 5.4", func(m *maker) {
			clear(m.files)
			m.stale(conformance.Network)
		}},
		{"target_file_absent", "A target that is listed and not there is a failure, and nothing is stored.", "TUF 5.7", func(m *maker) {
			delete(m.files, m.target("app.bin", sum256([]byte(appOne))))
			m.misses(conformance.Network, "app.bin")
		}},
		{"target_unlisted", "A file that lies on the server and is not listed is not a target.", "TUF 5.6.7", func(m *maker) {
			m.files["targets/stray.bin"] = []byte("stray\n")
			m.misses(conformance.Absent, "stray.bin")
		}},
		{"target_removed", "A target that a newer version no longer lists cannot be had.", "TUF 5.6.7", func(m *maker) {
			m.gets(map[string]string{"app.bin": appOne})
			delete(m.targets("targets"), "app.bin")
			m.release("targets")
			m.misses(conformance.Absent, "app.bin")
		}},
		{"root_gap", "A chain of roots ends where one is missing; what lies behind is not reached.", "TUF 5.3.2-5.3.9", func(m *maker) {
			m.publish("root", "root")
			m.rotate("timestamp", "timestamp-2")
			m.publish("root")
			m.commit()
			third := m.files["metadata/3.root.json"]
			delete(m.files, "metadata/3.root.json")
			s := m.fails(conformance.Signature)
			s.Trusted = map[string]int64{"root": 2, "timestamp": 0}
			m.files["metadata/3.root.json"] = third
			m.ok()
		}},
		{"delegated_role_absent", "A role that is listed and not there ends the search: what stands behind it is not looked at.", "TUF 5.6.7", func(m *maker) {
			m.delegate("targets", "first", nil)
			m.delegate("targets", "second", nil)
			m.add("second", "file", []byte("of the second\n"))
			m.store("first", "second")
			m.release("targets")
			delete(m.files, m.path("first"))
			m.misses(conformance.Network, "file")
		}},
	}}
}
