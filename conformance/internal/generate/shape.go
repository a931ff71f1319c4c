// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"bytes"
	"strings"

	"github.com/waybill-project/waybill/conformance"
)

// dent is one deviation in the text of a file. Of a file that is not signed anew
// every mirror can be the author.
type dent struct {
	name, shows, role string
	old, changed      string
	beyond            bool
}

// shape are files that are no metadata, or not quite.
func shape() family {
	f := family{name: "shape"}
	f.recipes = append(f.recipes, bodies()...)
	for _, d := range dents() {
		f.recipes = append(f.recipes, recipe{d.name, d.shows, shapeSource, func(m *maker) { m.dented(d, true) }})
		if d.role != "root" && strings.Contains(d.name, "null") {
			f.recipes = append(f.recipes, recipe{d.name + "_unsigned", d.shows + " It is met before any signature was seen.", shapeSource, func(m *maker) { m.dented(d, false) }})
		}
	}
	f.recipes = append(f.recipes, types()...)
	f.recipes = append(f.recipes, tolerated()...)
	return f
}

const shapeSource = "TUF 4; go-tuf CVE-2026-23991 and v2.4.2"

// dented serves a new version of a role with a change, signed or not.
func (m *maker) dented(d dent, signed bool) {
	m.c.Beyond = d.beyond
	m.hashes = signed
	m.add("targets", "more.bin", []byte("more\n"))
	m.targets("targets")["more.bin"].(object)["custom"] = object{"of": "more"}
	m.delegate("targets", "delegated", nil)
	m.store("delegated")
	m.release("targets")
	m.ok()
	m.md[d.role]["version"] = m.version(d.role) + 1
	raw := replace(marshal(m.md[d.role]), d.old, d.changed)
	file := sign(raw, m.keys[d.role]...)
	if !signed {
		file = envelope(raw, list{})
	}
	m.files[m.path(d.role)] = file
	switch d.role {
	case "targets":
		m.commit()
	case "snapshot":
		m.stamp()
	}
	expect := conformance.Malformed
	if !signed {
		expect = "malformed|signature"
	}
	if d.role == "root" || d.role == "timestamp" {
		m.stale(expect)
		return
	}
	m.stops(d.role, expect)
}

