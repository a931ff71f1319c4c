// SPDX-License-Identifier: Apache-2.0

//go:build unix

package crashtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-project/waybill/fetcher/install"
	"github.com/waybill-project/waybill/internal/crashfs"
	"github.com/waybill-project/waybill/internal/durable"
)

// goal is where an operation on the installed program starts and ends.
type goal struct {
	path     string
	old, new []byte // old is nil if there was nothing
	mode     fs.FileMode
	version  string // on record at the end
	keeps    []byte // kept as the previous version at the end; nil is none
}

func newGoal(old, fresh string, code func(string) []byte) *goal {
	g := &goal{path: app, new: code(fresh), mode: 0o755, version: fresh}
	if old != "" {
		g.old = code(old)
		g.keeps = g.old
	}
	return g
}

// program is some code of a version; versions have most of it in common.
func program(version string) []byte {
	return []byte(strings.Repeat("the same in every version\n", 300) + version + strings.Repeat("\nand so is this", 40))
}

// large is a program that is copied in more than one piece.
func large(version string) []byte { return bytes.Repeat(program(version), 5) }

var installOptions = install.Options{Now: func() time.Time { return now }}

func options(fsys durable.FS) *install.Options {
	o := installOptions
	o.FS = fsys
	return &o
}

// always is I1, I2, I3 and I7 for the installed program.
func (g *goal) always(f *crashfs.FS) error {
	have, err := f.ReadFile(g.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && g.old == nil:
	case err != nil:
		return err
	case !bytes.Equal(have, g.old) && !bytes.Equal(have, g.new):
		return fmt.Errorf("the program is neither the old nor the new one but %d bytes: %.30q", len(have), have)
	default:
		if info, err := f.Stat(g.path); err != nil || info.Mode() != g.mode {
			return fmt.Errorf("the program has mode %v, want %v: %v", info.Mode(), g.mode, err)
		}
	}
	if err := g.checkRecord(f, have); err != nil {
		return err
	}
	if litter := g.beside(f); len(litter) > 1 {
		return fmt.Errorf("litter beside the program: %q", litter)
	}
	return g.outside(f)
}

// checkRecord wants a record that is not ahead of the program, and whose previous version is there.
func (g *goal) checkRecord(f *crashfs.FS, have []byte) error {
	record, err := install.Load(state, options(f))
	if err != nil || record == nil {
		return err
	}
	if record.Current.SHA256 == sum(g.new) && !bytes.Equal(have, g.new) {
		return errors.New("the record is ahead of the program")
	}
	if record.Previous == nil {
		return nil
	}
	kept, err := f.ReadFile(filepath.Join(state, "previous", record.Previous.SHA256))
	if err == nil && sum(kept) != record.Previous.SHA256 {
		err = errors.New("it is damaged")
	}
	if err != nil {
		return fmt.Errorf("the previous version on record: %w", err)
	}
	return nil
}

// beside are the other files of the folder; the machine itself may lie there, too, beside the running program.
func (g *goal) beside(f *crashfs.FS) []string {
	return slices.DeleteFunc(f.Names(filepath.Dir(g.path)), func(n string) bool {
		return n == filepath.Base(g.path) || filepath.Join(filepath.Dir(g.path), n) == root
	})
}

// outside wants nothing else to have changed.
func (g *goal) outside(f *crashfs.FS) error {
	for _, path := range f.Files() {
		if path == filepath.Join(root, "sentinel") {
			continue
		}
		if !strings.HasPrefix(path, state+"/") && filepath.Dir(path) != filepath.Dir(g.path) {
			return fmt.Errorf("a file outside: %s", path)
		}
	}
	if data, err := f.ReadFile(filepath.Join(root, "sentinel")); err != nil || string(data) != "mine" {
		return fmt.Errorf("the sentinel: %q, %v", data, err)
	}
	return nil
}

// installed is the end: the new version, on record, with the old one kept.
func (g *goal) installed(f *crashfs.FS) error {
	have, err := f.ReadFile(g.path)
	if err != nil || !bytes.Equal(have, g.new) {
		return fmt.Errorf("the new program is not there: %d bytes, %v", len(have), err)
	}
	record, err := install.Load(state, options(f))
	if err != nil || record == nil {
		return fmt.Errorf("there is no record: %w", err)
	}
	if want := (install.Build{Version: g.version, SHA256: sum(g.new), Length: int64(len(g.new))}); record.Current != want {
		return fmt.Errorf("the record says %+v, want %+v", record.Current, want)
	}
	previous := ""
	if record.Previous != nil {
		previous = record.Previous.SHA256
	}
	if g.keeps == nil && previous != "" || g.keeps != nil && previous != sum(g.keeps) {
		return fmt.Errorf("the previous version on record is %q", previous)
	}
	return nil
}

// clean wants no litter: I6.
func (g *goal) clean(f *crashfs.FS) error {
	if litter := g.beside(f); len(litter) > 0 {
		return fmt.Errorf("litter beside the program: %q", litter)
	}
	var want []string
	if g.keeps != nil {
		want = []string{sum(g.keeps)}
	}
	if got := f.Names(filepath.Join(state, "previous")); !slices.Equal(got, want) {
		return fmt.Errorf("previous/ has %q, want %q", got, want)
	}
	for _, path := range f.Files() {
		base := filepath.Base(path)
		if durable.IsTemp(path) || strings.HasSuffix(path, ".unverified") || base == "install.json" || strings.HasPrefix(base, ".app.waybill") {
			return fmt.Errorf("litter: %s", path)
		}
	}
	return nil
}

