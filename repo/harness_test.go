// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/keys"
	"github.com/waybill-project/waybill/policy"
)

var epoch = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

// A world is a bucket in a folder, a policy, and everybody's keys.
type world struct {
	t       testing.TB
	bucket  string
	work    string
	now     time.Time
	private map[string]ed25519.PrivateKey // by name
	absent  map[string]bool               // keys that this machine does not hold
	policy  *policy.Policy
	root    []string
	roles   map[string]string // name of the one key of each other role
	rootK   int
	pin     string
	extra   []string // keys listed without a role
	plain   bool     // no delegations
}

func newWorld(t testing.TB) *world {
	w := &world{
		t: t, bucket: filepath.Join(t.TempDir(), "bucket"), work: t.TempDir(), now: epoch,
		private: map[string]ed25519.PrivateKey{}, absent: map[string]bool{},
		root: []string{"alice", "bob", "carol"}, rootK: 2,
		roles: map[string]string{"targets": "release", "snapshot": "online", "timestamp": "online", "channels": "online", "deltas": "online"},
	}
	w.absent["alice"], w.absent["bob"], w.absent["carol"] = true, true, true
	w.read()
	return w
}

func (w *world) key(name string) ed25519.PrivateKey {
	if w.private[name] == nil {
		seed := sha256.Sum256([]byte("test key " + name))
		w.private[name] = ed25519.NewKeyFromSeed(seed[:])
	}
	return w.private[name]
}

func (w *world) id(name string) string {
	record, err := keys.Record(w.key(name).Public())
	w.must(err)
	id, err := keys.ID(record)
	w.must(err)
	return id
}

// read writes the policy text and parses it.
func (w *world) read() {
	w.t.Helper()
	var b strings.Builder
	fmt.Fprintln(&b, "schema: 1")
	if w.pin != "" {
		fmt.Fprintln(&b, "root:", w.pin)
	}
	fmt.Fprintln(&b, "keys:")
	seen := map[string]bool{}
	for _, name := range append(append([]string{}, w.root...), append(w.extra, sortedValues(w.roles)...)...) {
		if seen[name] {
			continue
		}
		seen[name] = true
		pem, err := keys.EncodePublic(w.key(name).Public())
		w.must(err)
		fmt.Fprintf(&b, "  %s:\n    public: |\n      %s\n", name, strings.ReplaceAll(strings.TrimSpace(string(pem)), "\n", "\n      "))
	}
	fmt.Fprintf(&b, "roles:\n  root: {keys: [%s], threshold: %d, expires: 365d}\n", strings.Join(w.root, ", "), w.rootK)
	fmt.Fprintf(&b, "  targets: {keys: [%s], threshold: 1, expires: 90d}\n", w.roles["targets"])
	fmt.Fprintf(&b, "  snapshot: {keys: [%s], threshold: 1, expires: 14d}\n", w.roles["snapshot"])
	fmt.Fprintf(&b, "  timestamp: {keys: [%s], threshold: 1, expires: 7d, refresh_every: 1d}\n", w.roles["timestamp"])
	if !w.plain {
		fmt.Fprintf(&b, "delegations:\n  channels: {keys: [%s], threshold: 1, expires: 30d}\n", w.roles["channels"])
		fmt.Fprintf(&b, "  deltas: {keys: [%s], threshold: 1, expires: 30d}\n", w.roles["deltas"])
	}
	fmt.Fprintln(&b, "products:\n  app: {channels: [stable, beta], platforms: [linux-amd64, any]}")
	p, err := policy.Parse("waybill.yaml", []byte(b.String()))
	w.must(err)
	w.policy = p
}

func sortedValues(m map[string]string) []string {
	set := map[string]bool{}
	for _, v := range m {
		set[v] = true
	}
	return sortedKeys(set)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) open() *Repo {
	w.t.Helper()
	return w.openWith(&Options{Work: w.work})
}