func dents() []dent {
	const key = `"keytype":"ed25519"`
	target := `"more.bin":{`
	entry := `"targets.json":{`
	out := []dent{
		{"target_null", "An entry of a target that is null does not crash.", "targets", target, `"a":null,"more.bin":{`, false},
		{"targets_null", "targets that is null does not crash.", "targets", `"targets":{"app.bin"`, `"targets":null,"x-targets":{"app.bin"`, false},
		{"target_hashes_null", "hashes that is null does not crash.", "targets", target, `"a":{"length":1,"hashes":null},"more.bin":{`, false},
		{"target_hash_null", "A hash that is null does not crash.", "targets", target, `"a":{"length":1,"hashes":{"sha256":null}},"more.bin":{`, false},
		{"target_length_null", "A length that is null is none.", "targets", target, `"a":{"length":null,"hashes":{"sha256":"00"}},"more.bin":{`, false},
		{"target_custom_null", "custom that is null is no object.", "targets", `"custom":{"of":"more"}`, `"custom":null`, true},
		{"target_text", "An entry of a target that is text is refused.", "targets", target, `"a":"b","more.bin":{`, false},
		{"target_list", "An entry of a target that is a list is refused.", "targets", target, `"a":[],"more.bin":{`, false},
		{"target_empty", "An entry of a target without anything is refused.", "targets", target, `"a":{},"more.bin":{`, false},
		{"target_without_length", "An entry of a target without length is refused.", "targets", target, `"a":{"hashes":{"sha256":"00"}},"more.bin":{`, false},
		{"target_without_hashes", "An entry of a target without hashes is refused.", "targets", target, `"a":{"length":1},"more.bin":{`, false},
		{"target_hashes_empty", "An entry of a target with no hash in hashes is refused.", "targets", target, `"a":{"length":1,"hashes":{}},"more.bin":{`, false},
		{"target_length_negative", "A negative length is refused.", "targets", target, `"a":{"length":-1,"hashes":{"sha256":"00"}},"more.bin":{`, false},
		{"target_length_fraction", "Half a byte is no length.", "targets", target, `"a":{"length":1.5,"hashes":{"sha256":"00"}},"more.bin":{`, false},
		{"target_length_text", "A length as text is refused.", "targets", target, `"a":{"length":"1","hashes":{"sha256":"00"}},"more.bin":{`, false},
		{"target_length_huge", "A length that no integer holds is refused.", "targets", target, `"a":{"length":99999999999999999999,"hashes":{"sha256":"00"}},"more.bin":{`, false},
		{"target_hash_number", "A hash as a number is refused.", "targets", target, `"a":{"length":1,"hashes":{"sha256":5}},"more.bin":{`, false},
		{"targets_list", "targets as a list is refused.", "targets", `"targets":{"app.bin"`, `"targets":[],"x-targets":{"app.bin"`, false},
		{"targets_missing", "Targets without targets are refused.", "targets", `"targets":{"app.bin"`, `"x-targets":{"app.bin"`, false},
		{"targets_doubled", "A doubled member has no meaning that all readers share.", "targets", `"targets":{"app.bin"`, `"targets":{},"targets":{"app.bin"`, true},
		{"target_doubled", "A target that is listed twice has no meaning that all readers share.", "targets", target, `"more.bin":{"length":1,"hashes":{"sha256":"00"}},"more.bin":{`, true},
		{"target_hash_doubled", "A hash that is listed twice has no meaning that all readers share.", "targets", target, `"a":{"length":1,"hashes":{"sha256":"00","sha256":"01"}},"more.bin":{`, true},
		{"targets_with_fraction", "A number that has no canonical form cannot be signed.", "targets", target, `"a":{"length":1,"hashes":{"sha256":"00"},"custom":{"x":1.5}},"more.bin":{`, false},
		{"delegations_null", "delegations that is null does not crash.", "targets", `"delegations":{`, `"delegations":null,"x-delegations":{`, true},
		{"delegations_list", "delegations as a list is refused.", "targets", `"delegations":{`, `"delegations":[],"x-delegations":{`, false},
		{"delegation_null", "A delegated role that is null does not crash.", "targets", `"roles":[`, `"roles":[null,`, false},
		{"delegation_text", "A delegated role that is text is refused.", "targets", `"roles":[`, `"roles":["a",`, false},
		{"delegation_roles_null", "roles that is null does not crash.", "targets", `"roles":[`, `"roles":null,"x-roles":[`, false},
		{"delegation_roles_object", "roles as an object loses its order.", "targets", `"roles":[`, `"roles":{},"x-roles":[`, false},
		{"delegation_key_null", "A key of delegations that is null does not crash.", "targets", `"keys":{`, `"keys":{"a":null,`, false},
		{"delegation_keys_null", "keys of delegations that is null does not crash.", "targets", `"keys":{`, `"keys":null,"x-keys":{`, false},
		{"delegation_keyids_null", "keyids that is null does not crash.", "targets", `"keyids":[`, `"keyids":null,"x-keyids":[`, false},
		{"delegation_keyid_null", "A key id that is null does not crash.", "targets", `"keyids":[`, `"keyids":[null,`, false},
		{"delegation_paths_null", "paths that is null does not crash.", "targets", `"paths":[`, `"paths":null,"x-paths":[`, false},
		{"delegation_path_null", "A path that is null does not crash.", "targets", `"paths":[`, `"paths":[null,`, false},
		{"delegation_name_null", "A role without a name is refused.", "targets", `"name":"delegated"`, `"name":null`, false},
		{"delegation_name_missing", "A role without a name is refused.", "targets", `"name":"delegated",`, ``, false},
		{"delegation_name_number", "A role with a number for a name is refused.", "targets", `"name":"delegated"`, `"name":7`, false},
		{"delegation_terminating_number", "terminating as a number is refused.", "targets", `"terminating":false`, `"terminating":0`, false},
		{"delegation_terminating_null", "terminating that is null is refused.", "targets", `"terminating":false`, `"terminating":null`, true},

		{"timestamp_entry_null", "A snapshot entry that is null does not crash.", "timestamp", `"snapshot.json":{`, `"snapshot.json":null,"x":{`, false},
		{"timestamp_meta_null", "meta that is null does not crash.", "timestamp", `"meta":{`, `"meta":null,"x-meta":{`, false},
		{"timestamp_meta_list", "meta as a list is refused.", "timestamp", `"meta":{`, `"meta":[],"x-meta":{`, false},
		{"timestamp_meta_missing", "A timestamp without meta is refused.", "timestamp", `"meta":{`, `"x-meta":{`, false},
		{"timestamp_entry_missing", "A timestamp that does not list the snapshot does not crash.", "timestamp", `"snapshot.json":{`, `"snapshot.jsom":{`, false},
		{"timestamp_entry_version_null", "A listed version that is null is refused.", "timestamp", `"version":2}}`, `"version":null}}`, false},
		{"timestamp_entry_without_version", "An entry without a version is refused.", "timestamp", `"version":2}}`, `"versiom":2}}`, false},
		{"timestamp_entry_version_zero", "A listed version of zero is refused.", "timestamp", `"version":2}}`, `"version":0}}`, false},
		{"timestamp_entry_version_text", "A listed version as text is refused.", "timestamp", `"version":2}}`, `"version":"2"}}`, false},
		{"timestamp_entry_more", "A timestamp lists the snapshot and nothing else.", "timestamp", `"snapshot.json":{`, `"targets.json":{"version":1},"snapshot.json":{`, true},
		{"timestamp_version_missing", "Metadata without a version is refused.", "timestamp", `,"version":3}`, `}`, false},
		{"timestamp_version_null", "A version that is null is refused.", "timestamp", `,"version":3}`, `,"version":null}`, false},
		{"timestamp_version_fraction", "A version with a fraction is refused.", "timestamp", `,"version":3}`, `,"version":3.5}`, false},
		{"timestamp_version_with_point", "A version is written without a decimal point.", "timestamp", `,"version":3}`, `,"version":3.0}`, true},
		{"timestamp_version_with_exponent", "A version is written without an exponent.", "timestamp", `,"version":3}`, `,"version":3e0}`, true},
		{"timestamp_version_text", "A version as text is refused.", "timestamp", `,"version":3}`, `,"version":"3"}`, false},
		{"timestamp_version_zero", "A version of zero is refused.", "timestamp", `,"version":3}`, `,"version":0}`, false},
		{"timestamp_version_negative", "A negative version is refused.", "timestamp", `,"version":3}`, `,"version":-3}`, false},
		{"timestamp_version_doubled", "A doubled version has no meaning that all readers share.", "timestamp", `,"version":3}`, `,"version":9,"version":3}`, true},
		{"timestamp_type_missing", "Metadata without a type is refused.", "timestamp", `"_type":"timestamp",`, ``, false},
		{"timestamp_type_null", "A type that is null is refused.", "timestamp", `"_type":"timestamp"`, `"_type":null`, false},
		{"timestamp_type_capital", "Types are compared with their case.", "timestamp", `"_type":"timestamp"`, `"_type":"Timestamp"`, false},
		{"timestamp_spec_version_missing", "Metadata without spec_version is refused.", "timestamp", `"spec_version":"1.0.34",`, ``, false},
		{"timestamp_spec_version_null", "spec_version that is null is refused.", "timestamp", `"spec_version":"1.0.34"`, `"spec_version":null`, false},
		{"timestamp_spec_version_number", "spec_version as a number is refused.", "timestamp", `"spec_version":"1.0.34"`, `"spec_version":1`, false},
		{"timestamp_spec_version_2", "Metadata of the next major version is not understood.", "timestamp", `"spec_version":"1.0.34"`, `"spec_version":"2.0.0"`, false},
		{"timestamp_spec_version_bogus", "spec_version that is no version is refused.", "timestamp", `"spec_version":"1.0.34"`, `"spec_version":"bogus"`, false},
		{"timestamp_spec_version_empty", "spec_version that is empty is refused.", "timestamp", `"spec_version":"1.0.34"`, `"spec_version":""`, false},

		{"snapshot_entry_null", "An entry of snapshot that is null does not crash.", "snapshot", entry, `"a.json":null,"targets.json":{`, false},
		{"snapshot_targets_null", "The targets entry of snapshot that is null does not crash.", "snapshot", entry, `"targets.json":null,"x.json":{`, false},
		{"snapshot_meta_null", "meta that is null does not crash.", "snapshot", `"meta":{`, `"meta":null,"x-meta":{`, false},
		{"snapshot_meta_list", "meta as a list is refused.", "snapshot", `"meta":{`, `"meta":[],"x-meta":{`, false},
		{"snapshot_entry_list", "An entry of snapshot that is a list is refused.", "snapshot", entry, `"a.json":[],"targets.json":{`, false},
		{"snapshot_entry_without_version", "An entry of snapshot without a version is refused.", "snapshot", entry, `"a.json":{},"targets.json":{`, false},
		{"snapshot_entry_version_zero", "An entry of snapshot with version zero is refused.", "snapshot", entry, `"a.json":{"version":0},"targets.json":{`, false},
		{"snapshot_entry_hashes_null", "hashes of an entry that is null does not crash.", "snapshot", entry, `"a.json":{"version":1,"hashes":null},"targets.json":{`, true},
		{"snapshot_entry_hashes_empty", "hashes of an entry with nothing in it is refused.", "snapshot", entry, `"a.json":{"version":1,"hashes":{}},"targets.json":{`, true},
		{"snapshot_entry_length_negative", "A negative length of an entry is refused.", "snapshot", entry, `"a.json":{"version":1,"length":-1},"targets.json":{`, true},
		{"snapshot_entry_doubled", "An entry that is listed twice has no meaning that all readers share.", "snapshot", entry, `"targets.json":{"version":1},"targets.json":{`, true},
		{"snapshot_entry_suffix_missing", "Names in snapshot end in .json.", "snapshot", entry, `"a":{"version":1},"targets.json":{`, true},

		{"root_key_null", "A key that is null does not crash.", "root", `"keys":{`, `"keys":{"a":null,`, false},
		{"root_keys_null", "keys that is null does not crash.", "root", `"keys":{`, `"keys":null,"x-keys":{`, false},
		{"root_keys_list", "keys as a list is refused.", "root", `"keys":{`, `"keys":[],"x-keys":{`, false},
		{"root_keyval_null", "keyval that is null does not crash.", "root", key + `,"keyval":{`, key + `,"keyval":null,"x-keyval":{`, false},
		{"root_keytype_null", "A key type that is null does not crash.", "root", key, `"keytype":null`, false},
		{"root_keytype_missing", "A key without a type is refused.", "root", key + `,`, ``, false},
		{"root_role_null", "A role that is null does not crash.", "root", `"snapshot":{"keyids"`, `"snapshot":null,"x-snapshot":{"keyids"`, false},
		{"root_role_missing", "A root without one of the four roles is refused.", "root", `"snapshot":{"keyids"`, `"snapshoot":{"keyids"`, false},
		{"root_roles_null", "roles that is null does not crash.", "root", `"roles":{`, `"roles":null,"x-roles":{`, false},
		{"root_roles_missing", "A root without roles is refused.", "root", `"roles":{`, `"x-roles":{`, false},
		{"root_keyids_null", "keyids that is null does not crash.", "root", `"keyids":[`, `"keyids":null,"x-keyids":[`, false},
		{"root_keyids_text", "keyids as text is refused.", "root", `"keyids":[`, `"keyids":"a","x-keyids":[`, false},
		{"root_key_with_fraction", "A number that has no canonical form in a key does not crash.", "root", key, `"keytype":"ed25519","x":1.5`, false},
		{"root_threshold_missing", "A role without a threshold is refused.", "root", `"threshold":1`, `"x-threshold":1`, false},
		{"root_consistent_snapshot_text", "consistent_snapshot as text is refused.", "root", `"consistent_snapshot":true`, `"consistent_snapshot":"true"`, false},
		{"root_consistent_snapshot_null", "consistent_snapshot that is null is refused.", "root", `"consistent_snapshot":true`, `"consistent_snapshot":null`, true},
	}
	return out
}

