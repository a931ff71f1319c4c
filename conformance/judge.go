// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// judge compares how a step ended with how it must. A client that gives no class is
// judged by success and failure alone.
func judge(expect string, result error, client interface{ Classes(error) []string }) error {
	var crash *CrashError
	switch {
	case errors.As(result, &crash):
		return result
	case expect == Any:
		return nil
	case expect == OK && result != nil:
		return fmt.Errorf("failed: %w", result)
	case expect == OK:
		return nil
	case result == nil:
		return fmt.Errorf("succeeded, want %s", expect)
	case expect == Fail:
		return nil
	}
	got := client.Classes(result)
	for want := range strings.SplitSeq(expect, "|") {
		if slices.Contains(got, want) {
			return nil
		}
	}
	if len(got) == 0 {
		return nil
	}
	return fmt.Errorf("failed for %s, want %s: %w", strings.Join(got, ", "), expect, result)
}

// checkTrusted looks at the files that are named after roles: their versions, and
// that they are something that was served, as it was served.
func (m *machine) checkTrusted(step *Step, result error) error {
	for role, want := range step.Trusted {
		got, err := m.version(role)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("trusts %s version %d, want %d", role, got, want)
		}
	}
	for _, role := range []string{"root", "timestamp", "snapshot", "targets"} {
		data, err := os.ReadFile(filepath.Join(m.base.MetadataDir, role+".json"))
		if err != nil || m.site.served[string(data)] {
			continue
		}
		if _, damaged := step.Damage[role+".json"]; damaged && result != nil {
			continue
		}
		return fmt.Errorf("%s.json holds %.60q, which was never served", role, data)
	}
	return nil
}

// version returns 0 if there is no file.
func (m *machine) version(role string) (int64, error) {
	data, err := os.ReadFile(filepath.Join(m.base.MetadataDir, role+".json"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	var doc struct {
		Signed struct {
			Version int64 `json:"version"`
		} `json:"signed"`
	}
	if err == nil {
		err = json.Unmarshal(data, &doc)
	}
	if err != nil {
		return 0, fmt.Errorf("trusted %s: %w", role, err)
	}
	return doc.Signed.Version, nil
}

// checkFiles wants exactly the listed contents below the target folder, under
// whatever names, but for those that may be there too.
func (m *machine) checkFiles(step *Step, _ error) error {
	var got []string
	err := filepath.WalkDir(m.base.TargetDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		got = append(got, sum(data))
		return err
	})
	if err != nil {
		return err
	}
	want := slices.Sorted(maps.Values(step.Files))
	slices.Sort(got)
	got = slices.DeleteFunc(got, func(hash string) bool { return slices.Contains(slices.Collect(maps.Values(step.May)), hash) })
	if !slices.Equal(got, want) {
		return fmt.Errorf("the target folder holds %.8q, want %.8q", got, want)
	}
	return nil
}

// checkBox wants nothing new outside the two folders.
func (m *machine) checkBox(*Step, error) error {
	return filepath.WalkDir(m.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == m.base.MetadataDir || path == m.base.TargetDir {
			return fs.SkipDir
		}
		if rel, _ := filepath.Rel(path, m.box); d.IsDir() && !strings.HasPrefix(rel, "..") {
			return nil
		}
		return fmt.Errorf("wrote %s, outside its folders", path)
	})
}

func (m *machine) checkAsked(step *Step, _ error) error {
	if step.Asked == nil {
		return nil
	}
	got := m.site.requests()
	if !slices.Equal(got, step.Asked) {
		return fmt.Errorf("asked for %q, want %q", got, step.Asked)
	}
	return nil
}
