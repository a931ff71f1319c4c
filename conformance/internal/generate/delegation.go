// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"fmt"

	"github.com/waybill-project/waybill/conformance"
)

// arc is a delegation from one role to another.
type arc struct {
	from, to    string
	terminating bool
	paths       []string
}

func (m *maker) graph(arcs ...arc) {
	for _, a := range arcs {
		fields := object{"terminating": a.terminating}
		if a.paths != nil {
			fields["paths"] = texts(a.paths)
		}
		m.delegate(a.from, a.to, fields)
	}
}

func texts(words []string) list {
	out := list{}
	for _, w := range words {
		out = append(out, w)
	}
	return out
}

// publishAll publishes all delegated roles, and what lists them.
func (m *maker) publishAll() {
	for role := range m.md {
		if !isTopLevel(role) {
			m.store(role)
		}
	}
	m.release("targets")
}

func delegation() family {
	f := family{name: "delegations"}
	f.recipes = append(f.recipes, graphs()...)
	f.recipes = append(f.recipes, searches()...)
	f.recipes = append(f.recipes, patterns()...)
	f.recipes = append(f.recipes, edges()...)
	f.recipes = append(f.recipes, prefixes()...)
	f.recipes = append(f.recipes, bins()...)
	return f
}

// graphs are those of the public suite; what is asked for shows the order.
func graphs() []recipe {
	var out []recipe
	py := []string{"*.py"}
	for _, c := range []struct {
		name, shows string
		arcs        []arc
		visited     []string
	}{
		{"graph_single", "one role", []arc{{"targets", "A", false, nil}}, []string{"A"}},
		{"graph_two_siblings", "two roles beside each other", []arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}}, []string{"A", "B"}},
		{"graph_two_levels", "a role below the second of two", []arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"B", "C", false, nil}}, []string{"A", "B", "C"}},
		{"graph_depth_first", "roles below the first before the second", []arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"A", "C", false, nil}, {"A", "D", false, nil}}, []string{"A", "C", "D", "B"}},
		{"graph_depth_first_three_levels", "depth before breadth", []arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"A", "C", false, nil}, {"C", "D", false, nil}}, []string{"A", "C", "D", "B"}},
		{"graph_terminating", "nothing after a terminating role", []arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"A", "C", true, nil}, {"A", "D", false, nil}}, []string{"A", "C"}},
		{"graph_terminating_with_descendant", "only descendants after a terminating role", []arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"A", "C", true, nil}, {"C", "D", false, nil}}, []string{"A", "C", "D"}},
		{"graph_branch_not_matching", "no branch whose paths do not match", []arc{{"targets", "A", false, py}, {"targets", "B", false, nil}, {"A", "C", false, nil}}, []string{"B"}},
		{"graph_deep_branch_not_matching", "no deeper branch whose paths do not match", []arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"A", "C", false, py}, {"C", "D", false, nil}}, []string{"A", "B"}},
		{"graph_cyclic", "a cycle once", []arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"B", "C", false, nil}, {"C", "D", false, nil}, {"D", "B", false, nil}}, []string{"A", "B", "C", "D"}},
		{"graph_pointing_at_itself", "a role that delegates to itself once", []arc{{"targets", "A", false, nil}, {"A", "A", false, nil}}, []string{"A"}},
		{"graph_diamond", "a role with two parents once", []arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"B", "C", false, nil}, {"A", "C", false, nil}}, []string{"A", "C", "B"}},
		{"graph_diamond_of_different_paths", "a role by the parent that matches", []arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"B", "C", false, nil}, {"A", "C", false, py}}, []string{"A", "B", "C"}},
		{"graph_terminating_not_matching", "a terminating role that does not match ends nothing", []arc{{"targets", "A", true, py}, {"targets", "B", false, nil}}, []string{"B"}},
		{"graph_in_reverse_alphabet", "order of appearance, not of names", []arc{{"targets", "Z", false, nil}, {"targets", "M", false, nil}, {"targets", "A", false, nil}}, []string{"Z", "M", "A"}},
		{"graph_chain_of_eight", "a chain of eight roles", []arc{{"targets", "A", false, nil}, {"A", "B", false, nil}, {"B", "C", false, nil}, {"C", "D", false, nil}, {"D", "E", false, nil}, {"E", "F", false, nil}, {"F", "G", false, nil}, {"G", "H", false, nil}}, []string{"A", "B", "C", "D", "E", "F", "G", "H"}},
	} {
		out = append(out, recipe{c.name, "The search visits " + c.shows + ".", "TUF 5.6.7; suite graph_traversal; go-tuf CVE-2024-47534; tough CVE-2025-2886, GHSA-j8x2", func(m *maker) {
			m.graph(c.arcs...)
			m.publishAll()
			m.ok()
			s := m.misses(conformance.Absent, "missingpath")
			s.Asked = []string{"metadata/2.root.json", "metadata/timestamp.json"}
			for _, role := range c.visited {
				s.Asked = append(s.Asked, m.path(role))
			}
		}})
	}
	return out
}

