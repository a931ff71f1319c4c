// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/keys"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo"
	"github.com/waybill-project/waybill/repo/layout"
)

const platform = runtime.GOOS + "-" + runtime.GOARCH

var key = ed25519.NewKeyFromSeed([]byte("one key for all roles of a test."))

// publisher has a repository in a folder, with one key for all roles.
type publisher struct {
	t      *testing.T
	bucket string
	policy string // text, without the pin
	pin    string
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	pem, err := keys.EncodePublic(key.Public())
	must(t, err)
	p := &publisher{t: t, bucket: t.TempDir(), policy: fmt.Sprintf(`
schema: 1
keys:
  only:
    public: |
      %s
roles:
  root: {keys: [only], threshold: 1, expires: 365d}
  targets: {keys: [only], threshold: 1, expires: 90d}
  snapshot: {keys: [only], threshold: 1, expires: 14d}
  timestamp: {keys: [only], threshold: 1, expires: 7d, refresh_every: 1d}
products:
  app: {channels: [stable], platforms: [%s]}
deltas: {from_last: 0, min_saving: 20%%, max_memory: 1GiB, max_time: 1m, formats: [bsdiff4]}
`, strings.ReplaceAll(strings.TrimSpace(string(pem)), "\n", "\n      "), platform)}
	p.initialise()
	return p
}

func (p *publisher) open() *repo.Repo {
	p.t.Helper()
	text := p.policy
	if p.pin != "" {
		text += "root: " + p.pin + "\n"
	}
	parsed, err := policy.Parse("waybill.yaml", []byte(text))
	must(p.t, err)
	r, err := repo.Open(p.t.Context(), p.bucket, parsed, nil)
	must(p.t, err)
	p.t.Cleanup(func() { must(p.t, r.Close()) })
	return r
}

// initialise publishes root 1, whose fingerprint the policy then pins.
func (p *publisher) initialise() {
	p.t.Helper()
	ctx := p.t.Context()
	draft, err := p.open().Begin(ctx, nil)
	must(p.t, err)
	must(p.t, draft.ApplyPolicy())
	change, err := draft.Change()
	must(p.t, err)
	inspection, err := change.Inspect(nil)
	must(p.t, err)
	p.pin = inspection.Repository
	_, err = change.Sign(ctx, keyID(p.t), func(_ context.Context, payload []byte) (metadata.Signature, error) {
		return signature(p.t, payload)
	})
	must(p.t, err)
	_, err = p.open().Publish(ctx, change, p.sign, nil)
	must(p.t, err)
}

func (p *publisher) sign(_ context.Context, _ policy.Key, payload []byte) (metadata.Signature, error) {
	return signature(p.t, payload)
}

// release publishes a program and returns the name of its object.
func (p *publisher) release(version, content string) (object string) {
	p.t.Helper()
	path := filepath.Join(p.t.TempDir(), "app")
	must(p.t, os.WriteFile(path, []byte(content), 0o755))
	done, err := p.open().Commit(p.t.Context(), func(ctx context.Context, d *repo.Draft) error {
		return d.Add(ctx, repo.Artifact{Product: "app", Version: version, Platform: platform, Path: path, Channels: []string{"stable"}})
	}, p.sign, nil)
	must(p.t, err)
	for _, object := range done.Objects {
		if strings.HasPrefix(object, "targets/app/"+version+"/") {
			return object
		}
	}
	p.t.Fatalf("no artifact among %q", done.Objects)
	return ""
}

func (p *publisher) root() []byte {
	p.t.Helper()
	root, err := os.ReadFile(filepath.Join(p.bucket, filepath.FromSlash(layout.Root(1))))
	must(p.t, err)
	return root
}

func TestUpdate(t *testing.T) {
	p := newPublisher(t)
	p.release("1.0.0", "the old program")
	p.release("1.1.0", "the new program")
	endpoint := newEndpoint(t)

	said, err := endpoint.update(p, "1.0.0")
	must(t, err)
	if want := "updated to 1.1.0"; said != want {
		t.Errorf("got %q, want %q", said, want)
	}
	endpoint.runs("the new program")

	said, err = endpoint.update(p, "1.1.0")
	must(t, err)
	if want := "1.1.0 is installed"; !strings.Contains(said, want) {
		t.Errorf("got %q, want %q", said, want)
	}
	endpoint.runs("the new program")
}

func TestTampered(t *testing.T) {
	p := newPublisher(t)
	object := p.release("1.1.0", "the new program")
	must(t, os.WriteFile(filepath.Join(p.bucket, filepath.FromSlash(object)), []byte("the bad program"), 0o644))
	endpoint := newEndpoint(t)

	_, err := endpoint.update(p, "1.0.0")
	var refused *fetcher.VerifyError
	if !errors.As(err, &refused) || !errors.Is(err, fetcher.ErrMismatch) {
		t.Errorf("got %v, want a VerifyError over ErrMismatch", err)
	}
	endpoint.runs("the old program")
}

// endpoint has a program at path.
type endpoint struct {
	t           *testing.T
	state, path string
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	e := &endpoint{t: t, state: t.TempDir(), path: filepath.Join(t.TempDir(), "app")}
	must(t, os.WriteFile(e.path, []byte("the old program"), 0o755))
	return e
}

func (e *endpoint) update(p *publisher, version string) (string, error) {
	return update(e.t.Context(), p.root(), fetcher.NewDirSource(p.bucket), e.state, e.path, version)
}

func (e *endpoint) runs(want string) {
	e.t.Helper()
	got, err := os.ReadFile(e.path)
	must(e.t, err)
	if string(got) != want {
		e.t.Errorf("installed is %q, want %q", got, want)
	}
}

func keyID(t *testing.T) string {
	t.Helper()
	record, err := keys.Record(key.Public())
	must(t, err)
	id, err := keys.ID(record)
	must(t, err)
	return id
}

func signature(t *testing.T, payload []byte) (metadata.Signature, error) {
	sig, err := key.Sign(nil, payload, crypto.Hash(0))
	return metadata.Signature{KeyID: keyID(t), Signature: sig}, err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
