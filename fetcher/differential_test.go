// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/waybill-project/waybill/repo/layout"
)

// served is one state of a repository as files.
type served struct {
	first, second, timestamp, snapshot, targets []byte
}

func (s *sim) served() served {
	return served{
		first:     s.objects[layout.Root(1)],
		second:    s.objects[layout.Root(2)],
		timestamp: s.objects[layout.Timestamp],
		snapshot:  s.objects[s.object("snapshot", s.version("snapshot"))],
		targets:   s.objects[s.object("targets", s.version("targets"))],
	}
}

// oracle says how far go-tuf's state machine goes: the number of files accepted.
func oracle(v served) (accepted int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	t, err := trustedmetadata.New(v.first)
	if err != nil {
		return 0, err
	}
	t.RefTime = epoch
	steps := []func() error{
		func() error { _, err := t.UpdateRoot(v.second); return err },
		func() error { _, err := t.UpdateTimestamp(v.timestamp); return err },
		func() error { _, err := t.UpdateSnapshot(v.snapshot, false); return err },
		func() error { _, err := t.UpdateTargets(v.targets); return err },
	}
	for i, step := range steps {
		if v.second == nil && i == 0 {
			continue
		}
		if err := step(); err != nil {
			return i + 1, err
		}
	}
	return 5, nil
}

func ours(v served) (accepted int, err error) {
	first, err := verifyFirstRoot(v.first)
	if err != nil {
		return 0, err
	}
	c := &Client{}
	at := instant{time: epoch}
	if v.second != nil {
		if first, err = verifyNextRoot(v.second, first); err != nil {
			return 1, err
		}
	}
	if err := c.fresh(first.document, at); err != nil {
		return 2, err
	}
	stamp, err := verifyTimestamp(v.timestamp, first, nil)
	if err == nil {
		err = c.fresh(stamp.document, at)
	}
	if err != nil {
		return 2, err
	}
	snap, err := verifySnapshot(v.snapshot, first, stamp.snapshot, nil)
	if err == nil {
		err = c.fresh(snap.document, at)
	}
	if err != nil {
		return 3, err
	}
	list, err := verifyTargets(v.targets, "targets", first.roles["targets"], snap.meta["targets"])
	if err == nil {
		err = c.fresh(list.document, at)
	}
	if err != nil {
		return 4, err
	}
	return 5, nil
}

// Honest and hostile metadata: both accept it equally far, except where listed.
func TestDifferential(t *testing.T) {
	past := epoch.Add(-time.Hour).Format(time.RFC3339)
	for name, c := range map[string]struct {
		change     func(s *sim)
		difference string // why we refuse what go-tuf takes
	}{
		"honest":        {func(s *sim) {}, ""},
		"unknown field": {func(s *sim) { s.md["targets"]["x"] = map[string]any{"a": []any{1, "é\"\\", nil}} }, ""},
		"two keys":      {func(s *sim) { s.addKey("targets", edKey("t2")); s.threshold("targets", 2) }, ""},
		"one of two": {func(s *sim) {
			s.addKey("targets", edKey("t2"))
			s.threshold("targets", 2)
			s.keys["targets"] = s.keys["targets"][:1]
		}, ""},
		"p256": {func(s *sim) {
			s.addKey("targets", ecKey(t, elliptic.P256(), "ecdsa-sha2-nistp256"))
			s.threshold("targets", 2)
		}, ""},
		"p384": {func(s *sim) {
			s.addKey("targets", ecKey(t, elliptic.P384(), "ecdsa-sha2-nistp384"))
			s.threshold("targets", 2)
		}, ""},
		"rsa": {func(s *sim) { s.addKey("targets", rsaKey(t)); s.threshold("targets", 2) }, ""},
		"alias": {func(s *sim) {
			k := edKey("targets-1")
			k.id = "alias"
			s.addKey("targets", k)
			s.threshold("targets", 2)
		}, ""},
		"expired root":      {func(s *sim) { s.md["root"]["expires"] = past }, ""},
		"expired timestamp": {func(s *sim) { s.md["timestamp"]["expires"] = past }, ""},
		"expired snapshot":  {func(s *sim) { s.md["snapshot"]["expires"] = past }, ""},
		"expired targets":   {func(s *sim) { s.md["targets"]["expires"] = past }, ""},
		"foreign timestamp": {func(s *sim) { s.keys["timestamp"] = []*simKey{edKey("x")} }, ""},
		"foreign root":      {func(s *sim) { s.keys["root"] = []*simKey{edKey("x")} }, ""},
		"wrong type":        {func(s *sim) { s.md["targets"]["_type"] = "snapshot" }, ""},
		"zero threshold":    {func(s *sim) { s.threshold("targets", 0) }, "refused with the root, not only when used"},
		"big integer":       {func(s *sim) { s.md["targets"]["x"] = json.Number("9007199254740993") }, "theirs changes integers over 2^53 and then fails"},
		"unknown key type": {func(s *sim) {
			k := edKey("alien")
			k.record = map[string]any{"keytype": "ml-dsa", "scheme": "x", "keyval": map[string]any{"public": "00"}}
			s.addKey("targets", k)
		}, "theirs gives the whole role up"},
		"no key for id": {func(s *sim) {
			entry, _ := s.entry("targets")
			entry["keyids"] = append(entry["keyids"].([]any), "nowhere")
		}, "theirs gives the whole role up"},
		"null target":       {func(s *sim) { s.md["targets"]["targets"] = map[string]any{"a": nil} }, "theirs panics"},
		"spec_version":      {func(s *sim) { s.md["targets"]["spec_version"] = "2.0.0" }, "theirs does not look at it"},
		"role missing":      {func(s *sim) { delete(s.rootRoles(), "snapshot") }, "theirs takes such a root"},
		"reserved role":     {func(s *sim) { s.delegate("targets", "timestamp-", nil); rename(s, "timestamp") }, "theirs takes such a name"},
		"paths and prefix":  {func(s *sim) { s.delegate("targets", "a", map[string]any{"path_hash_prefixes": []any{"00"}}); both(s) }, ""},
		"odd field":         {func(s *sim) { s.md["snapshot"]["odd"] = 1 }, ""},
		"duplicate key ids": {func(s *sim) { s.keys["targets"] = append(s.keys["targets"], s.keys["targets"][0]) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			c.change(s)
			s.publish("root")
			s.release("targets")
			v := s.served()
			theirs, theirErr := oracle(v)
			got, err := ours(v)
			same := got == theirs && (err == nil) == (theirErr == nil)
			if same != (c.difference == "") {
				t.Errorf("ours %d (%v), theirs %d (%v), expected difference %q", got, err, theirs, theirErr, c.difference)
			}
		})
	}
}