func searches() []recipe {
	arcs := []arc{
		{"targets", "A", false, []string{"*.doc", "*.md"}}, {"targets", "B", false, []string{"releases/*/*"}},
		{"B", "C", false, []string{"releases/x/*"}}, {"B", "D", false, []string{"releases/y/*.zip"}}, {"targets", "E", false, []string{"foo-?.tgz"}},
	}
	listed := map[string]string{"targetfile": "targets", "README.md": "A", "releases/x/x_v1": "C", "releases/y/y_v1.zip": "D", "releases/z/z_v1.zip": "D",
		"foo-1.tgz": "E", "foo-alpha.tgz": "E"}
	var out []recipe
	for _, c := range []struct {
		name, shows, target string
		found               bool
		visited             []string
	}{
		{"search_without_delegations", "A target of the top level is found without asking a role.", "targetfile", true, nil},
		{"search_by_star", "A star stands for part of a name.", "README.md", true, []string{"A"}},
		{"search_through_folders_x", "Patterns with folders lead through two roles.", "releases/x/x_v1", true, []string{"B", "C"}},
		{"search_through_folders_y", "Patterns with folders lead through two roles.", "releases/y/y_v1.zip", true, []string{"B", "D"}},
		{"search_not_delegated_by_all", "Every role on the way must allow the name.", "releases/z/z_v1.zip", false, []string{"B"}},
		{"search_star_and_slash", "A star does not stand for a slash.", "releases/README.md", false, []string{}},
		{"search_by_question_mark", "A question mark stands for one character.", "foo-1.tgz", true, []string{"E"}},
		{"search_question_mark_and_word", "A question mark does not stand for more.", "foo-alpha.tgz", false, []string{}},
		{"search_in_capitals", "Patterns are compared with their case.", "README.MD", false, []string{}},
	} {
		out = append(out, recipe{c.name, c.shows, "TUF 4.5, 5.6.7; suite targetfile_search", func(m *maker) {
			m.graph(arcs...)
			for name, role := range listed {
				m.add(role, name, []byte("content of "+name+"\n"))
			}
			m.publishAll()
			m.ok()
			asked := []string{"metadata/2.root.json", "metadata/timestamp.json"}
			for _, role := range c.visited {
				asked = append(asked, m.path(role))
			}
			if !c.found {
				m.misses(conformance.Absent, c.target).Asked = asked
				return
			}
			content := "content of " + c.target + "\n"
			m.gets(map[string]string{c.target: content}).Asked = append(asked, m.target(c.target, sum256([]byte(content))))
		}})
	}
	return out
}

