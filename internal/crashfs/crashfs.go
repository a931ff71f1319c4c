// SPDX-License-Identifier: Apache-2.0

// Package crashfs is a file system in memory that knows what a crash would leave of it.
//
// [New] makes one; it is a [durable.FS]. [FS.Record] notes every operation from then on. After a run,
// [Recording.State] builds the file system that the machine would come up with if it had stopped between operation
// k and the next one, under one of the persistence models, and [Recording.Seeds] says how many such file systems a
// model allows. A state is named by a [Point], which is short enough for a command line.
//
// What is durable: the bytes, length and mode of a file that was written before the last Sync of that file; the
// names in a folder that were made, moved or removed before the last SyncDir of that folder. A rename between two
// folders is durable in each by itself. That is all that POSIX promises; the fact that ext4, XFS and APFS write more with
// a sync than they were asked to is not relied on. What is not durable depends on the model:
//
//	kill     the process died, the machine did not: everything is there
//	strict   nothing else survived
//	ordered  names as far as some moment before the crash, in order; data only where synced, or also up to that moment
//	delalloc all names, but files are empty or short where not synced: delayed allocation, the zero-length files of ext4 and XFS
//	reorder  any subset of the names: 2^8 of them, or as many samples where more than 8 operations are open
//	torn     everything, but the last write ends at a sector (512 bytes) or a page (4 KiB), or in its middle
//	garbage  everything, but unsynced extents hold zeros, noise, old bytes of another file, or a mix by sector
//
// The models follow Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014), and what ext4 and
// XFS were seen to do in the power cuts of package crashtest. Not modelled: a disk that says it has synced and has
// not, bytes that rot after they were synced, a folder that is damaged as a whole, symbolic links, quota, the locks of
// the operating system, and a second process at work at the same time. Every operation is atomic to the reader.
package crashfs

import (
	"cmp"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/waybill-project/waybill/internal/durable"
)

// FS is a tree of files and folders in memory, with absolute paths. It may be used from several goroutines.
type FS struct {
	mu    sync.Mutex
	nodes map[int]*node
	next  int
	start time.Time
	ticks int // changes since start
	rec   *Recording
}

// node is a file or a folder; it has no name of its own.
type node struct {
	id    int
	mode  fs.FileMode
	data  []byte
	owned bool           // data is in no other file system
	sum   uint64         // of data; 0 is not known
	names map[string]int // of a folder
	links int
	ticks int // when it was written
}

const rootID = 0

// New makes an empty file system. Its clock shows start and goes on by a millisecond with each change.
func New(start time.Time) *FS {
	return &FS{start: start, nodes: map[int]*node{rootID: {mode: fs.ModeDir | 0o755, names: map[string]int{}, links: 1}}, next: 1}
}

var _ durable.FS = (*FS)(nil)

// Clone is an independent copy with everything durable and nothing recorded.
func (f *FS) Clone() *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	return &FS{nodes: f.copyNodes(), next: f.next, start: f.start, ticks: f.ticks}
}

// copyNodes copies what has a name; the bytes are shared until somebody writes.
func (f *FS) copyNodes() map[int]*node {
	out := make(map[int]*node, len(f.nodes))
	for id, n := range f.nodes {
		if n.links == 0 {
			continue
		}
		n.owned = false
		c := *n
		c.names = maps.Clone(n.names)
		out[id] = &c
	}
	return out
}

func pathError(op, path string, err error) error {
	return &fs.PathError{Op: op, Path: path, Err: err}
}

func linkError(op, from, to string, err error) error {
	return &os.LinkError{Op: op, Old: from, New: to, Err: err}
}

// find returns the node at path.
func (f *FS) find(path string) (*node, error) {
	if !filepath.IsAbs(path) {
		return nil, fs.ErrInvalid
	}
	n := f.nodes[rootID]
	rest := filepath.ToSlash(path[len(filepath.VolumeName(path)):])
	for part := range strings.SplitSeq(rest, "/") {
		if part == "" || part == "." {
			continue
		}
		if n.names == nil {
			return nil, syscall.ENOTDIR
		}
		id, ok := n.names[part]
		if !ok {
			return nil, fs.ErrNotExist
		}
		n = f.nodes[id]
	}
	return n, nil
}

// parent returns the folder of path, and the node at path if there is one.
func (f *FS) parent(path string) (dir, at *node, base string, err error) {
	if dir, err = f.find(filepath.Dir(path)); err != nil {
		return nil, nil, "", err
	}
	if dir.names == nil {
		return nil, nil, "", syscall.ENOTDIR
	}
	base = filepath.Base(path)
	if id, ok := dir.names[base]; ok {
		at = f.nodes[id]
	}
	return dir, at, base, nil
}

func (f *FS) add(mode fs.FileMode) *node {
	n := &node{id: f.next, mode: mode, ticks: f.tick()}
	if mode.IsDir() {
		n.names = map[string]int{}
	}
	f.nodes[n.id] = n
	f.next++
	return n
}

func (f *FS) tick() int { f.ticks++; return f.ticks }

