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

// sweepAbandoned removes what crashes and downloads that were given up left a day ago or earlier in the folders of
// other repositories beside ours: the Client that would do it may never run again. What was verified stays. It
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
	if !c.isLineage(dir) || !c.isFolder(dir, partialDir) {
		return
	}
	for _, name := range []string{"lock", busyFile, filepath.Join(partialDir, "lock")} {
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
	for _, name := range []string{"", "roots", "blobs", partialDir} {
		if name == "blobs" && !c.isFolder(dir, name) {
			continue
		}
		c.sweepOld(filepath.Join(dir, name), func(file string) bool {
			return durable.IsTemp(file) || name == partialDir && strings.HasSuffix(file, unverified)
		})
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