func patterns() []recipe {
	var out []recipe
	for _, c := range []struct{ pattern, target, expect, word string }{
		{"*/*", "a/b", ok, "stars_with_slash"}, {"**", "a/b", conformance.Absent, "double_star"}, {"a*c", "abbbc", ok, "star_inside"},
		{"a*", "a", ok, "star_for_nothing"}, {"a?", "a", conformance.Absent, "question_mark_for_nothing"}, {"caf?", "caf\u00e9", ok, "question_mark_for_accent"}, {"a?b", "a/b", conformance.Absent, "question_mark_for_slash"},
		{"a*b*c", "aXbYbZc", ok, "two_stars"}, {"a*b*c", "aXbYbZ", conformance.Absent, "two_stars_without_end"},
		{"dir", "dir/file", conformance.Absent, "folder_alone"}, {"dir/", "dir/file", conformance.Absent, "folder_with_slash"},
		{"dir/*", "dir/sub/file", conformance.Absent, "folder_of_folder"}, {"*.bin", ".bin", ok, "star_before_dot"},
		{"file", "file", ok, "exact_name"}, {"file", "file2", conformance.Absent, "prefix_of_name"}, {"ile", "file", conformance.Absent, "suffix_of_name"},
		{"FILE", "file", conformance.Absent, "other_case"}, {"", "file", conformance.Absent, "empty"},
		{"{a,b}", "a", conformance.Absent, "braces"}, {"a\\*", "a*", conformance.Any, "backslash"}, {"[ab]", "a", conformance.Any, "brackets"}, {"[", "a", conformance.Absent, "bracket_open"},
	} {
		shows := fmt.Sprintf("The pattern %q stands for %q.", c.pattern, c.target)
		if c.expect != ok {
			shows = fmt.Sprintf("The pattern %q does not stand for %q.", c.pattern, c.target)
		}
		out = append(out, recipe{"pattern_" + c.word, shows, "TUF 4.5 (PATHPATTERN)", func(m *maker) {
			m.graph(arc{"targets", "A", false, []string{c.pattern}})
			m.add("A", c.target, []byte("by pattern\n"))
			m.publishAll()
			if c.expect == ok {
				m.gets(map[string]string{c.target: "by pattern\n"})
				return
			}
			s := m.misses(c.expect, c.target)
			if c.expect == conformance.Any {
				s.May = map[string]string{c.target: sum256([]byte("by pattern\n"))}
			}
		}})
	}
	return out
}

