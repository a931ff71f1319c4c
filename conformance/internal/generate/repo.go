// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"
)

// epoch is the time of every case unless it says otherwise.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// repo is a repository under construction: the signed parts of its roles, who
// signs them, and the files that are published.
type repo struct {
	md         map[string]object // signed part by role
	keys       map[string][]*key // who signs a role
	delegator  map[string]string
	hashes     bool // snapshot and timestamp list length and hash
	consistent bool
	files      map[string][]byte // by URL path
}

// newRepo publishes version 1 of everything, with one target.
func newRepo() *repo {
	r := &repo{md: map[string]object{}, keys: map[string][]*key{}, delegator: map[string]string{},
		hashes: true, consistent: true, files: map[string][]byte{}}
	r.md["root"] = fresh("root", object{"consistent_snapshot": true, "keys": object{}, "roles": object{}})
	r.md["timestamp"] = fresh("timestamp", object{"meta": object{}})
	r.md["snapshot"] = fresh("snapshot", object{"meta": object{}})
	r.md["targets"] = fresh("targets", object{"targets": object{}})
	for _, role := range topLevel {
		r.md["root"]["roles"].(object)[role] = object{"keyids": list{}, "threshold": 1}
		r.addKey(role, edKey(role))
	}
	r.md["timestamp"]["version"], r.md["snapshot"]["version"] = int64(0), int64(0)
	r.add("targets", "app.bin", []byte("version 1 of the application\n"))
	r.store("root", "targets")
	r.commit()
	return r
}

var topLevel = []string{"root", "timestamp", "snapshot", "targets"}

func isTopLevel(role string) bool {
	return role == "root" || role == "timestamp" || role == "snapshot" || role == "targets"
}

func fresh(typ string, fields object) object {
	fields["_type"], fields["spec_version"], fields["version"] = typ, "1.0.34", int64(1)
	fields["expires"] = date(epoch.AddDate(1, 0, 0))
	return fields
}

