// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/release"
)

// A thief has the online key and writes to the bucket as he likes.
type thief struct {
	*world
	live      *state
	snapshot  int64 // numbers that he gives
	timestamp int64
	meta      map[string]*metadata.MetaFiles
}

func (w *world) thief(r *Repo) *thief {
	w.t.Helper()
	live := w.live(r)
	return &thief{w, live, live.version(metadata.SNAPSHOT) + 1, live.version(metadata.TIMESTAMP) + 1, maps.Clone(live.snapshot.Signed.Meta)}
}

// put writes an object behind everybody's back.
func (w *world) put(name string, data []byte) {
	w.t.Helper()
	path := filepath.Join(w.bucket, filepath.FromSlash(name))
	w.must(os.MkdirAll(filepath.Dir(path), 0o755))
	w.must(os.WriteFile(path, data, 0o644))
}

func (w *world) putTarget(name, content string) {
	w.t.Helper()
	w.put(layout.Target(name, hexHash([]byte(content))), []byte(content))
}

// onlineSigned gives metadata a signature by the online key alone.
func (w *world) onlineSigned(data []byte) []byte {
	w.t.Helper()
	e, err := openEnvelope(data)
	w.must(err)
	e.Signatures = nil
	payload, err := e.payload()
	w.must(err)
	e.add(w.signature("online", payload))
	data, err = e.encode()
	w.must(err)
	return data
}

// role edits a delegated role, and gives it the number n if that is not 0.
func (f *thief) role(name string, n int64, edit func(*metadata.TargetsType)) {
	f.t.Helper()
	c := f.craftTargets(f.live, name, func(m *metadata.TargetsType) {
		if edit(m); n != 0 {
			m.Version = n
		}
	})
	doc := c.Documents[0]
	doc.Metadata = f.onlineSigned(doc.Metadata)
	f.put(layout.Versioned(name, doc.Version), doc.Metadata)
	f.meta[name+".json"], f.live.raw[name] = metaFile(doc), doc.Metadata
}

// commit puts up a snapshot and a timestamp.
func (f *thief) commit() {
	f.t.Helper()
	snapshot := metadata.Snapshot(f.live.expires(metadata.SNAPSHOT))
	snapshot.Signed.Version, snapshot.Signed.Meta = f.snapshot, f.meta
	data, err := encode(snapshot)
	f.must(err)
	doc := Document{metadata.SNAPSHOT, f.snapshot, f.onlineSigned(data)}
	f.put(layout.Versioned(metadata.SNAPSHOT, f.snapshot), doc.Metadata)
	timestamp := metadata.Timestamp(f.live.expires(metadata.TIMESTAMP))
	timestamp.Signed.Version = f.timestamp
	timestamp.Signed.Meta = map[string]*metadata.MetaFiles{"snapshot.json": metaFile(doc)}
	data, err = encode(timestamp)
	f.must(err)
	f.put(layout.Timestamp, f.onlineSigned(data))
}

// offer puts a release into the channel stable.
func (f *thief) offer(rel release.Release) {
	f.t.Helper()
	const name = "app/channels/stable/linux-amd64.json"
	doc, err := f.client().Channel(ctx, "app", "stable", "linux-amd64")
	f.must(err)
	doc.Releases = append(doc.Releases, rel)
	content, err := doc.Encode()
	f.must(err)
	f.putTarget(name, string(content))
	f.role(policy.RoleChannels, 0, func(m *metadata.TargetsType) { m.Targets[name] = targetFile(string(content), nil) })
}

// replaceOnlineKey is what the operator does about a stolen online key.
func (w *world) replaceOnlineKey(opts *PublishOptions) (*Published, error) {
	w.t.Helper()
	w.roles = map[string]string{"targets": "release", "snapshot": "online2", "timestamp": "online2", "channels": "online2", "deltas": "online2"}
	w.extra = []string{"online"}
	w.read()
	r := w.openWith(&Options{Work: w.t.TempDir()})
	d, err := r.Begin(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("begin: %w", err)
	}
	w.must(d.ApplyPolicy())
	c, err := d.Change()
	if err != nil {
		return nil, fmt.Errorf("stage: %w", err)
	}
	for _, name := range []string{"alice", "bob", "release"} {
		w.holder(c, name)
	}
	return r.Publish(ctx, w.copyOf(c), w.sign, opts)
}
