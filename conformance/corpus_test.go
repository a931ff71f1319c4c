// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/waybill-project/waybill/conformance"
)

func all(t *testing.T) []conformance.Case {
	cases, err := conformance.Cases()
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// TestCorpus wants every case to be complete and every file to be of use.
func TestCorpus(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)+$`)
	used := map[string]bool{}
	seen := map[string]bool{}
	for _, c := range all(t) {
		if !name.MatchString(c.Name) || seen[c.Name] {
			t.Errorf("%s: not a name, or not the only one", c.Name)
		}
		seen[c.Name] = true
		if c.Shows == "" || c.Source == "" || c.Clock.IsZero() || len(c.Steps) == 0 {
			t.Errorf("%s: incomplete", c.Name)
		}
		dir := "cases/" + c.Family + "/" + c.Name
		use := func(file string) {
			if !strings.HasPrefix(file, "shared/") {
				file = path.Join(dir, file)
			}
			used[file] = true
			if _, err := os.Stat(filepath.FromSlash(file)); err != nil {
				t.Errorf("%s: %v", c.Name, err)
			}
		}
		used[dir+"/case.json"] = true
		use(c.Root)
		for _, s := range c.Steps {
			checkStep(t, c.Name, s, use)
		}
	}
	for _, pattern := range []string{"cases/*/*/*", "shared/*"} {
		files, _ := filepath.Glob(pattern)
		for _, file := range files {
			if !used[filepath.ToSlash(file)] {
				t.Errorf("%s is not used", file)
			}
		}
	}
}

func checkStep(t *testing.T, name string, s conformance.Step, use func(string)) {
	if s.Verb != conformance.Refresh && (s.Verb != conformance.Download || len(s.Targets) == 0) {
		t.Errorf("%s: verb %q of %q", name, s.Verb, s.Targets)
	}
	known := append(conformance.Classes(), conformance.OK, conformance.Fail, conformance.Any)
	for class := range strings.SplitSeq(s.Expect, "|") {
		if !slices.Contains(known, class) {
			t.Errorf("%s: class %q", name, class)
		}
	}
	for _, reply := range s.Serve {
		if reply != nil && reply.File != "" {
			use(reply.File)
		}
	}
	for _, file := range s.Damage {
		if file != nil {
			use(*file)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"no JSON":      {"cases/a/b_c/case.json": {Data: []byte("{")}},
		"other name":   {"cases/a/b_c/case.json": {Data: []byte(`{"name":"x","family":"a"}`)}},
		"other family": {"cases/a/b_c/case.json": {Data: []byte(`{"name":"b_c","family":"x"}`)}},
	} {
		if _, err := conformance.Read(files); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	files := fstest.MapFS{"cases/a/b_c/case.json": {Data: []byte(`{"name":"b_c","family":"a","root":"nowhere"}`)}}
	cases, err := conformance.Read(files)
	if err != nil || len(cases) != 1 {
		t.Fatal(cases, err)
	}
	if err := cases[0].Check(t.Context(), refusing{}, t.TempDir()); err == nil {
		t.Error("a case without files passes")
	}
}
