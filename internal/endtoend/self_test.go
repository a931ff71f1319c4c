// SPDX-License-Identifier: Apache-2.0

//go:build unix

package endtoend

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestFetchUpdatesItself has fetch replace the very program that runs, by a
// delta, go back, and stay there until something newer is offered.
func TestFetchUpdatesItself(t *testing.T) {
	t.Parallel()
	p := found(t, filepath.Join(t.TempDir(), "bucket"))
	file := func(version string) string { return p.path("fetch-" + version) }
	for _, version := range []string{"1.0.0", "2.0.0", "2.1.0"} {
		must(t, build("fetch", file(version), version))
	}
	p.release("1.0.0", file("1.0.0"))
	p.release("2.0.0", file("2.0.0"))
	e := newEndpoint(t, serve(t, p.repo), p.path("root.json"))
	must(t, copyFile(file("1.0.0"), e.app, 0o755))

	o := decode[outcome](t, e.ok(e.app, "update", "--json"))
	t.Logf("%s -> %s: %s, fetched %d of %d bytes (%.2f%% saved)", o.From, o.To, o.Way, o.Fetched, o.Full, o.Saved)
	if !o.Self || !o.Changed || o.Way != "direct" || o.From != "1.0.0" || o.To != "2.0.0" {
		t.Errorf("update: %+v", o)
	}
	e.isFetch("2.0.0", file("2.0.0"))

	e.ok(e.app, "rollback")
	e.isFetch("1.0.0", file("1.0.0"))
	if o := decode[outcome](t, e.ok(e.app, "update", "--json")); o.Changed {
		t.Errorf("what was rolled back came again: %+v", o)
	}

	p.release("2.1.0", file("2.1.0"))
	if o := decode[outcome](t, e.ok(e.app, "update", "--json")); o.To != "2.1.0" || o.Way != "direct" {
		t.Errorf("the next update: %+v", o)
	}
	e.isFetch("2.1.0", file("2.1.0"))
}

// isFetch fails unless the installed program is that file and says so itself.
func (e *endpoint) isFetch(version, file string) {
	e.t.Helper()
	e.has(file)
	if have := e.version("version"); !strings.HasPrefix(have, "fetch "+version+" ") {
		e.t.Errorf("the program says %q, want version %s", have, version)
	}
}
