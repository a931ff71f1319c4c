// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/internal/crashfs"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/layout"
)

var errDisk = errors.New("disk trouble")

// failing makes operation number at fail, and with dead also all later ones, as
// if the process had been killed there.
type failing struct {
	durable.FS
	n, at int
	dead  bool
}

func (f *failing) fail() error {
	f.n++
	if f.n == f.at || f.dead && f.n > f.at {
		return errDisk
	}
	return nil
}

func (f *failing) OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error) {
	if flag&(os.O_WRONLY|os.O_RDWR|os.O_CREATE) != 0 {
		if err := f.fail(); err != nil {
			return nil, err
		}
	}
	file, err := f.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return failingFile{file, f}, nil
}

func (f *failing) Rename(from, to string) error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.FS.Rename(from, to)
}

func (f *failing) Remove(name string) error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

func (f *failing) Mkdir(name string, perm fs.FileMode) error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.FS.Mkdir(name, perm)
}

func (f *failing) SyncDir(name string) error {
	if err := f.fail(); err != nil {
		return err
	}
	return f.FS.SyncDir(name)
}

type failingFile struct {
	durable.File
	f *failing
}

func (f failingFile) Write(p []byte) (int, error) {
	if err := f.f.fail(); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f failingFile) Sync() error {
	if err := f.f.fail(); err != nil {
		return err
	}
	return f.File.Sync()
}

// Every disk operation of an update and a download fails once, alone or with all
// that follow. The next run must succeed, and no version may have gone back.
func TestDiskFailsAtEveryOperation(t *testing.T) {
	content := pattern(100 << 10)
	for _, dead := range []bool{false, true} {
		for at := 1; ; at++ {
			if at > 300 {
				t.Fatal("does not end")
			}
			s := newSim(t)
			s.add("targets", "file", []byte("old"))
			s.delegate("targets", "A", nil)
			s.store("A")
			s.release("targets")
			e := s.endpoint()
			dest := filepath.Join(t.TempDir(), "file")
			if err := e.download("file", dest); err != nil {
				t.Fatal(err)
			}
			old := s.objects[layout.Timestamp]
			s.rotate("snapshot", "snapshot-new")
			s.publish("root")
			s.add("targets", "file", content)
			s.add("A", "other", content)
			s.release("targets", "A")
			f := &failing{FS: quick{durable.OS()}, at: at, dead: dead}
			e.opts.FS = f
			err := errors.Join(e.download("file", dest), e.lookup("other"))
			e.opts.FS = nil
			if f.n < at {
				break
			}
			name := fmt.Sprintf("operation %d, dead %v", at, dead)
			if err != nil && Class(err) != "local" {
				t.Errorf("%s: class %s: %v", name, Class(err), err)
			}
			got, readErr := os.ReadFile(dest)
			if readErr != nil || string(got) != "old" && !bytes.Equal(got, content) {
				t.Errorf("%s: %d bytes, %v", name, len(got), readErr)
			}
			if err := errors.Join(e.download("file", dest), e.lookup("other")); err != nil {
				t.Errorf("%s: next run: %v", name, err)
			}
			e.have(versions{"root": 2, "snapshot": 3, "targets": 3, "A": 2})
			s.put(layout.Timestamp, old)
			if err := e.refresh(); err == nil {
				t.Errorf("%s: went back", name)
			}
			if left, _ := filepath.Glob(filepath.Join(e.dir, ".*")); len(left) > 0 {
				t.Errorf("%s: left %q", name, left)
			}
		}
	}
}

func (e *endpoint) lookup(name string) error {
	_, err := e.client().Target(context.Background(), name)
	return err
}

// Metadata whose transfer breaks off is asked for again, a few times.
func TestBrokenMetadataTransfer(t *testing.T) {
	for breaks, ok := range map[int]bool{3: true, 4: false} {
		s := newSim(t)
		left := breaks
		s.open = func(name string, _ Request) (*Response, error) {
			if name != layout.Timestamp || left == 0 {
				return nil, nil
			}
			left--
			data := s.objects[name]
			return &Response{Body: io.NopCloser(cut{bytes.NewReader(data[:20])}), Size: int64(len(data))}, nil
		}
		err := s.endpoint().refresh()
		if (err == nil) != ok || err != nil && Class(err) != "network" {
			t.Errorf("%d: %v", breaks, err)
		}
	}
}

// Many targets in one role must not cost much; figures come from -bench.
func BenchmarkRefresh31000(b *testing.B) {
	t := &testing.T{}
	s := newSim(t)
	files := s.md["targets"]["targets"].(map[string]any)
	for i := range 31_000 {
		files[fmt.Sprintf("product/1.%d.0/linux-amd64/file-%06d", i%100, i)] = map[string]any{
			"length": i, "hashes": map[string]any{"sha256": strings.Repeat("0123456789abcdef", 4)},
		}
	}
	s.release("targets")
	dir := b.TempDir()
	b.ReportAllocs()
	for b.Loop() {
		e := &endpoint{t: t, repo: s, root: s.objects[layout.Root(1)], dir: dir, now: epoch}
		if err := e.lookup("product/1.5.0/linux-amd64/file-000005"); err != nil {
			b.Fatal(err)
		}
	}
}

