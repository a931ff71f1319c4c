// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/waybill-project/waybill/internal/durable"
)

const (
	recordName   = "installed.json"
	journalName  = "install.json"
	previousName = "previous"

	opInstall  = "install"
	opRollback = "rollback"

	maxDocument = 64 << 10
)

// Record is what the last committed operation left: STATE/installed.json.
type Record struct {
	Schema   int       `json:"schema"`
	Path     string    `json:"path"`
	Current  Build     `json:"current"`
	Previous *Build    `json:"previous,omitempty"` // kept for Rollback
	Skipped  []string  `json:"skipped,omitempty"`  // versions that were rolled back
	At       time.Time `json:"at"`
}

// journal is the intent of an operation under way: STATE/install.json. Record is what its commit writes.
type journal struct {
	Schema    int    `json:"schema"`
	Operation string `json:"operation"`
	Path      string `json:"path"`
	From      *Build `json:"from,omitempty"`
	To        Build  `json:"to"`
	Record    Record `json:"record"`
}

// Load reads the record of state. It is nil if nothing was installed; ErrCorrupt if it cannot be read.
func Load(state string, opts *Options) (*Record, error) { return newDisk(opts).load(state) }

func (d disk) load(state string) (*Record, error) {
	path := filepath.Join(state, recordName)
	var r Record
	found, err := d.readDocument(path, &r)
	if err != nil || !found {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, fail("read", path, fmt.Errorf("%w: %w", ErrCorrupt, err))
	}
	return &r, nil
}

// readable is the record of path, or an empty one if there is none that can be read: the file at the target decides.
func (d disk) readable(state, path string) (*Record, error) {
	r, err := d.load(state)
	switch {
	case errors.Is(err, ErrCorrupt), err == nil && (r == nil || r.Path != path):
		return &Record{}, nil
	}
	return r, err
}

func (d disk) loadJournal(state string) (*journal, error) {
	path := filepath.Join(state, journalName)
	var j journal
	found, err := d.readDocument(path, &j)
	if err != nil || !found {
		return nil, err
	}
	if err := j.check(); err != nil {
		return nil, fail("read", path, fmt.Errorf("%w: %w", ErrCorrupt, err))
	}
	return &j, nil
}

func (d disk) readDocument(path string, into any) (found bool, err error) {
	f, err := d.open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fail("read", path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxDocument+1))
	if err != nil {
		return false, fail("read", path, err)
	}
	if len(data) > maxDocument {
		return false, fail("read", path, fmt.Errorf("%w: longer than %d bytes", ErrCorrupt, maxDocument))
	}
	if err := json.Unmarshal(data, into); err != nil {
		return false, fail("read", path, fmt.Errorf("%w: %w", ErrCorrupt, err))
	}
	return true, nil
}

func (d disk) writeRecord(state string, r *Record) error {
	return d.writeDocument(filepath.Join(state, recordName), r)
}

func (d disk) writeJournal(state string, j *journal) error {
	if err := j.check(); err != nil {
		return fail("install", j.Path, err)
	}
	return d.writeDocument(filepath.Join(state, journalName), j)
}

func (d disk) writeDocument(path string, doc any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return fail("encode", path, err)
	}
	if err := durable.MkdirAll(d.fs, filepath.Dir(path), 0o700); err != nil {
		return fail("create", filepath.Dir(path), err)
	}
	return fail("write", path, durable.WriteFile(d.fs, path, buf.Bytes(), 0o600))
}

func (d disk) removeJournal(state string) error {
	path := filepath.Join(state, journalName)
	if err := d.clear(path); err != nil {
		return fail("remove", path, err)
	}
	return fail("sync", state, d.syncDir(state))
}

func (b Build) check() error {
	if raw, err := hex.DecodeString(b.SHA256); err != nil || len(raw) != 32 {
		return fmt.Errorf("%q is not a sha256", b.SHA256)
	}
	if b.Length < 0 {
		return fmt.Errorf("length %d is negative", b.Length)
	}
	return nil
}

func (r *Record) check() error {
	if r.Schema != 1 {
		return fmt.Errorf("schema %d is unknown", r.Schema)
	}
	if !filepath.IsAbs(r.Path) {
		return fmt.Errorf("path %q is not absolute", r.Path)
	}
	if r.Previous != nil {
		if err := r.Previous.check(); err != nil {
			return err
		}
	}
	return r.Current.check()
}

func (j *journal) check() error {
	if j.Schema != 1 {
		return fmt.Errorf("schema %d is unknown", j.Schema)
	}
	if j.Operation != opInstall && j.Operation != opRollback {
		return fmt.Errorf("operation %q is unknown", j.Operation)
	}
	if j.Path != j.Record.Path || j.To != j.Record.Current {
		return errors.New("intent and record differ")
	}
	if j.From != nil {
		if err := j.From.check(); err != nil {
			return err
		}
	}
	return j.Record.check()
}

func previousPath(state, sha string) string { return filepath.Join(state, previousName, sha) }

// stagedPath and asidePath are fixed names beside the target, so that litter is found without a journal.
func stagedPath(path string) string { return beside(path, ".waybill-new") }
func asidePath(path string) string  { return beside(path, ".waybill-old") }

func beside(path, suffix string) string {
	dir, base := filepath.Split(path)
	const room = 200
	return filepath.Join(dir, "."+base[:min(len(base), room)]+suffix)
}