func rename(s *sim, name string) {
	r := s.md["targets"]["delegations"].(map[string]any)["roles"].([]any)[0].(map[string]any)
	r["name"] = name
	delete(s.md, "timestamp-")
}

func both(s *sim) {
	r := s.md["targets"]["delegations"].(map[string]any)["roles"].([]any)[0].(map[string]any)
	r["paths"] = []any{"*"}
	delete(s.md, "a")
}

// Flipped bits in every file: what we accept, they accept.
func TestDifferentialFlips(t *testing.T) {
	s := newSim(t)
	s.publish("root")
	s.delegate("targets", "A", nil)
	s.store("A")
	s.hashes = false
	s.release("targets")
	good := s.served()
	for name, file := range map[string]func(*served) *[]byte{
		"root":      func(v *served) *[]byte { return &v.second },
		"timestamp": func(v *served) *[]byte { return &v.timestamp },
		"snapshot":  func(v *served) *[]byte { return &v.snapshot },
		"targets":   func(v *served) *[]byte { return &v.targets },
	} {
		data := *file(&good)
		for i := 0; i < len(data); i += 5 { // theirs takes milliseconds each
			v := good
			flipped := bytes.Clone(data)
			flipped[i] ^= 1
			*file(&v) = flipped
			_, err := ours(v)
			if _, theirErr := oracle(v); err == nil && theirErr != nil {
				t.Errorf("%s byte %d: we accept what they do not: %v", name, i, theirErr)
			}
		}
	}
}

func ecKey(t *testing.T, curve elliptic.Curve, scheme string) *simKey {
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &simKey{
		id:     scheme,
		record: pemRecord(t, "ecdsa", scheme, private.Public()),
		sign: func(b []byte) []byte {
			sum, opts := sha256.Sum256(b), crypto.SHA256
			digest := sum[:]
			if curve == elliptic.P384() {
				long := sha512.Sum384(b)
				digest, opts = long[:], crypto.SHA384
			}
			sig, err := private.Sign(rand.Reader, digest, opts)
			if err != nil {
				t.Fatal(err)
			}
			return sig
		},
	}
}

func rsaKey(t *testing.T) *simKey {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &simKey{
		id:     "rsa",
		record: pemRecord(t, "rsa", "rsassa-pss-sha256", private.Public()),
		sign: func(b []byte) []byte {
			sum := sha256.Sum256(b)
			sig, err := rsa.SignPSS(rand.Reader, private, crypto.SHA256, sum[:], nil)
			if err != nil {
				t.Fatal(err)
			}
			return sig
		},
	}
}

func pemRecord(t *testing.T, typ, scheme string, public crypto.PublicKey) map[string]any {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	return map[string]any{"keytype": typ, "scheme": scheme, "keyval": map[string]any{"public": string(block)}}
}

// FuzzMetadata: no input makes a parser panic, and nothing that is not signed is
// accepted.
func FuzzMetadata(f *testing.F) {
	s := newSim(&testing.T{})
	s.delegate("targets", "A", nil)
	s.add("targets", "file", []byte("content"))
	s.store("A")
	s.release("targets")
	v := s.served()
	for _, data := range [][]byte{v.first, v.timestamp, v.snapshot, v.targets} {
		f.Add(data)
	}
	trusted, err := verifyFirstRoot(v.first)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if r, err := parseRoot(data); err == nil {
			_ = r.roles["root"].verify(r.document)
		}
		if x, err := parseTargets(data, "A", true); err == nil {
			x.lookup("file")
			x.delegations.matching("file")
			x.delegations.find("A")
		}
		for _, check := range []func() error{
			func() error { _, err := verifyNextRoot(data, trusted); return err },
			func() error { _, err := verifyTimestamp(data, trusted, nil); return err },
			func() error {
				_, err := verifySnapshot(data, trusted, fileMeta{version: 1, length: -1}, nil)
				return err
			},
			func() error {
				_, err := verifyTargets(data, "targets", trusted.roles["targets"], fileMeta{version: 1, length: -1})
				return err
			},
		} {
			if check() == nil && !genuine(v, data) {
				t.Errorf("accepted %q", data)
			}
		}
	})
}

// genuine tells whether data has the signed content of one of the files.
func genuine(v served, data []byte) bool {
	for role, good := range map[string][]byte{"root": v.first, "timestamp": v.timestamp, "snapshot": v.snapshot, "targets": v.targets} {
		a, err1 := parseDocument(data, role, true)
		b, err2 := parseDocument(good, role, true)
		if err1 == nil && err2 == nil && bytes.Equal(a.canonical, b.canonical) {
			return true
		}
	}
	return false
}
