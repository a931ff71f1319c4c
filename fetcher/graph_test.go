// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"

	"github.com/waybill-project/waybill/repo/layout"
)

type arc struct {
	from, to    string
	terminating bool
	paths       []any
}

func graphSim(t *testing.T, arcs []arc) *sim {
	s := newSim(t)
	for _, a := range arcs {
		fields := map[string]any{"terminating": a.terminating}
		if a.paths != nil {
			fields["paths"] = a.paths
		}
		s.delegate(a.from, a.to, fields)
	}
	s.storeAll()
	return s
}

func (s *sim) storeAll() {
	for role := range s.md {
		if !topLevel(role) {
			s.store(role)
		}
	}
	s.release("targets")
}

func TestGraphTraversal(t *testing.T) {
	py := []any{"*.py"}
	for name, c := range map[string]struct {
		arcs []arc
		want []string
	}{
		"basic-delegation":         {[]arc{{"targets", "A", false, nil}}, []string{"A"}},
		"single-level-delegations": {[]arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}}, []string{"A", "B"}},
		"two-level-delegations":    {[]arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"B", "C", false, nil}}, []string{"A", "B", "C"}},
		"two-level-test-DFS-order-of-traversal": {
			[]arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"A", "C", false, nil}, {"A", "D", false, nil}},
			[]string{"A", "C", "D", "B"},
		},
		"three-level-delegation-test-DFS-order-of-traversal": {
			[]arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"A", "C", false, nil}, {"C", "D", false, nil}},
			[]string{"A", "C", "D", "B"},
		},
		"two-level-terminating-ignores-all-but-roles-descendants": {
			[]arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"A", "C", true, nil}, {"A", "D", false, nil}},
			[]string{"A", "C"},
		},
		"three-level-terminating-ignores-all-but-roles-descendants": {
			[]arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"A", "C", true, nil}, {"C", "D", false, nil}},
			[]string{"A", "C", "D"},
		},
		"two-level-ignores-all-branches-not-matching-paths": {
			[]arc{{"targets", "A", false, py}, {"targets", "B", false, nil}, {"A", "C", false, nil}},
			[]string{"B"},
		},
		"three-level-ignores-all-branches-not-matching-paths": {
			[]arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"A", "C", false, py}, {"C", "D", false, nil}},
			[]string{"A", "B"},
		},
		"cyclic-graph": {
			[]arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"B", "C", false, nil}, {"C", "D", false, nil}, {"D", "B", false, nil}},
			[]string{"A", "B", "C", "D"},
		},
		"two-roles-delegating-to-a-third": {
			[]arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"B", "C", false, nil}, {"A", "C", false, nil}},
			[]string{"A", "C", "B"},
		},
		"two-roles-delegating-to-a-third-different-paths": {
			[]arc{{"targets", "A", false, nil}, {"targets", "B", false, nil}, {"B", "C", false, nil}, {"A", "C", false, py}},
			[]string{"A", "B", "C"},
		},
	} {
		t.Run("graph_traversal["+name+"]", func(t *testing.T) {
			s := graphSim(t, c.arcs)
			_, err := s.endpoint().client().Target(context.Background(), "missingpath")
			if !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			var want []string
			for _, role := range c.want {
				want = append(want, "1."+role+".json")
			}
			if got := s.asked()[4:]; !slices.Equal(got, want) {
				t.Errorf("visited %q, want %q", got, want)
			}
		})
	}
}

