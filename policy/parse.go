// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"go.yaml.in/yaml/v3"

	"github.com/waybill-project/waybill/keys"
	"github.com/waybill-project/waybill/repo/release"
)

var (
	keyName         = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$`)
	fingerprintForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
	formats         = []string{defaultFormat, "bsdiff4"}
	topLevel        = []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP}
	delegated       = []string{RoleChannels, RoleDeltas}
)

const pemMark = "-----BEGIN"

// Read reads the policy file at path and the public key files that it names.
func Read(path string) (*Policy, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	return Parse(path, data)
}

// Parse reads a policy. Paths in it are relative to the folder of name, from where
// public keys are read. Every error is an [*Error].
func Parse(name string, data []byte) (*Policy, error) {
	root, err := document(name, data)
	if err != nil {
		return nil, err
	}
	r := &reader{file: name, dir: filepath.Dir(name)}
	p := r.policy(field{name: "the policy", line: 1, value: root})
	if r.err != nil {
		return nil, r.err
	}
	p.Path = name
	return p, nil
}

func (r *reader) policy(f field) *Policy {
	m := r.fields(f, "schema", "root", "keys", "roles", "delegations", "products", "deltas", "retention")
	r.integer(r.need(m["schema"], f), Schema, Schema)
	p := &Policy{Root: r.root(m["root"])}
	p.Keys = r.keys(r.need(m["keys"], f))
	p.Roles = r.roles(r.need(m["roles"], f), topLevel, topLevel, p.Keys)
	p.Delegations = r.roles(m["delegations"], delegated, nil, p.Keys)
	p.Products = r.products(m["products"])
	p.Deltas = r.deltas(m["deltas"])
	p.Retention = r.retention(m["retention"])
	return p
}

func (r *reader) root(f field) string {
	if !r.is(f, yaml.ScalarNode) {
		return ""
	}
	// Whatever its tag: digits alone would read as a number.
	if !fingerprintForm.MatchString(f.value.Value) {
		r.fail(f.value.Line, "root is %q, want the fingerprint of root 1: 64 of 0-9 and a-f", f.value.Value)
	}
	return f.value.Value
}

func (r *reader) keys(f field) map[string]Key {
	all := map[string]Key{}
	list := r.entries(f)
	if len(list) > maxKeys {
		r.fail(f.line, "%d keys, at most %d", len(list), maxKeys)
	}
	for _, e := range list {
		if r.err != nil {
			break
		}
		if !keyName.MatchString(e.name) {
			r.fail(e.line, "the key name %q: want 1 to 64 of A-Z a-z 0-9 . _ @ -, the first a letter or digit", e.name)
		}
		all[e.name] = r.key(e)
	}
	return all
}

func (r *reader) key(f field) Key {
	k := Key{Name: f.name}
	f.name = "key " + f.name
	m := r.fields(f, "public", "private")
	r.public(&k, r.need(m["public"], f))
	k.Private = r.private(m["private"])
	return k
}

func (r *reader) public(k *Key, f field) {
	text := r.text(f)
	if f.value == nil || r.err != nil {
		return
	}
	var err error
	if strings.Contains(text, pemMark) {
		k.Public, err = keys.ParsePublic([]byte(text))
	} else if k.File = r.plain(f); k.File == "" {
		err = fmt.Errorf("empty, want a path or a PEM block")
	} else if r.err == nil {
		k.Public, err = keys.ReadPublic(r.path(k.File))
	}
	if err == nil && r.err == nil {
		k.Record, err = keys.Record(k.Public)
	}
	if err == nil && k.Record != nil {
		k.ID, err = keys.ID(k.Record)
	}
	if err != nil {
		r.fail(f.value.Line, "key %s: public: %w", k.Name, err)
	}
}

func (r *reader) private(f field) string {
	if strings.Contains(r.text(f), pemMark) {
		r.fail(f.value.Line, "private holds a key, want the reference to one (file:PATH or env:NAME)")
		return ""
	}
	ref := r.plain(f)
	if f.value == nil || r.err != nil {
		return ""
	}
	scheme, rest := keys.SplitReference(ref)
	if rest == "" {
		r.fail(f.value.Line, "private is %q, want a reference (file:PATH or env:NAME)", ref)
	}
	if scheme != "" && scheme != "file" {
		return ref
	}
	path, err := filepath.Abs(r.path(rest))
	if err != nil {
		r.fail(f.value.Line, "private: %w", err)
	}
	return "file:" + path
}

func (r *reader) path(p string) string {
	p = filepath.FromSlash(p)
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(r.dir, p)
}

func (r *reader) roles(f field, known, needed []string, all map[string]Key) map[string]Role {
	roles := map[string]Role{}
	m := r.fields(f, known...)
	for _, name := range known {
		if m[name].value != nil {
			roles[name] = r.role(m[name], all)
		}
	}
	for _, name := range needed {
		r.need(m[name], f)
	}
	return roles
}

func (r *reader) role(f field, all map[string]Key) Role {
	role := Role{Name: f.name}
	f.name = "role " + f.name
	known := []string{"keys", "threshold", "expires"}
	if role.Name == metadata.TIMESTAMP {
		known = append(known, "refresh_every")
	}
	m := r.fields(f, known...)
	role.Keys = r.roleKeys(role.Name, r.need(m["keys"], f), all)
	role.Threshold = r.integer(r.need(m["threshold"], f), 1, max(len(role.Keys), 1))
	role.Expires = r.duration(r.need(m["expires"], f), MinExpires, MaxExpires)
	if role.Name == metadata.TIMESTAMP {
		role.RefreshEvery = r.refresh(m["refresh_every"], role.Expires)
	}
	return role
}

func (r *reader) roleKeys(role string, f field, all map[string]Key) []string {
	var names []string
	byID := map[string]string{}
	for _, e := range r.items(f) {
		name := r.plain(e)
		k, ok := all[name]
		if !ok {
			r.fail(e.line, "role %s: no key %q under keys", role, name)
		} else if other, again := byID[k.ID]; again && other == name {
			r.fail(e.line, "role %s: key %s twice", role, name)
		} else if again {
			r.fail(e.line, "role %s: %s and %s are the same key", role, other, name)
		}
		byID[k.ID] = name
		names = append(names, name)
	}
	return names
}

func (r *reader) refresh(f field, expires time.Duration) time.Duration {
	if f.value == nil {
		return (expires / 4).Truncate(time.Second)
	}
	every := r.duration(f, MinRefresh, MaxExpires)
	if every >= expires/2 {
		r.fail(f.value.Line, "refresh_every is %s, want less than half of expires (%s)", formatDuration(every), formatDuration(expires))
	}
	return every
}

func (r *reader) products(f field) map[string]Product {
	all := map[string]Product{}
	for _, e := range r.entries(f) {
		if err := release.CheckProduct(e.name); err != nil {
			r.fail(e.line, "%w", err)
		}
		named := field{name: "product " + e.name, line: e.line, value: e.value}
		m := r.fields(named, "channels", "platforms")
		all[e.name] = Product{
			Name:      e.name,
			Channels:  r.words(r.need(m["channels"], named), release.CheckChannel),
			Platforms: r.words(r.need(m["platforms"], named), release.CheckPlatform),
		}
	}
	return all
}

// words returns a list of different words that all pass check.
func (r *reader) words(f field, check func(string) error) []string {
	var list []string
	for _, e := range r.items(f) {
		word := r.plain(e)
		if err := check(word); err != nil {
			r.fail(e.line, "%s: %w", f.name, err)
		}
		if slices.Contains(list, word) {
			r.fail(e.line, "%s: %q twice", f.name, word)
		}
		list = append(list, word)
	}
	return list
}

func (r *reader) deltas(f field) Deltas {
	d := DefaultDeltas()
	m := r.fields(f, "from_last", "min_saving", "max_memory", "max_time", "formats")
	if e := m["from_last"]; e.value != nil {
		d.FromLast = r.integer(e, 0, MaxFromLast)
	}
	if e := m["min_saving"]; e.value != nil {
		d.MinSaving = r.percent(e)
	}
	if e := m["max_memory"]; e.value != nil {
		d.MaxMemory = r.size(e, minMemory, maxMemory)
	}
	if e := m["max_time"]; e.value != nil {
		d.MaxTime = r.duration(e, minTime, maxTime)
	}
	if e := m["formats"]; e.value != nil {
		d.Formats = r.words(e, checkFormat)
	}
	return d
}

func checkFormat(name string) error {
	if !slices.Contains(formats, name) {
		return fmt.Errorf("unknown format %q (known: %s)", name, strings.Join(formats, ", "))
	}
	return nil
}

func (r *reader) retention(f field) Retention {
	t := DefaultRetention()
	m := r.fields(f, "keep_releases", "grace")
	if e := m["keep_releases"]; e.value != nil {
		t.KeepReleases = r.integer(e, 1, MaxKeep)
	}
	if e := m["grace"]; e.value != nil {
		t.Grace = r.duration(e, minGrace, MaxExpires)
	}
	return t
}

func sorted[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
