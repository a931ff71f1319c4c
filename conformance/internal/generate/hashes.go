// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"strings"

	"github.com/waybill-project/waybill/conformance"
)

const newApp = "version 2 of the application\n"

// hashing are lengths and hashes that do not fit what they are about.
func hashing() family {
	f := family{name: "hashes"}
	f.recipes = append(f.recipes, metaHashes()...)
	f.recipes = append(f.recipes, targetHashes()...)
	f.recipes = append(f.recipes, contents()...)
	return f
}

// metaHashes change what snapshot says about targets, what timestamp says about
// snapshot, and what snapshot says about a delegated role.
func metaHashes() []recipe {
	var out []recipe
	wrong := sum256([]byte("something else"))
	for _, c := range []struct {
		name, shows, expect string
		change              func(meta object, file []byte)
	}{
		{"hash_wrong", "that is not the listed one by its hash", conformance.Mismatch, func(meta object, _ []byte) { meta["hashes"] = object{"sha256": wrong} }},
		{"length_lower", "that is longer than listed", "too-large|mismatch", func(meta object, file []byte) { meta["length"] = len(file) - 1 }},
		{"length_higher", "that is shorter than listed", conformance.Mismatch, func(meta object, file []byte) { meta["length"] = len(file) + 1 }},
		{"second_hash_wrong", "of which one of two hashes is wrong", conformance.Mismatch, func(meta object, file []byte) {
			meta["hashes"] = object{"sha256": sum256(file), "sha512": sum512([]byte("something else"))}
		}},
		{"hash_truncated", "whose listed hash is cut short", "mismatch|malformed", func(meta object, file []byte) { meta["hashes"] = object{"sha256": sum256(file)[:32]} }},
		{"hash_empty", "whose listed hash is empty", "mismatch|malformed", func(meta object, _ []byte) { meta["hashes"] = object{"sha256": ""} }},
		{"hash_not_hex", "whose listed hash is not hex", "mismatch|malformed", func(meta object, _ []byte) { meta["hashes"] = object{"sha256": strings.Repeat("zz", 32)} }},
		{"length_zero", "with a listed length of zero", "too-large|mismatch|malformed", func(meta object, _ []byte) { meta["length"] = 0 }},
		{"hash_unknown_only", "of which only a hash of an unknown kind is listed", "mismatch|malformed", func(meta object, _ []byte) { meta["hashes"] = object{"md4": "00"} }},
	} {
		for _, role := range []string{"snapshot", "targets", "delegated"} {
			out = append(out, recipe{role + "_" + c.name, "A " + role + " " + c.shows + " is refused.", "TUF 5.5.2, 5.6.2; suite targets_hash_mismatch, snapshot_hash_mismatch; tough CVE-2026-6967",
				func(m *maker) { m.listed(role, c.expect, c.change) }})
		}
	}
	for _, role := range []string{"snapshot", "targets"} {
		out = append(out, recipe{role + "_hash_unknown_beside_good", "A hash of an unknown kind beside a known one is left aside.", "TUF 4.4", func(m *maker) {
			m.beyond()
			m.listed(role, ok, func(meta object, file []byte) { meta["hashes"] = object{"sha256": sum256(file), "sha3-256": "00"} })
		}})
		out = append(out, recipe{role + "_two_hashes", "Two right hashes are two right hashes.", "TUF 4.4", func(m *maker) {
			m.listed(role, ok, func(meta object, file []byte) {
				meta["hashes"] = object{"sha256": sum256(file), "sha512": sum512(file)}
			})
		}})
		out = append(out, recipe{role + "_altered_in_space", "A file that differs from the listed one in space alone is refused.", "TUF 5.5.2, 5.6.2", func(m *maker) {
			m.ok()
			m.release("targets")
			m.files[m.path(role)] = append(m.files[m.path(role)], ' ')
			m.stops(role, "too-large|mismatch")
		}})
	}
	return out
}

func (m *maker) listed(role, expect string, change func(meta object, file []byte)) {
	if role == "delegated" {
		m.delegate("targets", role, nil)
		m.add(role, "file", []byte("delegated\n"))
		m.store(role)
	}
	m.release("targets")
	if role == "snapshot" {
		change(m.md["timestamp"]["meta"].(object)["snapshot.json"].(object), m.files[m.path(role)])
		m.publish("timestamp")
	} else {
		change(m.md["snapshot"]["meta"].(object)[role+".json"].(object), m.files[m.path(role)])
		m.publish("snapshot")
		m.stamp()
	}
	switch {
	case expect == ok:
		m.ok()
	case role == "delegated":
		m.misses(expect, "file")
	case strings.Contains(expect, conformance.Malformed): // of the role that lists it, or of the listed one
		m.fails(expect)
	default:
		m.stops(role, expect)
	}
}