func TestTargetfileSearch(t *testing.T) {
	arcs := []arc{
		{"targets", "A", false, []any{"*.doc", "*.md"}},
		{"targets", "B", false, []any{"releases/*/*"}},
		{"B", "C", false, []any{"releases/x/*"}},
		{"B", "D", false, []any{"releases/y/*.zip"}},
		{"targets", "E", false, []any{"foo-?.tgz"}},
	}
	for name, c := range map[string]struct {
		target, role string
		visited      int
	}{
		"no delegations":                      {"targetfile", "targets", 0},
		"targetpath matches wildcard":         {"README.md", "A", 1},
		"targetpath with separators x":        {"releases/x/x_v1", "C", 2},
		"targetpath with separators y":        {"releases/y/y_v1.zip", "D", 2},
		"not delegated by all roles":          {"releases/z/z_v1.zip", "", 1},
		"wildcard does not match separator":   {"releases/README.md", "", 0},
		"matches question mark wildcard":      {"foo-1.tgz", "E", 1},
		"does not match question mark":        {"foo-alpha.tgz", "", 0},
		"targetpath matching case sensitive":  {"README.MD", "", 0},
		"brackets are no wildcards in README": {"README.[m]d", "", 0},
	} {
		t.Run("targetfile_search["+name+"]", func(t *testing.T) {
			s := graphSim(t, arcs)
			for role, file := range map[string]string{"targets": "targetfile", "A": "README.md", "C": "releases/x/x_v1", "D": "releases/y/y_v1.zip", "E": "foo-1.tgz"} {
				s.add(role, file, []byte("content of "+file))
			}
			s.add("D", "releases/z/z_v1.zip", []byte("z"))
			s.add("E", "foo-alpha.tgz", []byte("e"))
			s.storeAll()
			got, err := s.endpoint().client().Target(context.Background(), c.target)
			switch {
			case c.role == "" && !errors.Is(err, fs.ErrNotExist):
				t.Errorf("error %v", err)
			case c.role != "" && (err != nil || got.Role != c.role):
				t.Errorf("found %v, error %v", got, err)
			}
			if n := len(s.asked()) - 4; n != c.visited {
				t.Errorf("%d roles visited, want %d", n, c.visited)
			}
		})
	}
}

// The role C is delegated by A with one key and by B with another.
func TestCachedRoleIsVerifiedAgainstCurrentDelegator(t *testing.T) {
	s := graphSim(t, []arc{
		{"targets", "A", false, []any{"a"}}, {"targets", "B", false, []any{"b"}},
		{"A", "C", false, nil}, {"B", "C", false, nil},
	})
	s.add("C", "a", []byte("a"))
	s.add("C", "b", []byte("b"))
	other := edKey("another")
	r := s.md["B"]["delegations"].(map[string]any)["roles"].([]any)[0].(map[string]any)
	r["keyids"] = []any{other.id}
	s.md["B"]["delegations"].(map[string]any)["keys"].(map[string]any)[other.id] = other.record
	s.storeAll()
	e := s.endpoint()
	c := e.client()
	if _, err := c.Target(context.Background(), "a"); err != nil {
		t.Fatal(err)
	}
	_, err := c.Target(context.Background(), "b")
	wantRule(t, err, ErrSignature)
	_, err = e.client().Target(context.Background(), "b")
	wantRule(t, err, ErrSignature)
}

func TestDelegationNotInSnapshot(t *testing.T) {
	s := graphSim(t, []arc{{"targets", "A", false, nil}})
	delete(s.md, "A")
	s.commit()
	e := s.endpoint()
	e.ok()
	s.asked()
	_, err := e.client().Target(context.Background(), "x")
	wantRule(t, err, ErrMalformed)
	s.wantAsked("2.root.json", "timestamp.json")
}

func TestDelegatedRoleRules(t *testing.T) {
	target := func(s *sim, e *endpoint) error {
		_, err := e.client().Target(context.Background(), "x")
		return err
	}
	t.Run("expired", func(t *testing.T) {
		s := graphSim(t, []arc{{"targets", "A", false, nil}})
		s.md["A"]["expires"] = "2020-01-01T00:00:00Z"
		s.release("A")
		e := s.endpoint()
		wantRule(t, target(s, e), ErrExpired)
		e.have(versions{"A": 0})
	})
	t.Run("rollback", func(t *testing.T) {
		s := graphSim(t, []arc{{"targets", "A", false, nil}})
		s.hashes = false
		s.release("A")
		e := s.endpoint()
		s.put("metadata/2.A.json", s.objects["metadata/1.A.json"])
		wantRule(t, target(s, e), ErrRollback)
	})
	t.Run("limit", func(t *testing.T) {
		var arcs []arc
		for i := range 33 {
			arcs = append(arcs, arc{"targets", fmt.Sprint("r", i), false, nil})
		}
		s := graphSim(t, arcs)
		wantRule(t, target(s, s.endpoint()), ErrTooLarge)
	})
	t.Run("metadata", func(t *testing.T) {
		s := graphSim(t, []arc{{"targets", "A", false, nil}, {"A", "B", false, nil}})
		c := s.endpoint().client()
		for _, role := range []string{"root", "timestamp", "snapshot", "targets", "A"} {
			data, err := c.Metadata(context.Background(), role)
			if err != nil || string(data) != string(s.objects[s.object(role, s.version(role))]) {
				t.Errorf("%s: %v", role, err)
			}
		}
		if _, err := c.Metadata(context.Background(), "B"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("B: %v", err)
		}
	})
}

