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
	good := s.Verb == conformance.Refresh || s.Verb == conformance.Download && len(s.Targets) > 0 ||
		s.Verb == conformance.Release && s.Product != "" && s.Channel != "" && s.Platform != ""
	if !good {
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

// TestSources wants every test of the public suite that drives a client, every
// advisory about such clients and every attack of the specification to be the source of a case.
func TestSources(t *testing.T) {
	var sources strings.Builder
	for _, c := range all(t) {
		sources.WriteString(c.Source + "\n")
	}
	for _, want := range strings.Fields(suite) {
		if !regexp.MustCompile(`\b` + want + `\b`).MatchString(sources.String()) {
			t.Errorf("no case comes from the suite's %s", want)
		}
	}
	for _, want := range append(advisories, attacks...) {
		if !strings.Contains(sources.String(), want) {
			t.Errorf("no case comes from %s", want)
		}
	}
}

// suite are the test functions of theupdateframework/tuf-conformance.
const suite = `
basic_refresh_requests basic_refresh_trusted_data implicit_refresh invalid_initial_root unsigned_initial_root unsigned_metadata
url_and_metadata_version_mismatch timestamp_content_changes basic_metadata_hash_support targets_hash_mismatch snapshot_hash_mismatch
metadata_bytes_match custom_fields deprecated_keyid_hash_algorithms snapshot_404 targets_404 timestamp_404 incorrect_metadata_type faketime
root_expired timestamp_expired snapshot_expired targets_expired expired_local_root expired_local_timestamp
client_downloads_expected_file client_downloads_expected_file_in_sub_dir repository_substitutes_target_file multiple_changes_to_target
download_with_hash_algorithms download_with_unknown_hash_algorithm artifact_cache
snapshot_does_not_meet_threshold snapshot_has_too_few_keys duplicate_keys duplicate_sig_keyids keytype_and_scheme invalid_sig_in_valid_metadata
unusual_role_name new_timestamp_version_rollback snapshot_rollback targets_role_removal targets_fast_forward_recovery
new_snapshot_fast_forward_recovery new_timestamp_fast_forward_recovery targets_rollback static_repository graph_traversal targetfile_search
cached_role_is_verified_against_current_delegator delegation_not_in_snapshot root_rotation non_root_rotations`

var advisories = []string{
	"CVE-2022-29173", "GHSA-3633-5h82-39pq", "CVE-2024-47534", "CVE-2026-23991", "CVE-2026-23992", "PR 733", "PR 721", "issue 759", // go-tuf
	"CVE-2020-15163", "CVE-2020-6173", "CVE-2020-6174", "CVE-2021-41131", "GHSA-77hh-43cm-v8j6", "GHSA-qp9x-wp8f-qgjj", "issue 2669", "X41 2022", // python-tuf
	"CVE-2020-15093", "CVE-2021-41149", "CVE-2021-41150", "CVE-2025-2885", "CVE-2025-2886", "CVE-2025-2887", "CVE-2025-2888", "GHSA-j8x2", "CVE-2026-6967", // tough
	"CVE-2026-24137", // sigstore
}

var attacks = []string{
	"endless data", "fast-forward", "indefinite freeze", "key compromise", "mix-and-match", "rollback", "root withheld", "clock moved back",
}
