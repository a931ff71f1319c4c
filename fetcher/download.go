// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/layout"
)

// Download writes the verified file to dest, whose folder must exist, and
// replaces what is there. Bytes go to a private file of the state folder first,
// from which the next call goes on if this one is cut off; dest appears whole, with
// mode 0644, or not at all. If dest has the right content already, nothing is
// requested. Memory use does not depend on the length. Without room
// for the file, in the state folder or beside dest, nothing is requested: ErrSpace.
func (c *Client) Download(ctx context.Context, t *Target, dest string) (err error) {
	defer guard(&err)
	_, err = c.download(ctx, t, dest)
	return err
}

func (c *Client) download(ctx context.Context, t *Target, dest string) (fetched int64, err error) {
	if c.holds(dest, t) {
		c.dropPartial(t)
		return 0, nil
	}
	p, fetched, err := c.obtain(ctx, t, dest)
	if err != nil {
		return fetched, err
	}
	defer p.close()
	c.sweepOld(filepath.Dir(dest), func(name string) bool { return durable.IsTempOf(name, dest) })
	return fetched, p.place(dest)
}

// holds tells whether a file has the content of t already.
func (c *Client) holds(path string, t *Target) bool {
	sums, err := newDigests(t.Hashes)
	if err != nil {
		return false
	}
	info, err := c.store.fs.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != t.Length {
		return false
	}
	f, err := c.store.fs.OpenFile(path, os.O_RDONLY|noWait, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	n, err := pour(sums, io.LimitReader(f, t.Length+1))
	return err == nil && n == t.Length && sums.check() == nil
}

// obtain returns a private file that holds the verified content of t, and how many
// bytes it took. It is meant for dest; "" if it gets no name.
func (c *Client) obtain(ctx context.Context, t *Target, dest string) (*partial, int64, error) {
	name, err := c.targetObject(ctx, t)
	if err != nil {
		return nil, 0, err
	}
	p, err := c.partialFor(ctx, t, dest)
	if err != nil {
		return nil, 0, err
	}
	if err := p.room(t.Length, dest); err != nil {
		return nil, 0, err
	}
	job := c.newTransfer(t, name, p)
	if err := job.run(ctx); err != nil {
		var verify *VerifyError
		if errors.As(err, &verify) || p.have == 0 || !p.lasting {
			p.discard()
		}
		p.close()
		return nil, job.fetched, err
	}
	return p, job.fetched, nil
}

// targetObject names the object of a target; the name must stay inside.
func (c *Client) targetObject(ctx context.Context, t *Target) (string, error) {
	if _, err := newDigests(t.Hashes); err != nil {
		return "", t.fault(ErrMalformed, err)
	}
	trusted, err := c.current(ctx)
	if err != nil {
		return "", err
	}
	name := layout.Target(t.Name, "")
	if err := layout.CheckObject(name); err != nil {
		return "", t.fault(ErrMalformed, err)
	}
	if trusted.root.consistent {
		name = layout.Target(t.Name, t.hash())
	}
	return name, nil
}

const maxBlobs = 64

// Bytes returns the verified content of a small target. One that is longer than
// max is refused with ErrTooLarge. The content is kept in the state folder, so that
// the next call for the same content makes no request.
func (c *Client) Bytes(ctx context.Context, t *Target, max int64) (_ []byte, err error) {
	defer guard(&err)
	want := fileMeta{length: t.Length, hashes: t.Hashes}
	fault := func(err error) error { return &VerifyError{Role: t.Role, Target: t.Name, Err: err} }
	if t.Length > max {
		return nil, fault(fmt.Errorf("%w: %d bytes, at most %d allowed", ErrTooLarge, t.Length, max))
	}
	name, err := c.targetObject(ctx, t)
	if err != nil {
		return nil, err
	}
	blob := "blobs/" + t.hash()
	if data := c.store.read(blob, t.Length); data != nil && want.check(data, "") == nil {
		return bytes.Clone(data), nil
	}
	var data []byte
	err = c.get(ctx, wanted{name: name, limit: t.Length, meta: want}, func(got []byte) error {
		data = got
		return want.check(got, "")
	})
	var verify *VerifyError
	if errors.As(err, &verify) {
		return nil, fault(verify.Err)
	}
	if err != nil {
		return nil, err
	}
	done, err := c.store.share(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	c.sweepOld(c.store.path("blobs"), durable.IsTemp)
	c.store.prune("blobs", maxBlobs-1)
	return data, c.store.write(blob, data)
}

// prune keeps the newest files of a folder.
func (s *store) prune(dir string, keep int) {
	if s.mem != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.mem) > 4*maxBlobs {
			for name := range s.mem {
				if strings.HasPrefix(name, dir+"/") {
					delete(s.mem, name)
				}
			}
		}
		return
	}
	entries, err := s.fs.ReadDir(s.path(dir))
	if err != nil || len(entries) <= keep {
		return
	}
	age := map[string]time.Time{}
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			age[e.Name()] = info.ModTime()
		}
	}
	sort.Slice(entries, func(i, j int) bool { return age[entries[i].Name()].After(age[entries[j].Name()]) })
	for _, e := range entries[keep:] {
		_ = durable.Remove(s.fs, s.path(dir+"/"+e.Name()))
	}
}
