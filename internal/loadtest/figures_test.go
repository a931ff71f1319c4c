// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Every figure has a test that reports it.
func TestFiguresAreReported(t *testing.T) {
	t.Chdir("../..")
	all, err := listPackages(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var found []figure
	for _, p := range all {
		for _, name := range slices.Concat(p.TestGoFiles, p.XTestGoFiles) {
			text, err := os.ReadFile(filepath.Join(p.Dir, name))
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range everyChange {
				if strings.Contains(string(text), fmt.Sprintf("figure D%d:", n)) && len(p.reporting) > 0 {
					found = append(found, figure{number: n})
				}
			}
		}
		if len(p.fuzz) > 0 {
			found = append(found, figure{number: 6})
		}
	}
	if err := complain(found, nil, true); err != nil {
		t.Error(err)
	}
	if err := complain(found[:1], nil, true); err == nil {
		t.Error("figures may be missing")
	}
}

func TestFiguresOfAPackage(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":    "module example.org/figured\n\ngo 1.26\n",
		"a_test.go": "package a\n\nimport \"testing\"\n\nfunc TestOne(t *testing.T) { t.Logf(\"figure D9: %d\", 7) }\n\nfunc TestTwo(t *testing.T) { t.Error(\"not asked for\") }\n\nfunc FuzzIt(f *testing.F) {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	var out strings.Builder
	if err := figures(context.Background(), &settings{packages: []string{"."}}, &out); err != nil {
		t.Error(err)
	}
	want := "D6: 1 fuzz targets, not run here (-fuzz 30s); bounds 14 and 0 [go test -fuzz]\nD9: 7 [figured.TestOne]\n"
	if out.String() != want {
		t.Errorf("%q", out.String())
	}
}
