// SPDX-License-Identifier: Apache-2.0

package crashfs

import (
	"fmt"
	"io/fs"
	"slices"
)

// Kind is what an operation does.
type Kind string

// The operations that are recorded. Reading is none.
const (
	Create   Kind = "create"
	Mkdir    Kind = "mkdir"
	Rename   Kind = "rename"
	Link     Kind = "link"
	Remove   Kind = "remove"
	Write    Kind = "write"
	Truncate Kind = "truncate"
	Chmod    Kind = "chmod"
	Sync     Kind = "sync"
	SyncDir  Kind = "syncdir"
)

// Op is one operation that was recorded.
type Op struct {
	Kind Kind
	Path string // of the file or folder; for Rename the old one
	To   string // of Rename

	node     int
	dir      int // in which name is entered or, by Remove, left
	name     string
	fromDir  int // which is left by Rename
	fromName string
	offset   int64 // of Write; size of Truncate
	data     []byte
	mode     fs.FileMode
}

func (o Op) String() string {
	switch o.Kind {
	case Rename:
		return fmt.Sprintf("%s %s -> %s", o.Kind, o.Path, o.To)
	case Write:
		return fmt.Sprintf("%s %d bytes at %d %s", o.Kind, len(o.data), o.offset, o.Path)
	case Truncate:
		return fmt.Sprintf("%s %d %s", o.Kind, o.offset, o.Path)
	case Chmod:
		return fmt.Sprintf("%s %v %s", o.Kind, o.mode, o.Path)
	}
	return fmt.Sprintf("%s %s", o.Kind, o.Path)
}

// isName tells whether an operation changes names, and isData whether it changes a file.
func (o Op) isName() bool {
	return o.Kind == Create || o.Kind == Mkdir || o.Kind == Rename || o.Kind == Link || o.Kind == Remove
}

func (o Op) isData() bool { return o.Kind == Write || o.Kind == Truncate || o.Kind == Chmod }

// moves tells whether an operation changes two folders.
func (o Op) moves() bool { return o.Kind == Rename && o.fromDir != o.dir }

// Recording is what was done to a file system since [FS.Record].
type Recording struct {
	base *FS
	ops  []Op

	// For each operation the first sync that makes it durable; never if there is none. left is for the half of a
	// rename that leaves another folder.
	synced, left []int
}

const never = int(^uint(0) >> 1)

// Record takes the present state for durable and records what happens from now on, until the next call.
func (f *FS) Record() *Recording {
	base := f.Clone()
	base.Digest() // so that the copies need not
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rec = &Recording{base: base}
	return f.rec
}

func (f *FS) note(op Op) {
	if f.rec != nil {
		f.rec.ops = append(f.rec.ops, op)
	}
}

// Len is how many operations were recorded; a crash can come before each and after the last.
func (r *Recording) Len() int { return len(r.ops) }

// Ops are the operations in order.
func (r *Recording) Ops() []Op { return slices.Clone(r.ops) }

// With is the recording of a program that would have done other operations: some of those recorded, in any order.
func (r *Recording) With(ops []Op) *Recording { return &Recording{base: r.base, ops: ops} }

// resolve finds out which sync makes which operation durable.
func (r *Recording) resolve() {
	if len(r.synced) == len(r.ops) {
		return
	}
	r.synced, r.left = make([]int, len(r.ops)), make([]int, len(r.ops))
	next := map[int]int{} // by node, the next sync
	sync := func(id int) int {
		if at, ok := next[id]; ok {
			return at
		}
		return never
	}
	for i := len(r.ops) - 1; i >= 0; i-- {
		op := r.ops[i]
		switch {
		case op.Kind == Sync || op.Kind == SyncDir:
			next[op.node] = i
		case op.isData():
			r.synced[i] = sync(op.node)
		case op.isName():
			r.synced[i], r.left[i] = sync(op.dir), sync(op.fromDir)
		}
	}
}
