// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/release"
)

// MaxChange is the largest change file that is read, in bytes.
const MaxChange = 128 << 20

// A Change is what is to be published next: new root, targets and delegated
// metadata, with the signatures gathered so far, and the files that they list.
// Snapshot and timestamp are never part of it: they are made when it is
// published.
//
// As a file it is one JSON object. It carries the signed metadata that it was
// built on, so that a holder of an offline key can see what would change, and
// check it, without any access to the repository. Byte strings are base64.
type Change struct {
	Schema    int           `json:"schema"` // 1
	Created   time.Time     `json:"created"`
	Title     string        `json:"title"`
	Base      *Base         `json:"base,omitempty"` // absent in the first publication
	Documents []Document    `json:"documents"`
	Files     []File        `json:"files,omitempty"`
	Deltas    []DeltaReport `json:"deltas,omitempty"` // what became of the patches
}

// Base is the signed metadata that a change was built on.
type Base struct {
	Roots [][]byte          `json:"roots"` // root 1 and each one after it
	Roles map[string][]byte `json:"roles"` // targets and what it delegates to
}

// A Document is one role's new metadata.
type Document struct {
	Role     string `json:"role"`
	Version  int64  `json:"version"`
	Metadata []byte `json:"metadata"`
}

// A File is a target that is to be uploaded.
type File struct {
	Target  string `json:"target"`
	Length  int64  `json:"length"`
	SHA256  string `json:"sha256"`
	Path    string `json:"path,omitempty"`    // where it lies on the publishing machine
	Content []byte `json:"content,omitempty"` // small documents travel inside
}

// ParseChange reads a change file. It checks the form only; Inspect checks what
// the file claims.
func ParseChange(data []byte) (*Change, error) {
	if len(data) > MaxChange {
		return nil, fmt.Errorf("change file: more than %d bytes", MaxChange)
	}
	var c Change
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return nil, fmt.Errorf("change file: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("change file: data after its end")
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("change file: %w", err)
	}
	return &c, nil
}

func (c *Change) check() error {
	if c.Schema != 1 {
		return fmt.Errorf("schema %d is not known to this version", c.Schema)
	}
	seen := map[string]bool{}
	for i := range c.Documents {
		d := &c.Documents[i]
		if seen[d.Role] {
			return fmt.Errorf("%s is there twice", d.Role)
		}
		seen[d.Role] = true
		if err := d.check(c.Created); err != nil {
			return fmt.Errorf("%s: %w", d.Role, err)
		}
	}
	for _, f := range c.Files {
		if err := f.check(); err != nil {
			return fmt.Errorf("file %q: %w", f.Target, err)
		}
	}
	return nil
}

func (f *File) check() error {
	if err := layout.CheckName(f.Target); err != nil {
		return err
	}
	if sum, err := hex.DecodeString(f.SHA256); err != nil || len(sum) != sha256.Size || f.Length < 0 {
		return errors.New("bad length or sha256")
	}
	if f.Content != nil && (int64(len(f.Content)) != f.Length || hexHash(f.Content) != f.SHA256) {
		return errors.New("the content is not what its sha256 says")
	}
	return nil
}

