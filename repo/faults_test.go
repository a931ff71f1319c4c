// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/store/storetest"
)

// TestStorageFaults lets every single operation on a cloud-like bucket fail,
// happen although an error comes back, or happen twice. The publication then
// succeeds or fails, but whatever is left serves clients, and the next one
// finishes.
func TestStorageFaults(t *testing.T) {
	w := newWorld(t)
	w.release(w.initialise(), "1.0.0", "stable")
	w.root = []string{"alice", "dave", "erin"}
	w.roles = map[string]string{"targets": "r2", "snapshot": "s2", "timestamp": "t2", "channels": "c2", "deltas": "d2"}
	w.extra = []string{"release", "online"}
	w.read()
	r := w.open()
	d, err := r.Begin(ctx, nil)
	w.must(err)
	w.must(d.ApplyPolicy())
	w.must(d.Add(ctx, Artifact{Product: "app", Version: "1.1.0", Platform: "linux-amd64", Path: w.program("1.1.0"), Channels: []string{"stable"}}))
	w.must(d.Deltas(ctx))
	change, err := d.Change()
	w.must(err)
	for _, name := range []string{"alice", "bob", "dave"} {
		w.holder(change, name)
	}
	for _, outcome := range []storetest.Outcome{storetest.Fails, storetest.Landed, storetest.Twice} {
		k := 0
		for w.faultAt(k, outcome, change) {
			k++
		}
		t.Logf("outcome %d at %d operations", outcome, k)
	}
}

// memory fills a bucket in memory with what the folder holds.
func (w *world) memory() *storetest.Memory {
	m := storetest.NewMemory()
	for _, dir := range []string{"metadata", "targets"} {
		w.must(filepath.WalkDir(filepath.Join(w.bucket, dir), func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			name, err := filepath.Rel(w.bucket, path)
			w.must(err)
			data, err := os.ReadFile(path)
			m.Set(filepath.ToSlash(name), data)
			return err
		}))
	}
	return m
}

// faultAt publishes with one fault and tells whether there was an operation k.
func (w *world) faultAt(k int, outcome storetest.Outcome, c *Change) bool {
	w.t.Helper()
	bucket := w.memory()
	warm := w.memoryClient(bucket)
	w.must(warm.Refresh(ctx))
	n := 0
	bucket.Fault(func(storetest.Op) storetest.Outcome {
		if n++; n == k+1 {
			return outcome
		}
		return storetest.Works
	})
	publish := func() error {
		r := New(bucket.Store(), w.policy, &Options{Now: func() time.Time { return w.now }})
		defer r.Close()
		_, err := r.Publish(ctx, w.copyOf(c), w.sign, nil)
		return err
	}
	firstErr := publish()
	bucket.Fault(nil)
	for name, client := range map[string]*fetcher.Client{"new": w.memoryClient(bucket), "warm": warm} {
		if err := client.Refresh(ctx); err != nil {
			w.t.Fatalf("operation %d, outcome %d (%v): a %s client: %v", k, outcome, firstErr, name, err)
		}
	}
	if err := publish(); err != nil {
		w.t.Fatalf("operation %d, outcome %d (%v): publishing again: %v", k, outcome, firstErr, err)
	}
	w.must(warm.Refresh(ctx))
	doc, err := warm.Channel(ctx, "app", "stable", "linux-amd64")
	w.must(err)
	if doc.Find("1.1.0") == nil || len(warm.Roots()) != 2 {
		w.t.Fatalf("operation %d, outcome %d: not everything was published", k, outcome)
	}
	return n > k
}

func (w *world) memoryClient(bucket *storetest.Memory) *fetcher.Client {
	w.t.Helper()
	source := bucketSource{bucket.Store()}
	c, err := fetcher.New(bucket.Objects()[layout.Root(1)], "", source, &fetcher.Options{Ephemeral: true, Now: func() time.Time { return w.now }})
	w.must(err)
	return c
}
