// SPDX-License-Identifier: Apache-2.0

//go:build unix

package endtoend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// endpoint is a machine that keeps one program up to date.
type endpoint struct {
	*shell
	app string // path of the program
}

// outcome is what `fetch update --json` prints, as far as the tests look at it.
type outcome struct {
	From    string  `json:"from"`
	Known   string  `json:"known"`
	To      string  `json:"to"`
	Changed bool    `json:"changed"`
	Reason  string  `json:"reason"`
	Way     string  `json:"way"`
	Fetched int64   `json:"fetched_bytes"`
	Full    int64   `json:"full_bytes"`
	Saved   float64 `json:"saved_percent"`
	Meta    int64   `json:"metadata_bytes"`
	Left    []struct {
		Way    string `json:"way"`
		Class  string `json:"class"`
		Reason string `json:"reason"`
	} `json:"left"`
	Self bool `json:"self"`
}

// failure is what --json prints for an error.
type failure struct {
	Error struct {
		Code    int    `json:"code"`
		Class   string `json:"class"`
		Message string `json:"message"`
		Hint    string `json:"hint"`
	} `json:"error"`
}

// newEndpoint sets up a machine from root 1. Nothing is installed yet.
func newEndpoint(t testing.TB, url, root string) *endpoint {
	t.Helper()
	return endpointIn(t, filepath.Join(t.TempDir(), "endpoint"), url, root)
}

func endpointIn(t testing.TB, dir, url, root string) *endpoint {
	t.Helper()
	must(t, os.MkdirAll(filepath.Join(dir, "bin"), 0o755))
	e := &endpoint{shell: newShell(t, dir, "FETCH_STATE="+filepath.Join(dir, "state"))}
	e.app = e.path("bin/app")
	e.setUp(url, root)
	return e
}

func (e *endpoint) setUp(url, root string, flags ...string) {
	e.t.Helper()
	e.ok(append([]string{"fetch", "init", "--url", url, "--root", root, "--product", "app", "--channel", "stable",
		"--platform", platform, "--path", e.app}, flags...)...)
}

// update runs `fetch update`, which must succeed.
func (e *endpoint) update(flags ...string) outcome {
	e.t.Helper()
	return decode[outcome](e.t, e.ok(append([]string{"fetch", "update", "--json"}, flags...)...))
}

// refused runs `fetch update`, which must end with a code and leave the
// installed program as it is.
func (e *endpoint) refused(code int, text string, flags ...string) failure {
	e.t.Helper()
	before := e.installed()
	r := e.exits(code, text, append([]string{"fetch", "update", "--json"}, flags...)...)
	if after := e.installed(); after != before {
		e.t.Fatalf("the program was changed from %s to %s", before, after)
	}
	f := decode[failure](e.t, r.stdout)
	if f.Error.Code != code || f.Error.Hint == "" {
		e.t.Fatalf("the error object has code %d and hint %q", f.Error.Code, f.Error.Hint)
	}
	return f
}

// installed is the sha256 of the installed program, empty if there is none.
func (e *endpoint) installed() string {
	e.t.Helper()
	if _, err := os.Lstat(e.app); os.IsNotExist(err) {
		return ""
	}
	return sumOf(e.t, e.app)
}

// has fails unless the installed program is byte for byte that file.
func (e *endpoint) has(file string) {
	e.t.Helper()
	if have, want := e.installed(), sumOf(e.t, file); have != want {
		e.t.Fatalf("installed is %s, want %s (%s)", have, want, file)
	}
}

// version runs the installed program and gives what it prints.
func (e *endpoint) version(args ...string) string {
	e.t.Helper()
	return strings.TrimSpace(e.ok(append([]string{e.app}, args...)...))
}