// downloaded is a machine on which a file was downloaded, and what a power cut at the
// end of that leaves at the worst.
func downloaded(t *testing.T, s *sim) (e *endpoint, disk *crashfs.FS, rec *crashfs.Recording, dest string) {
	disk = crashfs.New(epoch)
	e = s.endpoint()
	dest = filepath.Join(e.dir, "out", "file")
	e.opts.FS = disk
	for _, dir := range []string{filepath.Dir(dest), filepath.Join(e.dir, partialDir)} {
		if err := errors.Join(os.MkdirAll(dir, 0o700), durable.MkdirAll(disk, dir, 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	rec = disk.Record()
	if err := e.download("file", dest); err != nil {
		t.Fatal(err)
	}
	return e, disk, rec, dest
}

func TestDownloadIsDurableWithItsMode(t *testing.T) {
	s := newSim(t)
	content := pattern(100 << 10)
	s.add("targets", "file", content)
	s.release("targets")
	_, _, rec, dest := downloaded(t, s)
	left, err := rec.State(crashfs.Point{K: rec.Len(), Model: crashfs.Strict})
	if err != nil {
		t.Fatal(err)
	}
	got, err := left.ReadFile(dest)
	if err != nil || !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if info, err := left.Stat(dest); err != nil || info.Mode() != 0o644 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// A rename between two folders can be durable in the one and not in the other.
func TestBothNamesOfAMoveCanComeUp(t *testing.T) {
	s := newSim(t)
	s.add("targets", "file", pattern(100<<10))
	s.release("targets")
	e, _, rec, dest := downloaded(t, s)
	ops := rec.Ops()
	moved := slices.IndexFunc(ops, func(o crashfs.Op) bool { return o.To == dest })
	left, err := rec.State(crashfs.Point{K: moved + 2, Model: crashfs.Reorder, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	litter := filepath.Join(e.dir, partialDir)
	if got := left.Names(litter); len(got) != 1 {
		t.Fatalf("%q: this is not the state that was meant", got)
	}
	e.opts.FS = left
	if err := e.download("file", dest); err != nil {
		t.Fatal(err)
	}
	if got := left.Names(litter); len(got) != 0 {
		t.Errorf("left %q", got)
	}
}

// What a crash left under a temporary name is removed at once where we can tell that nobody is
// at work on it, and elsewhere a day later.
func TestOldTemporaryFilesGo(t *testing.T) {
	for name, age := range map[string]time.Duration{"young": 0, "old": 25 * time.Hour} {
		s := newSim(t)
		content := pattern(1000)
		s.add("targets", "file", content)
		s.release("targets")
		e, disk, _, dest := downloaded(t, s)
		temp := func(path string) string {
			file, name, err := durable.CreateTemp(disk, path, 0o600)
			if err != nil {
				t.Fatal(err)
			}
			file.Close()
			return name
		}
		if err := errors.Join(disk.Remove(dest), durable.MkdirAll(disk, filepath.Join(e.dir, "blobs"), 0o700)); err != nil {
			t.Fatal(err)
		}
		atOnce := []string{temp(filepath.Join(e.dir, "blobs", "hash")), temp(filepath.Join(e.dir, partialDir, "build"))}
		left := []string{temp(dest)}
		foreign := temp(dest + "2")
		if err := disk.Write(filepath.Join(e.dir, partialDir, "hash"+unverified), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		left = append(left, filepath.Join(e.dir, partialDir, "hash"+unverified))
		e.now = e.now.Add(age)
		if err := e.download("file", dest); err != nil {
			t.Fatal(err)
		}
		target, err := e.client().Target(context.Background(), "file")
		if err == nil {
			_, err = e.client().Bytes(context.Background(), target, 1000)
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range append(left, foreign) {
			_, err := disk.Stat(path)
			if there := err == nil; there != (age == 0 || path == foreign) {
				t.Errorf("%s %s: %v", name, path, err)
			}
		}
		for _, path := range atOnce {
			if _, err := disk.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s %s: %v", name, path, err)
			}
		}
	}
}

// refusing is a disk on which files of one name cannot be made.
type refusing struct {
	durable.FS
	name string
}

func (r refusing) OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error) {
	if flag&os.O_CREATE != 0 && strings.Contains(name, r.name) {
		return nil, errDisk
	}
	return r.FS.OpenFile(name, flag, perm)
}

// A root that could not be stored raises no floor: the chain to it would be missing.
func TestRootThatCannotBeStored(t *testing.T) {
	s := newSim(t)
	e := s.endpoint()
	e.ok()
	s.publish("root")
	e.opts.FS = refusing{quick{durable.OS()}, "2.root.json"}
	if err := e.refresh(); Class(err) != "local" {
		t.Errorf("got %v", err)
	}
	e.opts.FS = nil
	e.have(versions{"root": 1})
	if f := e.client().store.floor(); f.Root != 1 {
		t.Errorf("floor %d", f.Root)
	}
	e.ok()
	e.have(versions{"root": 2})
}

// Old downloads go even if nothing is downloaded any more.
func TestOldDownloadsGoWithARefresh(t *testing.T) {
	s := newSim(t)
	s.add("targets", "file", pattern(1000))
	s.release("targets")
	e, disk, _, _ := downloaded(t, s)
	path := filepath.Join(e.dir, partialDir, "hash"+unverified)
	if err := disk.Write(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	e.ok()
	if _, err := disk.Stat(path); err != nil {
		t.Errorf("a young one: %v", err)
	}
	e.now = e.now.Add(25 * time.Hour)
	e.ok()
	if _, err := disk.Stat(path); err == nil {
		t.Error("an old one stayed")
	}
}
