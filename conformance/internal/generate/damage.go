// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"fmt"
	"strings"

	"github.com/waybill-project/waybill/conformance"
)

// damage are files of the client that a power cut left in pieces. Whatever is in
// them, the next run heals.
func damage() family {
	f := family{name: "damage"}
	for _, role := range []string{"timestamp", "snapshot", "targets", "delegated"} {
		for _, kind := range []string{"empty", "halved", "zeroed", "null", "object", "deep", "binary", "deleted"} {
			f.recipes = append(f.recipes, recipe{
				"stored_" + role + "_" + kind,
				fmt.Sprintf("A stored %s that is %s counts as absent and heals in one run.", role, kind),
				"go-tuf v2.4.2 (every later refresh fails); TUF 5.3-5.6", damaged(role, kind),
			})
		}
	}
	f.recipes = append(f.recipes,
		recipe{"stored_targets_of_stranger", "A stored role that does not verify is fetched again.", "TUF 5.6", func(m *maker) {
			m.ok()
			s := m.ok()
			s.Damage = m.with("targets.json", sign(marshal(m.md["targets"]), edKey("stranger")))
		}},
		recipe{"stored_snapshot_of_stranger", "A stored role that does not verify is fetched again.", "TUF 5.5", func(m *maker) {
			m.ok()
			s := m.ok()
			s.Damage = m.with("snapshot.json", sign(marshal(m.md["snapshot"]), edKey("stranger")))
		}},
		recipe{"stored_timestamp_of_stranger", "A stored role that does not verify sets no floor.", "TUF 5.4", func(m *maker) {
			m.ok()
			s := m.ok()
			far := replace(marshal(m.md["timestamp"]), `"version":1`, `"version":99`)
			s.Damage = m.with("timestamp.json", sign(far, edKey("stranger")))
		}},
		recipe{"stored_snapshot_ahead", "A stored snapshot that the timestamp does not list is replaced.", "TUF 5.5", func(m *maker) {
			m.ok()
			s := m.ok()
			s.Damage = m.with("targets.json", sign(replace(marshal(m.md["targets"]), `"version":1`, `"version":2`), m.keys["targets"]...))
		}},
	)
	return f
}

func damaged(role, kind string) func(m *maker) {
	return func(m *maker) {
		name := role
		if role == "delegated" {
			m.delegate("targets", role, nil)
			m.add(role, "file", []byte("delegated\n"))
			m.store(role)
			m.release("targets")
		}
		do := func() *conformance.Step { return m.ok() }
		if role == "delegated" {
			do = func() *conformance.Step { return m.gets(map[string]string{"file": "delegated\n"}) }
		}
		do()
		s := do()
		good := m.files[m.path(name)]
		pieces := map[string][]byte{
			"empty": {}, "halved": good[:len(good)/2], "zeroed": make([]byte, len(good)), "null": []byte("null"), "object": []byte("{}"),
			"deep": []byte(strings.Repeat("[", 5000)), "binary": {0xff, 0xfe, 0, 1}, "deleted": nil,
		}
		s.Damage = m.with(name+".json", pieces[kind])
		do()
	}
}

// with is the damage of one file; nil deletes it.
func (m *maker) with(name string, content []byte) map[string]*string {
	if content == nil {
		return map[string]*string{name: nil}
	}
	file := m.file("damaged."+name, content)
	return map[string]*string{name: &file}
}
