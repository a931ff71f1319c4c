// SPDX-License-Identifier: Apache-2.0

package crashfs

import (
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"github.com/waybill-project/waybill/internal/durable"
)

var digestSeed = maphash.MakeSeed()

// Digest names the content: two file systems with the same names, modes and bytes have the same digest within one
// process. The random part of a temporary name does not count.
func (f *FS) Digest() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.digest(f.nodes[rootID], "")
}

func (f *FS) digest(n *node, path string) uint64 {
	var h maphash.Hash
	h.SetSeed(digestSeed)
	h.WriteString(path)
	h.WriteByte(0)
	h.Write(binary.LittleEndian.AppendUint32(nil, uint32(n.mode)))
	h.Write(binary.LittleEndian.AppendUint64(nil, n.digest()))
	sum := h.Sum64()
	for name, id := range n.names {
		if durable.IsTemp(name) {
			name = name[:len(name)-20]
		}
		sum += f.digest(f.nodes[id], path+"/"+name)
	}
	return sum
}

// digest is remembered, since most files are the same in most states.
func (n *node) digest() uint64 {
	if n.sum == 0 {
		n.sum = maphash.Bytes(digestSeed, n.data)
	}
	return n.sum
}

// ReadFile returns the content of a file; it must not be changed.
func (f *FS) ReadFile(path string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(path)
	if err == nil && n.names != nil {
		err = fs.ErrInvalid
	}
	if err != nil {
		return nil, pathError("read", path, err)
	}
	n.owned = false
	return n.data, nil
}

// Write puts a file and the folders above it, as a test needs it, without recording.
func (f *FS) Write(path string, data []byte, mode fs.FileMode) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	rec := f.rec
	f.rec = nil
	defer func() { f.rec = rec }()
	dir, err := f.mkdirAll(filepath.Dir(path))
	if err != nil {
		return err
	}
	n := f.add(0)
	n.data = data
	n.chmod(mode)
	f.enter(dir, filepath.Base(path), n)
	return nil
}

func (f *FS) mkdirAll(path string) (*node, error) {
	n, err := f.find(path)
	if err == nil && n.names == nil {
		err = fmt.Errorf("%s is not a folder", path)
	}
	if err == nil || filepath.Dir(path) == path {
		return n, err
	}
	dir, err := f.mkdirAll(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	n = f.add(fs.ModeDir | 0o755)
	f.enter(dir, filepath.Base(path), n)
	return n, nil
}

// Names are the names in a folder, sorted; none if there is no such folder.
func (f *FS) Names(dir string) []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, err := f.find(dir)
	if err != nil {
		return nil
	}
	return slices.Sorted(maps.Keys(n.names))
}

// Files are the paths of all files, sorted.
func (f *FS) Files() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []string
	var walk func(n *node, path string)
	walk = func(n *node, path string) {
		if n.names == nil {
			out = append(out, path)
		}
		for name, id := range n.names {
			walk(f.nodes[id], path+string(filepath.Separator)+name)
		}
	}
	walk(f.nodes[rootID], "")
	slices.Sort(out)
	return out
}
