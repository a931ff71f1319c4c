// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/internal/durable"
)

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	for _, content := range []string{"one", "", strings.Repeat("x", 1<<16)} {
		if err := durable.WriteFile(durable.OS(), path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := read(t, path); got != content {
			t.Errorf("got %d bytes, want %d", len(got), len(content))
		}
	}
	onlyFile(t, path)
}

func TestLongestName(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("\u00e9", 127))
	if err := durable.WriteFile(durable.OS(), path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	onlyFile(t, path)
}

func TestCreate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "1.root.json")
	if err := durable.Create(durable.OS(), path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := durable.Create(durable.OS(), path, []byte("two"), 0o600); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v", err)
	}
	if read(t, path) != "one" {
		t.Error("the first content was lost")
	}
	onlyFile(t, path)
}

func TestCreateHasOneWinner(t *testing.T) {
	path := filepath.Join(t.TempDir(), "claim")
	results := make(chan error)
	for i := range 8 {
		go func() { results <- durable.Create(durable.OS(), path, []byte{byte(i)}, 0o600) }()
	}
	winners := 0
	for range 8 {
		err := <-results
		if err == nil {
			winners++
		} else if !errors.Is(err, fs.ErrExist) {
			t.Error(err)
		}
	}
	if winners != 1 {
		t.Errorf("%d winners", winners)
	}
	onlyFile(t, path)
}

func TestReplaceAndRemove(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "a", "from"), filepath.Join(dir, "b", "to")
	for _, path := range []string{from, to} {
		if err := durable.MkdirAll(durable.OS(), filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, path, filepath.Base(path))
	}
	if err := durable.Replace(durable.OS(), from, to); err != nil || read(t, to) != "from" {
		t.Errorf("got %v", err)
	}
	if err := durable.Replace(durable.OS(), from, to); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if err := durable.Remove(durable.OS(), to); err != nil {
			t.Error(err)
		}
	}
	if err := durable.Remove(durable.OS(), filepath.Join(dir, "no", "such")); err != nil {
		t.Error(err)
	}
}

func TestMkdirAll(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a", "b", "c")
	for range 2 {
		if err := durable.MkdirAll(durable.OS(), path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(path, "file"), "x")
	if err := durable.MkdirAll(durable.OS(), filepath.Join(path, "file"), 0o700); err == nil {
		t.Error("a file passed for a folder")
	}
	if err := durable.MkdirAll(durable.OS(), filepath.Join(path, "file", "d"), 0o700); err == nil {
		t.Error("a folder was made below a file")
	}
}

func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "12345")
	if data, err := durable.ReadFile(durable.OS(), path, 5); err != nil || string(data) != "12345" {
		t.Errorf("got %q, %v", data, err)
	}
	if _, err := durable.ReadFile(durable.OS(), path, 4); !errors.Is(err, durable.ErrTooLarge) {
		t.Errorf("got %v", err)
	}
	if _, err := durable.ReadFile(durable.OS(), path+"x", 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestIsTempOf(t *testing.T) {
	for _, path := range []string{"/d/app", "/d/" + strings.Repeat("x", 250)} {
		file, temp, err := durable.CreateTemp(durable.OS(), filepath.Join(t.TempDir(), filepath.Base(path)), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
		if !durable.IsTempOf(temp, path) || durable.IsTempOf(temp, "/d/ap") || durable.IsTempOf(path, path) {
			t.Errorf("%s, %s", temp, path)
		}
	}
}

func TestCleanTemps(t *testing.T) {
	dir := t.TempDir()
	file, temp, err := durable.CreateTemp(durable.OS(), filepath.Join(dir, "app"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	kept := []string{"app", ".app.tmp-", ".app.tmp-abc", "app.tmp-abcdefghijklmnopqrst", ".app.tmp-ABCDEFGHIJKLMNOPQRST", ".tmp-abcdefghijklmnopqrst.x"}
	for _, name := range kept {
		write(t, filepath.Join(dir, name), "")
	}
	if err := os.Mkdir(filepath.Join(dir, ".d.tmp-abcdefghijklmnopqrst"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := durable.CleanTemps(durable.OS(), dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(temp); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there", temp)
	}
	if got := names(t, dir); len(got) != len(kept)+1 {
		t.Errorf("left are %v", got)
	}
	if err := durable.CleanTemps(durable.OS(), filepath.Join(dir, "absent")); err != nil {
		t.Error(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func onlyFile(t *testing.T, path string) {
	t.Helper()
	if got := names(t, filepath.Dir(path)); len(got) != 1 || got[0] != filepath.Base(path) {
		t.Errorf("the folder holds %q", got)
	}
}
