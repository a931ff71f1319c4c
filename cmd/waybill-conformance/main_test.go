// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const repository = "../../fetcher/testdata/repository"

// offset moves the clock to where the test repository has not expired.
func offset(name string) string {
	if name != "FAKETIME" {
		return ""
	}
	return fmt.Sprintf("%+d", int64(time.Until(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)).Seconds()))
}

func TestThreeVerbs(t *testing.T) {
	var asked []string
	files := http.FileServer(http.Dir(repository))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		files.ServeHTTP(w, r)
	}))
	defer server.Close()
	dir := filepath.Join(t.TempDir(), "metadata")
	out := filepath.Join(t.TempDir(), "targets")
	var stderr bytes.Buffer
	want := func(code int, args ...string) {
		t.Helper()
		stderr.Reset()
		if got := run(append([]string{"--metadata-dir", dir}, args...), offset, &stderr); got != code {
			t.Errorf("%q: exit %d, want %d\n%s", args, got, code, &stderr)
		}
	}
	url := []string{"--metadata-url", server.URL + "/metadata/"}
	want(1, append(url, "refresh")...)
	want(0, "init", filepath.Join(repository, "root.json"))
	if len(asked) > 0 {
		t.Errorf("init asked for %q", asked)
	}
	want(0, append(url, "refresh")...)
	if files, _ := filepath.Glob(filepath.Join(dir, "*.json")); len(files) != 4 {
		t.Errorf("trusted %q", files)
	}
	download := append(url, "--target-base-url", server.URL+"/targets/", "--target-dir", out)
	want(0, append(download, "--target-name", "app/1.0.0/linux-amd64/app", "download")...)
	want(1, append(download, "--target-name", "nowhere", "download")...)
	var found []string
	err := filepath.WalkDir(out, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if err != nil || len(found) != 1 {
		t.Errorf("downloaded %q, %v", found, err)
	}
	asked = nil
	want(0, append(download, "--target-name", "app/1.0.0/linux-amd64/app", "download")...)
	if got := strings.Join(asked, " "); got != "/metadata/2.root.json /metadata/timestamp.json" {
		t.Errorf("asked for %s", got)
	}
}

func TestUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"refresh"}, {"--metadata-dir", t.TempDir()}, {"--no-such-flag"}, {"--metadata-dir", t.TempDir(), "init", "missing"}} {
		var stderr bytes.Buffer
		if got := run(args, func(string) string { return "" }, &stderr); got != 1 || stderr.Len() == 0 {
			t.Errorf("%q: exit %d", args, got)
		}
	}
}

func TestClock(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "-56216482": -56216482 * time.Second, "+3600.5": 3600*time.Second + 500*time.Millisecond, "bogus": 0} {
		got := time.Until(clock(text)()).Round(time.Second / 2)
		if got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
