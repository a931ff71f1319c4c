// SPDX-License-Identifier: Apache-2.0

//go:build unix

package durable_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/waybill-project/waybill/internal/durable"
)

const errNoLinks = syscall.EPERM

func TestLockDoesNotFollowALink(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "lock")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), path); err != nil {
		t.Fatal(err)
	}
	if _, err := durable.TryLock(path); err == nil {
		t.Error("a link was taken for the lock file")
	}
	if _, err := os.Lstat(filepath.Join(dir, "elsewhere")); err == nil {
		t.Error("a file was made where the link points")
	}
}

func TestLockFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := durable.TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v", info.Mode(), err)
	}
}

func TestWriteFileReplacesALinkNotItsTarget(t *testing.T) {
	dir := t.TempDir()
	other, path := filepath.Join(dir, "other"), filepath.Join(dir, "state")
	write(t, other, "other")
	if err := os.Symlink(other, path); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(durable.OS(), path, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if read(t, other) != "other" || read(t, path) != "new" {
		t.Error("the link was followed")
	}
}
