// SPDX-License-Identifier: Apache-2.0

//go:build unix

package crashtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/internal/crashfs"
	"github.com/waybill-project/waybill/internal/durable"
)

// edit says which of the recorded operations are done, in which order.
type edit func(ops []crashfs.Op) (order []int)

// edit changes a recording. A promise comes after as many of the operations as before.
func (r *recorded) edit(t *testing.T, change edit) {
	ops := r.rec.Ops()
	order := change(ops)
	if slices.Equal(order, count(len(ops))) {
		t.Fatal("the bug changes nothing")
	}
	fresh := make([]crashfs.Op, 0, len(order))
	for _, i := range order {
		fresh = append(fresh, ops[i])
	}
	r.rec = r.rec.With(fresh)
	promises := slices.Clone(r.promises)
	for p, old := range promises {
		promises[p].from = 0
		for _, i := range order {
			if i < old.from {
				promises[p].from++
			}
		}
	}
	r.promises = promises
}

func count(n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	return order
}

// matches looks for a part of the path; of a folder it is the end.
func matches(op crashfs.Op, kind crashfs.Kind, part string) bool {
	if kind == crashfs.SyncDir {
		return op.Kind == kind && strings.HasSuffix(op.Path, part)
	}
	return op.Kind == kind && strings.Contains(op.Path, part)
}

func drop(kind crashfs.Kind, part string) edit {
	return func(ops []crashfs.Op) []int {
		return slices.DeleteFunc(count(len(ops)), func(i int) bool { return matches(ops[i], kind, part) })
	}
}

// dropNth forgets one of several operations that are alike.
func dropNth(kind crashfs.Kind, part string, n int) edit {
	return func(ops []crashfs.Op) []int {
		seen := -1
		return slices.DeleteFunc(count(len(ops)), func(i int) bool {
			if matches(ops[i], kind, part) {
				seen++
				return seen == n
			}
			return false
		})
	}
}

// syncAfter forgets to sync the folder after a file was given its name.
func syncAfter(name string) edit {
	return func(ops []crashfs.Op) []int {
		order := count(len(ops))
		i := slices.IndexFunc(ops, func(o crashfs.Op) bool { return o.Kind == crashfs.Rename && strings.HasSuffix(o.To, name) })
		for ; i >= 0 && i < len(ops); i++ {
			if ops[i].Kind == crashfs.SyncDir {
				return slices.Delete(order, i, i+1)
			}
		}
		return order
	}
}

func first(ops []crashfs.Op, kind crashfs.Kind, part string) int {
	return slices.IndexFunc(ops, func(o crashfs.Op) bool { return matches(o, kind, part) })
}

func last(ops []crashfs.Op, kind crashfs.Kind, part string) int {
	for i := len(ops) - 1; i >= 0; i-- {
		if matches(ops[i], kind, part) {
			return i
		}
	}
	return -1
}

// swap exchanges the first two operations that are so named.
func swap(kind1 crashfs.Kind, part1 string, kind2 crashfs.Kind, part2 string) edit {
	return func(ops []crashfs.Op) []int {
		order, i, j := count(len(ops)), first(ops, kind1, part1), first(ops, kind2, part2)
		if i >= 0 && j >= 0 {
			order[i], order[j] = j, i
		}
		return order
	}
}

// later does the first operation only after the other one.
func later(kind1 crashfs.Kind, part1 string, kind2 crashfs.Kind, part2 string) edit {
	return func(ops []crashfs.Op) []int {
		i, j := first(ops, kind1, part1), last(ops, kind2, part2)
		if i < 0 || j < i {
			return count(len(ops))
		}
		return slices.Insert(slices.Delete(count(len(ops)), i, i+1), j, i)
	}
}

// sooner does the first operation already before the other one.
func sooner(kind1 crashfs.Kind, part1 string, kind2 crashfs.Kind, part2 string) edit {
	return func(ops []crashfs.Op) []int {
		i, j := first(ops, kind1, part1), first(ops, kind2, part2)
		if j < 0 || i < j {
			return count(len(ops))
		}
		return slices.Insert(slices.Delete(count(len(ops)), i, i+1), j, i)
	}
}

// skip says that operations were done that were not.
func skip(part string, kinds ...crashfs.Kind) func(durable.FS) durable.FS {
	return func(fsys durable.FS) durable.FS {
		return &hooked{under: fsys, hook: func(c call, do func() error) error {
			if slices.Contains(kinds, c.kind) && strings.Contains(c.path, part) {
				return nil
			}
			return do()
		}}
	}
}

func both(one, two func(durable.FS) durable.FS) func(durable.FS) durable.FS {
	return func(fsys durable.FS) durable.FS { return two(one(fsys)) }
}

func done(_ call, do func() error) error { return do() }

// inPlace writes over the file that is to be replaced.
func inPlace(path string) func(durable.FS) durable.FS {
	return func(fsys durable.FS) durable.FS {
		return &hooked{under: fsys, hook: func(c call, do func() error) error {
			if c.kind != crashfs.Rename || !strings.HasSuffix(c.to, path) {
				return do()
			}
			data, err := durable.ReadFile(fsys, c.path, 1<<20)
			if err != nil {
				return err
			}
			info, err := fsys.Stat(c.path)
			if err != nil {
				return err
			}
			file, err := fsys.OpenFile(c.to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, info.Mode())
			if err != nil {
				return err
			}
			defer file.Close()
			if _, err := file.Write(data); err != nil {
				return err
			}
			if err := file.Sync(); err != nil {
				return err
			}
			return fsys.Remove(c.path)
		}}
	}
}

// removing removes what a rename would replace.
func removing(path string) func(durable.FS) durable.FS {
	return func(fsys durable.FS) durable.FS {
		return &hooked{under: fsys, hook: func(c call, do func() error) error {
			if c.kind == crashfs.Rename && strings.HasSuffix(c.to, path) {
				_ = fsys.Remove(c.to)
			}
			return do()
		}}
	}
}

// continued goes on writing where a crash left a file, and neither removes it nor asks whether it is there.
func continued(part string) func(durable.FS) durable.FS {
	return func(fsys durable.FS) durable.FS {
		under := skip(part, crashfs.Remove)(fsys)
		return &hooked{under: under, hook: done, flags: func(path string, flag int) int {
			if strings.Contains(path, part) && flag&os.O_CREATE != 0 {
				return flag&^os.O_EXCL | os.O_APPEND
			}
			return flag
		}}
	}
}

// believing takes a file for what it ought to be.
func believing(part string, data []byte) func(durable.FS) durable.FS {
	return func(fsys durable.FS) durable.FS {
		return &hooked{under: fsys, hook: done, lie: func(path string) []byte {
			if strings.Contains(path, part) {
				return data
			}
			return nil
		}}
	}
}

// elsewhere has its temporary files in the folder above, which is not ours.
func elsewhere(fsys durable.FS) durable.FS { return scattered{fsys} }

type scattered struct{ durable.FS }

func (s scattered) place(name string) string {
	if durable.IsTemp(name) {
		return filepath.Join(root, filepath.Base(name))
	}
	return name
}

func (s scattered) OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error) {
	return s.FS.OpenFile(s.place(name), flag, perm)
}

func (s scattered) Rename(from, to string) error { return s.FS.Rename(s.place(from), to) }

func (s scattered) Remove(name string) error { return s.FS.Remove(s.place(name)) }
