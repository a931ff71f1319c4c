// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// lineageField names the unknown field that our snapshots carry in their
// signed part: the version of the snapshot that they were built on. A snapshot
// whose lineage is above the one in force proves that the pointer was put back.
const lineageField = "x-waybill-base"

// An envelope is TUF metadata whose signed part is kept as it was received.
type envelope struct {
	Signatures []metadata.Signature `json:"signatures"`
	Signed     json.RawMessage      `json:"signed"`
}

func openEnvelope(data []byte) (*envelope, error) {
	var e envelope
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&e); err != nil {
		return nil, err
	}
	if len(e.Signed) == 0 {
		return nil, errors.New("no signed part")
	}
	return &e, nil
}

func (e *envelope) encode() ([]byte, error) {
	if e.Signatures == nil {
		e.Signatures = []metadata.Signature{}
	}
	return json.Marshal(e)
}

// payload gives the bytes that signatures are over: the canonical JSON of the
// signed part (TUF specification section 4.2.1).
func (e *envelope) payload() ([]byte, error) {
	return cjson.EncodeCanonical(e.Signed)
}

// add puts a signature in place of an earlier one by the same key.
func (e *envelope) add(sig metadata.Signature) {
	e.drop(sig.KeyID)
	e.Signatures = append(e.Signatures, sig)
}

func (e *envelope) drop(keyID string) {
	e.Signatures = slices.DeleteFunc(e.Signatures, func(s metadata.Signature) bool { return s.KeyID == keyID })
}

// sameSigned tells whether two metadata files have the same signed part.
func sameSigned(a, b []byte) bool {
	pa, errA := payloadOf(a)
	pb, errB := payloadOf(b)
	return errA == nil && errB == nil && bytes.Equal(pa, pb)
}

func payloadOf(data []byte) ([]byte, error) {
	e, err := openEnvelope(data)
	if err != nil {
		return nil, err
	}
	return e.payload()
}

func payloadHash(data []byte) (string, error) {
	p, err := payloadOf(data)
	if err != nil {
		return "", err
	}
	return hexHash(p), nil
}

func hexHash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// parse decodes metadata of a role into go-tuf's type for it. Every role but
// the other three top-level ones holds targets metadata.
func parse(role string, data []byte) (any, error) {
	var md any
	err := guard(func() (err error) {
		switch role {
		case metadata.ROOT:
			md, err = metadata.Root().FromBytes(data)
		case metadata.SNAPSHOT:
			md, err = metadata.Snapshot().FromBytes(data)
		case metadata.TIMESTAMP:
			md, err = metadata.Timestamp().FromBytes(data)
		default:
			md, err = metadata.Targets().FromBytes(data)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("%s metadata: %w", role, err)
	}
	return md, nil
}

// guard turns a panic of the metadata library into an error: it does not
// defend itself against every null.
func guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("malformed: %v", p)
		}
	}()
	return f()
}

func parseRoot(data []byte) (*metadata.Metadata[metadata.RootType], error) {
	md, err := parse(metadata.ROOT, data)
	if err != nil {
		return nil, err
	}
	return md.(*metadata.Metadata[metadata.RootType]), nil
}

func parseTargets(role string, data []byte) (*metadata.Metadata[metadata.TargetsType], error) {
	if role == metadata.ROOT || role == metadata.SNAPSHOT || role == metadata.TIMESTAMP {
		return nil, fmt.Errorf("%s is not a targets role", role)
	}
	md, err := parse(role, data)
	if err != nil {
		return nil, err
	}
	return md.(*metadata.Metadata[metadata.TargetsType]), nil
}

// encode writes metadata without signatures, in the form that is published.
func encode[T metadata.Roles](md *metadata.Metadata[T]) ([]byte, error) {
	md.ClearSignatures()
	return md.ToBytes(false)
}

// expiry gives an expiry date in the form that the specification demands: UTC,
// whole seconds.
func expiry(now time.Time, lifetime time.Duration) time.Time {
	return now.Add(lifetime).UTC().Truncate(time.Second)
}

// An authority is a set of keys, a threshold of which must sign a role.
type authority struct {
	by        string // who says so: "root 3", "targets 7"
	keys      map[string]*metadata.Key
	ids       []string
	threshold int
}

func rootAuthority(root *metadata.RootType, role string) authority {
	a := authority{by: fmt.Sprintf("root %d", root.Version), keys: root.Keys}
	if r := root.Roles[role]; r != nil {
		a.ids, a.threshold = r.KeyIDs, r.Threshold
	}
	return a
}

func delegationAuthority(t *metadata.TargetsType, role string) (authority, bool) {
	a := authority{by: fmt.Sprintf("targets %d", t.Version)}
	if t.Delegations == nil {
		return a, false
	}
	a.keys = t.Delegations.Keys
	for _, r := range t.Delegations.Roles {
		if r.Name == role {
			a.ids, a.threshold = r.KeyIDs, r.Threshold
			return a, true
		}
	}
	return a, false
}

// same tells whether two authorities would accept the same signatures.
func (a authority) same(b authority) bool {
	if a.threshold != b.threshold || len(a.ids) != len(b.ids) {
		return false
	}
	for _, id := range a.ids {
		if !slices.Contains(b.ids, id) || !sameKey(a.keys[id], b.keys[id]) {
			return false
		}
	}
	return true
}

// excludes tells whether a no longer takes what all of the keys of b were enough for, as
// clients do that drop what they saw: a key is gone, or more of them are needed.
func (a authority) excludes(b authority) bool {
	return a.threshold > b.threshold || slices.ContainsFunc(b.ids, func(id string) bool {
		return b.keys[id] != nil && !slices.ContainsFunc(a.ids, func(own string) bool { return sameKey(a.keys[own], b.keys[id]) })
	})
}

// verify runs go-tuf's own check of the threshold over metadata.
func (a authority) verify(role string, data []byte) error {
	md, err := parse(role, data)
	if err != nil {
		return err
	}
	judge := metadata.Root()
	judge.Signed.Keys = a.keys
	judge.Signed.Roles[metadata.TARGETS] = &metadata.Role{KeyIDs: a.ids, Threshold: a.threshold}
	return guard(func() error { return judge.VerifyDelegate(metadata.TARGETS, md) })
}

// signed lists the keys of the authority whose signatures are good.
func (a authority) signed(role string, data []byte) []string {
	var good []string
	for _, id := range a.ids {
		one := authority{by: a.by, keys: a.keys, ids: []string{id}, threshold: 1}
		if one.verify(role, data) == nil {
			good = append(good, id)
		}
	}
	return good
}