// bodies are answers that are no JSON, or no envelope.
func bodies() []recipe {
	var out []recipe
	page := "<!DOCTYPE html>\n<html><body>Please log in to this network</body></html>\n"
	for _, c := range []struct {
		name, shows string
		body        func(good []byte) []byte
	}{
		{"body_empty", "An empty file is no metadata.", func([]byte) []byte { return []byte{} }},
		{"body_page", "The page of a captive portal is no metadata.", func([]byte) []byte { return []byte(page) }},
		{"body_null", "null is no metadata.", func([]byte) []byte { return []byte("null") }},
		{"body_list", "A list is no metadata.", func([]byte) []byte { return []byte("[]") }},
		{"body_object", "An empty object is no metadata.", func([]byte) []byte { return []byte("{}") }},
		{"body_text", "A text is no metadata.", func([]byte) []byte { return []byte(`"signed"`) }},
		{"body_number", "A number is no metadata.", func([]byte) []byte { return []byte("1") }},
		{"body_halved", "Half a file is no metadata.", func(b []byte) []byte { return b[:len(b)/2] }},
		{"body_without_end", "A file that lacks its last brace is no metadata.", func(b []byte) []byte { return bytes.TrimRight(b, "}\n ") }},
		{"body_zeroed", "Zeros are no metadata.", func(b []byte) []byte { return make([]byte, len(b)) }},
		{"body_binary", "Bytes that are no text are no metadata.", func([]byte) []byte { return []byte{0x1f, 0x8b, 8, 0, 0xff, 0xfe} }},
		{"body_deep_lists", "Lists three thousand deep do not overflow.", func([]byte) []byte { return []byte(strings.Repeat("[", 3000)) }},
		{"body_deep_objects", "Objects six hundred deep do not overflow.", func([]byte) []byte { return []byte(strings.Repeat(`{"a":`, 600)) }},
		{"signed_null", "signed that is null does not crash.", edit(`"signed": {`, `"signed": null, "x-signed": {`)},
		{"signed_list", "signed as a list is refused.", edit(`"signed": {`, `"signed": [], "x-signed": {`)},
		{"signed_missing", "An envelope without signed is refused.", edit(`"signed": {`, `"x-signed": {`)},
		{"signed_text", "signed as text is refused.", edit(`"signed": {`, `"signed": "{}", "x-signed": {`)},
		{"signatures_null", "signatures that is null does not crash.", edit(`"signatures": [`, `"signatures": null, "x-signatures": [`)},
		{"signatures_object", "signatures as an object is refused.", edit(`"signatures": [`, `"signatures": {}, "x-signatures": [`)},
		{"signatures_missing", "An envelope without signatures is refused.", edit(`"signatures": [`, `"x-signatures": [`)},
		{"signature_null", "A signature that is null does not crash.", edit(`"keyid": "`, `"keyid": null, "x-keyid": "`)},
		{"signature_number", "A signature that is a number is refused.", edit(`"sig": "`, `"sig": 7, "x-sig": "`)},
		{"signature_without_sig", "A signature without sig is refused.", edit(`"sig": "`, `"x-sig": "`)},
		{"signature_without_keyid", "A signature without a key id is refused.", edit(`"keyid": "`, `"x-keyid": "`)},
	} {
		expect := "malformed|signature"
		out = append(out, recipe{c.name + "_as_timestamp", c.shows, shapeSource, func(m *maker) {
			m.ok()
			m.release("targets")
			m.files["metadata/timestamp.json"] = c.body(m.files["metadata/timestamp.json"])
			m.stale(expect)
		}})
		if strings.HasPrefix(c.name, "body_") {
			out = append(out, recipe{c.name + "_as_root", c.shows, shapeSource, func(m *maker) {
				m.ok()
				m.publish("root")
				m.files["metadata/2.root.json"] = c.body(m.files["metadata/2.root.json"])
				m.stale(expect)
			}})
		}
	}
	for _, c := range []struct {
		name, shows string
		body        func(good []byte) []byte
	}{
		{"byte_order_mark", "Metadata does not begin with a byte order mark.", func(b []byte) []byte { return append([]byte("\ufeff"), b...) }},
		{"data_after_end", "Nothing follows the end of metadata.", func(b []byte) []byte { return append(b[:len(b):len(b)], "{}"...) }},
		{"member_doubled_in_envelope", "An envelope with two signed parts has no meaning that all readers share.", edit(`"signed": {`, `"signed": {}, "signed": {`)},
		{"member_doubled_by_escape", "A name and its escaped form are one name.", edit(`"signed": {`, `"x": 1, "\u0078": 2, "signed": {`)},
		{"signatures_doubled_in_envelope", "An envelope with two lists of signatures has no meaning that all readers share.", edit(`"signatures": [`, `"signatures": [], "signatures": [`)},
		{"text_not_utf8", "Text that is not UTF-8 has no canonical form.", edit(`"signed": {`, "\"x\": \"\xff\xfe\", \"signed\": {")},
		{"surrogate_alone", "Half of a surrogate pair is no character.", edit(`"signed": {`, `"x": "\ud800", "signed": {`)},
		{"comment_in_json", "JSON has no comments.", edit(`"signed": {`, `/* x */ "signed": {`)},
		{"comma_at_end", "JSON has no comma before a brace.", edit(`"signed": {`, `"x": [1,], "signed": {`)},
		{"number_with_leading_zero", "JSON has no number with a leading zero.", edit(`"signed": {`, `"x": 01, "signed": {`)},
		{"number_nan", "JSON has no NaN.", edit(`"signed": {`, `"x": NaN, "signed": {`)},
		{"text_with_raw_newline", "A line end in a text is escaped.", edit(`"signed": {`, "\"x\": \"a\nb\", \"signed\": {")},
	} {
		out = append(out, recipe{c.name, c.shows, "RFC 8259; X41 2022 (two JSON texts, one signature)", func(m *maker) {
			m.c.Beyond = c.name != "comment_in_json" && c.name != "comma_at_end" && c.name != "data_after_end"
			m.ok()
			m.stamp()
			m.files["metadata/timestamp.json"] = c.body(m.files["metadata/timestamp.json"])
			m.stale(conformance.Malformed)
		}})
	}
	return out
}