// targetHashes change the entry of a target whose file is honest.
func targetHashes() []recipe {
	var out []recipe
	content := []byte(newApp)
	right, long := sum256(content), sum512(content)
	for _, c := range []struct {
		name, shows, expect string
		length              any
		hashes              object
	}{
		{"target_hash_wrong", "A file that does not have the listed hash is refused.", conformance.Mismatch, len(content), object{"sha256": sum256([]byte("x"))}},
		{"target_length_lower", "A file that is longer than listed is refused.", "too-large|mismatch", len(content) - 1, object{"sha256": right}},
		{"target_length_higher", "A file that is shorter than listed is refused.", "mismatch|network", len(content) + 1, object{"sha256": right}},
		{"target_length_zero", "A length of zero is a length.", "too-large|mismatch|malformed", 0, object{"sha256": right}},
		{"target_second_hash_wrong", "All listed hashes must be right.", conformance.Mismatch, len(content), object{"sha256": right, "sha512": sum512([]byte("x"))}},
		{"target_first_hash_wrong", "All listed hashes must be right.", conformance.Mismatch, len(content), object{"sha256": sum256([]byte("x")), "sha512": long}},
		{"target_hash_unknown_only", "A target with only a hash of an unknown kind is refused.", "malformed|mismatch", len(content), object{"md5": "00"}},
		{"target_hash_truncated", "A hash that is cut short does not count.", "malformed|mismatch", len(content), object{"sha256": right[:16]}},
		{"target_hash_empty", "An empty hash does not count.", "malformed|mismatch", len(content), object{"sha256": ""}},
		{"target_hash_not_hex", "A hash that is not hex does not count.", "malformed|mismatch", len(content), object{"sha256": strings.Repeat("zz", 32)}},
		{"target_hash_of_other_kind", "A hash of 256 bits under the name of one with 512 does not count.", "malformed|mismatch", len(content), object{"sha512": right}},
		{"target_hash_unknown_beside_good", "A hash of an unknown kind beside a known one is left aside.", ok, len(content), object{"sha256": right, "sha3-256": "00"}},
		{"target_sha256_only", "A target with SHA-256 is found under that hash.", ok, len(content), object{"sha256": right}},
		{"target_sha512_only", "A target with SHA-512 alone is found under that hash.", ok, len(content), object{"sha512": long}},
		{"target_both_hashes", "A target with two hashes is found under either.", ok, len(content), object{"sha256": right, "sha512": long}},
	} {
		out = append(out, recipe{c.name, c.shows, "TUF 5.7.2, 5.7.3; suite download_with_hash_algorithms, download_with_unknown_hash_algorithm; go-tuf PR 721", func(m *maker) {
			m.c.Beyond = c.name == "target_hash_unknown_beside_good"
			for _, hash := range c.hashes {
				if h := hash.(string); h != "" {
					m.files[m.target("new.bin", h)] = content
				}
			}
			m.files["targets/.new.bin"] = content
			m.targets("targets")["new.bin"] = object{"length": c.length, "hashes": c.hashes}
			m.release("targets")
			if c.expect == ok {
				m.gets(map[string]string{"new.bin": newApp})
				return
			}
			m.misses(c.expect, "new.bin")
			if c.name != "target_hash_empty" && c.name != "target_hash_not_hex" { // the whole role may be refused
				m.gets(map[string]string{"app.bin": appOne})
			}
		}})
	}
	return out
}

