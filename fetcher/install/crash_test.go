// SPDX-License-Identifier: Apache-2.0

//go:build unix

package install

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-project/waybill/internal/durable"
)

// A world is one machine: an install folder, a state folder, and what may lie at the target.
type world struct {
	t          *testing.T
	dir        string
	path       string
	state      string
	noLinks    bool
	old, goal  string // content before and after; old "" is none
	mode       os.FileMode
	operation  func(w *world, fsys durable.FS) error
	goalRecord string   // version of the record at the end
	keeps      []string // contents that may lie in previous/ at the end
}

var quick durable.FS = unsynced{durable.OS()}

var clock = func() time.Time { return time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC) }

func (w *world) options(fsys durable.FS) *Options { return &Options{FS: fsys, Now: clock} }

func install(version, content string) func(*world, durable.FS) error {
	return func(w *world, fsys durable.FS) error {
		verified := filepath.Join(w.dir, "verified")
		writeNew(w.t, verified, content)
		req := Request{Verified: verified, Build: build(version, content), Path: w.path, State: w.state}
		_, err := File(context.Background(), req, w.options(fsys))
		return err
	}
}

func rollback(w *world, fsys durable.FS) error {
	_, err := Rollback(context.Background(), w.state, w.options(fsys))
	if errors.Is(err, ErrNoPrevious) && w.content() == w.goal {
		return nil // done by the recovery before it
	}
	return err
}

func build(version, content string) Build {
	return Build{Version: version, SHA256: sum(content), Length: int64(len(content))}
}

func newWorld(t *testing.T) *world {
	dir := t.TempDir()
	w := &world{t: t, dir: dir, path: filepath.Join(dir, "bin", "app"), state: filepath.Join(dir, "state"), mode: 0o755}
	must(t, os.MkdirAll(filepath.Dir(w.path), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "sentinel"), []byte("mine"), 0o644))
	return w
}

func (w *world) apply(step func(*world, durable.FS) error) {
	w.t.Helper()
	must(w.t, step(w, quick))
}

// worlds are the operations of the table, each with what it starts from.
func worlds() map[string]func(*testing.T) *world {
	return map[string]func(*testing.T) *world{
		"first install": func(t *testing.T) *world {
			w := newWorld(t)
			w.goal, w.goalRecord, w.operation = "new bytes", "1.1.0", install("1.1.0", "new bytes")
			return w
		},
		"over an unknown file": func(t *testing.T) *world {
			w := newWorld(t)
			must(t, os.WriteFile(w.path, []byte("somebody's"), 0o700))
			must(t, os.Chmod(w.path, os.ModeSetuid|0o711))
			w.old, w.mode, w.keeps = "somebody's", os.ModeSetuid|0o711, []string{"somebody's"}
			w.goal, w.goalRecord, w.operation = "new bytes", "1.1.0", install("1.1.0", "new bytes")
			return w
		},
		"update": func(t *testing.T) *world { return updateWorld(t, false) },
		"update across file systems": func(t *testing.T) *world {
			return updateWorld(t, true)
		},
		"rollback": func(t *testing.T) *world {
			w := updateWorld(t, false)
			w.apply(w.operation)
			w.old, w.goal, w.goalRecord, w.operation, w.keeps = "new bytes", "old bytes", "1.0.0", rollback, nil
			return w
		},
		"rollback across file systems": func(t *testing.T) *world {
			w := updateWorld(t, false)
			w.apply(w.operation)
			w.old, w.goal, w.goalRecord, w.operation, w.keeps = "new bytes", "old bytes", "1.0.0", rollback, nil
			w.noLinks = true
			return w
		},
	}
}

// updateWorld has a version before the old one too, so that the oldest is to be pruned.
func updateWorld(t *testing.T, noLinks bool) *world {
	w := newWorld(t)
	w.apply(install("0.9.0", "oldest bytes"))
	w.apply(install("1.0.0", "old bytes"))
	w.old, w.goal, w.goalRecord, w.keeps = "old bytes", "new bytes", "1.1.0", []string{"old bytes"}
	w.operation, w.noLinks = install("1.1.0", "new bytes"), noLinks
	return w
}

// TestCrashAtEveryOperation stops the process at operation k, checks what lies there, then does one normal run.
func TestCrashAtEveryOperation(t *testing.T) {
	for name, setup := range worlds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for k := 1; ; k++ {
				w := setup(t)
				cut := &faults{under: quick, at: k, noLinks: w.noLinks}
				err := w.operation(w, cut)
				w.checkAlways(fmt.Sprintf("killed at %d", k))
				w.nextRun(fmt.Sprintf("after a kill at %d", k))
				if err == nil && cut.count < k {
					t.Logf("%d operations", cut.count)
					return
				}
			}
		})
	}
}

// TestCrashDuringRecovery stops it at k, then stops the recovery at j, for every pair, and recovers again. A crash
// that left no journal has nothing to recover.
func TestCrashDuringRecovery(t *testing.T) {
	for _, name := range []string{"first install", "update", "rollback"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			setup := worlds()[name]
			for k := 1; ; k++ {
				for j, more := 1, true; more; j++ {
					w := setup(t)
					first := &faults{under: quick, at: k}
					_ = w.operation(w, first)
					if first.count < k {
						return
					}
					more = slices.Contains(names(t, w.state), journalName)
					second := &faults{under: quick, at: j}
					_, _ = Recover(context.Background(), w.state, w.options(second))
					more = more && second.count >= j
					w.checkAlways(fmt.Sprintf("killed at %d, recovery at %d", k, j))
					w.nextRun(fmt.Sprintf("after kills at %d and %d", k, j))
				}
			}
		})
	}
}