func edit(old, changed string) func([]byte) []byte {
	return func(good []byte) []byte { return replace(good, old, changed) }
}

// types are good files of one role in the place of another.
func types() []recipe {
	var out []recipe
	for _, place := range topLevel {
		for _, kind := range topLevel {
			if place == kind {
				continue
			}
			out = append(out, recipe{kind + "_as_" + place, "What is signed as " + kind + " is no " + place + ", even if the right keys sign it.",
				"TUF 4.2; suite incorrect_metadata_type", func(m *maker) {
					m.hashes = false
					m.ok()
					m.publish("root")
					m.release("targets")
					m.files[m.path(place)] = sign(marshal(m.md[kind]), m.keys[place]...)
					switch place {
					case "root":
						m.stale(conformance.Malformed)
					default:
						m.stops(place, "malformed|mismatch")
					}
				}})
		}
	}
	return out
}

// tolerated is odd and allowed.
func tolerated() []recipe {
	return []recipe{
		{"envelope_field_unknown", "An unknown field beside signed and signatures is not signed and does no harm.", "TUF 4.2.1", func(m *maker) {
			m.ok()
			m.stamp()
			m.tamper("metadata/timestamp.json", `"signed": {`, `"x-note": {"a": null}, "signed": {`)
			m.ok()
		}},
		{"envelope_members_swapped", "signed may stand before signatures.", "TUF 4.2.1", func(m *maker) {
			m.ok()
			m.stamp()
			raw := marshal(m.md["timestamp"])
			sigs := marshal(signatures(raw, m.keys["timestamp"]...))
			m.files["metadata/timestamp.json"] = bytes.Join([][]byte{[]byte(`{"signed":`), raw, []byte(`,"signatures":`), sigs, []byte(`}`)}, nil)
			m.ok()
		}},
		{"text_escaped", "Any character may be written as an escape.", "RFC 8259 7", func(m *maker) {
			m.ok()
			m.stamp()
			m.tamper("metadata/timestamp.json", `"_type": "timestamp"`, `"\u005ftype": "\u0074imestamp"`)
			m.ok()
		}},
		{"number_of_many_digits", "A number of three thousand digits in an unknown field costs no time.", "X41 2022 (quadratic number parsing)", func(m *maker) {
			m.ok()
			m.md["timestamp"]["x-number"] = rawJSON(strings.Repeat("9", 3000))
			m.stamp()
			m.step(conformance.Refresh, conformance.Any)
		}},
		{"members_in_any_order", "The order of members is free.", "TUF 4.2.1", func(m *maker) {
			m.ok()
			m.resignedNext("timestamp", `"_type":"timestamp",`, ``, `"version":2}`, `"version":2,"_type":"timestamp"}`)
			m.ok()
		}},
		{"spec_version_older", "Metadata of an older minor version is read.", "TUF 4.2.2, 7", func(m *maker) {
			m.md["timestamp"]["spec_version"] = "1.0.0"
			m.md["targets"]["spec_version"] = "1.0"
			m.release("targets")
			m.as(conformance.Refresh, conformance.Any).Trusted = nil
		}},
		{"spec_version_newer_minor", "Metadata of a newer minor version is read.", "TUF 4.2.2, 7", func(m *maker) {
			m.md["timestamp"]["spec_version"] = "1.99.0"
			m.stamp()
			m.ok()
		}},
		{"signature_with_extra_field", "A signature may have fields that nobody knows.", "TUF 4.2.1", func(m *maker) {
			m.ok()
			m.stamp()
			m.tamper("metadata/timestamp.json", `"sig": "`, `"method": "ed25519", "sig": "`)
			m.ok()
		}},
		{"root_with_unknown_role", "A root may list a role that the client does not know.", "TUF 4.3 (mirrors)", func(m *maker) {
			m.ok()
			m.md["root"]["roles"].(object)["mirrors"] = object{"keyids": list{m.keys["root"][0].id}, "threshold": 1}
			m.publish("root")
			m.step(conformance.Refresh, conformance.Any)
		}},
		{"root_without_consistent_snapshot", "A root may leave consistent_snapshot out.", "TUF 4.3", func(m *maker) {
			m.ok()
			delete(m.md["root"], "consistent_snapshot")
			m.publish("root")
			m.step(conformance.Refresh, conformance.Any)
		}},
		{"delegation_without_terminating", "A delegation may leave terminating out.", "TUF 4.5", func(m *maker) {
			m.delegate("targets", "A", object{"terminating": nil})
			m.add("A", "file", []byte("one\n"))
			m.store("A")
			m.release("targets")
			s := m.misses(conformance.Any, "file")
			s.May = map[string]string{"file": sum256([]byte("one\n"))}
		}},
		{"length_without_hash", "A length in snapshot may come without a hash.", "TUF 4.4", func(m *maker) {
			m.list()
			delete(m.md["snapshot"]["meta"].(object)["targets.json"].(object), "hashes")
			m.publish("snapshot")
			m.stamp()
			m.ok()
		}},
		{"versions_skipped", "Versions of timestamp, snapshot and targets may leave numbers out.", "TUF 4.4, 5.4.3", func(m *maker) {
			m.ok()
			m.md["timestamp"]["version"], m.md["snapshot"]["version"], m.md["targets"]["version"] = int64(40), int64(30), int64(20)
			m.release("targets")
			m.ok()
		}},
		{"delegations_empty", "Delegations may be empty.", "TUF 4.5", func(m *maker) {
			m.delegations("targets")
			m.release("targets")
			m.ok()
		}},
		{"length_of_meta_missing", "A hash in snapshot may come without a length.", "TUF 4.4", func(m *maker) {
			m.list()
			delete(m.md["snapshot"]["meta"].(object)["targets.json"].(object), "length")
			m.publish("snapshot")
			m.stamp()
			m.ok()
		}},
	}
}

// resignedNext publishes the next version of a role with two changes of its text.
func (m *maker) resignedNext(role, old, changed, old2, changed2 string) {
	m.md[role]["version"] = m.version(role) + 1
	raw := replace(replace(marshal(m.md[role]), old, changed), old2, changed2)
	m.files[m.path(role)] = sign(raw, m.keys[role]...)
}
