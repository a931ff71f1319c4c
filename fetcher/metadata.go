// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

const (
	maxSignatures  = 64
	maxRoleKeys    = 32
	maxDelegations = 4096
	maxPatterns    = 65536

	// maxUnvouched is how long metadata may be whose hash its parent does not sign, so that a mirror without keys
	// decides what is parsed: what is parsed in 100 ms.
	maxUnvouched = 1 << 20
)

// document is what all roles share, decoded but not yet verified.
type document struct {
	role       string // as asked for; for delegated roles not equal to _type
	text       string // as received; what was decoded shares its memory
	signed     node
	canonical  []byte // dropped once verified
	signatures []signature
	version    int64
	expires    time.Time
}

type signature struct {
	keyid string
	sig   []byte // nil if not hex
}

// parseDocument scans and decodes the envelope and the common fields. vouched says that data
// has a hash that was signed, or was verified before.
func parseDocument(data []byte, role string, vouched bool) (*document, error) {
	source := string(data)
	tree, err := scan(source, vouched)
	if err != nil {
		return nil, &VerifyError{Role: role, Err: err}
	}
	doc := &document{role: role, text: source}
	var d decoder
	if tree.kind != object {
		d.fail("metadata", "not an object")
	}
	doc.signed = *d.object(&tree, "signed")
	doc.signatures = d.signatures(&tree)
	d.common(doc)
	if d.err == nil {
		doc.canonical, d.err = appendCanonical(make([]byte, 0, len(data)), &doc.signed)
	}
	if d.err != nil {
		return nil, doc.error(d.err)
	}
	return doc, nil
}

func (d *decoder) common(doc *document) {
	s := &doc.signed
	want := doc.role
	if !topLevel(want) {
		want = "targets"
	}
	if t := d.text(s, "_type"); t != want {
		d.fail("_type", fmt.Sprintf("is %.20q, not %q", t, want))
	}
	if v := d.text(s, "spec_version"); !strings.HasPrefix(v, "1.") || strings.Trim(v, "0123456789.") != "" {
		d.fail("spec_version", "is not 1.x")
	}
	doc.version = d.integer(s, "version", 1)
	doc.expires = d.time(s, "expires")
}

func (d *decoder) signatures(tree *node) []signature {
	n := d.member(tree, "signatures", array, true)
	if n == nil {
		return nil
	}
	if len(n.members) > maxSignatures {
		d.fail("signatures", "too many")
		return nil
	}
	seen := map[string]bool{}
	var out []signature
	for i := range n.members {
		m := &n.members[i].node
		s := signature{keyid: d.text(m, "keyid")}
		if sig, err := hex.DecodeString(d.text(m, "sig")); err == nil {
			s.sig = sig
		}
		if seen[s.keyid] {
			d.fail("signatures", "doubled key id")
		}
		seen[s.keyid] = true
		out = append(out, s)
	}
	return out
}

func (doc *document) error(err error) error {
	return &VerifyError{Role: doc.role, Version: doc.version, Err: err}
}

func (doc *document) fingerprint() string {
	sum := sha256.Sum256(doc.canonical)
	return hex.EncodeToString(sum[:])
}

func topLevel(role string) bool {
	switch role {
	case "root", "targets", "snapshot", "timestamp":
		return true
	}
	return false
}

type root struct {
	*document
	id         string // fingerprint
	roles      map[string]*signers
	consistent bool
}

func parseRoot(data []byte) (*root, error) {
	doc, err := parseDocument(data, "root", false)
	if err != nil {
		return nil, err
	}
	var d decoder
	r := &root{document: doc, id: doc.fingerprint(), roles: map[string]*signers{}}
	r.consistent = d.flag(&doc.signed, "consistent_snapshot")
	keys := d.object(&doc.signed, "keys")
	d.keys(keys)
	roles := d.object(&doc.signed, "roles")
	for _, name := range []string{"root", "targets", "snapshot", "timestamp"} {
		r.roles[name] = d.signers(d.object(roles, name), keys)
	}
	doc.signed = node{}
	if d.err != nil {
		return nil, doc.error(d.err)
	}
	return r, nil
}

