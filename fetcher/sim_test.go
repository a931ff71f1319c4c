// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/layout"
)

// epoch is the time at which the tests happen.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

type simKey struct {
	id     string
	record map[string]any
	sign   func([]byte) []byte
}

// edKey makes the same key for the same name.
func edKey(name string) *simKey {
	seed := sha256.Sum256([]byte("test key " + name))
	private := ed25519.NewKeyFromSeed(seed[:])
	return &simKey{
		id: name,
		record: map[string]any{
			"keytype": "ed25519", "scheme": "ed25519",
			"keyval": map[string]any{"public": hex.EncodeToString(private.Public().(ed25519.PublicKey))},
		},
		sign: func(b []byte) []byte {
			sig, _ := private.Sign(nil, b, crypto.Hash(0))
			return sig
		},
	}
}

// sim is a repository in memory, and a Source that serves it.
type sim struct {
	t         *testing.T
	md        map[string]map[string]any // role to signed part
	keys      map[string][]*simKey      // who signs a role
	delegator map[string]string
	hashes    bool // sign length and hash of snapshot and targets
	consist   bool

	mu       sync.Mutex
	objects  map[string][]byte
	requests []string
	open     func(name string, req Request) (*Response, error) // takes over if it returns something
}

func newSim(t *testing.T) *sim {
	s := &sim{t: t, md: map[string]map[string]any{}, keys: map[string][]*simKey{}, delegator: map[string]string{},
		hashes: true, consist: true, objects: map[string][]byte{}}
	s.md["root"] = s.fresh("root", map[string]any{"consistent_snapshot": true, "keys": map[string]any{}, "roles": map[string]any{}})
	s.md["timestamp"] = s.fresh("timestamp", map[string]any{"meta": map[string]any{}})
	s.md["snapshot"] = s.fresh("snapshot", map[string]any{"meta": map[string]any{}})
	s.md["targets"] = s.fresh("targets", map[string]any{"targets": map[string]any{}})
	for _, role := range []string{"root", "targets", "snapshot", "timestamp"} {
		s.rootRoles()[role] = map[string]any{"keyids": []any{}, "threshold": 1}
		s.addKey(role, edKey(role+"-1"))
	}
	s.store("root", "targets")
	s.commit()
	return s
}

func (s *sim) fresh(typ string, fields map[string]any) map[string]any {
	fields["_type"] = typ
	fields["spec_version"] = "1.0.34"
	fields["version"] = int64(1)
	fields["expires"] = epoch.AddDate(0, 1, 0).Format(time.RFC3339)
	if typ == "snapshot" || typ == "timestamp" {
		fields["version"] = int64(0)
	}
	return fields
}

func (s *sim) rootRoles() map[string]any { return s.md["root"]["roles"].(map[string]any) }

// entry is where the keys of a role are listed, and the keys beside it.
func (s *sim) entry(role string) (entry, keys map[string]any) {
	if topLevel(role) {
		return s.rootRoles()[role].(map[string]any), s.md["root"]["keys"].(map[string]any)
	}
	d := s.md[s.delegator[role]]["delegations"].(map[string]any)
	for _, r := range d["roles"].([]any) {
		if r := r.(map[string]any); r["name"] == role {
			return r, d["keys"].(map[string]any)
		}
	}
	s.t.Fatalf("no role %s", role)
	return nil, nil
}

func (s *sim) addKey(role string, k *simKey) {
	entry, keys := s.entry(role)
	entry["keyids"] = append(entry["keyids"].([]any), k.id)
	keys[k.id] = k.record
	s.keys[role] = append(s.keys[role], k)
}

// rotate replaces all keys of a role by new ones. For root, the old keep signing.
func (s *sim) rotate(role string, fresh ...string) {
	entry, _ := s.entry(role)
	entry["keyids"] = []any{}
	old := s.keys[role]
	s.keys[role] = nil
	for _, name := range fresh {
		s.addKey(role, edKey(name))
	}
	if role == "root" {
		s.keys[role] = append(s.keys[role], old...)
	}
}