func TestHashPrefixes(t *testing.T) {
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte("file")))
	s := newSim(t)
	s.delegate("targets", "hit", map[string]any{"path_hash_prefixes": []any{"zz", sum[:2]}})
	s.add("hit", "file", []byte("content"))
	s.storeAll()
	if got, err := s.endpoint().client().Target(context.Background(), "file"); err != nil || got.Role != "hit" {
		t.Errorf("%v, %v", got, err)
	}
}

func TestSuccinctBins(t *testing.T) {
	s := newSim(t)
	k := edKey("bins")
	s.md["targets"]["delegations"] = map[string]any{
		"keys":           map[string]any{k.id: k.record},
		"succinct_roles": map[string]any{"keyids": []any{k.id}, "threshold": 1, "bit_length": 9, "name_prefix": "bin"},
	}
	sum := sha256.Sum256([]byte("file"))
	bin := fmt.Sprintf("bin-%03x", int(sum[0])<<1|int(sum[1]>>7))
	s.md[bin] = s.fresh("targets", map[string]any{"targets": map[string]any{}})
	s.keys[bin] = []*simKey{k}
	s.add(bin, "file", []byte("content"))
	s.storeAll()
	c := s.endpoint().client()
	if got, err := c.Target(context.Background(), "file"); err != nil || got.Role != bin {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := c.Metadata(context.Background(), bin); err != nil {
		t.Error(err)
	}
	for _, role := range []string{"bin-200", "bin-0", "bin-0x1", "bin-+01", "bin-"} {
		if _, err := c.Metadata(context.Background(), role); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", role, err)
		}
	}
}

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"*", "a", true}, {"*", "a/b", false}, {"*/*", "a/b", true}, {"**", "a/b", false}, {"a?c", "aéc", true},
		{"a*b*c", "aXbYbZc", true}, {"a*b*c", "aXbYbZ", false}, {"", "", true}, {"*", "", true}, {"?", "", false},
		{"[ab]", "a", false}, {"[ab]", "[ab]", true}, {`\*`, `\x`, true}, {"{a,b}", "a", false}, {"A", "a", false},
		{"*/deltas/*/*", "app/deltas/linux/x", true}, {"*/deltas/*/*", "app/1/deltas/linux/x", false},
	} {
		if got := match(c.pattern, c.path); got != c.want {
			t.Errorf("match(%q, %q) = %v", c.pattern, c.path, got)
		}
	}
}

func TestRootRotation(t *testing.T) {
	type step struct {
		list      []string // keys of root
		threshold int
		sign      []string
		ok        bool
	}
	for name, steps := range map[string][]step{
		"1-of-1-key-rotation":                            {{[]string{"2"}, 1, []string{"2", "root-1"}, true}},
		"1-of-1-key-rotation-unused-signatures":          {{[]string{"2"}, 1, []string{"3", "2", "4", "root-1"}, true}},
		"1-of-1-key-rotation-fail-not-signed-with-old":   {{[]string{"2"}, 1, []string{"2", "3"}, false}},
		"1-of-1-key-rotation-fail-not-signed-with-new":   {{[]string{"2"}, 1, []string{"root-1", "3"}, false}},
		"threshold-bump-fails-new-threshold-not-reached": {{[]string{"root-1", "2", "3"}, 2, []string{"root-1"}, false}},
		"3-of-5-sign-with-different-keycombos": {
			{[]string{"1", "2", "3", "4", "5"}, 3, []string{"root-1", "1", "2", "3"}, true},
			{[]string{"1", "2", "3", "4", "5"}, 3, []string{"2", "3", "4"}, true},
			{[]string{"1", "2", "3", "4", "5"}, 3, []string{"5", "1", "4"}, true},
			{[]string{"1", "2", "3", "4", "5"}, 3, []string{"5", "1"}, false},
		},
		"3-of-5-one-key-rotated": {
			{[]string{"1", "2", "3", "4", "5"}, 3, []string{"root-1", "1", "2", "3"}, true},
			{[]string{"2", "3", "4", "5", "6"}, 3, []string{"1", "3", "4", "6"}, true},
		},
		"3-of-5-fails-not-signed-with-3-new": {
			{[]string{"1", "2", "3", "4", "5"}, 3, []string{"root-1", "1", "2", "3"}, true},
			{[]string{"2", "3", "4", "5", "6"}, 3, []string{"1", "2", "3"}, false},
		},
		"3-of-5-fails-not-signed-with-3-old": {
			{[]string{"1", "2", "3", "4", "5"}, 3, []string{"root-1", "1", "2", "3"}, true},
			{[]string{"2", "3", "4", "5", "6"}, 3, []string{"2", "4", "6"}, false},
		},
		"2-of-3-threshold-decr-fails-old-threshold-not-reached": {
			{[]string{"1", "2", "3"}, 2, []string{"root-1", "1", "2"}, true},
			{[]string{"1", "2", "3"}, 1, []string{"1"}, false},
		},
	} {
		t.Run("root_rotation["+name+"]", func(t *testing.T) {
			s := newSim(t)
			e := s.endpoint()
			for i, step := range steps {
				s.rotate("root", step.list...)
				s.threshold("root", step.threshold)
				s.keys["root"] = nil
				for _, k := range step.sign {
					s.keys["root"] = append(s.keys["root"], edKey(k))
				}
				s.publish("root")
				if !step.ok {
					wantRule(t, e.refresh(), ErrThreshold)
					e.have(versions{"root": int64(i + 1)})
					return
				}
				e.ok()
				e.have(versions{"root": int64(i + 2)})
			}
		})
	}
}