// ReadChange reads a change file from disk.
func ReadChange(path string) (*Change, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, MaxChange+1))
	if err != nil {
		return nil, err
	}
	c, err := ParseChange(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

// Write stores the change durably: after a crash the file is the old or the
// new one.
func (c *Change) Write(path string) error {
	data, err := json.MarshalIndent(c, "", " ")
	if err != nil {
		return err
	}
	return durable.WriteFile(durable.OS(), path, append(data, '\n'), 0o644)
}

// Merge takes over the signatures of a copy of the same change that somebody
// else signed. A copy with other payloads is refused.
func (c *Change) Merge(other *Change) error {
	if len(other.Documents) != len(c.Documents) {
		return errors.New("the two files are not copies of one change")
	}
	for i := range c.Documents {
		mine := &c.Documents[i]
		theirs := other.document(mine.Role)
		if theirs == nil || !sameSigned(mine.Metadata, theirs.Metadata) {
			return fmt.Errorf("the two files differ in what %s is to be", mine.Role)
		}
		if err := c.merge(mine, theirs); err != nil {
			return err
		}
	}
	return nil
}

// merge takes over each signature that this copy lacks, or has in a form that
// does not verify.
func (c *Change) merge(d, other *Document) error {
	all, err := c.authorities(d.Role, false)
	if err != nil {
		return err
	}
	good := map[string]bool{}
	for _, a := range all {
		for _, id := range a.signed(d.Role, d.Metadata) {
			good[id] = true
		}
	}
	mine, err := openEnvelope(d.Metadata)
	if err != nil {
		return err
	}
	theirs, err := openEnvelope(other.Metadata)
	if err != nil {
		return err
	}
	for _, sig := range theirs.Signatures {
		if !good[sig.KeyID] {
			mine.add(sig)
		}
	}
	d.Metadata, err = mine.encode()
	return err
}

func (c *Change) document(role string) *Document {
	for i := range c.Documents {
		if c.Documents[i].Role == role {
			return &c.Documents[i]
		}
	}
	return nil
}

func (c *Change) file(target, sha256 string) *File {
	for i := range c.Files {
		if c.Files[i].Target == target && c.Files[i].SHA256 == sha256 {
			return &c.Files[i]
		}
	}
	return nil
}

// Sign signs every document that the key may sign, and gives their roles. Each
// signature is checked with go-tuf before it is stored.
func (c *Change) Sign(ctx context.Context, keyID string, sign func(context.Context, []byte) (metadata.Signature, error)) ([]string, error) {
	var roles []string
	for i := range c.Documents {
		d := &c.Documents[i]
		needs, err := c.authorities(d.Role, false)
		if err != nil {
			return roles, err
		}
		a, ok := authorityWith(needs, keyID)
		if !ok {
			continue
		}
		if err := d.sign(ctx, a, keyID, sign); err != nil {
			return roles, fmt.Errorf("%s: %w", d.Role, err)
		}
		roles = append(roles, d.Role)
	}
	if len(roles) == 0 {
		return nil, fmt.Errorf("key %s: %w", keyID, ErrNotAuthorised)
	}
	return roles, nil
}

func authorityWith(needs []authority, keyID string) (authority, bool) {
	for _, a := range needs {
		if slices.Contains(a.ids, keyID) {
			return a, true
		}
	}
	return authority{}, false
}

// sign makes one signature over the document, proves it and keeps it.
func (d *Document) sign(ctx context.Context, a authority, keyID string, sign func(context.Context, []byte) (metadata.Signature, error)) error {
	signed, err := signMetadata(ctx, d.Role, d.Metadata, a, keyID, sign)
	if err != nil {
		return err
	}
	d.Metadata = signed
	return nil
}

func signMetadata(ctx context.Context, role string, data []byte, a authority, keyID string, sign func(context.Context, []byte) (metadata.Signature, error)) ([]byte, error) {
	e, err := openEnvelope(data)
	if err != nil {
		return nil, err
	}
	payload, err := e.payload()
	if err != nil {
		return nil, err
	}
	sig, err := sign(ctx, payload)
	if err != nil {
		return nil, err
	}
	if sig.KeyID != keyID {
		return nil, fmt.Errorf("asked key %s for a signature, got one of %s", keyID, sig.KeyID)
	}
	e.add(sig)
	out, err := e.encode()
	if err != nil {
		return nil, err
	}
	one := authority{by: a.by, keys: a.keys, ids: []string{keyID}, threshold: 1}
	if err := one.verify(role, out); err != nil {
		return nil, fmt.Errorf("the signature of key %s does not verify: %w", keyID, err)
	}
	return out, nil
}

// VerifyFiles re-hashes what the documents newly vouch for, and tells how many
// files that were: every target that is new or changed must lie below dir, under
// its target name or the last part of it. Channel and standing documents travel
// inside the change and are checked there. Patches are left out: nobody trusts
// them, their result is what is signed.
func (c *Change) VerifyFiles(dir string) (int, error) {
	n := 0
	for _, d := range c.Documents {
		if d.Role == metadata.ROOT {
			continue
		}
		news, err := c.newTargets(&d)
		if err != nil {
			return n, err
		}
		for _, name := range sortedKeys(news) {
			if c.needsNoFile(name, news[name]) {
				continue
			}
			if err := verifyFile(dir, name, news[name]); err != nil {
				return n, fmt.Errorf("%s: %w", name, err)
			}
			n++
		}
	}
	return n, nil
}

// needsNoFile tells the targets that VerifyFiles does not look for: documents of
// ours that are in the change, and patches, which have no identity.
func (c *Change) needsNoFile(name string, t *metadata.TargetFiles) bool {
	if t.Custom != nil {
		return false
	}
	_, _, _, channel := release.ParseChannelTarget(name)
	_, standing := release.ParseStandingTarget(name)
	if channel || standing {
		f := c.file(name, t.Hashes["sha256"].String())
		return f != nil && f.Content != nil
	}
	return matches([]string{policy.PathsDeltas}, name)
}

// newTargets gives the entries of a document that its base does not have.
func (c *Change) newTargets(d *Document) (map[string]*metadata.TargetFiles, error) {
	next, err := parseTargets(d.Role, d.Metadata)
	if err != nil {
		return nil, err
	}
	news := next.Signed.Targets
	if c.Base == nil || c.Base.Roles[d.Role] == nil {
		return news, nil
	}
	old, err := parseTargets(d.Role, c.Base.Roles[d.Role])
	if err != nil {
		return nil, err
	}
	for name, was := range old.Signed.Targets {
		if now := news[name]; now != nil && now.Equal(*was) && sameCustom(now, was) {
			delete(news, name)
		}
	}
	return news, nil
}

func verifyFile(dir, name string, t *metadata.TargetFiles) error {
	path := filepath.Join(dir, filepath.FromSlash(name))
	if _, err := os.Stat(path); err != nil {
		path = filepath.Join(dir, filepath.Base(name))
	}
	return checkFile(path, t.Length, t.Hashes["sha256"].String())
}

func checkFile(path string, length int64, sum string) error {
	n, got, err := hashFile(path)
	if err != nil {
		return err
	}
	if n != length || got != sum {
		return fmt.Errorf("%s has %d bytes and sha256 %s; the change says %d and %s", path, n, got, length, sum)
	}
	return nil
}

func hashFile(path string) (int64, string, error) {
	f, err := openRegular(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return 0, "", err
	}
	return n, hex.EncodeToString(h.Sum(nil)), nil
}

// openRegular opens a file that has an end. It looks first: to open a pipe would
// wait for its other end.
func openRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &os.PathError{Op: "open", Path: path, Err: errors.New("not a regular file")}
	}
	return os.Open(path)
}
