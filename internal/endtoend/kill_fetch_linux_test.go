// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func updates() []situation {
	return []situation{
		{"fetch update by delta over a new root", func(t *testing.T, dir string) victim { return updateVictim(t, dir, false, "update") }},
		{"fetch update in full", func(t *testing.T, dir string) victim { return updateVictim(t, dir, true, "update") }},
		{"fetch rollback", rollbackVictim},
		{"fetch update of itself", selfVictim},
	}
}

// updateVictim is an endpoint with 1.0.0 for which 1.1.0 was published.
func updateVictim(t *testing.T, dir string, full bool, verb string) victim {
	p := found(t, filepath.Join(dir, "bucket"))
	old := p.writeScript("1.0.0", scriptSize)
	p.release("1.0.0", old)
	e := endpointIn(t, filepath.Join(dir, "endpoint"), serve(t, p.repo), p.path("root.json"))
	e.update()
	fresh := p.writeScript("1.1.0", scriptSize)
	if full {
		p.release("1.1.0", fresh, "--no-deltas")
	} else {
		p.rotate() // a new root and new keys on the way
		p.ok("waybill", "publish")
		p.release("1.1.0", fresh)
	}
	v := endpointVictim(e, p.read(old), p.read(fresh))
	v.args = []string{"fetch", verb}
	return v
}

// endpointVictim is an endpoint that goes from old to fresh.
func endpointVictim(e *endpoint, old, fresh []byte) victim {
	return victim{
		shell:   e.shell,
		folders: []string{e.dir},
		killed:  func(t *testing.T) { e.with(t).oldOrNew(old, fresh) },
		again: func(t *testing.T, _ bool) {
			e := e.with(t)
			e.ok("fetch", "update", "--json")
			e.is(fresh)
			e.clean()
			if o := e.update(); o.Changed || o.Known != "recorded" {
				t.Fatalf("the run after the next: %+v", o)
			}
			e.ok("fetch", "rollback")
			e.is(old)
		},
	}
}

func (e *endpoint) with(t *testing.T) *endpoint {
	s := *e.shell
	s.t = t
	return &endpoint{&s, e.app}
}

// oldOrNew fails unless the program is byte for byte one of the two, and runs,
// and what is on record is not ahead of it.
func (e *endpoint) oldOrNew(old, fresh []byte) {
	e.t.Helper()
	have := e.read(e.app)
	if !bytes.Equal(have, old) && !bytes.Equal(have, fresh) {
		e.t.Fatalf("the program is neither the old one nor the new one, but %d bytes", len(have))
	}
	e.version("version")
	status := decode[struct {
		Installed struct{ Known string }
	}](e.t, e.ok("fetch", "status", "--json"))
	if status.Installed.Known == "absent" {
		e.t.Fatal("fetch status knows of no program")
	}
}

func (e *endpoint) is(want []byte) {
	e.t.Helper()
	if have := e.read(e.app); !bytes.Equal(have, want) {
		e.t.Fatalf("the program is not the one that was expected, but %d bytes", len(have))
	}
}

// clean fails if a run that got through left anything behind.
func (e *endpoint) clean() {
	e.t.Helper()
	entries, err := os.ReadDir(filepath.Dir(e.app))
	must(e.t, err)
	if len(entries) != 1 {
		e.t.Fatalf("beside the program: %v", entries)
	}
	must(e.t, filepath.WalkDir(e.path("state"), func(path string, d os.DirEntry, err error) error {
		name := d.Name()
		if err == nil && (strings.HasSuffix(name, ".unverified") || strings.HasSuffix(name, ".tmp") || name == "install.json") {
			e.t.Errorf("left behind: %s", path)
		}
		return err
	}))
}

// rollbackVictim goes back from 1.1.0 to 1.0.0.
func rollbackVictim(t *testing.T, dir string) victim {
	v := updateVictim(t, dir, true, "rollback")
	e := &endpoint{v.shell, v.path("bin/app")}
	old := e.read(e.app)
	e.update()
	fresh := e.read(e.app)
	v.killed = func(t *testing.T) { e.with(t).oldOrNew(old, fresh) }
	v.again = func(t *testing.T, _ bool) {
		e := e.with(t)
		if r := e.run("fetch", "rollback"); r.code != 0 && !bytes.Equal(e.read(e.app), old) {
			t.Fatalf("the second rollback: %d\n%s", r.code, r.stderr)
		}
		e.is(old)
		e.clean()
		if o := e.update(); o.Changed {
			t.Fatalf("what was rolled back came again: %+v", o)
		}
	}
	return v
}

// selfVictim is a fetch that updates its own program.
func selfVictim(t *testing.T, dir string) victim {
	p := found(t, filepath.Join(dir, "bucket"))
	old, fresh := p.path("fetch-1"), p.path("fetch-2")
	must(t, build("fetch", old, "1.0.0"))
	must(t, build("fetch", fresh, "2.0.0"))
	p.release("1.0.0", old)
	p.release("2.0.0", fresh)
	e := endpointIn(t, filepath.Join(dir, "endpoint"), serve(t, p.repo), p.path("root.json"))
	must(t, copyFile(old, e.app, 0o755))
	v := endpointVictim(e, p.read(old), p.read(fresh))
	v.args = []string{e.app, "update"}
	return v
}