func (f *FS) enter(dir *node, name string, n *node) {
	if old, ok := dir.names[name]; ok {
		f.nodes[old].links--
	}
	dir.names[name] = n.id
	n.links++
}

func (f *FS) leave(dir *node, name string) {
	if id, ok := dir.names[name]; ok {
		f.nodes[id].links--
		delete(dir.names, name)
	}
}

// OpenFile is os.OpenFile; of the flags those that ask for more than access and creation are ignored.
func (f *FS) OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, n, base, err := f.parent(name)
	switch writing := flag&(os.O_WRONLY|os.O_RDWR) != 0; {
	case err != nil:
	case n == nil && flag&os.O_CREATE == 0:
		err = fs.ErrNotExist
	case n != nil && flag&os.O_CREATE != 0 && flag&os.O_EXCL != 0:
		err = fs.ErrExist
	case n != nil && n.names != nil && writing:
		err = syscall.EISDIR
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	if n == nil {
		n = f.add(perm.Perm())
		f.enter(dir, base, n)
		f.note(Op{Kind: Create, Path: name, node: n.id, dir: dir.id, name: base, mode: n.mode})
	}
	file := &file{fs: f, node: n, path: name, flag: flag}
	if flag&os.O_TRUNC != 0 && len(n.data) > 0 {
		file.truncate(0)
	}
	return file, nil
}

// Rename is os.Rename on Unix.
func (f *FS) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	fromDir, n, fromBase, err1 := f.parent(from)
	toDir, over, toBase, err2 := f.parent(to)
	err := cmp.Or(err1, err2)
	switch {
	case err != nil:
	case n == nil:
		err = fs.ErrNotExist
	case over != nil && over.names != nil:
		err = fs.ErrExist
	case n.names != nil && strings.HasPrefix(to, from+string(filepath.Separator)):
		err = syscall.EINVAL
	case over != nil && n.names != nil:
		err = syscall.ENOTDIR
	}
	if err != nil {
		return linkError("rename", from, to, err)
	}
	if over == n {
		return nil
	}
	f.enter(toDir, toBase, n)
	f.leave(fromDir, fromBase)
	f.note(Op{Kind: Rename, Path: from, To: to, node: n.id, dir: toDir.id, name: toBase, fromDir: fromDir.id, fromName: fromBase})
	return nil
}

// Link is os.Link.
func (f *FS) Link(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(from)
	if err != nil {
		return linkError("link", from, to, err)
	}
	dir, at, base, err := f.parent(to)
	switch {
	case err != nil:
	case at != nil:
		err = fs.ErrExist
	case n.names != nil:
		err = fs.ErrPermission
	}
	if err != nil {
		return linkError("link", from, to, err)
	}
	f.enter(dir, base, n)
	f.note(Op{Kind: Link, Path: to, node: n.id, dir: dir.id, name: base})
	return nil
}

// Remove is os.Remove.
func (f *FS) Remove(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, n, base, err := f.parent(name)
	switch {
	case err != nil:
	case n == nil:
		err = fs.ErrNotExist
	case len(n.names) > 0:
		err = syscall.ENOTEMPTY
	}
	if err != nil {
		return pathError("remove", name, err)
	}
	f.leave(dir, base)
	f.note(Op{Kind: Remove, Path: name, node: n.id, dir: dir.id, name: base})
	return nil
}

// Mkdir is os.Mkdir.
func (f *FS) Mkdir(name string, perm fs.FileMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	dir, n, base, err := f.parent(name)
	if err == nil && n != nil {
		err = fs.ErrExist
	}
	if err != nil {
		return pathError("mkdir", name, err)
	}
	n = f.add(fs.ModeDir | perm.Perm())
	f.enter(dir, base, n)
	f.note(Op{Kind: Mkdir, Path: name, node: n.id, dir: dir.id, name: base, mode: n.mode})
	return nil
}

// ReadDir is os.ReadDir.
func (f *FS) ReadDir(name string) ([]fs.DirEntry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(name)
	if err == nil && n.names == nil {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, pathError("open", name, err)
	}
	entries := make([]fs.DirEntry, 0, len(n.names))
	for _, base := range slices.Sorted(maps.Keys(n.names)) {
		entries = append(entries, fs.FileInfoToDirEntry(f.info(f.nodes[n.names[base]], base)))
	}
	return entries, nil
}

// Stat is os.Stat.
func (f *FS) Stat(name string) (fs.FileInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(name)
	if err != nil {
		return nil, pathError("stat", name, err)
	}
	return f.info(n, filepath.Base(name)), nil
}

// SyncDir makes the names in a folder durable.
func (f *FS) SyncDir(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(name)
	if err != nil {
		return pathError("sync", name, err)
	}
	f.note(Op{Kind: SyncDir, Path: name, node: n.id})
	return nil
}

type info struct {
	name  string
	size  int64
	mode  fs.FileMode
	time  time.Time
	links int
}

func (f *FS) info(n *node, name string) info {
	return info{name, int64(len(n.data)), n.mode, f.start.Add(time.Duration(n.ticks) * time.Millisecond), n.links}
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return i.time }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return sys(i) }