// fileMeta is what one role signs about the file of another.
type fileMeta struct {
	version int64
	length  int64 // -1 if not signed
	hashes  map[string]string
}

func (d *decoder) fileMeta(n *node) fileMeta {
	if n.kind != object {
		d.fail("meta", "not an object")
		return fileMeta{}
	}
	m := fileMeta{version: d.integer(n, "version", 1), length: -1}
	if n.get("length") != nil {
		m.length = d.integer(n, "length", 0)
	}
	m.hashes = d.hashes(n, false)
	return m
}

type timestamp struct {
	*document
	snapshot fileMeta
}

func parseTimestamp(data []byte) (*timestamp, error) {
	doc, err := parseDocument(data, "timestamp", false)
	if err != nil {
		return nil, err
	}
	var d decoder
	meta := d.object(&doc.signed, "meta")
	t := &timestamp{document: doc, snapshot: d.fileMeta(d.object(meta, "snapshot.json"))}
	if len(meta.members) != 1 {
		d.fail("meta", "lists more than the snapshot")
	}
	doc.signed = node{}
	if d.err != nil {
		return nil, doc.error(d.err)
	}
	return t, nil
}

type snapshot struct {
	*document
	meta map[string]fileMeta // by role name
}

func parseSnapshot(data []byte, vouched bool) (*snapshot, error) {
	doc, err := parseDocument(data, "snapshot", vouched)
	if err != nil {
		return nil, err
	}
	var d decoder
	meta := d.object(&doc.signed, "meta")
	s := &snapshot{document: doc, meta: make(map[string]fileMeta, len(meta.members))}
	for i := range meta.members {
		m := &meta.members[i]
		role, ok := strings.CutSuffix(m.name, ".json")
		if !ok || role == "" {
			d.fail("meta", "a name is not ROLE.json")
		}
		s.meta[role] = d.fileMeta(&m.node)
	}
	if _, ok := s.meta["targets"]; !ok {
		d.fail("meta", "targets.json is missing")
	}
	doc.signed = node{}
	if d.err != nil {
		return nil, doc.error(d.err)
	}
	return s, nil
}

type targets struct {
	*document
	files       node // checked, decoded when asked for
	delegations *delegations
}

func parseTargets(data []byte, role string, vouched bool) (*targets, error) {
	doc, err := parseDocument(data, role, vouched)
	if err != nil {
		return nil, err
	}
	var d decoder
	t := &targets{document: doc, files: *d.object(&doc.signed, "targets")}
	for i := range t.files.members {
		d.file(&t.files.members[i].node)
	}
	if n := d.member(&doc.signed, "delegations", object, false); n != nil {
		t.delegations = d.delegations(n)
	}
	doc.signed = node{}
	if d.err != nil {
		return nil, doc.error(d.err)
	}
	return t, nil
}

// file checks one entry of a targets role.
func (d *decoder) file(n *node) {
	if n.kind != object {
		d.fail("targets", "an entry is not an object")
		return
	}
	d.integer(n, "length", 0)
	h := d.member(n, "hashes", object, true)
	if h == nil || len(h.members) == 0 || len(h.members) > 16 {
		d.fail("hashes", "empty or too many")
		return
	}
	for i := range h.members {
		if m := &h.members[i].node; m.kind != text || m.str == "" {
			d.fail("hashes", "not a string")
		}
	}
	d.member(n, "custom", object, false)
}

// lookup returns the entry of one file, or nil.
func (t *targets) lookup(name string) *Target {
	n := t.files.get(name)
	if n == nil {
		return nil
	}
	var d decoder
	out := &Target{Name: name, Role: t.role, Length: d.integer(n, "length", 0), Hashes: d.hashes(n, true)}
	if c := n.get("custom"); c != nil {
		out.Custom = json.RawMessage(strings.Clone(c.str))
	}
	return out
}
