// SPDX-License-Identifier: Apache-2.0

package crashfs

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// file is an open file; like a descriptor it outlives the name that it was opened by.
type file struct {
	fs     *FS
	node   *node
	path   string
	flag   int
	offset int64
	closed bool
}

// use locks, and fails with err unless the file is open in that way.
func (f *file) use(op string, allowed bool) (unlock func(), err error) {
	f.fs.mu.Lock()
	switch {
	case f.closed:
		err = pathError(op, f.path, fs.ErrClosed)
	case !allowed:
		err = pathError(op, f.path, fs.ErrPermission)
	}
	return f.fs.mu.Unlock, err
}

func (f *file) reads() bool  { return f.flag&os.O_WRONLY == 0 && f.node.names == nil }
func (f *file) writes() bool { return f.flag&(os.O_WRONLY|os.O_RDWR) != 0 }

func (f *file) Read(p []byte) (int, error) {
	unlock, err := f.use("read", f.reads())
	defer unlock()
	if err != nil || len(p) == 0 {
		return 0, err
	}
	if f.offset >= int64(len(f.node.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.node.data[f.offset:])
	f.offset += int64(n)
	return n, nil
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	unlock, err := f.use("read", f.reads() && off >= 0)
	defer unlock()
	if err != nil {
		return 0, err
	}
	n := copy(p, f.node.data[min(off, int64(len(f.node.data))):])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *file) Write(p []byte) (int, error) {
	unlock, err := f.use("write", f.writes())
	defer unlock()
	if err != nil || len(p) == 0 {
		return 0, err
	}
	if f.flag&os.O_APPEND != 0 {
		f.offset = int64(len(f.node.data))
	}
	f.node.write(f.offset, p)
	f.node.ticks = f.fs.tick()
	f.fs.note(Op{Kind: Write, Path: f.path, node: f.node.id, offset: f.offset, data: bytes.Clone(p)})
	f.offset += int64(len(p))
	return len(p), nil
}

// own makes data this node's alone, with room for size bytes.
func (n *node) own(size int) {
	if n.owned && cap(n.data) >= size {
		return
	}
	data := make([]byte, len(n.data), max(size, len(n.data))*3/2)
	copy(data, n.data)
	n.data, n.owned = data, true
}

func (n *node) write(offset int64, p []byte) {
	end := int(offset) + len(p)
	n.sum = 0
	n.own(end)
	if end > len(n.data) {
		old := len(n.data)
		n.data = n.data[:end]
		clear(n.data[old:])
	}
	copy(n.data[offset:], p)
}

func (n *node) truncate(size int64) {
	if int(size) > len(n.data) {
		n.write(size, nil)
		return
	}
	n.data, n.sum = n.data[:size:size], 0
}

func (f *file) Truncate(size int64) error {
	unlock, err := f.use("truncate", f.writes() && size >= 0)
	defer unlock()
	if err == nil {
		f.truncate(size)
	}
	return err
}

func (f *file) truncate(size int64) {
	f.node.truncate(size)
	f.node.ticks = f.fs.tick()
	f.fs.note(Op{Kind: Truncate, Path: f.path, node: f.node.id, offset: size})
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	unlock, err := f.use("seek", f.node.names == nil)
	defer unlock()
	if err != nil {
		return 0, err
	}
	switch whence {
	case io.SeekCurrent:
		offset += f.offset
	case io.SeekEnd:
		offset += int64(len(f.node.data))
	}
	if offset < 0 {
		return 0, pathError("seek", f.path, fs.ErrInvalid)
	}
	f.offset = offset
	return offset, nil
}

func (f *file) Stat() (fs.FileInfo, error) {
	unlock, err := f.use("stat", true)
	defer unlock()
	return f.fs.info(f.node, filepath.Base(f.path)), err
}

func (f *file) Chmod(mode fs.FileMode) error {
	unlock, err := f.use("chmod", true)
	defer unlock()
	if err == nil {
		f.node.chmod(mode)
		f.fs.note(Op{Kind: Chmod, Path: f.path, node: f.node.id, mode: mode})
	}
	return err
}

func (n *node) chmod(mode fs.FileMode) {
	const changeable = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
	n.mode = n.mode&^changeable | mode&changeable
}

// Sync makes the bytes, length and mode of the file durable, but none of its names.
func (f *file) Sync() error {
	unlock, err := f.use("sync", true)
	defer unlock()
	if err == nil {
		f.fs.note(Op{Kind: Sync, Path: f.path, node: f.node.id})
	}
	return err
}

func (f *file) Close() error {
	unlock, err := f.use("close", true)
	defer unlock()
	f.closed = true
	return err
}