// contents are files that are not what their honest entry says.
func contents() []recipe {
	path := "targets/" + sum256([]byte(newApp)) + ".new.bin"
	var out []recipe
	for _, c := range []struct {
		name, shows, expect string
		content             string
	}{
		{"content_swapped", "Other content of the same length is refused.", conformance.Mismatch, strings.ToUpper(newApp)},
		{"content_cut_short", "Content that lacks its end is refused.", "mismatch|network", newApp[:10]},
		{"content_empty", "An empty file is refused.", "mismatch|network", ""},
		{"content_continued", "Content that goes on after its end is refused.", "too-large|mismatch", newApp + "and more"},
		{"content_bit_flipped", "A single changed bit is refused.", conformance.Mismatch, "w" + newApp[1:]},
	} {
		out = append(out, recipe{c.name, c.shows, "TUF 5.7.3; suite repository_substitutes_target_file", func(m *maker) {
			m.add("targets", "new.bin", []byte(newApp))
			m.release("targets")
			m.files[path] = []byte(c.content)
			m.gets(map[string]string{"app.bin": appOne})
			m.misses(c.expect, "new.bin")
			m.files[path] = []byte(newApp)
			m.gets(map[string]string{"new.bin": newApp})
		}})
	}
	out = append(out, knownContent()...)
	return append(out,
		recipe{"content_changes_over_releases", "Over six releases a client takes the new content and never the false one between.", "suite multiple_changes_to_target", func(m *maker) {
			for i := range 6 {
				good := strings.Repeat("x", i) + newApp
				m.add("targets", "new.bin", []byte(good))
				m.release("targets")
				where := m.target("new.bin", sum256([]byte(good)))
				m.files[where] = []byte(strings.ToUpper(good))
				m.misses(conformance.Mismatch, "new.bin")
				m.files[where] = []byte(good)
				m.gets(map[string]string{"new.bin": good})
			}
		}},
		recipe{"content_kept_from_before", "A target that is there with the right content is not asked for again.", "suite client_downloads_expected_file, artifact_cache", func(m *maker) {
			m.gets(map[string]string{"app.bin": appOne})
			m.gets(map[string]string{"app.bin": appOne}).Asked = []string{"metadata/2.root.json", "metadata/timestamp.json"}
		}},
		recipe{"content_swapped_in_second_of_three", "A download stops at the first target that fails; those before it stay.", "suite protocol", func(m *maker) {
			m.add("targets", "new.bin", []byte(newApp))
			m.add("targets", "third.bin", []byte("third\n"))
			m.release("targets")
			m.files[path] = []byte(strings.ToUpper(newApp))
			s := m.misses(conformance.Mismatch, "app.bin", "new.bin", "third.bin")
			s.Files = map[string]string{"app.bin": sum256([]byte(appOne))}
		}},
		recipe{"content_zero_bytes_honest", "A target of no bytes is a target.", "TUF 4.5", func(m *maker) {
			m.add("targets", "nothing", []byte{})
			m.release("targets")
			m.gets(map[string]string{"nothing": ""})
		}},
		recipe{"content_binary_honest", "Bytes that are no text come out as they are.", "TUF 5.7", func(m *maker) {
			all := make([]byte, 256)
			for i := range all {
				all[i] = byte(i)
			}
			m.add("targets", "all.bin", all)
			m.release("targets")
			m.gets(map[string]string{"all.bin": string(all)})
		}},
		recipe{"content_shared_by_two_names", "Two names of one content are two targets.", "TUF 5.7", func(m *maker) {
			m.add("targets", "a", []byte("same\n"))
			m.add("targets", "b/a", []byte("same\n"))
			m.release("targets")
			m.gets(map[string]string{"a": "same\n", "b/a": "same\n"})
		}},
		recipe{"content_of_sub_folder", "A target in a folder of a folder is found.", "suite client_downloads_expected_file_in_sub_dir", func(m *maker) {
			m.add("targets", "path/to/a/file.txt", []byte("deep\n"))
			m.release("targets")
			m.ok()
			m.gets(map[string]string{"path/to/a/file.txt": "deep\n"})
		}},
		recipe{"target_hash_in_capitals", "A hash in capitals is the same hash, or none.", "TUF 4.5", func(m *maker) {
			m.add("targets", "new.bin", []byte(newApp))
			hash := sum256([]byte(newApp))
			m.targets("targets")["new.bin"].(object)["hashes"] = object{"sha256": strings.ToUpper(hash)}
			m.files[m.target("new.bin", strings.ToUpper(hash))] = []byte(newApp)
			m.release("targets")
			s := m.misses(conformance.Any, "new.bin")
			s.May = map[string]string{"new.bin": hash}
		}},
		recipe{"content_prefix_ignored", "With consistent snapshots the plain name of a target is not asked for.", "TUF 6.2", func(m *maker) {
			m.files["targets/app.bin"] = []byte("a stale copy\n")
			m.gets(map[string]string{"app.bin": appOne})
		}},
	)
}

// knownContent is content that the client has verified a moment ago under another name, listed once
// more by an entry that does not fit it.
func knownContent() []recipe {
	var out []recipe
	content := []byte(newApp)
	right := sum256(content)
	for _, c := range []struct {
		name, expect string
		length       int
		hashes       object
	}{
		{"content_known_listed_shorter", "too-large|mismatch", len(content) - 5, object{"sha256": right}},
		{"content_known_listed_longer", "mismatch|network", len(content) + 5, object{"sha256": right}},
		{"content_known_second_hash_wrong", conformance.Mismatch, len(content), object{"sha256": right, "sha512": sum512([]byte("x"))}},
	} {
		out = append(out, recipe{c.name, "Content that verified for one target is not taken for another that lists it wrongly.", "TUF 5.7.2, 5.7.3", func(m *maker) {
			m.add("targets", "new.bin", content)
			m.targets("targets")["copy.bin"] = object{"length": c.length, "hashes": c.hashes}
			for _, hash := range c.hashes {
				m.files[m.target("copy.bin", hash.(string))] = content
			}
			m.release("targets")
			s := m.misses(c.expect, "new.bin", "copy.bin")
			s.Files = map[string]string{"new.bin": right}
			m.gets(map[string]string{"new.bin": newApp})
		}})
	}
	return out
}
