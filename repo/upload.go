// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/repo/layout"
)

// upload writes everything in the order in which no client is ever misled.
func (p *publication) upload(ctx context.Context) error {
	if err := p.uploadFiles(ctx); err != nil {
		return err
	}
	for i := range p.docs {
		if err := p.create(ctx, &p.docs[i]); err != nil {
			return err
		}
	}
	if p.snapshot != nil {
		if err := p.create(ctx, p.snapshot); err != nil {
			return err
		}
	}
	if p.root != nil && p.rootFirst() {
		if err := p.create(ctx, p.root); err != nil {
			return err
		}
	}
	if p.timestamp != nil {
		if err := p.commit(ctx); err != nil {
			return err
		}
	}
	if p.root != nil && !p.rootFirst() {
		return p.createRootLast(ctx)
	}
	return nil
}

// createRootLast looks once more before it puts up the root: where no lock keeps
// others out, one of them may have replaced what both roots accept.
func (p *publication) createRootLast(ctx context.Context) error {
	want := p.live.raw[metadata.TIMESTAMP]
	if p.timestamp != nil {
		want = p.timestamp.Metadata
	}
	now, _, err := p.repo.store.Pointer(ctx, layout.Timestamp, layout.MaxTimestamp)
	if err != nil {
		return err
	}
	if !bytes.Equal(now, want) {
		return fmt.Errorf("another publisher came before the new root: %w", ErrConflict)
	}
	return p.create(ctx, p.root)
}

// rootFirst tells whether the root goes up before the timestamp: the first one,
// and one whose predecessor's keys are lost.
func (p *publication) rootFirst() bool { return p.live.empty || p.opts.OldKeysLost }

func (p *publication) commit(ctx context.Context) error {
	if err := p.repo.store.Replace(ctx, layout.Timestamp, p.timestamp.Metadata, p.live.token); err != nil {
		return err
	}
	p.wrote(layout.Timestamp, int64(len(p.timestamp.Metadata)))
	return nil
}

func (p *publication) wrote(name string, n int64) {
	p.result.Objects = append(p.result.Objects, name)
	p.result.Bytes += n
}

// create writes a document under its number. The same bytes may be there
// already; others mean that another publisher took the number.
func (p *publication) create(ctx context.Context, doc *Document) error {
	name := layout.Versioned(doc.Role, doc.Version)
	err := p.repo.store.Create(ctx, name, int64(len(doc.Metadata)), func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(doc.Metadata)), nil
	})
	if err == nil {
		p.wrote(name, int64(len(doc.Metadata)))
		return nil
	}
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	there, getErr := p.repo.store.Get(ctx, name, layout.MaxMetadata)
	if getErr != nil {
		return getErr
	}
	if !bytes.Equal(there, doc.Metadata) {
		return fmt.Errorf("%s was taken by another publisher: %w", name, ErrConflict)
	}
	return nil
}

// checkFiles makes sure, before anything is written, that every target that the
// documents newly list is at hand or in the bucket already.
func (p *publication) checkFiles(ctx context.Context) error {
	for _, doc := range p.docs {
		md, err := parseTargets(doc.Role, doc.Metadata)
		if err != nil {
			return err
		}
		for _, name := range sortedKeys(md.Signed.Targets) {
			if err := p.checkTarget(ctx, name, md.Signed.Targets[name]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *publication) checkTarget(ctx context.Context, name string, t *metadata.TargetFiles) error {
	sum := t.Hashes["sha256"].String()
	if len(t.Hashes) != 1 || sum == "" {
		return fmt.Errorf("target %s: not exactly one sha256: %w", name, ErrInvalid)
	}
	if err := layout.CheckName(name); err != nil {
		return fmt.Errorf("target %s: %w: %w", name, ErrInvalid, err)
	}
	if p.live.lists(name, sum) {
		return nil
	}
	if f := p.change.file(name, sum); f != nil {
		p.files[name] = true
		if f.Content != nil {
			return nil
		}
		return checkFile(f.Path, f.Length, f.SHA256)
	}
	if _, err := p.repo.store.Stat(ctx, layout.Target(name, sum)); err != nil {
		return fmt.Errorf("target %s is neither in the change nor in the bucket: %w", name, err)
	}
	return nil
}

// lists tells whether a live role lists a target with this hash.
func (s *state) lists(name, sum string) bool {
	if s.empty {
		return false
	}
	if t := s.targets.Signed.Targets[name]; t != nil && t.Hashes["sha256"].String() == sum {
		return true
	}
	for role, d := range delegatedRoles(s.targets.Signed.Delegations) {
		if s.roles[role] == nil || !matches(d.Paths, name) {
			continue
		}
		if t := s.roles[role].Signed.Targets[name]; t != nil && t.Hashes["sha256"].String() == sum {
			return true
		}
	}
	return false
}

func (p *publication) uploadFiles(ctx context.Context) error {
	for i := range p.change.Files {
		f := &p.change.Files[i]
		if !p.files[f.Target] {
			continue
		}
		if err := p.uploadFile(ctx, f); err != nil {
			return fmt.Errorf("%s: %w", f.Target, err)
		}
	}
	return nil
}

func (p *publication) uploadFile(ctx context.Context, f *File) error {
	name := layout.Target(f.Target, f.SHA256)
	if _, err := p.repo.store.Stat(ctx, name); err == nil {
		return p.checkStored(ctx, name, f)
	}
	err := p.repo.store.Create(ctx, name, f.Length, f.open)
	if errors.Is(err, fs.ErrExist) {
		return p.checkStored(ctx, name, f)
	}
	if err != nil {
		return err
	}
	p.wrote(name, f.Length)
	return nil
}

// checkStored compares an object that is there already with what it should be.
func (p *publication) checkStored(ctx context.Context, name string, f *File) error {
	r, _, err := p.repo.store.Reader(ctx, name, 0, -1)
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(r, f.Length+1))
	if err != nil {
		return err
	}
	if n != f.Length || hex.EncodeToString(h.Sum(nil)) != f.SHA256 {
		return fmt.Errorf("the bucket holds other content under this hash: %w", fetcher.ErrMismatch)
	}
	return nil
}

// open reads the file's bytes; the reader fails at the end if they are not the
// ones that were signed, so that the upload fails too.
func (f *File) open() (io.ReadCloser, error) {
	if f.Content != nil {
		return io.NopCloser(bytes.NewReader(f.Content)), nil
	}
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	return &checkedReader{file: file, hash: sha256.New(), want: f.SHA256}, nil
}

type checkedReader struct {
	file *os.File
	hash hash.Hash
	want string
}

func (r *checkedReader) Read(b []byte) (int, error) {
	n, err := r.file.Read(b)
	r.hash.Write(b[:n])
	if err == io.EOF && hex.EncodeToString(r.hash.Sum(nil)) != r.want {
		return n, fmt.Errorf("%s has changed since it was added", r.file.Name())
	}
	return n, err
}

func (r *checkedReader) Close() error { return r.file.Close() }