// edges are about the keys of one delegation.
func edges() []recipe {
	return []recipe{
		{"diamond_of_different_keys", "A role that is reached by two parents with other keys is verified for each.", "suite cached_role_is_verified_against_current_delegator; go-tuf issue 759", func(m *maker) {
			m.otherKeys()
			s := m.misses(conformance.Signature, "a", "b")
			s.Files = map[string]string{"a": sum256([]byte("a\n"))}
		}},
		{"diamond_of_different_keys_over_runs", "A stored role is verified for the parent by which it is reached now.", "suite cached_role_is_verified_against_current_delegator", func(m *maker) {
			m.otherKeys()
			m.gets(map[string]string{"a": "a\n"})
			m.misses(conformance.Signature, "b")
		}},
		{"diamond_of_different_thresholds", "A role that is reached by two parents with other thresholds is verified for each.", "suite cached_role_is_verified_against_current_delegator", func(m *maker) {
			m.otherKeys()
			entry, keys := m.role("C")
			entry["keyids"] = list{m.keys["C"][0].id, edKey("other").id}
			entry["threshold"] = 2
			keys[m.keys["C"][0].id] = m.keys["C"][0].record
			m.release("B", "targets")
			s := m.misses(conformance.Threshold, "a", "b")
			s.Files = map[string]string{"a": sum256([]byte("a\n"))}
		}},
		{"diamond_of_same_keys", "A role that is reached by two parents with the same keys is found by both.", "TUF 5.6.7", func(m *maker) {
			m.graph(arc{"targets", "A", false, []string{"a"}}, arc{"targets", "B", false, []string{"b"}}, arc{"A", "C", false, nil}, arc{"B", "C", false, nil})
			m.add("C", "a", []byte("a\n"))
			m.add("C", "b", []byte("b\n"))
			m.publishAll()
			m.gets(map[string]string{"a": "a\n", "b": "b\n"})
		}},
		{"key_id_reused_by_delegation", "A key id means what the delegating role says, whatever root says.", "TUF 4.5; TAP 12", func(m *maker) {
			m.graph(arc{"targets", "A", false, nil})
			entry, keys := m.role("A")
			id := m.keys["root"][0].id
			entry["keyids"] = list{id}
			clear(keys)
			keys[id] = m.keys["A"][0].record
			m.keys["A"] = []*key{m.keys["A"][0].as(id)}
			m.add("A", "file", []byte("one\n"))
			m.publishAll()
			m.gets(map[string]string{"file": "one\n"})
		}},
		{"delegated_not_in_snapshot", "A role that snapshot does not list is not even asked for.", "suite delegation_not_in_snapshot", func(m *maker) {
			m.graph(arc{"targets", "A", false, nil})
			m.store("A")
			delete(m.md, "A")
			m.release("targets")
			m.ok()
			m.misses("malformed|absent|network", "file").Asked = []string{"metadata/2.root.json", "metadata/timestamp.json"}
		}},
		{"delegated_version_higher", "A delegated role whose version is higher than what was listed is refused.", "TUF 5.6.4", func(m *maker) {
			m.hashes = false
			m.graph(arc{"targets", "A", false, nil})
			m.add("A", "file", []byte("one\n"))
			m.publishAll()
			m.md["A"]["version"] = int64(2)
			m.files[m.pathOf("A", 1)] = m.signed("A")
			m.misses("mismatch|rollback", "file")
		}},
		{"delegated_of_other_type", "What is signed as snapshot is no delegated role, even if the right key signs it.", "TUF 4.2", func(m *maker) {
			m.hashes = false
			m.graph(arc{"targets", "A", false, nil})
			m.publishAll()
			m.files[m.path("A")] = sign(replace(marshal(m.md["snapshot"]), `"version":2}`, `"version":1,"targets":{}}`), m.keys["A"]...)
			m.misses("malformed|mismatch", "file")
		}},
		{"delegated_without_paths", "A role to which no path leads is not asked for.", "TUF 4.5", func(m *maker) {
			m.graph(arc{"targets", "A", false, []string{}})
			m.add("A", "file", []byte("unreachable\n"))
			m.publishAll()
			m.misses(conformance.Absent, "file")
		}},
		{"delegated_lists_what_it_may_not", "What a role lists outside its paths is not found.", "TUF 5.6.7; python-tuf GHSA-77hh-43cm-v8j6", func(m *maker) {
			m.graph(arc{"targets", "A", false, []string{"a/*"}})
			m.add("A", "b/file", []byte("not yours\n"))
			m.publishAll()
			m.misses(conformance.Absent, "b/file")
		}},
		{"delegated_shadows_nothing", "What the top level lists is not taken from a role.", "TUF 5.6.7", func(m *maker) {
			m.graph(arc{"targets", "A", false, nil})
			m.add("A", "app.bin", []byte("false\n"))
			m.publishAll()
			m.gets(map[string]string{"app.bin": appOne})
		}},
		{"delegated_first_wins", "Of two roles that list a name the first decides.", "TUF 5.6.7; go-tuf CVE-2024-47534", func(m *maker) {
			m.graph(arc{"targets", "zulu", false, nil}, arc{"targets", "alpha", false, nil})
			m.add("zulu", "file", []byte("of zulu\n"))
			m.add("alpha", "file", []byte("of alpha\n"))
			m.publishAll()
			m.gets(map[string]string{"file": "of zulu\n"})
		}},
		{"delegated_first_of_twenty_wins", "The order of twenty roles is kept.", "go-tuf CVE-2024-47534", func(m *maker) {
			for i := range 20 {
				role := fmt.Sprintf("role-%02d", (i*7)%20)
				m.graph(arc{"targets", role, false, nil})
				m.add(role, "file", []byte("of "+role+"\n"))
			}
			m.publishAll()
			m.gets(map[string]string{"file": "of role-00\n"})
		}},
		{"delegated_after_terminating", "What stands behind a terminating role that matches is not found.", "TUF 5.6.7; tough CVE-2025-2886", func(m *maker) {
			m.graph(arc{"targets", "A", true, nil}, arc{"targets", "B", false, nil})
			m.add("B", "file", []byte("hidden\n"))
			m.publishAll()
			m.misses(conformance.Absent, "file")
		}},
		{"delegated_after_deep_terminating", "A terminating role further down ends the whole search.", "TUF 5.6.7; tough CVE-2025-2886", func(m *maker) {
			m.graph(arc{"targets", "A", false, nil}, arc{"A", "C", true, nil}, arc{"targets", "B", false, nil})
			m.add("B", "file", []byte("hidden\n"))
			m.publishAll()
			m.misses(conformance.Absent, "file")
		}},
		{"delegated_expired_first", "A role over its date ends the search: another may not take its place.", "TUF 5.6.7", func(m *maker) {
			m.graph(arc{"targets", "A", false, nil}, arc{"targets", "B", false, nil})
			m.md["A"]["expires"] = date(epoch.AddDate(0, 0, -1))
			m.add("B", "file", []byte("of the second\n"))
			m.publishAll()
			m.misses(conformance.Expired, "file")
		}},
		{"delegated_malformed_first", "A role that is no metadata ends the search.", "TUF 5.6.7", func(m *maker) {
			m.hashes = false
			m.graph(arc{"targets", "A", false, nil}, arc{"targets", "B", false, nil})
			m.add("B", "file", []byte("of the second\n"))
			m.publishAll()
			m.files[m.path("A")] = []byte(`{"signed":{"targets":{"a":null}}}`)
			m.misses("malformed|signature", "file")
		}},
		{"delegated_key_rotated", "A delegated role with a new key is followed.", "TUF 5.6.3", func(m *maker) {
			m.graph(arc{"targets", "A", false, nil})
			m.add("A", "file", []byte("one\n"))
			m.publishAll()
			m.gets(map[string]string{"file": "one\n"})
			m.rotate("A", "A-2")
			m.add("A", "file", []byte("two\n"))
			m.release("A", "targets")
			m.gets(map[string]string{"file": "two\n"})
		}},
		{"delegated_key_revoked", "A stored role whose key was revoked is refused.", "TUF 5.6.3", func(m *maker) {
			m.graph(arc{"targets", "A", false, nil})
			m.add("A", "file", []byte("one\n"))
			m.add("A", "other", []byte("other\n"))
			m.publishAll()
			m.gets(map[string]string{"file": "one\n"})
			old := m.keys["A"]
			m.rotate("A", "A-2")
			m.keys["A"] = old
			m.release("targets")
			m.misses(conformance.Signature, "other")
		}},
		{"delegated_key_of_top_level", "A key that root lists does not sign for a delegated role.", "TUF 5.6.3", func(m *maker) {
			m.graph(arc{"targets", "A", false, nil})
			m.add("A", "file", []byte("one\n"))
			m.keys["A"] = m.keys["root"]
			m.publishAll()
			m.misses(conformance.Signature, "file")
		}},
		{"delegated_key_from_root_by_id", "A key id that only root knows is unknown to a delegation.", "TUF 4.5", func(m *maker) {
			m.graph(arc{"targets", "A", false, nil})
			entry, _ := m.role("A")
			entry["keyids"] = list{m.keys["root"][0].id}
			m.keys["A"] = m.keys["root"]
			m.add("A", "file", []byte("one\n"))
			m.publishAll()
			m.misses("signature|threshold|malformed", "file")
		}},
		{"delegation_removed", "A role that is no longer delegated is not searched, listed in snapshot or not.", "TUF 5.6.7", func(m *maker) {
			m.graph(arc{"targets", "A", false, nil})
			m.add("A", "file", []byte("one\n"))
			m.add("A", "other", []byte("other\n"))
			m.publishAll()
			m.gets(map[string]string{"file": "one\n"})
			delete(m.md["targets"], "delegations")
			m.release("targets")
			m.misses(conformance.Absent, "other")
		}},
		{"delegations_of_thirty_roles", "Thirty roles can be searched.", "TUF 5.6.7", func(m *maker) {
			for i := range 30 {
				m.graph(arc{"targets", fmt.Sprintf("r%02d", i), false, nil})
			}
			m.add("r29", "file", []byte("the last\n"))
			m.publishAll()
			m.gets(map[string]string{"file": "the last\n"})
		}},
		{"delegations_without_end", "The number of roles that are searched is bounded.", "TUF 5.6.7", func(m *maker) {
			m.hashes = false
			names := []string{"targets"}
			for i := range 300 {
				names = append(names, fmt.Sprintf("c%03d", i))
				m.graph(arc{names[i], names[i+1], false, nil})
			}
			for _, role := range names[60:] {
				delete(m.md, role)
			}
			m.publishAll()
			m.misses("too-large|absent", "file")
		}},
	}
}

// otherKeys makes A and B delegate to C with different keys; only A's has signed.
func (m *maker) otherKeys() {
	m.graph(arc{"targets", "A", false, []string{"a"}}, arc{"targets", "B", false, []string{"b"}}, arc{"A", "C", false, nil}, arc{"B", "C", false, nil})
	m.add("C", "a", []byte("a\n"))
	m.add("C", "b", []byte("b\n"))
	entry, keys := m.role("C")
	other := edKey("other")
	entry["keyids"] = list{other.id}
	keys[other.id] = other.record
	m.publishAll()
}
