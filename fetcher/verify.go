// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
	"time"
)

// verify checks that enough of the signers signed doc. Each key counts once,
// under however many ids it is listed. Signatures that are not valid, and those
// of strangers, are ignored.
func (s *signers) verify(doc *document) error {
	signed := map[string]bool{}
	bad := 0
	for _, sig := range doc.signatures {
		key, ok := s.key(sig.keyid)
		if !ok || signed[key.material] {
			continue
		}
		if key.verify(doc.canonical, sig.sig) {
			signed[key.material] = true
		} else {
			bad++
		}
	}
	if int64(len(signed)) >= s.threshold {
		return nil
	}
	rule := ErrThreshold
	if len(signed) == 0 || bad > 0 {
		rule = ErrSignature
	}
	return doc.error(fmt.Errorf("%w: %w: %d of %d", rule, ErrThreshold, len(signed), s.threshold))
}

// verifyFirstRoot takes a root that is trusted for where it came from.
func verifyFirstRoot(data []byte) (*root, error) {
	r, err := parseRoot(data)
	if err != nil {
		return nil, err
	}
	if err := r.roles["root"].verify(r.document); err != nil {
		return nil, err
	}
	r.canonical = nil
	return r, nil
}

// verifyNextRoot is specification 5.3.4 and 5.3.5.
func verifyNextRoot(data []byte, trusted *root) (*root, error) {
	r, err := parseRoot(data)
	if err != nil {
		return nil, err
	}
	if err := trusted.roles["root"].verify(r.document); err != nil {
		return nil, err
	}
	if err := r.roles["root"].verify(r.document); err != nil {
		return nil, err
	}
	if r.version != trusted.version+1 {
		return nil, r.error(versionError(r.version, trusted.version+1))
	}
	r.canonical = nil
	return r, nil
}

func versionError(got, want int64) error {
	if got < want {
		return fmt.Errorf("%w: version %d, not %d", ErrRollback, got, want)
	}
	return fmt.Errorf("%w: version %d, not %d", ErrMismatch, got, want)
}

// verifyTimestamp is specification 5.4.2 and 5.4.3. old may be nil. A timestamp
// of the version of old is returned as old: 5.4.3.1 wants it to change nothing.
func verifyTimestamp(data []byte, r *root, old *timestamp) (*timestamp, error) {
	t, err := parseTimestamp(data)
	if err != nil {
		return nil, err
	}
	if err := r.roles["timestamp"].verify(t.document); err != nil {
		return nil, err
	}
	t.canonical = nil
	switch {
	case old == nil:
		return t, nil
	case t.version < old.version:
		return nil, t.error(versionError(t.version, old.version))
	case t.version == old.version:
		return old, nil
	case t.snapshot.version < old.snapshot.version:
		return nil, t.error(fmt.Errorf("snapshot: %w", versionError(t.snapshot.version, old.snapshot.version)))
	}
	return t, nil
}

// verifySnapshot is specification 5.5.2 to 5.5.5. old may be nil.
func verifySnapshot(data []byte, r *root, want fileMeta, old *snapshot) (*snapshot, error) {
	if err := want.check(data, "snapshot"); err != nil {
		return nil, err
	}
	s, err := parseSnapshot(data, want.hashes != nil)
	if err != nil {
		return nil, err
	}
	if err := r.roles["snapshot"].verify(s.document); err != nil {
		return nil, err
	}
	s.canonical = nil
	if s.version != want.version {
		return nil, s.error(versionError(s.version, want.version))
	}
	if old == nil {
		return s, nil
	}
	if err := s.notBelow(old); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *snapshot) notBelow(old *snapshot) error {
	for role, was := range old.meta {
		now, ok := s.meta[role]
		if !ok {
			return s.error(fmt.Errorf("%w: %s is no longer listed", ErrRollback, role))
		}
		if now.version < was.version {
			return s.error(fmt.Errorf("%s: %w", role, versionError(now.version, was.version)))
		}
	}
	return nil
}

// verifyTargets is specification 5.6.2 to 5.6.5, for targets and, with the
// signers of the delegating role, for every delegated role.
func verifyTargets(data []byte, role string, by *signers, want fileMeta) (*targets, error) {
	if err := want.check(data, role); err != nil {
		return nil, err
	}
	t, err := parseTargets(data, role, want.hashes != nil)
	if err != nil {
		return nil, err
	}
	if err := by.verify(t.document); err != nil {
		return nil, err
	}
	t.canonical = nil
	if t.version != want.version {
		return nil, t.error(versionError(t.version, want.version))
	}
	return t, nil
}

// check compares a file with its signed length and hashes, before it is parsed.
func (m fileMeta) check(data []byte, role string) error {
	err := checkLength(int64(len(data)), m.length)
	if err == nil && m.hashes != nil {
		var sums digests
		if sums, err = newDigests(m.hashes); err == nil {
			sums.Write(data)
			err = sums.check()
		}
	}
	if err != nil {
		return &VerifyError{Role: role, Version: m.version, Err: err}
	}
	return nil
}

func checkLength(got, want int64) error {
	switch {
	case want < 0 || got == want:
		return nil
	case got > want:
		return fmt.Errorf("%w: %w: more than the signed %d bytes", ErrTooLarge, ErrMismatch, want)
	}
	return fmt.Errorf("%w: %d bytes, not the signed %d", ErrMismatch, got, want)
}

// digests checks a stream against all its signed hashes that we know.
type digests []digest

type digest struct {
	hash.Hash
	name, want string
}

func newDigests(signed map[string]string) (digests, error) {
	var out digests
	for name, want := range signed {
		switch name {
		case "sha256":
			out = append(out, digest{sha256.New(), name, want})
		case "sha512":
			out = append(out, digest{sha512.New(), name, want})
		default:
			continue
		}
		if b, err := hex.DecodeString(want); err != nil || len(b) != out[len(out)-1].Size() {
			return nil, fmt.Errorf("%w: not a %s", ErrMalformed, name)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%w: no sha256 or sha512", ErrMalformed)
	}
	return out, nil
}

func (d digests) Write(p []byte) (int, error) {
	for _, h := range d {
		h.Write(p)
	}
	return len(p), nil
}

func (d digests) Reset() {
	for _, h := range d {
		h.Reset()
	}
}

// all are the hashes of what was written.
func (d digests) all() (out []byte) {
	for _, h := range d {
		out = h.Sum(out)
	}
	return out
}

func (d digests) check() error {
	for _, h := range d {
		if !strings.EqualFold(hex.EncodeToString(h.Sum(nil)), h.want) {
			return fmt.Errorf("%w: %s", ErrMismatch, h.name)
		}
	}
	return nil
}

// fresh is the check against a freeze: specification 5.3.10, 5.4.4, 5.5.6, 5.6.6.
func (c *Client) fresh(doc *document, at instant) error {
	if c.opts.UnsafeIgnoreExpiry || doc.expires.After(at.time) {
		return nil
	}
	return doc.error(&ExpiredError{Role: doc.role, Expires: doc.expires, Clock: at.time, Behind: at.behind})
}

// instant is the one time that a whole update is judged by.
type instant struct {
	time   time.Time
	behind bool // the machine's clock is earlier
}
