// SPDX-License-Identifier: Apache-2.0

// Package install puts a verified file in place so that a crash at any moment leaves the old version or the new
// one, byte for byte, and never a mix.
//
// CheckWritable finds out before a download whether the place can be written, CheckSpace whether it has room.
// File replaces one file, Self the running program, Rollback brings the kept previous version back. Recover is
// called at the start of every run and finishes or undoes what a crash interrupted; it may itself be interrupted.
// Load reads the record of what was installed, Measure what lies there now.
//
// Everything happens under a state folder that belongs to the caller alone, and under a lock that the caller
// holds for the whole run. In it, install.json is the journal of an operation under way, installed.json the record
// of the last one that was committed and previous/ the version before it. Both documents are versioned by their
// "schema" member; members are only ever added.
//
// An operation is: journal the intent, keep the previous version, build the new file in the target's own folder,
// hash that very file, rename it over the target, commit the record, remove the journal. On Unix the target's name is
// never absent. On Windows a running program cannot be replaced, so it is renamed aside first; the journal closes that
// gap at the next start.
package install

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/release"
)

// Build is one build of a program. Version is empty if nobody knows it.
type Build struct {
	Version string `json:"version,omitempty"`
	SHA256  string `json:"sha256"` // lower-case hex
	Length  int64  `json:"length"` // bytes
}

// Request says which verified file goes where.
type Request struct {
	Verified string // file with the verified bytes, best on the file system of Path; removed once they are installed
	Build    Build  // what Verified must be
	Path     string // absolute; a regular file or nothing
	State    string // absolute; folder of the journal and the record
	Replaces string // version of what is at Path now, if the caller knows better than the record
}

// Options are the things that rarely differ. The zero value is what a program wants.
type Options struct {
	FS   durable.FS       // nil: the real file system
	Now  func() time.Time // nil: time.Now
	Mode fs.FileMode      // permissions of a first install; 0: 0755
}

func (o *Options) now() time.Time {
	if o == nil || o.Now == nil {
		return time.Now()
	}
	return o.Now()
}

func (o *Options) mode() fs.FileMode {
	if o == nil || o.Mode == 0 {
		return 0o755
	}
	return o.Mode.Perm()
}

// File installs one verified file and returns the committed record. An error before the switch leaves everything
// as it was. An error after it leaves the new file in place and the journal behind, for Recover to finish.
func File(ctx context.Context, req Request, opts *Options) (*Record, error) {
	d := newDisk(opts)
	if _, err := d.recover(ctx, req.State); err != nil {
		return nil, err
	}
	old, err := d.inspect(ctx, req.Path)
	if err != nil {
		return nil, err
	}
	record, err := d.readable(req.State, req.Path)
	if err != nil {
		return nil, err
	}
	next := record.after(req, old, opts.now())
	if old != nil && old.SHA256 == req.Build.SHA256 {
		err = d.writeRecord(req.State, next)
	} else {
		job := &journal{Schema: 1, Operation: opInstall, Path: req.Path, From: next.Previous, To: req.Build, Record: *next}
		err = d.run(ctx, req.State, req.Verified, job, opts.mode())
	}
	if err != nil {
		return nil, err
	}
	_ = d.clear(req.Verified)
	return next, nil
}

// Measure is the hash and length of the regular file at path, without a version; nil if there is nothing.
func Measure(ctx context.Context, path string, opts *Options) (*Build, error) {
	return newDisk(opts).inspect(ctx, path)
}

// Self is File for the running program; req.Path is ignored.
func Self(ctx context.Context, req Request, opts *Options) (*Record, error) {
	path, err := Executable()
	if err != nil {
		return nil, err
	}
	req.Path = path
	return File(ctx, req, opts)
}

// Executable is the path of the running program with every symbolic link resolved.
func Executable() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", fail("find", "the running program", err)
	}
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fail("resolve", path, err)
	}
	return resolved, nil
}

// Rollback puts the previous version back and records the version that is left as skipped, until a newer one is
// installed. ErrNoPrevious if none is kept.
func Rollback(ctx context.Context, state string, opts *Options) (*Record, error) {
	d := newDisk(opts)
	if _, err := d.recover(ctx, state); err != nil {
		return nil, err
	}
	record, err := d.load(state)
	if err != nil {
		return nil, err
	}
	if record == nil || record.Previous == nil {
		return nil, fail("roll back", state, ErrNoPrevious)
	}
	old, err := d.inspect(ctx, record.Path)
	if err != nil {
		return nil, err
	}
	next := record.rolledBack(opts.now())
	job := &journal{Schema: 1, Operation: opRollback, Path: record.Path, From: old, To: next.Current, Record: *next}
	if err := d.run(ctx, state, previousPath(state, next.Current.SHA256), job, opts.mode()); err != nil {
		return nil, err
	}
	return next, nil
}

// run does one journaled operation. The steps up to the switch are undone if one of them fails; those after it
// are finished by Recover.
func (d disk) run(ctx context.Context, state, source string, job *journal, mode fs.FileMode) error {
	if err := d.writeJournal(state, job); err != nil {
		return err
	}
	if err := d.prepare(ctx, state, source, job, mode); err != nil {
		d.undo(state, job)
		return err
	}
	if err := d.replace(stagedPath(job.Path), job.Path, asidePath(job.Path)); err != nil {
		// What is there decides, since a rename that reports an error may have happened.
		result, failed := d.resolve(context.WithoutCancel(ctx), state, job)
		if result == Finished {
			return failed
		}
		return fail("replace", job.Path, err)
	}
	return d.commit(state, job)
}

func (d disk) prepare(ctx context.Context, state, source string, job *journal, mode fs.FileMode) error {
	if job.Operation == opInstall && job.From != nil {
		if err := d.keep(ctx, state, job.Path, *job.From); err != nil {
			return err
		}
	}
	return d.stage(ctx, source, job.Path, job.To, mode)
}

// commit makes the switch durable, then the record, then forgets the journal. What is left over after that is
// only litter, which the next run removes.
func (d disk) commit(state string, job *journal) error {
	if err := d.syncDir(filepath.Dir(job.Path)); err != nil {
		return fail("sync folder of", job.Path, err)
	}
	if err := d.writeRecord(state, &job.Record); err != nil {
		return err
	}
	if err := d.removeJournal(state); err != nil {
		return err
	}
	d.sweep(state, &job.Record)
	return nil
}

// after is the record once req is committed over old.
func (r *Record) after(req Request, old *Build, now time.Time) *Record {
	next := &Record{Schema: 1, Path: req.Path, Current: req.Build, At: now.UTC().Truncate(time.Second)}
	next.Skipped = slices.DeleteFunc(slices.Clone(r.Skipped), func(v string) bool {
		return release.Compare(v, req.Build.Version) <= 0
	})
	switch {
	case old == nil:
	case old.SHA256 == req.Build.SHA256:
		next.Previous = r.Previous
	default:
		next.Previous = r.named(*old, req.Replaces)
	}
	return next
}

// named gives the bytes at the target the version that the caller or the record knows for them.
func (r *Record) named(b Build, version string) *Build {
	b.Version = version
	if version == "" && b.SHA256 == r.Current.SHA256 {
		b.Version = r.Current.Version
	}
	return &b
}

func (r *Record) rolledBack(now time.Time) *Record {
	next := &Record{Schema: 1, Path: r.Path, Current: *r.Previous, At: now.UTC().Truncate(time.Second)}
	next.Skipped = slices.Clone(r.Skipped)
	if v := r.Current.Version; v != "" && !slices.Contains(next.Skipped, v) {
		next.Skipped = append(next.Skipped, v)
	}
	return next
}
