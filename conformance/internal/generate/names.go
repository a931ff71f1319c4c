// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"slices"
	"strings"

	"github.com/waybill-project/waybill/conformance"
)

// naming are names of targets and roles that mean something to a URL, a shell or a
// file system.
func naming() family {
	f := family{name: "names"}
	for _, c := range []struct{ name, target, shows string }{
		{"target_with_space", "a file", "a space"},
		{"target_with_percent", "100%", "a percent sign"},
		{"target_with_escape", "a%41b", "what looks like an escape"},
		{"target_with_escaped_slash", "a%2Fb", "what looks like an escaped slash"},
		{"target_with_question_mark", "a?b=c", "a question mark"},
		{"target_with_hash_sign", "a#b", "a hash sign"},
		{"target_with_plus", "a+b", "a plus sign"},
		{"target_with_ampersand", "a&b;c", "an ampersand and a semicolon"},
		{"target_with_at_sign", "user@host", "an at sign"},
		{"target_with_tilde", "~root", "a tilde"},
		{"target_with_dollar", "$HOME", "a dollar sign"},
		{"target_with_quotes", "it's \"quoted\"", "quotes"},
		{"target_with_accent", "caf\u00e9", "a letter beyond ASCII"},
		{"target_with_emoji", "\U0001f4e6/box", "a character beyond 16 bits"},
		{"target_like_hidden_file", ".hidden", "a leading dot"},
		{"target_like_option", "--help", "leading dashes"},
		{"target_like_metadata", "root.json", "the name of metadata"},
		{"target_like_metadata_folder", "metadata/timestamp.json", "the folder of metadata"},
		{"target_of_long_name", strings.Repeat("n", 180), "180 bytes"},
		{"target_of_many_folders", strings.Repeat("d/", 20) + "file", "twenty folders"},
		{"target_in_capitals", "APP.BIN", "the name of another in capitals"},
		{"target_with_equals_sign", "a=b,c", "an equals sign and a comma"},
		{"target_beginning_with_space", " a", "a leading space"},
		{"target_of_three_dots", "...", "three dots"},
		{"target_of_dash", "-", "a dash"},
		{"target_of_git", ".git/config", "the folder of git"},
		{"target_with_star", "a*b", "a star"},
		{"target_with_pipe", "a|b", "a pipe"},
		{"target_with_angles", "a<b>c", "angle brackets"},
		{"target_with_caret", "a^b`c", "a caret and a backquote"},
		{"target_with_direction_mark", "a\u202egnp.exe", "a mark that turns the direction of text"},
		{"target_with_zero_width", "a\u200bb", "a character without width"},
		{"target_with_wide_dots", "\uff0e\uff0e/a", "wide dots that a careless normalisation turns into dots"},
		{"target_with_high_plane", "\U0010fffd", "the last character but two"},
		{"target_like_snapshot_file", "2.snapshot.json", "the name of a metadata file"},
		{"target_with_parentheses", "a(b)[c]{d}", "brackets"},
	} {
		f.recipes = append(f.recipes, recipe{c.name, "A target whose name has " + c.shows + " is downloaded.", "TUF 4.5; suite test_quoting_issues", func(m *maker) {
			// Targets' names are URLs to some and are escaped by others.
			m.c.Beyond = strings.ContainsAny(c.target, "%?#")
			content := "content of " + c.name + "\n"
			m.add("targets", c.target, []byte(content))
			m.release("targets")
			m.gets(map[string]string{"app.bin": appOne, c.target: content})
		}})
	}
	for _, c := range []struct{ name, target, shows string }{
		{"target_climbing_out", "../climbed", "climbs out of the folder"},
		{"target_climbing_far_out", "../../../climbed", "climbs far out of the folder"},
		{"target_climbing_in_between", "a/../../climbed", "climbs out on a detour"},
		{"target_climbing_escaped", "..%2fclimbed", "climbs out if unescaped"},
		{"target_climbing_with_backslash", `..\climbed`, "climbs out where a backslash parts folders"},
		{"target_absolute", "/tmp/conformance-climbed", "is absolute"},
		{"target_absolute_twice", "//host/climbed", "begins with two slashes"},
		{"target_like_url", "http://127.0.0.1:1/climbed", "looks like a URL"},
		{"target_of_dot", ".", "is a dot"},
		{"target_of_two_dots", "..", "is two dots"},
		{"target_with_dot_folder", "a/./climbed", "has a folder that is a dot"},
		{"target_with_empty_folder", "a//climbed", "has a folder without a name"},
		{"target_ending_in_slash", "a/", "ends in a slash"},
		{"target_without_name", "", "is empty"},
		{"target_with_newline", "a\nb", "has a line end"},
		{"target_with_zero_byte", "a\x00b", "has a zero byte"},
		{"target_with_delete", "a\x7fb", "has a control character"},
		{"target_with_colon", "a:b", "is an alternate stream on Windows"},
		{"target_like_drive", `C:\climbed`, "names a drive on Windows"},
		{"target_like_device", "con", "is a device on Windows"},
		{"target_like_device_with_suffix", "nul.txt", "is a device on Windows"},
		{"target_like_device_aux", "aux", "is a device on Windows"},
		{"target_like_device_serial", "COM1.bin", "is a device on Windows"},
		{"target_like_device_superscript", "com\u00b9", "is a device on Windows"},
		{"target_like_device_console", "CONIN$", "is a device on Windows"},
		{"target_like_device_folder", "lpt9/file", "lies in a device on Windows"},
		{"target_like_share", `\\host\share\climbed`, "names a share on Windows"},
		{"target_like_file_url", "file:///etc/climbed", "looks like the URL of a file"},
		{"target_like_home", "~/climbed", "lies in a home folder to a shell"},
		{"target_ending_in_space", "app.bin ", "loses its last space on Windows"},
		{"target_ending_in_dots", "a/..", "ends in two dots"},
		{"target_beginning_with_dot_slash", "./climbed", "begins with a dot and a slash"},
		{"target_climbing_with_escaped_dots", "%2e%2e/climbed", "climbs out if unescaped"},
		{"target_climbing_with_parameter", "..;/climbed", "climbs out of some servers"},
		{"target_climbing_out_of_metadata", "../metadata/root.json", "climbs into the folder of metadata"},
		{"target_climbing_to_state", "../metadata/targets.json", "climbs into the folder of metadata"},
		{"target_with_escaped_zero", "a%00b", "has a zero byte if unescaped"},
		{"target_with_tab", "a\tb", "has a tab"},
		{"target_with_return", "a\r\nb: c", "has what ends a header"},
		{"target_with_folder_of_spaces", "a/  /b", "has a folder of spaces"},
		{"target_with_byte_order_mark", "\ufeffapp.bin", "begins with a byte order mark"},
		{"target_ending_in_dot", "app.bin.", "loses its last dot on Windows"},
		{"target_of_endless_name", strings.Repeat("n", 3000), "is longer than any file system takes"},
	} {
		f.recipes = append(f.recipes, recipe{c.name, "A target whose name " + c.shows + " is refused, or stays in the target folder.",
			"python-tuf CVE-2021-41131; tough CVE-2021-41149, CVE-2021-41150; sigstore CVE-2026-24137", func(m *maker) {
				content := []byte("content of " + c.name + "\n")
				m.add("targets", c.target, content)
				m.release("targets")
				if c.target == "a\x00b" {
					m.ok() // a command line cannot hold this name
					return
				}
				s := m.step(conformance.Download, conformance.Any)
				s.Targets = []string{c.target}
				s.May = map[string]string{c.target: sum256(content)}
				s = m.ok()
				s.May = map[string]string{c.target: sum256(content)}
			}})
	}
	f.recipes = append(f.recipes, roleNames()...)
	return append1(f, []recipe{
		{"targets_that_differ_in_case", "Two targets whose names differ in case are two files.", "python-tuf GHSA-qp9x-wp8f-qgjj; git CVE-2021-21300", func(m *maker) {
			m.add("targets", "Readme", []byte("one\n"))
			m.add("targets", "README", []byte("two\n"))
			m.release("targets")
			m.gets(map[string]string{"Readme": "one\n", "README": "two\n"})
		}},
		{"targets_of_file_and_folder", "A target may have the name of the folder of another.", "TUF 4.5", func(m *maker) {
			m.add("targets", "a", []byte("one\n"))
			m.add("targets", "a/b", []byte("two\n"))
			m.release("targets")
			m.gets(map[string]string{"a": "one\n", "a/b": "two\n"})
		}},
		{"targets_that_escape_alike", "a/b and a%2Fb are two targets.", "TUF 4.5; suite test_quoting_issues", func(m *maker) {
			m.beyond()
			m.add("targets", "a/b", []byte("one\n"))
			m.add("targets", "a%2Fb", []byte("two\n"))
			m.release("targets")
			m.gets(map[string]string{"a/b": "one\n", "a%2Fb": "two\n"})
		}},
		{"targets_of_two_normal_forms", "The two normal forms of a letter with an accent are two targets.", "UAX 15", func(m *maker) {
			m.add("targets", "caf\u00e9", []byte("one\n"))
			m.add("targets", "cafe\u0301", []byte("two\n"))
			m.release("targets")
			m.gets(map[string]string{"caf\u00e9": "one\n", "cafe\u0301": "two\n"})
		}},
	})
}

