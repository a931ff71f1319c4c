// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/layout"
)

// store keeps what was verified of one repository:
//
//	root.json timestamp.json snapshot.json ROLE.json   newest, as received
//	roots/N.root.json                                   every root since the first
//	floor                                               see type floor
//	mirrors                                             see type standing
//	blobs/HASH partial/HASH.unverified                  small documents; downloads under way
//	lock partial/lock busy                              never removed; see lock, partialFor and share
//
// What cannot be read counts as absent, so that damage heals by itself.
type store struct {
	fs  durable.FS
	dir string

	mu  sync.Mutex
	mem map[string][]byte // instead of dir, when ephemeral
}

func openStore(dir string, first *root, opts Options) *store {
	s := &store{fs: opts.FS, dir: dir}
	if s.fs == nil {
		s.fs = durable.OS()
	}
	if opts.Ephemeral {
		s.mem = map[string][]byte{}
		return s
	}
	if !opts.Flat {
		s.dir = s.lineage(first, opts.Limits.Root)
	}
	return s
}

// lineage returns the folder of the repository: the one that already holds first
// in its chain of roots, so that a program that is shipped with a newer root
// keeps its floors, or else the one named by first.
func (s *store) lineage(first *root, limit int64) string {
	own := filepath.Join(s.dir, first.id)
	if _, err := s.fs.Stat(own); err == nil {
		return own
	}
	entries, err := s.fs.ReadDir(s.dir)
	if err != nil {
		return own
	}
	for _, e := range entries {
		if len(e.Name()) != len(first.id) || !e.IsDir() {
			continue
		}
		dir := filepath.Join(s.dir, e.Name())
		data, err := durable.ReadFile(s.fs, filepath.Join(dir, filepath.FromSlash(rootFile(first.version))), limit)
		if err == nil && string(data) == first.text {
			return dir
		}
	}
	return own
}

func rootFile(version int64) string { return fmt.Sprintf("roots/%d.root.json", version) }

// roleFile is a file name that is safe everywhere, and different for different
// roles even where case is folded into one of the four top-level names.
func roleFile(role string) string {
	if topLevel(role) {
		return role + ".json"
	}
	var b strings.Builder
	for i := range len(role) {
		c := role[i]
		if plainByte(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	name := b.String()
	if len(name) > 180 {
		sum := sha256.Sum256([]byte(role))
		return "~" + hex.EncodeToString(sum[:]) + ".json"
	}
	risky := topLevel(strings.ToLower(name)) || layout.CheckName(name+".json") != nil
	if risky && name != "" && name[0] != '%' {
		name = fmt.Sprintf("%%%02X", name[0]) + name[1:]
	}
	return name + ".json"
}

func plainByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

func (s *store) path(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }

// read returns the content of a file, or nil if that cannot be had.
func (s *store) read(name string, limit int64) []byte {
	if s.mem != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.mem[name]
	}
	data, err := durable.ReadFile(s.fs, s.path(name), limit)
	if err != nil {
		return nil
	}
	return data
}

// write replaces a file durably.
func (s *store) write(name string, data []byte) error {
	if s.mem != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.mem[name] = data
		return nil
	}
	path := s.path(name)
	if err := durable.MkdirAll(s.fs, filepath.Dir(path), 0o700); err != nil {
		return local(path, err)
	}
	return local(path, durable.WriteFile(s.fs, path, data, 0o600))
}

func (s *store) remove(name string) error {
	if s.mem != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.mem, name)
		return nil
	}
	return local(s.path(name), durable.Remove(s.fs, s.path(name)))
}

// lock keeps other processes from changing the store.
func (s *store) lock(ctx context.Context) (unlock func(), err error) {
	if s.mem != nil {
		return func() {}, nil
	}
	path := s.path("lock")
	if err := durable.MkdirAll(s.fs, s.dir, 0o700); err != nil {
		return nil, local(s.dir, err)
	}
	release, err := durable.Lock(ctx, path)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("lock %s: %w", path, ctx.Err())
		}
		return nil, local(path, err)
	}
	return func() { _ = release() }, nil
}

// share keeps sweep from taking away what the caller is making in partial and blobs.
func (s *store) share(ctx context.Context) (done func() error, err error) {
	if s.mem != nil {
		return func() error { return nil }, nil
	}
	path := s.path(busyFile)
	done, err = durable.Share(ctx, path)
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("lock %s: %w", path, ctx.Err())
	}
	return done, local(path, err)
}

const busyFile = "busy"

// sweep removes temporary files that a crash left. Call it under the lock. It waits for nobody: while somebody
// is making a file, there or in another process, the next one does it.
func (s *store) sweep() error {
	if s.mem != nil {
		return nil
	}
	dirs := []string{s.dir, s.path("roots")}
	if done, err := durable.TryLock(s.path(busyFile)); err == nil {
		defer done()
		dirs = append(dirs, s.path(partialDir), s.path("blobs"))
	}
	for _, dir := range dirs {
		if err := durable.CleanTemps(s.fs, dir); err != nil {
			return local(dir, err)
		}
	}
	return nil
}

// floor is what must not be forgotten and is in none of the other files.
type floor struct {
	Root  int64     `json:"root"`            // version of the newest root that was trusted
	Keys  string    `json:"keys"`            // whose timestamp and snapshot are stored
	Under int64     `json:"under,omitempty"` // version of the root that had these keys; Root if it is left out, as it once was
	Time  time.Time `json:"time"`            // of the last complete update
	ETag  string    `json:"etag,omitempty"`  // of the timestamp whose SHA-256 is Of
	Of    string    `json:"of,omitempty"`
	From  string    `json:"from,omitempty"` // which of several mirrors gave it
}

// floorFile holds a line of JSON and its SHA-256, so that damage makes it absent
// and not a floor that nothing can reach.
const floorFile = "floor"

func (s *store) floor() floor {
	var f floor
	data, sum, _ := bytes.Cut(s.read(floorFile, 4<<10), []byte("\n"))
	if string(bytes.TrimSpace(sum)) != sum256(data) || json.Unmarshal(data, &f) != nil {
		return floor{}
	}
	if f.Under == 0 || f.Under > f.Root {
		f.Under = f.Root
	}
	return f
}

func (s *store) setFloor(f floor) error {
	data, err := json.Marshal(f)
	if err != nil {
		return err
	}
	return s.write(floorFile, fmt.Appendf(nil, "%s\n%s\n", data, sum256(data)))
}
