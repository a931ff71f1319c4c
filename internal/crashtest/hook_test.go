// SPDX-License-Identifier: Apache-2.0

//go:build unix

package crashtest

import (
	"io/fs"

	"github.com/waybill-project/waybill/internal/crashfs"
	"github.com/waybill-project/waybill/internal/durable"
)

// call is one operation of a program.
type call struct {
	kind crashfs.Kind // or open, read, stat, readdir, close
	path string
	to   string
	flag int
	data []byte
}

const (
	open    crashfs.Kind = "open"
	read    crashfs.Kind = "read"
	stat    crashfs.Kind = "stat"
	readdir crashfs.Kind = "readdir"
	closing crashfs.Kind = "close"
)

// hooked lets a function stand between a program and its files. The function does the operation, or not, or another.
type hooked struct {
	under durable.FS
	hook  func(c call, do func() error) error
	// flags may change how a file is opened, lie what is read of it.
	flags func(path string, flag int) int
	lie   func(path string) []byte
	files int // that are open
}

func (h *hooked) OpenFile(name string, flag int, perm fs.FileMode) (f durable.File, err error) {
	if h.flags != nil {
		flag = h.flags(name, flag)
	}
	err = h.hook(call{kind: open, path: name, flag: flag}, func() error {
		f, err = h.under.OpenFile(name, flag, perm)
		return err
	})
	if err != nil {
		return nil, err
	}
	h.files++
	out := &hookedFile{File: f, h: h, path: name}
	if h.lie != nil {
		out.lie = h.lie(name)
	}
	return out, nil
}

func (h *hooked) Rename(from, to string) error {
	return h.hook(call{kind: crashfs.Rename, path: from, to: to}, func() error { return h.under.Rename(from, to) })
}

func (h *hooked) Link(from, to string) error {
	return h.hook(call{kind: crashfs.Link, path: from, to: to}, func() error { return h.under.Link(from, to) })
}

func (h *hooked) Remove(name string) error {
	return h.hook(call{kind: crashfs.Remove, path: name}, func() error { return h.under.Remove(name) })
}

func (h *hooked) Mkdir(name string, perm fs.FileMode) error {
	return h.hook(call{kind: crashfs.Mkdir, path: name}, func() error { return h.under.Mkdir(name, perm) })
}

func (h *hooked) SyncDir(name string) error {
	return h.hook(call{kind: crashfs.SyncDir, path: name}, func() error { return h.under.SyncDir(name) })
}

func (h *hooked) ReadDir(name string) (entries []fs.DirEntry, err error) {
	err = h.hook(call{kind: readdir, path: name}, func() error {
		entries, err = h.under.ReadDir(name)
		return err
	})
	return entries, err
}

func (h *hooked) Stat(name string) (info fs.FileInfo, err error) {
	err = h.hook(call{kind: stat, path: name}, func() error {
		info, err = h.under.Stat(name)
		return err
	})
	return info, err
}

type hookedFile struct {
	durable.File
	h    *hooked
	path string
	lie  []byte // what reading it once gives, if not its content
	at   int

	closed bool
}

func (f *hookedFile) Read(p []byte) (n int, err error) {
	err = f.h.hook(call{kind: read, path: f.path}, func() error {
		if n, err = f.File.Read(p); f.lie != nil {
			f.at += copy(p[:n], f.lie[min(f.at, len(f.lie)):])
		}
		return err
	})
	return n, err
}

func (f *hookedFile) Write(p []byte) (n int, err error) {
	err = f.h.hook(call{kind: crashfs.Write, path: f.path, data: p}, func() error {
		n, err = f.File.Write(p)
		return err
	})
	if n == 0 && err == nil {
		n = len(p) // the hook did not write, and says that it did
	}
	return n, err
}

func (f *hookedFile) Sync() error {
	return f.h.hook(call{kind: crashfs.Sync, path: f.path}, f.File.Sync)
}

func (f *hookedFile) Truncate(size int64) error {
	return f.h.hook(call{kind: crashfs.Truncate, path: f.path}, func() error { return f.File.Truncate(size) })
}

func (f *hookedFile) Chmod(mode fs.FileMode) error {
	return f.h.hook(call{kind: crashfs.Chmod, path: f.path}, func() error { return f.File.Chmod(mode) })
}

func (f *hookedFile) Stat() (info fs.FileInfo, err error) {
	err = f.h.hook(call{kind: stat, path: f.path}, func() error {
		info, err = f.File.Stat()
		return err
	})
	return info, err
}

// Close closes whatever the hook says.
func (f *hookedFile) Close() error {
	var err error
	closed := false
	if !f.closed {
		f.h.files--
	}
	f.closed = true
	failed := f.h.hook(call{kind: closing, path: f.path}, func() error { closed, err = true, f.File.Close(); return err })
	if !closed {
		f.File.Close()
	}
	return failed
}