// TestErrorAtEveryOperation lets operation k fail and the process live on.
func TestErrorAtEveryOperation(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.EIO, syscall.EROFS} {
		for name, setup := range worlds() {
			t.Run(fmt.Sprintf("%s/%v", name, errno), func(t *testing.T) {
				t.Parallel()
				for k := 1; ; k++ {
					w := setup(t)
					cut := &faults{under: quick, at: k, err: errno, noLinks: w.noLinks}
					err := w.operation(w, cut)
					where := fmt.Sprintf("%v at %d: %v", errno, k, err)
					w.checkAlways(where)
					w.checkError(where, err)
					w.nextRun(where)
					if cut.count < k {
						return
					}
				}
			})
		}
	}
}

func (w *world) checkError(where string, err error) {
	w.t.Helper()
	var typed *Error
	switch {
	case err == nil && w.content() != w.goal:
		w.t.Fatalf("%s: no error and not installed", where)
	case err != nil && !errors.As(err, &typed):
		w.t.Fatalf("%s: %T is not an *Error", where, err)
	}
}

// checkAlways is what holds after any crash: I1, I2, I3, I6 and I7.
func (w *world) checkAlways(where string) {
	w.t.Helper()
	now := w.content()
	if now != w.old && now != w.goal {
		w.t.Fatalf("%s: target holds %q", where, now)
	}
	if now != "" {
		info, err := os.Lstat(w.path)
		must(w.t, err)
		if info.Mode() != w.mode {
			w.t.Fatalf("%s: target has mode %v, want %v", where, info.Mode(), w.mode)
		}
	}
	record, err := Load(w.state, nil)
	must(w.t, err)
	if record != nil && record.Current.SHA256 == sum(w.goal) && now != w.goal {
		w.t.Fatalf("%s: recorded but not installed", where)
	}
	litter := slices.DeleteFunc(names(w.t, filepath.Dir(w.path)), func(n string) bool { return n == "app" })
	if len(litter) > 1 {
		w.t.Fatalf("%s: litter %q", where, litter)
	}
	w.checkOutside(where)
}

// nextRun is a normal run: it must reach the goal at the first attempt and leave nothing else: I4, I5, I6, I9.
func (w *world) nextRun(where string) {
	w.t.Helper()
	_, err := Recover(context.Background(), w.state, w.options(quick))
	if err != nil {
		w.t.Fatalf("%s: recover: %v", where, err)
	}
	again, err := Recover(context.Background(), w.state, w.options(quick))
	if err != nil || again != nil {
		w.t.Fatalf("%s: second recovery found %+v, %v", where, again, err)
	}
	if err := w.operation(w, quick); err != nil {
		w.t.Fatalf("%s: next run: %v", where, err)
	}
	if w.content() != w.goal {
		w.t.Fatalf("%s: next run left %q", where, w.content())
	}
	record, err := Load(w.state, nil)
	must(w.t, err)
	if record.Current != build(w.goalRecord, w.goal) {
		w.t.Fatalf("%s: record %+v", where, record.Current)
	}
	w.checkClean(where)
	w.checkAlways(where)
}

func (w *world) checkClean(where string) {
	w.t.Helper()
	if got := names(w.t, filepath.Dir(w.path)); !slices.Equal(got, []string{"app"}) {
		w.t.Fatalf("%s: install folder has %q", where, got)
	}
	var kept []string
	for _, content := range w.keeps {
		kept = append(kept, sum(content))
	}
	if got := names(w.t, filepath.Join(w.state, previousName)); !slices.Equal(got, kept) {
		w.t.Fatalf("%s: previous has %q", where, got)
	}
	if got := names(w.t, w.state); len(slices.DeleteFunc(got, func(n string) bool {
		return n == recordName || n == previousName
	})) > 0 {
		w.t.Fatalf("%s: state has %q", where, got)
	}
}

func (w *world) checkOutside(where string) {
	w.t.Helper()
	got := slices.DeleteFunc(names(w.t, w.dir), func(n string) bool { return n == "verified" || n == "state" })
	if !slices.Equal(got, []string{"bin", "sentinel"}) {
		w.t.Fatalf("%s: outside has %q", where, got)
	}
}

func (w *world) content() string {
	data, err := os.ReadFile(w.path)
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	must(w.t, err)
	return string(data)
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	must(t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// lying reports an error for the switch, which it has done.
type lying struct{ durable.FS }

func (l lying) Rename(from, to string) error {
	err := l.FS.Rename(from, to)
	if filepath.Base(to) == "app" {
		return errors.Join(err, syscall.EIO)
	}
	return err
}

// A switch that happened in spite of its error is committed like any other.
func TestSwitchThatLandedWithAnError(t *testing.T) {
	w := updateWorld(t, false)
	w.apply(func(w *world, fsys durable.FS) error { return w.operation(w, lying{fsys}) })
	w.checkClean("after the error")
	record, err := Load(w.state, nil)
	must(t, err)
	if record.Current != build("1.1.0", "new bytes") || record.Previous.SHA256 != sum("old bytes") || w.content() != "new bytes" {
		t.Fatalf("%+v, %q", record, w.content())
	}
}
