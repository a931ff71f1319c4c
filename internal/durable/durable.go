// SPDX-License-Identifier: Apache-2.0

// Package durable changes files so that a crash or a power cut leaves the old
// content or the new content, never a mix, and never a name without its content.
//
// [WriteFile] replaces a file, [Create] makes one that must not exist yet,
// [Replace] moves a file that was written elsewhere into place, [MkdirAll] makes
// folders, [Lock] keeps a second process out. Each of them has happened, durably,
// when it returns nil; after an error the old state or the new one is on disk.
//
// Every file operation goes through [FS], so that tests can make any of them fail.
// [OS] is the real one. A temporary file is named ".NAME.tmp-" and 20 random
// characters and lies beside the file it is meant for; [CleanTemps] removes those
// that a crash left. That pattern stays.
package durable

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrTooLarge is wrapped by [ReadFile] when a file is larger than the caller allows.
var ErrTooLarge = errors.New("file too large")

// WriteFile replaces the content of path, which may be absent: a temporary file in
// the same folder is written, synced and renamed over it, and the folder is synced.
// perm is used before umask.
func WriteFile(fsys FS, path string, data []byte, perm fs.FileMode) error {
	temp, err := writeTemp(fsys, path, data, perm)
	if err != nil {
		return err
	}
	if err := fsys.Rename(temp, path); err != nil {
		return errors.Join(err, discard(fsys, temp))
	}
	return SyncDir(fsys, filepath.Dir(path))
}

// Create makes path with the given content, and fails with [fs.ErrExist] if there is
// anything at path already. Where the file system has no hard links, a crash or a
// lost answer may leave an empty file.
func Create(fsys FS, path string, data []byte, perm fs.FileMode) error {
	temp, err := writeTemp(fsys, path, data, perm)
	if err != nil {
		return err
	}
	err = fsys.Link(temp, path)
	if err != nil && noHardLinks(err) {
		return createByClaim(fsys, temp, path, perm)
	}
	if err := errors.Join(err, discard(fsys, temp)); err != nil {
		return err
	}
	return SyncDir(fsys, filepath.Dir(path))
}

func createByClaim(fsys FS, temp, path string, perm fs.FileMode) error {
	claim, err := fsys.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	if err != nil {
		return errors.Join(err, discard(fsys, temp))
	}
	if err := claim.Close(); err != nil {
		return errors.Join(err, discard(fsys, temp), discard(fsys, path))
	}
	if err := fsys.Rename(temp, path); err != nil {
		return errors.Join(err, discard(fsys, temp), discard(fsys, path))
	}
	return SyncDir(fsys, filepath.Dir(path))
}

// Replace renames from over to, which may be absent, and syncs the folders of both.
// The content of from must have been synced by whoever wrote it, and both names
// must be on one file system.
func Replace(fsys FS, from, to string) error {
	if err := fsys.Rename(from, to); err != nil {
		return err
	}
	if err := SyncDir(fsys, filepath.Dir(to)); err != nil {
		return err
	}
	if filepath.Dir(from) == filepath.Dir(to) {
		return nil
	}
	return SyncDir(fsys, filepath.Dir(from))
}

// Remove removes a file or an empty folder and syncs its folder. An absent path is
// no error, so that the step can be repeated.
func Remove(fsys FS, path string) error {
	if err := fsys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	err := SyncDir(fsys, filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// SyncDir makes the names in a folder durable.
func SyncDir(fsys FS, dir string) error {
	if err := fsys.SyncDir(dir); err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return nil
}

// MkdirAll makes a folder and those above it that are missing, and makes each new
// name durable. perm is used before umask.
func MkdirAll(fsys FS, path string, perm fs.FileMode) error {
	info, err := fsys.Stat(path)
	if err == nil {
		if !info.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: path, Err: errors.New("not a folder")}
		}
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := MkdirAll(fsys, parent, perm); err != nil {
			return err
		}
	}
	if err := fsys.Mkdir(path, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return SyncDir(fsys, parent)
}

// ReadFile reads a file of at most max bytes; a larger one is [ErrTooLarge].
func ReadFile(fsys FS, path string, max int64) ([]byte, error) {
	file, err := fsys.OpenFile(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > max {
		return nil, fmt.Errorf("%w: %s has more than %d bytes", ErrTooLarge, path, max)
	}
	return data, nil
}

// CreateTemp opens a new temporary file for path, in the same folder, for reading
// and writing. The caller writes, syncs and closes it, then moves it with
// [Replace], or removes it.
func CreateTemp(fsys FS, path string, perm fs.FileMode) (File, string, error) {
	for range 100 {
		name := tempName(path)
		file, err := fsys.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
		if err == nil {
			return file, name, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, "", err
		}
	}
	return nil, "", fmt.Errorf("no free temporary name beside %s", path)
}

func writeTemp(fsys FS, path string, data []byte, perm fs.FileMode) (string, error) {
	file, name, err := CreateTemp(fsys, path, perm)
	if err != nil {
		return "", err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return "", errors.Join(err, discard(fsys, name))
	}
	return name, nil
}

func discard(fsys FS, path string) error {
	if err := fsys.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

const (
	tempMark   = ".tmp-"
	tempRandom = 20
	tempStem   = 180
)

func tempName(path string) string {
	dir, base := filepath.Split(path)
	if len(base) > tempStem {
		base = strings.ToValidUTF8(base[:tempStem], "")
	}
	random := strings.ToLower(rand.Text())[:tempRandom]
	return dir + "." + base + tempMark + random
}

// IsTemp reports whether a file of this name is a temporary file of this package.
func IsTemp(name string) bool {
	base := filepath.Base(name)
	i := strings.LastIndex(base, tempMark)
	if i < 1 || !strings.HasPrefix(base, ".") {
		return false
	}
	random := base[i+len(tempMark):]
	return len(random) == tempRandom && strings.Trim(random, "abcdefghijklmnopqrstuvwxyz234567") == ""
}

// IsTempOf reports whether a file of this name is a temporary file for path.
func IsTempOf(name, path string) bool {
	like := filepath.Base(tempName(path))
	return IsTemp(name) && strings.HasPrefix(filepath.Base(name), like[:len(like)-tempRandom])
}

// CleanTemps removes the temporary files of this package that lie in a folder,
// which may be absent. Call it only while nobody else writes there, under a lock.
func CleanTemps(fsys FS, dir string) error {
	entries, err := fsys.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var failed error
	for _, entry := range entries {
		if entry.IsDir() || !IsTemp(entry.Name()) {
			continue
		}
		failed = errors.Join(failed, discard(fsys, filepath.Join(dir, entry.Name())))
	}
	return failed
}