func (w *world) openWith(opts *Options) *Repo {
	w.t.Helper()
	opts.Now = func() time.Time { return w.now }
	w.must(os.MkdirAll(w.bucket, 0o755))
	r, err := Open(context.Background(), w.bucket, w.policy, opts)
	w.must(err)
	w.t.Cleanup(func() { r.Close() })
	return r
}

// sign is the SignFunc of the publishing machine.
func (w *world) sign(_ context.Context, key policy.Key, payload []byte) (metadata.Signature, error) {
	if w.absent[key.Name] {
		return metadata.Signature{}, ErrNoKey
	}
	return w.signature(key.Name, payload), nil
}

func (w *world) signature(name string, payload []byte) metadata.Signature {
	return metadata.Signature{KeyID: w.id(name), Signature: ed25519.Sign(w.key(name), payload)}
}

// holder signs a change as the holder of an offline key does.
func (w *world) holder(c *Change, name string) {
	w.t.Helper()
	_, err := c.Sign(context.Background(), w.id(name), func(_ context.Context, payload []byte) (metadata.Signature, error) {
		return w.signature(name, payload), nil
	})
	w.must(err)
}

// stage makes a change of what the policy asks for.
func (w *world) stage(r *Repo) *Change {
	w.t.Helper()
	d, err := r.Begin(context.Background(), nil)
	w.must(err)
	w.must(d.ApplyPolicy())
	c, err := d.Change()
	w.must(err)
	return c
}

// initialise publishes root 1, signed by alice and bob.
func (w *world) initialise() *Repo {
	w.t.Helper()
	r := w.open()
	c := w.stage(r)
	sum, err := fetcher.Fingerprint(c.document(metadata.ROOT).Metadata)
	w.must(err)
	w.pin = sum
	w.read()
	r = w.open()
	w.holder(c, "alice")
	w.holder(c, "bob")
	_, err = r.Publish(context.Background(), c, w.sign, nil)
	w.must(err)
	return r
}

// program writes an artifact of some size that differs a little by version.
func (w *world) program(version string) string {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "app")
	body := strings.Repeat("the quick brown fox jumps over the lazy dog\n", 200)
	var b strings.Builder
	for i, line := range strings.SplitAfter(body, "\n") {
		fmt.Fprintf(&b, "%d %x %s", i, sha256.Sum256([]byte(fmt.Sprint(i))), line)
	}
	w.must(os.WriteFile(path, []byte(b.String()+"version "+version+"\n"), 0o755))
	return path
}

// added is a change that adds a version to the stable channel, without patches.
func (w *world) added(r *Repo, version string) *Change {
	w.t.Helper()
	d, err := r.Begin(context.Background(), nil)
	w.must(err)
	w.must(d.Add(context.Background(), Artifact{Product: "app", Version: version, Platform: "linux-amd64", Path: w.program(version), Channels: []string{"stable"}}))
	c, err := d.Change()
	w.must(err)
	return c
}

func (w *world) release(r *Repo, version string, channels ...string) *Published {
	w.t.Helper()
	p, err := w.tryRelease(r, version, channels...)
	w.must(err)
	return p
}

func (w *world) tryRelease(r *Repo, version string, channels ...string) (*Published, error) {
	path := w.program(version)
	return r.Commit(context.Background(), func(ctx context.Context, d *Draft) error {
		err := d.Add(ctx, Artifact{Product: "app", Version: version, Platform: "linux-amd64", Path: path, Channels: channels})
		if err != nil {
			return err
		}
		return d.Deltas(ctx)
	}, w.sign, nil)
}

// client makes a client that starts from root 1 and remembers nothing.
func (w *world) client() *fetcher.Client {
	w.t.Helper()
	c, err := w.tryClient("")
	w.must(err)
	return c
}

func (w *world) tryClient(dir string) (*fetcher.Client, error) {
	root, err := os.ReadFile(filepath.Join(w.bucket, "metadata", "1.root.json"))
	if err != nil {
		return nil, err
	}
	return fetcher.New(root, dir, fetcher.NewDirSource(w.bucket), &fetcher.Options{Ephemeral: dir == "", Now: func() time.Time { return w.now }})
}
