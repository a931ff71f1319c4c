// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/store"
	"github.com/waybill-project/waybill/repo/store/storetest"
)

// faulty is the real file system until its nth change.
type faulty struct {
	durable.FS
	failAt  int
	noLinks bool

	mu      sync.Mutex
	changes int
}

var errDisk = errors.New("disk failed")

func (f *faulty) change() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.changes++; f.changes == f.failAt {
		return errDisk
	}
	return nil
}

func (f *faulty) OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error) {
	if flag == os.O_RDONLY {
		return f.FS.OpenFile(name, flag, perm)
	}
	if err := f.change(); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenFile(name, flag, perm)
	return faultyFile{file, f}, err
}

func (f *faulty) Rename(from, to string) error {
	if err := f.change(); err != nil {
		return err
	}
	return f.FS.Rename(from, to)
}

func (f *faulty) Link(from, to string) error {
	if f.noLinks {
		return errors.ErrUnsupported // what any failing link leads to
	}
	return f.FS.Link(from, to)
}

func (f *faulty) Mkdir(name string, perm fs.FileMode) error {
	if err := f.change(); err != nil {
		return err
	}
	return f.FS.Mkdir(name, perm)
}

func (f *faulty) SyncDir(name string) error {
	if err := f.change(); err != nil {
		return err
	}
	return f.FS.SyncDir(name)
}

type faultyFile struct {
	durable.File
	f *faulty
}

func (w faultyFile) Write(p []byte) (int, error) {
	if err := w.f.change(); err != nil {
		n, _ := w.File.Write(p[:len(p)/2])
		return n, err
	}
	return w.File.Write(p)
}

func (w faultyFile) Sync() error {
	if err := w.f.change(); err != nil {
		return err
	}
	return w.File.Sync()
}

func (w faultyFile) Close() error { return errors.Join(w.f.change(), w.File.Close()) }

func folder(t testing.TB, f *faulty) (*store.Store, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "repository")
	f.FS = durable.OS()
	s, err := store.NewDir(f, dir)
	if err != nil {
		t.Fatal(err)
	}
	return s, dir
}

func put(ctx context.Context, s *store.Store, name, data string) error {
	return s.Create(ctx, name, int64(len(data)), func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader([]byte(data))), nil
	})
}

// TestFolderFaults fails every change to the disk in turn. What a name holds
// afterwards is complete or absent, a success needs every step, and a second
// run finishes.
func TestFolderFaults(t *testing.T) {
	const name = "metadata/1.root.json"
	for _, noLinks := range []bool{false, true} {
		for n := 1; ; n++ {
			f := &faulty{failAt: n, noLinks: noLinks}
			s, dir := folder(t, f)
			first := put(t.Context(), s, name, "root")
			second := s.Replace(t.Context(), layout.Timestamp, []byte("timestamp"), "")
			if f.changes < n {
				break
			}
			var storage *store.Error
			if err := errors.Join(first, second); !errors.Is(err, errDisk) || !errors.As(err, &storage) {
				t.Fatalf("change %d failed, but the store says %v", n, err)
			}
			f.failAt = 0
			if err := put(t.Context(), s, name, "root"); err != nil && !errors.Is(err, fs.ErrExist) {
				t.Fatalf("change %d: again: %v", n, err)
			}
			if err := s.Replace(t.Context(), layout.Timestamp, []byte("timestamp"), ""); err != nil {
				t.Fatalf("change %d: again: %v", n, err)
			}
			wantFolder(t, s, dir)
		}
	}
}

func wantFolder(t *testing.T, s *store.Store, dir string) {
	t.Helper()
	unlock, err := s.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	got := map[string]string{}
	err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		got[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil || len(got) != 3 || got["metadata/1.root.json"] != "root" || got[layout.Timestamp] != "timestamp" {
		t.Fatalf("folder holds %q, %v", got, err)
	}
}

func TestFolderWithoutLinks(t *testing.T) {
	dir := t.TempDir()
	storetest.Run(t, func(t testing.TB) *store.Store {
		s, err := store.NewDir(&faulty{FS: durable.OS(), noLinks: true}, dir)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}, 3)
}

func TestFolderLock(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, dir), open(t, dir)
	unlock, err := a.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*store.Store{a, b} {
		if _, err := s.Lock(t.Context()); !errors.Is(err, store.ErrLocked) {
			t.Fatalf("second lock: %v", err)
		}
	}
	soon, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Replace(soon, layout.Timestamp, []byte("b"), ""); err == nil {
		t.Fatal("replaced under another's lock")
	}
	if err := a.Replace(t.Context(), layout.Timestamp, []byte("a"), ""); err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	unlock, err = b.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
}

// TestFolderLeftovers looks at what a killed publisher leaves.
func TestFolderLeftovers(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	tmp := filepath.Join(dir, "publisher", "tmp")
	if err := durable.MkdirAll(durable.OS(), tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	file, left, err := durable.CreateTemp(durable.OS(), filepath.Join(tmp, "app"), 0o644)
	if err != nil {
		t.Fatal(err)
	}
	file.Close()
	for o, err := range s.List(t.Context(), "") {
		t.Fatalf("listed %+v, %v", o, err)
	}
	unlock, err := s.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("leftover after the lock: %v", err)
	}
}

func TestFolderOddities(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	storetest.Put(t, s, "targets/app/file", []byte("x"))
	for _, name := range []string{"targets/app", "targets/app/file/x"} {
		if _, err := s.Get(t.Context(), name, 10); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("get %s: %v", name, err)
		}
		if err := s.Delete(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("delete %s: %v", name, err)
		}
		if err := put(t.Context(), s, name, "y"); err == nil {
			t.Errorf("created %s", name)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "targets", "empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), "targets/empty"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("delete a folder: %v", err)
	}
	r, _, err := s.Reader(t.Context(), "targets/app/file", 2, -1)
	if err == nil {
		r.Close()
		t.Error("read from past the end")
	}
}
