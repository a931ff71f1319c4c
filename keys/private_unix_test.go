// SPDX-License-Identifier: Apache-2.0

//go:build unix

package keys

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReadPrivatePermissions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	if err := WritePrivate(path, testdata(t, "ed25519-private.pem")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("written with %v, %v", info.Mode(), err)
	}
	for mode, ok := range map[os.FileMode]bool{
		0o600: true, 0o400: true, 0o700: true,
		0o604: false, 0o602: false, 0o601: false, 0o640: false, 0o620: false, 0o610: false, 0o644: false, 0o777: false,
	} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := ReadPrivate(path)
		if ok && err != nil || !ok && !errors.Is(err, ErrPermissions) {
			t.Errorf("mode %04o: %v", mode, err)
		}
		if !ok && !strings.Contains(err.Error(), path) {
			t.Errorf("mode %04o: %v does not name the file", mode, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
			t.Errorf("mode %04o became %v, %v", mode, info.Mode(), err)
		}
	}
}

func TestReadPrivateJudgesTheTarget(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "open.key"), filepath.Join(dir, "link.key")
	if err := os.WriteFile(path, testdata(t, "ed25519-private.pem"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPrivate(link); !errors.Is(err, ErrPermissions) {
		t.Errorf("link to an open file: %v", err)
	}
	if err := WritePrivate(filepath.Join(dir, "link.key"), testdata(t, "ed25519-private.pem")); !errors.Is(err, os.ErrExist) {
		t.Errorf("write through a link: %v", err)
	}
}

func TestReadPrivateDoesNotBlockOnAPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPrivate(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("pipe: %v", err)
	}
}