func TestNonRootRotations(t *testing.T) {
	for _, role := range []string{"timestamp", "snapshot", "targets"} {
		for name, c := range map[string]struct {
			list      []string
			threshold int
			sign      []string
			rule      error
		}{
			"1-of-1-key-rotation":                              {[]string{"2"}, 1, []string{"2"}, nil},
			"1-of-1-key-rotation-unused-signatures":            {[]string{"2"}, 1, []string{"2", "3", "4"}, nil},
			"1-of-1-key-rotation-fail-not-signed-with-new-key": {[]string{"2"}, 1, []string{"3", "4"}, ErrSignature},
			"3-of-5-not-signed-with-3-expected-keys":           {[]string{"1", "2", "3", "4", "5"}, 3, []string{"1", "3", "6"}, ErrThreshold},
			"2-of-5-threshold-not-reached":                     {[]string{"1", "2", "3", "4", "5"}, 2, []string{"1"}, ErrThreshold},
			"3-of-5-sign-first-combo":                          {[]string{"1", "2", "3", "4", "5"}, 3, []string{"1", "2", "3"}, nil},
			"3-of-5-sign-fifth-combo":                          {[]string{"1", "2", "3", "4", "5"}, 3, []string{"5", "1", "2"}, nil},
		} {
			t.Run(role+"["+name+"]", func(t *testing.T) {
				s := newSim(t)
				e := s.endpoint()
				s.rotate(role, c.list...)
				s.threshold(role, c.threshold)
				s.keys[role] = nil
				for _, k := range c.sign {
					s.keys[role] = append(s.keys[role], edKey(k))
				}
				s.publish("root")
				s.release("targets")
				if c.rule == nil {
					e.ok()
				} else {
					e.fails(c.rule)
				}
			})
		}
	}
}

func TestRootsAndFingerprint(t *testing.T) {
	s := newSim(t)
	s.publish("root", "root")
	e := s.endpoint()
	e.ok()
	roots := e.client().Roots()
	if len(roots) != 3 {
		t.Fatalf("%d roots", len(roots))
	}
	for i, data := range roots {
		if string(data) != string(s.objects[layout.Root(int64(i+1))]) {
			t.Errorf("root %d differs", i+1)
		}
	}
	one, err := Fingerprint(roots[0])
	two, _ := Fingerprint(roots[1])
	if err != nil || len(one) != 64 || one == two {
		t.Errorf("fingerprints %s %s, %v", one, two, err)
	}
}

// What a caller does with its bytes later changes nothing that was verified.
func TestVerifiedMetadataIsNobodyElses(t *testing.T) {
	s := newSim(t)
	e := s.endpoint()
	e.root = bytes.Clone(e.root)
	c := e.client()
	want := string(e.root)
	clear(e.root)
	if err := c.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	clear(c.Roots()[0])
	if got := string(c.Roots()[0]); got != want {
		t.Errorf("root is now %.40q", got)
	}
	for _, role := range []string{"root", "timestamp", "snapshot", "targets"} {
		data, err := c.Metadata(context.Background(), role)
		if err != nil {
			t.Fatal(err)
		}
		want := string(data)
		clear(data)
		if data, _ = c.Metadata(context.Background(), role); string(data) != want {
			t.Errorf("%s is now %.40q", role, data)
		}
	}
}