func (s *sim) threshold(role string, n int) {
	entry, _ := s.entry(role)
	entry["threshold"] = n
}

// delegate adds a role with one key, and first version without targets.
func (s *sim) delegate(parent, role string, fields map[string]any) {
	d, ok := s.md[parent]["delegations"].(map[string]any)
	if !ok {
		d = map[string]any{"keys": map[string]any{}, "roles": []any{}}
		s.md[parent]["delegations"] = d
	}
	r := map[string]any{"name": role, "keyids": []any{}, "threshold": 1, "terminating": false, "paths": []any{"*"}}
	maps.Copy(r, fields)
	if r["path_hash_prefixes"] != nil {
		delete(r, "paths")
	}
	d["roles"] = append(d["roles"].([]any), r)
	first := s.delegator[role] == ""
	s.delegator[role] = parent
	if first {
		s.md[role] = s.fresh("targets", map[string]any{"targets": map[string]any{}})
		s.addKey(role, edKey(role+"-1"))
		return
	}
	k := s.keys[role][0]
	r["keyids"] = []any{k.id}
	d["keys"].(map[string]any)[k.id] = k.record
}

func (s *sim) version(role string) int64 { return s.md[role]["version"].(int64) }

// signed returns the file of a role as it would be published now.
func (s *sim) signed(role string) []byte { return signAs(s.t, s.md[role], s.keys[role]...) }

func signAs(t *testing.T, signed map[string]any, keys ...*simKey) []byte {
	raw, err := json.Marshal(signed)
	if err != nil {
		t.Fatal(err)
	}
	return signRaw(t, raw, keys...)
}

func signRaw(t *testing.T, raw []byte, keys ...*simKey) []byte {
	tree, err := scan(string(raw), true)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := appendCanonical(nil, &tree)
	if err != nil {
		t.Fatal(err)
	}
	sigs := []any{}
	for _, k := range keys {
		sigs = append(sigs, map[string]any{"keyid": k.id, "sig": hex.EncodeToString(k.sign(payload))})
	}
	return envelope(t, raw, sigs)
}

func envelope(t *testing.T, raw []byte, sigs []any) []byte {
	out, err := json.Marshal(map[string]any{"signed": json.RawMessage(raw), "signatures": sigs})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (s *sim) object(role string, version int64) string {
	switch {
	case role == "timestamp":
		return layout.Timestamp
	case role == "root" || s.consist:
		return layout.Versioned(role, version)
	}
	return layout.Unversioned(role)
}

// store publishes roles at their present version.
func (s *sim) store(roles ...string) {
	for _, role := range roles {
		s.put(s.object(role, s.version(role)), s.signed(role))
	}
}

// publish raises the version of roles and publishes them.
func (s *sim) publish(roles ...string) {
	for _, role := range roles {
		s.md[role]["version"] = s.version(role) + 1
		s.store(role)
	}
}

// list makes snapshot say what is there, publishes it and a new timestamp.
func (s *sim) commit() {
	meta := map[string]any{}
	for role := range s.md {
		if role != "root" && role != "timestamp" && role != "snapshot" {
			meta[role+".json"] = s.meta(role)
		}
	}
	s.md["snapshot"]["meta"] = meta
	s.publish("snapshot")
	s.stamp()
}

func (s *sim) stamp() {
	s.md["timestamp"]["meta"] = map[string]any{"snapshot.json": s.meta("snapshot")}
	s.publish("timestamp")
}

func (s *sim) meta(role string) map[string]any {
	m := map[string]any{"version": s.version(role)}
	if s.hashes {
		data := s.objects[s.object(role, s.version(role))]
		sum := sha256.Sum256(data)
		m["length"] = len(data)
		m["hashes"] = map[string]any{"sha256": hex.EncodeToString(sum[:])}
	}
	return m
}

// add lists a target in a role and publishes its content, not the role.
func (s *sim) add(role, name string, content []byte, algorithms ...string) {
	if len(algorithms) == 0 {
		algorithms = []string{"sha256"}
	}
	hashes := map[string]any{}
	for _, a := range algorithms {
		sum := fmt.Sprintf("%x", sha256.Sum256(content))
		if a == "sha512" {
			sum = fmt.Sprintf("%x", sha512.Sum512(content))
		}
		hashes[a] = sum
		if s.consist {
			s.put(layout.Target(name, sum), content)
		}
	}
	if !s.consist {
		s.put(layout.Target(name, ""), content)
	}
	s.md[role]["targets"].(map[string]any)[name] = map[string]any{"length": len(content), "hashes": hashes}
}

// release publishes the roles given and everything above them.
func (s *sim) release(roles ...string) {
	s.publish(roles...)
	s.commit()
}

func (s *sim) put(name string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[name] = data
}

func (s *sim) drop(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, name)
}

