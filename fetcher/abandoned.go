// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/waybill-project/waybill/internal/durable"
)

// abandonedAfter is how long nobody may have refreshed a repository before its copies of what can be had again go.
const abandonedAfter = 30 * 24 * time.Hour

// sweepAbandoned removes what crashes and downloads that were given up left a day ago or earlier in the folders of
// other repositories beside ours: the Client that would do it may never run again. Of those that nobody has
// refreshed for abandonedAfter it removes targets, delegated roles and small documents as well. It
// touches only folders that prove to be such, and waits for nobody.
func (u *update) sweepAbandoned() {
	if u.opts.Ephemeral || u.opts.Flat || u.at.time.Sub(u.floor.Time) < time.Hour {
		return
	}
	own := filepath.Base(u.store.dir)
	entries, _ := u.store.fs.ReadDir(filepath.Dir(u.store.dir))
	for _, e := range entries {
		if e.IsDir() && e.Name() != own {
			u.sweepLineage(filepath.Join(filepath.Dir(u.store.dir), e.Name()))
		}
	}
}

func (c *Client) sweepLineage(dir string) {
	if !c.isLineage(dir) {
		return
	}
	locks := []string{"lock", busyFile}
	if c.isFolder(dir, partialDir) {
		locks = append(locks, filepath.Join(partialDir, "lock"))
	}
	for _, name := range locks {
		path := filepath.Join(dir, name)
		if _, err := c.store.fs.Stat(path); err != nil {
			return // nobody ever began to make what is to be removed
		}
		release, err := durable.TryLock(path)
		if err != nil {
			return
		}
		defer release()
	}
	c.sweepCopies(dir)
	for _, name := range []string{"", "roots", "blobs", partialDir} {
		if name != "" && !c.isFolder(dir, name) {
			continue
		}
		c.sweepOld(filepath.Join(dir, name), func(file string) bool {
			return durable.IsTemp(file) || name == partialDir && strings.HasSuffix(file, unverified)
		})
	}
}

// sweepCopies removes what is fetched again if somebody comes back. Nothing that forbids a rollback is in it: roots, the
// floor and the timestamp stay, and so does the snapshot, which has the version of every role.
func (c *Client) sweepCopies(dir string) {
	info, err := c.store.fs.Stat(filepath.Join(dir, floorFile)) // every refresh that succeeds writes it, once an hour
	if err != nil || c.opts.Now().Sub(info.ModTime()) < abandonedAfter {
		return
	}
	keep := []string{"root.json", "timestamp.json", "snapshot.json"}
	c.sweepOld(dir, func(name string) bool { return strings.HasSuffix(name, ".json") && !slices.Contains(keep, name) })
	if c.isFolder(dir, "blobs") {
		c.sweepOld(filepath.Join(dir, "blobs"), func(string) bool { return true })
	}
}

// isLineage tells whether a folder is named by a root that it holds, as no other folder is.
func (c *Client) isLineage(dir string) bool {
	id := filepath.Base(dir)
	if len(id) != len(c.first.id) || !c.isFolder(dir, "roots") {
		return false
	}
	entries, err := c.store.fs.ReadDir(filepath.Join(dir, "roots"))
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		if !e.Type().IsRegular() || durable.IsTemp(e.Name()) {
			return false
		}
		data, err := durable.ReadFile(c.store.fs, filepath.Join(dir, "roots", e.Name()), c.opts.Limits.Root)
		if err != nil {
			return false
		}
		fingerprint, err := Fingerprint(data)
		return err == nil && fingerprint == id
	})
}

// isFolder is false for a link to one.
func (c *Client) isFolder(dir, name string) bool {
	entries, err := c.store.fs.ReadDir(dir)
	return err == nil && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == name && e.IsDir() })
}
