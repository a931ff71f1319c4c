// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/waybill-project/waybill/internal/durable"
)

const (
	partialDir = "partial"
	unverified = ".unverified"
	staleAfter = 24 * time.Hour
)

// partial is a private file that holds the first have bytes of something that
// has not been verified yet. Only place gives it another name.
type partial struct {
	fs      durable.FS
	path    string
	file    durable.File
	have    int64
	kept    bool // some of it comes from an earlier transfer
	sums    digests
	proven  bool // who writes it verifies the same hash: sums learn nothing
	release func() error
	lasting bool // it stays for the next run if this one is cut off
}

// partialFor opens the file in which a download of t goes on. Of several at the
// same time one is kept across runs and the others are not.
func (c *Client) partialFor(ctx context.Context, t *Target, dest string) (*partial, error) {
	sums, err := newDigests(t.Hashes)
	if err != nil {
		return nil, &VerifyError{Role: t.Role, Target: t.Name, Err: err}
	}
	p := &partial{fs: c.store.fs, sums: sums}
	if c.opts.Ephemeral {
		return p, p.create(dest)
	}
	dir := c.store.path(partialDir)
	if err := durable.MkdirAll(p.fs, dir, 0o700); err != nil {
		return nil, local(dir, err)
	}
	release, err := durable.TryLock(filepath.Join(dir, "lock"))
	if errors.Is(err, durable.ErrLocked) {
		return p, c.temporary(ctx, p, t.hash()[:16])
	}
	if err != nil {
		return nil, local(dir, err)
	}
	p.release, p.lasting = release, true
	p.path = filepath.Join(dir, t.hash()+unverified)
	c.sweepOld(dir, func(name string) bool { return notLock(name) && name != filepath.Base(p.path) })
	if err := p.resume(t.Length); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// temporary makes a new private file among the partial ones, which no sweep takes away before the partial is closed.
func (c *Client) temporary(ctx context.Context, p *partial, name string) (err error) {
	if p.release, err = c.store.share(ctx); err != nil {
		return err
	}
	if err = p.create(filepath.Join(c.store.path(partialDir), name)); err != nil {
		p.close()
	}
	return err
}

// create makes a new private file beside path.
func (p *partial) create(path string) (err error) {
	p.file, p.path, err = durable.CreateTemp(p.fs, path, 0o600)
	return local(path, err)
}

// resume opens what an earlier run left, if that is nobody else's doing, and
// hashes it.
func (p *partial) resume(length int64) (err error) {
	p.file, err = p.fs.OpenFile(p.path, os.O_RDWR|noFollow, 0)
	if err == nil {
		if err = p.rehash(length); err == nil {
			return nil
		}
		p.file.Close()
	}
	if !errors.Is(err, fs.ErrNotExist) {
		if err := durable.Remove(p.fs, p.path); err != nil {
			return local(p.path, err)
		}
	}
	p.sums.Reset()
	p.have, p.kept = 0, false
	p.file, err = p.fs.OpenFile(p.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	return local(p.path, err)
}

func (p *partial) rehash(length int64) error {
	info, err := p.file.Stat()
	if err != nil {
		return err
	}
	if !sole(info) || info.Size() > length {
		return errors.New("not a file that we left")
	}
	p.have, err = pour(p.sums, p.file)
	p.kept = p.have > 0
	return err
}

func (p *partial) Write(b []byte) (int, error) {
	n, err := p.file.Write(b)
	if err != nil {
		return n, local(p.path, err)
	}
	p.have += int64(n)
	if p.proven {
		return n, nil
	}
	return p.sums.Write(b)
}

// room refuses what has no chance to fit, and gives the file up.
func (p *partial) room(length int64, dest string) error {
	err := checkSpace(p.fs, filepath.Dir(p.path), length-p.have)
	if err == nil && dest != "" {
		err = checkSpace(p.fs, filepath.Dir(dest), length-p.have)
	}
	switch {
	case err == nil:
	case p.have == 0 || !p.lasting:
		p.discard()
	default:
		p.close()
	}
	return err
}

func checkSpace(fsys durable.FS, dir string, need int64) error {
	return local(dir, durable.CheckSpace(fsys, dir, need))
}

// reset empties the file.
func (p *partial) reset() error {
	p.sums.Reset()
	p.have, p.kept = 0, false
	if err := p.file.Truncate(0); err != nil {
		return local(p.path, err)
	}
	_, err := p.file.Seek(0, io.SeekStart)
	return local(p.path, err)
}

// place makes the file durable and gives it its final name. Call it only after
// the content was verified.
func (p *partial) place(dest string) error {
	if err := p.file.Chmod(0o644); err != nil {
		return local(p.path, err)
	}
	if err := p.file.Sync(); err != nil {
		return local(p.path, err)
	}
	err := p.closeFile()
	if err == nil {
		err = durable.Replace(p.fs, p.path, dest)
	}
	if err != nil && crossDevice(err) {
		return p.carry(dest)
	}
	if err == nil {
		p.path = ""
	}
	return local(dest, err)
}

// carry copies to another file system, verifying again what it writes.
func (p *partial) carry(dest string) error {
	from, err := p.fs.OpenFile(p.path, os.O_RDONLY|noFollow, 0)
	if err != nil {
		return local(p.path, err)
	}
	defer from.Close()
	to := &partial{fs: p.fs, sums: p.sums}
	to.sums.Reset()
	if err := to.create(dest); err != nil {
		return err
	}
	defer to.discard()
	if _, err := pour(to, from); err != nil {
		return local(dest, err)
	}
	if err := to.sums.check(); err != nil {
		return local(p.path, err)
	}
	if err := to.place(dest); err != nil {
		return err
	}
	return local(p.path, durable.Remove(p.fs, p.path))
}

func (p *partial) closeFile() error {
	if p.file == nil {
		return nil
	}
	err := p.file.Close()
	p.file = nil
	return err
}

// close keeps the file for the next run.
func (p *partial) close() {
	_ = p.closeFile()
	if p.release != nil {
		_ = p.release()
		p.release = nil
	}
}

// discard removes the file; after place there is none.
func (p *partial) discard() {
	if p.closeFile(); p.path != "" && p.fs.Remove(p.path) == nil {
		_ = durable.SyncDir(p.fs, filepath.Dir(p.path))
	}
	p.close()
}

// dropPartial removes what an earlier run left of a file that is there now: of a move
// that a power cut interrupted both names can come up.
func (c *Client) dropPartial(t *Target) {
	dir := c.store.path(partialDir)
	path := filepath.Join(dir, t.hash()+unverified)
	if _, err := c.store.fs.Stat(path); err != nil || c.opts.Ephemeral {
		return
	}
	release, err := durable.TryLock(filepath.Join(dir, "lock"))
	if err != nil {
		return // somebody is at it
	}
	defer release()
	_ = durable.Remove(c.store.fs, path)
}

func notLock(name string) bool { return name != "lock" }

// sweepOld removes what crashes left in a folder a day ago or earlier; what is younger
// may belong to somebody at work.
func (c *Client) sweepOld(dir string, ours func(name string) bool) {
	entries, err := c.store.fs.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !ours(e.Name()) {
			continue
		}
		if info, err := e.Info(); err == nil && c.opts.Now().Sub(info.ModTime()) >= staleAfter {
			_ = durable.Remove(c.store.fs, filepath.Join(dir, e.Name()))
		}
	}
}
