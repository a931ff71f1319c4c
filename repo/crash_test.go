// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/store"
)

var errDead = errors.New("the publisher is dead")

// mortalFS dies at its k-th change of the file system: before it, or after it
// if landed. From then on nothing works any more.
type mortalFS struct {
	durable.FS
	left   int
	landed bool
	dead   bool
}

func (m *mortalFS) step(do func() error) error {
	if m.dead {
		return errDead
	}
	m.left--
	if m.left >= 0 {
		return do()
	}
	m.dead = true
	if m.landed {
		do()
	}
	return errDead
}

func (m *mortalFS) OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error) {
	if flag&(os.O_CREATE|os.O_WRONLY|os.O_RDWR) == 0 {
		if m.dead {
			return nil, errDead
		}
		return m.FS.OpenFile(name, flag, perm)
	}
	var f durable.File
	err := m.step(func() (err error) { f, err = m.FS.OpenFile(name, flag, perm); return err })
	if err != nil {
		return nil, err
	}
	return &mortalFile{f, m}, nil
}

func (m *mortalFS) Rename(from, to string) error {
	return m.step(func() error { return m.FS.Rename(from, to) })
}
func (m *mortalFS) Link(from, to string) error {
	return m.step(func() error { return m.FS.Link(from, to) })
}
func (m *mortalFS) Remove(name string) error {
	return m.step(func() error { return m.FS.Remove(name) })
}
func (m *mortalFS) Mkdir(name string, perm fs.FileMode) error {
	return m.step(func() error { return m.FS.Mkdir(name, perm) })
}
func (m *mortalFS) SyncDir(name string) error {
	return m.step(func() error { return m.FS.SyncDir(name) })
}

type mortalFile struct {
	durable.File
	fs *mortalFS
}

func (f *mortalFile) Write(b []byte) (n int, err error) {
	err = f.fs.step(func() (err error) { n, err = f.File.Write(b[:len(b)/2+1]); return err })
	if err == nil {
		m, err := f.File.Write(b[n:])
		return n + m, err
	}
	return n, err
}
func (f *mortalFile) Sync() error { return f.fs.step(f.File.Sync) }

// TestPublisherDiesAnywhere ends the publisher at every operation on the
// bucket, lost and landed. Whatever is left must serve clients that are new and
// clients that are up to date, and publishing again must finish.
func TestPublisherDiesAnywhere(t *testing.T) {
	tests := []struct {
		name    string
		prepare func(w *world) (*Change, *PublishOptions)
		window  bool // clients may be refused for a moment, as documented
	}{
		{"first publication", func(w *world) (*Change, *PublishOptions) {
			c := w.stage(w.open())
			w.pin, _ = fetcher.Fingerprint(c.document("root").Metadata)
			w.read()
			w.holder(c, "alice")
			w.holder(c, "carol")
			return c, nil
		}, false},
		{"release", func(w *world) (*Change, *PublishOptions) {
			r := w.initialise()
			w.release(r, "1.0.0", "stable")
			d, err := r.Begin(ctx, nil)
			w.must(err)
			w.must(d.Add(ctx, Artifact{Product: "app", Version: "1.1.0", Platform: "linux-amd64", Path: w.program("1.1.0"), Channels: []string{"stable"}}))
			w.must(d.Deltas(ctx))
			c, err := d.Change()
			w.must(err)
			return c, nil
		}, false},
		{"rotation of every key", func(w *world) (*Change, *PublishOptions) {
			w.release(w.initialise(), "1.0.0", "stable")
			w.root = []string{"alice", "dave", "erin"}
			w.roles = map[string]string{"targets": "r2", "snapshot": "s2", "timestamp": "t2", "channels": "c2", "deltas": "d2"}
			w.extra = []string{"release", "online"}
			w.read()
			c := w.stage(w.open())
			for _, name := range []string{"alice", "bob", "dave"} {
				w.holder(c, name)
			}
			return c, nil
		}, false},
		{"rotation after a loss", func(w *world) (*Change, *PublishOptions) {
			w.release(w.initialise(), "1.0.0", "stable")
			w.roles = map[string]string{"targets": "r2", "snapshot": "s2", "timestamp": "t2", "channels": "c2", "deltas": "d2"}
			w.absent["release"], w.absent["online"] = true, true
			w.read()
			c := w.stage(w.open())
			w.holder(c, "alice")
			w.holder(c, "bob")
			return c, &PublishOptions{OldKeysLost: true}
		}, true},
	}
	total := 0
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			change, opts := test.prepare(w)
			start := w.bucket
			for k := 0; ; k++ {
				done := true
				for _, landed := range []bool{false, true} {
					w.bucket = filepath.Join(t.TempDir(), "bucket")
					w.must(os.MkdirAll(start, 0o755))
					w.must(os.CopyFS(w.bucket, os.DirFS(start)))
					done = w.dieAt(k, landed, change, opts, test.window) && done
					total++
				}
				if done {
					t.Logf("%d operations", k)
					return
				}
			}
		})
	}
	t.Logf("%d deaths", total)
}

// dieAt publishes on a file system that dies, checks what is left, and
// publishes again. It tells whether the first run got through.
func (w *world) dieAt(k int, landed bool, c *Change, opts *PublishOptions, window bool) bool {
	w.t.Helper()
	warm := w.warm()
	mortal := &mortalFS{FS: durable.OS(), left: k, landed: landed}
	s, err := store.NewDir(mortal, w.bucket)
	w.must(err)
	r := New(s, w.policy, &Options{Work: w.t.TempDir(), Now: func() time.Time { return w.now }})
	_, err = r.Publish(ctx, w.copyOf(c), w.sign, opts)
	r.Close()
	if err != nil && !mortal.dead {
		w.t.Fatalf("k=%d: it failed without dying: %v", k, err)
	}
	if !window {
		w.checkClients(warm, k, landed)
	}
	again := w.openWith(&Options{Work: w.t.TempDir()})
	if _, err := again.Publish(ctx, w.copyOf(c), w.sign, opts); err != nil {
		w.t.Fatalf("k=%d landed=%v: publishing again: %v", k, landed, err)
	}
	w.checkClients(warm, k, landed)
	audit, err := again.Verify(ctx, nil)
	if err != nil || len(audit.Problems) > 0 {
		w.t.Fatalf("k=%d landed=%v: audit: %v %+v", k, landed, err, audit)
	}
	return !mortal.dead
}

// warm brings a client up to date before the publication, if there is anything
// yet.
func (w *world) warm() *fetcher.Client {
	if _, err := os.Stat(filepath.Join(w.bucket, "metadata", "timestamp.json")); err != nil {
		return nil
	}
	c := w.client()
	w.must(c.Refresh(ctx))
	return c
}

func (w *world) checkClients(warm *fetcher.Client, k int, landed bool) {
	w.t.Helper()
	if _, err := os.Stat(filepath.Join(w.bucket, "metadata", "timestamp.json")); err != nil {
		return // nothing was ever committed
	}
	if err := w.client().Refresh(ctx); err != nil {
		w.t.Fatalf("k=%d landed=%v: a new client: %v", k, landed, err)
	}
	if warm == nil {
		return
	}
	if err := warm.Refresh(ctx); err != nil {
		w.t.Fatalf("k=%d landed=%v: a client that was up to date: %v", k, landed, err)
	}
	if _, err := warm.Channel(ctx, "app", "stable", "linux-amd64"); err != nil {
		w.t.Fatalf("k=%d landed=%v: its channel: %v", k, landed, err)
	}
}
