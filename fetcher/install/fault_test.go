// SPDX-License-Identifier: Apache-2.0

package install

import (
	"errors"
	"io/fs"
	"syscall"

	"github.com/waybill-project/waybill/internal/durable"
)

var errKilled = errors.New("the process is gone")

// faults is a file system that fails operation number at (from 1). Killed, every operation after it fails too, and a
// write that is hit does half of its work: what is visible then is what a killed process leaves.
type faults struct {
	under   durable.FS
	at      int
	err     error // nil: kill
	noLinks bool  // as across file systems
	count   int
}

func (f *faults) hit() error {
	f.count++
	switch {
	case f.at == 0 || f.count < f.at:
		return nil
	case f.err == nil:
		return errKilled
	case f.count == f.at:
		return f.err
	}
	return nil
}

func (f *faults) OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error) {
	if err := f.hit(); err != nil {
		return nil, err
	}
	file, err := f.under.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return &faultFile{file, f}, nil
}

func (f *faults) Rename(from, to string) error {
	return f.do(func() error { return f.under.Rename(from, to) })
}

func (f *faults) Link(from, to string) error {
	return f.do(func() error {
		if f.noLinks {
			return syscall.EXDEV
		}
		return f.under.Link(from, to)
	})
}

func (f *faults) Remove(name string) error {
	return f.do(func() error { return f.under.Remove(name) })
}

func (f *faults) Mkdir(name string, perm fs.FileMode) error {
	return f.do(func() error { return f.under.Mkdir(name, perm) })
}

func (f *faults) SyncDir(name string) error {
	return f.do(func() error { return f.under.SyncDir(name) })
}

func (f *faults) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := f.hit(); err != nil {
		return nil, err
	}
	return f.under.ReadDir(name)
}

func (f *faults) Stat(name string) (fs.FileInfo, error) {
	if err := f.hit(); err != nil {
		return nil, err
	}
	return f.under.Stat(name)
}

func (f *faults) do(op func() error) error {
	if err := f.hit(); err != nil {
		return err
	}
	return op()
}

type faultFile struct {
	durable.File
	f *faults
}

func (w *faultFile) Read(p []byte) (int, error) {
	if err := w.f.hit(); err != nil {
		return 0, err
	}
	return w.File.Read(p)
}

func (w *faultFile) Write(p []byte) (int, error) {
	if err := w.f.hit(); err != nil {
		n, _ := w.File.Write(p[:len(p)/2])
		return n, err
	}
	return w.File.Write(p)
}

func (w *faultFile) Stat() (fs.FileInfo, error) {
	if err := w.f.hit(); err != nil {
		return nil, err
	}
	return w.File.Stat()
}

func (w *faultFile) Sync() error {
	return w.f.do(w.File.Sync)
}

func (w *faultFile) Chmod(mode fs.FileMode) error {
	return w.f.do(func() error { return w.File.Chmod(mode) })
}

func (w *faultFile) Close() error {
	err := w.File.Close()
	return errors.Join(w.f.hit(), err)
}

// unsynced is the real file system without the cost of fsync, which a process that is killed does not need.
type unsynced struct{ durable.FS }

func (u unsynced) OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error) {
	file, err := u.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return unsyncedFile{file}, nil
}

func (unsynced) SyncDir(string) error { return nil }

type unsyncedFile struct{ durable.File }

func (unsyncedFile) Sync() error { return nil }
