// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"encoding/json"
	"fmt"
	"path"

	"github.com/waybill-project/waybill/conformance"
)

// Cases returns every file of the corpus by its path.
func Cases() map[string][]byte {
	honest := newRepo()
	shared := map[string][]byte{}
	for name, content := range honest.files {
		shared[plain(path.Base(name))] = content
	}
	out := map[string][]byte{}
	for name, content := range shared {
		out["shared/"+name] = content
	}
	seen := map[string]bool{}
	for _, f := range families() {
		for _, r := range f.recipes {
			if seen[r.name] {
				panic("two cases are called " + r.name)
			}
			seen[r.name] = true
			for name, content := range build(f.name, r, shared) {
				out["cases/"+f.name+"/"+r.name+"/"+name] = content
			}
		}
	}
	return out
}

func build(f string, r recipe, shared map[string][]byte) map[string][]byte {
	m := newMaker(f, r, shared)
	defer func() {
		if e := recover(); e != nil {
			panic(fmt.Sprintf("%s: %v", r.name, e))
		}
	}()
	r.make(m)
	if m.lacksGood() {
		m = newMaker(f, r, shared)
		m.ok()
		r.make(m)
	}
	data, err := json.MarshalIndent(m.c, "", " ")
	if err != nil {
		panic(err)
	}
	m.out["case.json"] = append(data, '\n')
	return m.out
}

// lacksGood tells that a case never wants success, so that a client which refuses
// everything would pass. It then begins with a good refresh, unless it is about the
// first root.
func (m *maker) lacksGood() bool {
	for _, s := range m.c.Steps {
		if s.Expect == conformance.OK {
			return false
		}
	}
	return m.c.Root == "shared/1.root.json"
}
