// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"bufio"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	attackTest = regexp.MustCompile("`(case:[^`]*|Test[^`]*)`")
	testFunc   = regexp.MustCompile(`^func (Test\w+)\(t \*testing\.T\)`)
	exitCodes  = regexp.MustCompile(`^(0|3|4|5|8|9|12)(, (0|3|4|5|8|9|12))*$`)
)

// TestSecurityTableIsTrue holds the table of attacks in SECURITY.md against the tree: each
// row names an exit code and tests that exist.
func TestSecurityTableIsTrue(t *testing.T) {
	rows := attacks(t)
	if len(rows) < 30 {
		t.Fatalf("%d attacks", len(rows))
	}
	have := append(testNames(t), caseNames(t)...)
	slices.Sort(have)
	for _, cells := range rows {
		if len(cells) != 4 || !exitCodes.MatchString(cells[2]) {
			t.Errorf("%q: no exit code, or not four cells", cells)
			continue
		}
		named := attackTest.FindAllStringSubmatch(cells[3], -1)
		if len(named) == 0 || strings.TrimSpace(attackTest.ReplaceAllString(cells[3], "")) != "" {
			t.Errorf("%s: no tests, or something else beside them", cells[0])
		}
		for _, n := range named {
			if _, ok := slices.BinarySearch(have, n[1]); !ok {
				t.Errorf("%s: there is no %s", cells[0], n[1])
			}
		}
	}
}

// attacks are the rows below the heading, without those that head a table.
func attacks(t *testing.T) (rows [][]string) {
	t.Helper()
	text, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n### Attack by attack\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") || strings.HasPrefix(line, "| attack |") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows = append(rows, cells)
	}
	return rows
}

func testNames(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for lines.Scan() {
			if m := testFunc.FindStringSubmatch(lines.Text()); m != nil {
				names = append(names, m[1])
			}
		}
		return lines.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func caseNames(t *testing.T) (names []string) {
	t.Helper()
	found, err := filepath.Glob("../../conformance/cases/*/*")
	if err != nil || len(found) == 0 {
		t.Fatal(err, len(found))
	}
	for _, path := range found {
		names = append(names, "case:"+filepath.Base(path))
	}
	return names
}