func roleNames() []recipe {
	var out []recipe
	for _, c := range []struct{ name, role, expect string }{
		{"role_of_question_mark", "?", ok}, {"role_of_hash_sign", "#", ok}, {"role_beginning_with_slash", "/delegatedrole", ok},
		{"role_climbing_out", "../delegatedrole", ok}, {"role_climbing_far_out", "../../../../delegatedrole", ok}, {"role_with_space", "a role", ok},
		{"role_with_percent", "50%25", ok}, {"role_with_plus", "a+b", ok}, {"role_with_accent", "r\u00f4le", ok}, {"role_in_capitals", "ROLE", ok},
		{"role_like_targets_in_capitals", "Targets", ok}, {"role_like_root_in_capitals", "ROOT", ok}, {"role_like_versioned_root", "2.root", ok},
		{"role_like_metadata_file", "timestamp.json", ok}, {"role_like_device", "con", ok}, {"role_with_colon", "a:b", ok},
		{"role_ending_in_dot", "role.", ok}, {"role_of_number", "1", ok}, {"role_with_dots_inside", "a.b.c", ok},
		{"role_with_backslash", `..\role`, conformance.Any}, {"role_of_dot", ".", conformance.Any}, {"role_of_two_dots", "..", conformance.Any},
		{"role_of_long_name", strings.Repeat("r", 200), conformance.Any}, {"role_with_newline", "a\nb", conformance.Any},
	} {
		out = append(out, recipe{c.name, "A role with an odd name is one segment of a URL, and its file stays in the metadata folder.", "suite unusual_role_name; go-tuf v2.4.2", func(m *maker) {
			m.delegate("targets", c.role, nil)
			m.add(c.role, "file", []byte("of an odd role\n"))
			m.store(c.role)
			m.release("targets")
			m.ok()
			if c.expect == conformance.Any {
				s := m.misses(conformance.Any, "file")
				s.May = map[string]string{"file": sum256([]byte("of an odd role\n"))}
				return
			}
			m.gets(map[string]string{"file": "of an odd role\n"})
		}})
		if slices.Contains([]string{"?", "#", "/delegatedrole", "../delegatedrole", "a role"}, c.role) {
			out = append(out, recipe{c.name + "_kept", "A stored role with an odd name is found again.", "suite unusual_role_name; go-tuf v2.4.2", func(m *maker) {
				m.beyond()
				m.delegate("targets", c.role, nil)
				m.store(c.role)
				m.release("targets")
				m.misses(conformance.Absent, "nowhere")
				m.misses(conformance.Absent, "nowhere").Asked = []string{"metadata/2.root.json", "metadata/timestamp.json"}
			}})
		}
	}
	for _, c := range []struct{ name, role string }{
		{"role_called_root", "root"}, {"role_called_timestamp", "timestamp"}, {"role_called_snapshot", "snapshot"}, {"role_called_targets", "targets"}, {"role_without_name", ""},
	} {
		out = append(out, recipe{c.name, "A delegated role may not have the name of a top-level role, or none.", "TUF 4.5; go-tuf v2.4.2", func(m *maker) {
			m.ok()
			m.delegate("targets", "stand-in", nil)
			entry, _ := m.role("stand-in")
			entry["name"] = c.role
			delete(m.md, "stand-in")
			m.release("targets")
			m.stops("targets", conformance.Malformed)
		}})
	}
	return append(out,
		recipe{"role_listed_twice", "Two roles of one name below one role are refused.", "TUF 4.5; go-tuf v2.4.2", func(m *maker) {
			m.ok()
			m.delegate("targets", "role", nil)
			d := m.delegations("targets")
			d["roles"] = append(d["roles"].(list), d["roles"].(list)[0])
			m.store("role")
			m.release("targets")
			m.stops("targets", conformance.Malformed)
		}},
		recipe{"roles_that_differ_in_case", "Two roles whose names differ in case are two roles.", "go-tuf v2.4.2", func(m *maker) {
			m.delegate("targets", "Role", object{"paths": list{"one"}})
			m.delegate("targets", "role", object{"paths": list{"two"}})
			m.add("Role", "one", []byte("one\n"))
			m.add("role", "two", []byte("two\n"))
			m.store("Role", "role")
			m.release("targets")
			m.gets(map[string]string{"one": "one\n", "two": "two\n"})
			m.gets(map[string]string{"one": "one\n", "two": "two\n"})
		}},
	)
}