// noLinks is a file system on which hard links cannot be made, as between two file systems.
func noLinks(fsys durable.FS) durable.FS {
	return &hooked{under: fsys, hook: func(c call, do func() error) error {
		if c.kind == crashfs.Link {
			return syscall.EXDEV
		}
		return do()
	}}
}

// installation is a scenario of package install alone: data under version is installed by op.
func installation(t testing.TB, name string, g *goal, image *crashfs.FS, op func(durable.FS) error) *scenario {
	every := 1
	if strings.HasSuffix(name, "across file systems") {
		every = 4 // copies are many writes
	}
	return &scenario{
		name: name, every: every, image: image,
		run:    func(fsys durable.FS, _ promising) error { return op(fsys) },
		always: g.always,
		kept:   g.installed,
		again: func(fsys durable.FS) error {
			if _, err := install.Recover(ctx, state, options(fsys)); err != nil {
				return fmt.Errorf("recover: %w", err)
			}
			again, err := install.Recover(ctx, state, options(fsys))
			if err != nil || again != nil {
				return fmt.Errorf("the second recovery found %+v, %w", again, err)
			}
			return op(fsys)
		},
		done: func(f *crashfs.FS) error { return errors.Join(g.installed(f), g.clean(f)) },
	}
}

// put installs a version as a caller does that has verified it.
func put(path, version string, file func(context.Context, install.Request, *install.Options) (*install.Record, error)) func(durable.FS) error {
	return func(fsys durable.FS) error {
		data := large(version)
		verified := filepath.Join(state, "verified-"+version)
		if err := verify(fsys, verified, data); err != nil {
			return err
		}
		build := install.Build{Version: version, SHA256: sum(data), Length: int64(len(data))}
		_, err := file(ctx, install.Request{Verified: verified, Build: build, Path: path, State: state}, options(fsys))
		return err
	}
}

// verify makes the verified file unless it is there, as a download does.
func verify(fsys durable.FS, path string, data []byte) error {
	if have, err := durable.ReadFile(fsys, path, 1<<20); err == nil && bytes.Equal(have, data) {
		return nil
	}
	if err := durable.MkdirAll(fsys, filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return durable.WriteFile(fsys, path, data, 0o600)
}

func emptyMachine(t testing.TB) *crashfs.FS {
	f := crashfs.New(now.Add(-time.Minute))
	must(t, f.Write(filepath.Join(root, "sentinel"), []byte("mine"), 0o644))
	must(t, f.Write(filepath.Join(bin, "x"), nil, 0o644))
	must(t, f.Remove(filepath.Join(bin, "x")))
	return f
}

// machineWith has versions installed one after another.
func machineWith(t testing.TB, versions ...string) *crashfs.FS {
	f := emptyMachine(t)
	for _, v := range versions {
		must(t, put(app, v, install.File)(f))
	}
	return f
}

// goBack rolls back; that it was done by the recovery before is no failure.
func goBack(g *goal) func(durable.FS) error {
	return func(fsys durable.FS) error {
		_, err := install.Rollback(ctx, state, options(fsys))
		have, _ := durable.ReadFile(fsys, g.path, 1<<20)
		if errors.Is(err, install.ErrNoPrevious) && bytes.Equal(have, g.new) {
			return nil
		}
		return err
	}
}

func installations(t testing.TB) []*scenario {
	first := newGoal("", "1.1.0", large)
	update := newGoal("1.0.0", "1.1.0", large)
	back := newGoal("1.1.0", "1.0.0", large)
	back.keeps = nil
	foreign := newGoal("1.0.0", "1.1.0", large)
	foreign.old = []byte("somebody's")
	foreign.keeps, foreign.mode = foreign.old, fs.ModeSetuid|0o711
	strange := emptyMachine(t)
	must(t, strange.Write(app, foreign.old, foreign.mode))
	two := machineWith(t, "0.9.0", "1.0.0")
	three := machineWith(t, "1.0.0", "1.1.0")
	return []*scenario{
		installation(t, "install/first", first, emptyMachine(t), put(app, "1.1.0", install.File)),
		installation(t, "install/update", update, two, put(app, "1.1.0", install.File)),
		installation(t, "install/update across file systems", update, two, without(noLinks, put(app, "1.1.0", install.File))),
		installation(t, "install/over an unknown file", foreign, strange, put(app, "1.1.0", install.File)),
		installation(t, "install/rollback", back, three, goBack(back)),
		installation(t, "install/rollback across file systems", back, three, without(noLinks, goBack(back))),
		selfInstallation(t),
	}
}

func without(wrap func(durable.FS) durable.FS, op func(durable.FS) error) func(durable.FS) error {
	return func(fsys durable.FS) error { return op(wrap(fsys)) }
}

// selfInstallation replaces the running program, which on this machine is a file of the model.
func selfInstallation(t testing.TB) *scenario {
	path, err := install.Executable()
	must(t, err)
	g := newGoal("1.0.0", "1.1.0", large)
	g.path = path
	f := emptyMachine(t)
	must(t, f.Write(path, large("0.9.0"), 0o755))
	must(t, put(path, "1.0.0", install.Self)(f))
	return installation(t, "install/self", g, f, put("", "1.1.0", install.Self))
}