func date(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

func (r *repo) version(role string) int64 { return r.md[role]["version"].(int64) }

// role is where keys and threshold of a role are listed; keys are those beside it.
func (r *repo) role(name string) (role, keys object) {
	if isTopLevel(name) {
		return r.md["root"]["roles"].(object)[name].(object), r.md["root"]["keys"].(object)
	}
	d := r.delegations(r.delegator[name])
	for _, entry := range d["roles"].(list) {
		if entry := entry.(object); entry["name"] == name {
			return entry, d["keys"].(object)
		}
	}
	panic("no role " + name)
}

func (r *repo) delegations(role string) object {
	d, ok := r.md[role]["delegations"].(object)
	if !ok {
		d = object{"keys": object{}, "roles": list{}}
		r.md[role]["delegations"] = d
	}
	return d
}

// addKey lists a key for a role and signs with it.
func (r *repo) addKey(role string, k *key) {
	r.listKey(role, k)
	r.keys[role] = append(r.keys[role], k)
}

// listKey lists a key that does not sign.
func (r *repo) listKey(role string, k *key) {
	entry, keys := r.role(role)
	entry["keyids"] = append(entry["keyids"].(list), k.id)
	keys[k.id] = k.record
}

// rotate replaces the keys of a role. Old root keys go on signing.
func (r *repo) rotate(role string, names ...string) {
	entry, _ := r.role(role)
	entry["keyids"] = list{}
	old := r.keys[role]
	r.keys[role] = nil
	for _, name := range names {
		r.addKey(role, edKey(name))
	}
	if role == "root" {
		r.keys[role] = append(r.keys[role], old...)
	}
}

func (r *repo) threshold(role string, n any) {
	entry, _ := r.role(role)
	entry["threshold"] = n
}

// delegate adds a role below parent, which signs with a key of its own, at version 1.
func (r *repo) delegate(parent, name string, fields object) {
	d := r.delegations(parent)
	entry := object{"name": name, "keyids": list{}, "threshold": 1, "terminating": false, "paths": list{"*"}}
	maps.Copy(entry, fields)
	for field, value := range fields {
		if value == nil {
			delete(entry, field)
		}
	}
	if fields["path_hash_prefixes"] != nil && fields["paths"] == nil {
		delete(entry, "paths")
	}
	d["roles"] = append(d["roles"].(list), entry)
	known := r.md[name] != nil
	r.delegator[name] = parent
	if known {
		for _, k := range r.keys[name] {
			r.listKey(name, k)
		}
		return
	}
	r.md[name] = fresh("targets", object{"targets": object{}})
	r.addKey(name, edKey(name))
}

// path is where the present version of a role lies.
func (r *repo) path(role string) string { return r.pathOf(role, r.version(role)) }

func (r *repo) pathOf(role string, version int64) string {
	name := url.PathEscape(role) + ".json"
	if role == "root" || role != "timestamp" && r.consistent {
		name = fmt.Sprintf("%d.%s", version, name)
	}
	return "metadata/" + name
}

// signed returns a role as it would be published now.
func (r *repo) signed(role string) []byte { return sign(marshal(r.md[role]), r.keys[role]...) }

// sign makes a metadata file of a signed part, which may be malformed JSON to a
// strict reader.
func sign(raw []byte, keys ...*key) []byte {
	return envelope(raw, signatures(raw, keys...))
}

func signatures(raw []byte, keys ...*key) list {
	payload := canonical(raw)
	sigs := list{}
	for _, k := range keys {
		sigs = append(sigs, object{"keyid": k.id, "sig": k.sign(payload)})
	}
	return sigs
}

func envelope(raw []byte, sigs list) []byte {
	return indent(bytes.Join([][]byte{[]byte(`{"signatures":`), marshal(sigs), []byte(`,"signed":`), raw, []byte(`}`)}, nil))
}

// store publishes roles at their present version.
func (r *repo) store(roles ...string) {
	for _, role := range roles {
		r.files[r.path(role)] = r.signed(role)
	}
}

// publish raises the version of roles and publishes them.
func (r *repo) publish(roles ...string) {
	for _, role := range roles {
		r.md[role]["version"] = r.version(role) + 1
		r.store(role)
	}
}

// commit makes snapshot list what is there and publishes it with a new timestamp.
func (r *repo) commit() {
	r.list()
	r.publish("snapshot")
	r.stamp()
}

func (r *repo) list() {
	meta := object{}
	for role := range r.md {
		if role != "root" && role != "timestamp" && role != "snapshot" {
			meta[role+".json"] = r.meta(role)
		}
	}
	r.md["snapshot"]["meta"] = meta
}

func (r *repo) stamp() {
	r.md["timestamp"]["meta"] = object{"snapshot.json": r.meta("snapshot")}
	r.publish("timestamp")
}

func (r *repo) meta(role string) object {
	m := object{"version": r.version(role)}
	if r.hashes {
		data := r.files[r.path(role)]
		m["length"] = len(data)
		m["hashes"] = object{"sha256": sum256(data)}
	}
	return m
}

// release publishes the roles given and everything above them.
func (r *repo) release(roles ...string) {
	r.publish(roles...)
	r.commit()
}

// resigned publishes role with its signed part changed as text, and everything
// above it: the signatures are good.
func (r *repo) resigned(role, old, changed string) {
	raw := replace(marshal(r.md[role]), old, changed)
	r.files[r.path(role)] = sign(raw, r.keys[role]...)
	switch role {
	case "root", "timestamp":
	case "snapshot":
		r.stamp()
	default:
		r.commit()
	}
}

// tamper changes a published file and nothing else.
func (r *repo) tamper(path, old, changed string) {
	r.files[path] = replace(r.files[path], old, changed)
}

func replace(data []byte, old, changed string) []byte {
	if !bytes.Contains(data, []byte(old)) {
		panic(fmt.Sprintf("no %q in %s", old, data))
	}
	return bytes.Replace(data, []byte(old), []byte(changed), 1)
}

// add lists a target in a role and publishes its content, not the role.
func (r *repo) add(role, name string, content []byte, algorithms ...string) {
	if len(algorithms) == 0 {
		algorithms = []string{"sha256"}
	}
	hashes := object{}
	for _, algorithm := range algorithms {
		hash := sum256(content)
		if algorithm == "sha512" {
			hash = sum512(content)
		}
		hashes[algorithm] = hash
		r.files[r.target(name, hash)] = content
	}
	r.targets(role)[name] = object{"length": len(content), "hashes": hashes}
}

func (r *repo) targets(role string) object { return r.md[role]["targets"].(object) }

// target is the URL path of a target.
func (r *repo) target(name, hash string) string {
	parts := strings.Split(name, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	if r.consistent {
		parts[len(parts)-1] = hash + "." + parts[len(parts)-1]
	}
	return "targets/" + strings.Join(parts, "/")
}

func sum256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func sum512(data []byte) string {
	sum := sha512.Sum512(data)
	return hex.EncodeToString(sum[:])
}