func (s *sim) Open(_ context.Context, name string, req Request) (*Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, strings.TrimPrefix(name, "metadata/"))
	if s.open != nil {
		if r, err := s.open(name, req); r != nil || err != nil {
			return r, err
		}
	}
	data, ok := s.objects[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return response200(data), nil
}

func wholeBody(data []byte) io.ReadCloser { return io.NopCloser(bytes.NewReader(data)) }

func response200(data []byte) *Response {
	return &Response{Body: wholeBody(data), Size: int64(len(data))}
}

// asked returns the requests since the last call.
func (s *sim) asked() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.requests
	s.requests = nil
	return out
}

func (s *sim) wantAsked(want ...string) {
	s.t.Helper()
	if got := s.asked(); !slices.Equal(got, want) {
		s.t.Errorf("requests %q, want %q", got, want)
	}
}

// endpoint is a client's machine: a trusted root, a state folder and a clock.
type endpoint struct {
	t    *testing.T
	repo *sim
	root []byte
	dir  string
	now  time.Time
	opts Options
}

func (s *sim) endpoint() *endpoint {
	return &endpoint{t: s.t, repo: s, root: s.objects[layout.Root(1)], dir: s.t.TempDir(), now: epoch}
}

// client starts a new process.
func (e *endpoint) client() *Client {
	e.t.Helper()
	opts := e.opts
	opts.Flat = true
	opts.Now = e.clock()
	if opts.FS == nil {
		opts.FS = quick{durable.OS()}
	}
	c, err := New(e.root, e.dir, e.repo, &opts)
	if err != nil {
		e.t.Fatal(err)
	}
	return c
}

func (e *endpoint) refresh() error { return e.client().Refresh(context.Background()) }

func (e *endpoint) ok() {
	e.t.Helper()
	if err := e.refresh(); err != nil {
		e.t.Fatalf("refresh: %v", err)
	}
}

// fails wants a refresh to break the given rule.
func (e *endpoint) fails(rule error) {
	e.t.Helper()
	wantRule(e.t, e.refresh(), rule)
}

// have checks the versions that are stored; 0 is none.
func (e *endpoint) have(want map[string]int64) {
	e.t.Helper()
	for role, version := range want {
		data := e.client().store.read(roleFile(role), 1<<20)
		var got int64
		if data != nil {
			doc, err := parseDocument(data, role, true)
			if err != nil {
				e.t.Errorf("stored %s: %v", role, err)
				continue
			}
			got = doc.version
		}
		if got != version {
			e.t.Errorf("stored %s is version %d, want %d", role, got, version)
		}
	}
}

// quick is the real file system without waiting for the disk.
type quick struct{ durable.FS }

func (q quick) SyncDir(string) error { return nil }

func (q quick) OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error) {
	file, err := q.FS.OpenFile(name, flag, perm)
	if err != nil {
		return nil, err
	}
	return quickFile{file}, nil
}

type quickFile struct{ durable.File }

func (quickFile) Sync() error { return nil }

func (e *endpoint) clock() func() time.Time { return func() time.Time { return e.now } }
