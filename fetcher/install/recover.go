// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/waybill-project/waybill/internal/durable"
)

// What Recover did.
const (
	Finished = "finished" // the new file was in place, and is now committed
	Undone   = "undone"   // the old file is in place, and the attempt is forgotten
	Left     = "left"     // the target is neither: somebody else changed it, and it was not touched
	Dropped  = "dropped"  // the journal could not be read; the target was not touched
)

// Recovery tells what an interrupted operation was and what became of it.
type Recovery struct {
	Operation string `json:"operation,omitempty"` // install or rollback
	Result    string `json:"result"`
	From      string `json:"from,omitempty"` // versions
	To        string `json:"to,omitempty"`
}

// Recover finishes or undoes what a crash interrupted; nil if there was nothing. It changes nothing when called
// again, and may itself be interrupted at any point.
func Recover(ctx context.Context, state string, opts *Options) (*Recovery, error) {
	return newDisk(opts).recover(ctx, state)
}

func (d disk) recover(ctx context.Context, state string) (*Recovery, error) {
	_ = durable.CleanTemps(d.fs, state)
	job, err := d.loadJournal(state)
	if errors.Is(err, ErrCorrupt) {
		return &Recovery{Result: Dropped}, d.removeJournal(state)
	}
	if err != nil {
		return nil, err
	}
	if job == nil {
		d.sweepRecorded(state)
		return nil, nil
	}
	result, err := d.resolve(ctx, state, job)
	if err != nil {
		return nil, err
	}
	r := &Recovery{Operation: job.Operation, Result: result, To: job.To.Version}
	if job.From != nil {
		r.From = job.From.Version
	}
	return r, nil
}

// resolve decides by the hash of what is at the target now.
func (d disk) resolve(ctx context.Context, state string, job *journal) (string, error) {
	now, err := d.inspect(ctx, job.Path)
	if err != nil && !errors.Is(err, ErrNotRegular) {
		return "", err
	}
	switch {
	case now != nil && now.SHA256 == job.To.SHA256:
		return Finished, d.finish(state, job)
	case err == nil && now == nil && job.From != nil:
		return d.fillGap(ctx, state, job)
	case err == nil && (now == nil || job.From != nil && now.SHA256 == job.From.SHA256):
		return Undone, d.forget(state, job)
	default:
		return Left, d.forget(state, job)
	}
}

// fillGap puts a file where a switch through a rename aside was cut: the new one if it is complete, else the old.
func (d disk) fillGap(ctx context.Context, state string, job *journal) (string, error) {
	staged, aside := stagedPath(job.Path), asidePath(job.Path)
	if d.holds(ctx, staged, job.To) {
		if err := d.rename(staged, job.Path); err != nil {
			return "", fail("replace", job.Path, err)
		}
		return Finished, d.finish(state, job)
	}
	if d.holds(ctx, aside, *job.From) {
		if err := d.rename(aside, job.Path); err != nil {
			return "", fail("restore", job.Path, err)
		}
		return Undone, d.forget(state, job)
	}
	return Left, d.forget(state, job)
}

// finish repeats the commit; the file is synced again because the crash may have come before that.
func (d disk) finish(state string, job *journal) error {
	if err := d.syncFile(job.Path); err != nil {
		return fail("sync", job.Path, err)
	}
	return d.commit(state, job)
}

// forget drops an operation that did not happen.
func (d disk) forget(state string, job *journal) error {
	if err := d.clear(stagedPath(job.Path)); err != nil {
		return fail("remove", stagedPath(job.Path), err)
	}
	if err := d.syncDir(filepath.Dir(job.Path)); err != nil {
		return fail("sync folder of", job.Path, err)
	}
	if err := d.removeJournal(state); err != nil {
		return err
	}
	d.sweepRecorded(state)
	return nil
}

// undo is forget for an operation that has just failed: the failure is what the caller hears about, and the
// journal stays for the next run if this fails too.
func (d disk) undo(state string, job *journal) {
	_ = d.forget(state, job)
}

func (d disk) sweepRecorded(state string) {
	record, err := d.load(state)
	if err != nil {
		return
	}
	d.sweep(state, record)
}

// sweep removes litter. It never fails: what stays is removed by a later run.
func (d disk) sweep(state string, record *Record) {
	keep := ""
	if record != nil {
		_ = d.clear(stagedPath(record.Path))
		_ = d.clear(asidePath(record.Path))
		if record.Previous != nil {
			keep = record.Previous.SHA256
		}
	}
	names, err := d.list(filepath.Join(state, previousName))
	if err != nil {
		return
	}
	for _, name := range names {
		if name != keep {
			_ = d.clear(filepath.Join(state, previousName, name))
		}
	}
}
