// SPDX-License-Identifier: Apache-2.0

//go:build unix

package crashtest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-project/waybill/fetcher/install"
	"github.com/waybill-project/waybill/fetcher/update"
	"github.com/waybill-project/waybill/internal/crashfs"
	"github.com/waybill-project/waybill/internal/durable"
)

// endpoint is a machine that follows a product.
type endpoint struct {
	*goal
	*trust
}

func (e *endpoint) open(fsys durable.FS, s *server, at time.Time) (*update.Updater, error) {
	return update.Open(state, &update.Options{FS: fsys, Source: s, Now: func() time.Time { return at }})
}

func (e *endpoint) update(fsys durable.FS, s *server) error { return e.updateAt(fsys, s, now) }

func (e *endpoint) updateAt(fsys durable.FS, s *server, at time.Time) error {
	u, err := e.open(fsys, s, at)
	if err == nil {
		_, err = u.Update(ctx, nil)
	}
	return err
}

// goBack is again a rollback, unless the recovery has done it already.
func (e *endpoint) goBack(fsys durable.FS, s *server) error {
	u, err := e.open(fsys, s, now)
	if err != nil {
		return err
	}
	_, err = u.Rollback(ctx)
	if errors.Is(err, install.ErrNoPrevious) {
		return nil // done looks whether that is true
	}
	return err
}

func (e *endpoint) init(t testing.TB, f *crashfs.FS) {
	config := update.Config{URLs: []string{"https://updates.example.org/"}, Product: "app", Channel: "stable", Platforms: []string{"any"}, Path: e.path}
	must(t, os.MkdirAll(state, 0o700))
	must(t, update.Init(state, config, e.first, &update.InitOptions{FS: f}))
	e.locks(t, f)
}

// always adds that a name that says what its bytes are tells the truth.
func (e *endpoint) always(f *crashfs.FS) error {
	dir := filepath.Join(state, "download")
	for _, name := range f.Names(dir) {
		data, err := f.ReadFile(filepath.Join(dir, name))
		if err != nil || !durable.IsTemp(name) && sum(data) != name {
			return fmt.Errorf("download/%s was not verified: %d bytes, %v", name, len(data), err)
		}
	}
	return errors.Join(e.goal.always(f), e.trust.always(f))
}

func (e *endpoint) done(f *crashfs.FS) error {
	err := errors.Join(e.installed(f), e.clean(f), e.arrived(f))
	if left := f.Names(filepath.Join(state, "download")); len(left) > 0 {
		err = errors.Join(err, fmt.Errorf("litter: download/%q", left))
	}
	return errors.Join(err, e.noWayBack(f))
}

func (e *endpoint) scenario(name string, image *crashfs.FS, run func(durable.FS, *server) error) *scenario {
	return &scenario{
		name: name, every: 24, image: image,
		run:    func(fsys durable.FS, promise promising) error { return run(fsys, e.promises(e.now, promise)) },
		always: e.always,
		kept:   func(f *crashfs.FS) error { return errors.Join(e.installed(f), e.arrived(f)) },
		again:  func(fsys durable.FS) error { return run(fsys, e.now) },
		done:   e.done,
	}
}

// updates are the scenarios of a whole run of an endpoint, by the ways to the new version.
func updates(t testing.TB) []*scenario {
	return []*scenario{
		updating(t, "update/first", way{}),
		updating(t, "update/full", way{old: "1.0.0"}),
		updating(t, "update/delta", way{old: "1.0.0", from: []string{"1.0.0"}}),
		updating(t, "update/chain", way{old: "1.0.0", from: []string{"1.0.5"}}),
		updating(t, "update/delta across file systems", way{old: "1.0.0", from: []string{"1.0.0"}, wrap: apart}),
		updating(t, "update/full and all keys rotated", way{old: "1.0.0", rotate: topLevel}),
		updating(t, "update/self", way{old: "1.0.0", from: []string{"1.0.0"}, self: true}),
		rollingBack(t),
	}
}

// apart has the state on another file system than the rest.
func apart(fsys durable.FS) durable.FS {
	inState := func(path string) bool { return strings.HasPrefix(path, state+"/") }
	return &hooked{under: fsys, hook: func(c call, do func() error) error {
		if (c.kind == crashfs.Link || c.kind == crashfs.Rename) && inState(c.path) != inState(c.to) {
			return &os.LinkError{Op: string(c.kind), Old: c.path, New: c.to, Err: syscall.EXDEV}
		}
		return do()
	}}
}

// way is how an update comes about.
type way struct {
	old    string // installed; "" is nothing
	from   []string
	rotate []string
	self   bool
	wrap   func(durable.FS) durable.FS
}

func updating(t testing.TB, name string, w way) *scenario {
	r := repository(t)
	release := func(version string, from ...string) {
		must(t, r.Release("app", "stable", "any", version, program(version), from...))
	}
	release("1.0.0")
	before := publish(t, r)
	release("1.0.5", "1.0.0")
	release("1.1.0", w.from...)
	if w.rotate != nil {
		r.Rotate(w.rotate...)
	}
	e := &endpoint{goal: newGoal(w.old, "1.1.0", program), trust: newTrust(t, before, publish(t, r))}
	if w.self {
		path, err := install.Executable()
		must(t, err)
		e.path = path
	}
	if w.wrap == nil {
		w.wrap = asIs
	}
	image := emptyMachine(t)
	if w.self {
		must(t, image.Write(e.path, program("0.9.0"), 0o755))
	}
	e.init(t, image)
	if w.old != "" {
		must(t, e.update(image, before))
	}
	e.settle(t, image)
	s := e.scenario(name, image, func(fsys durable.FS, s *server) error { return e.update(w.wrap(fsys), s) })
	s.later = func(fsys durable.FS) error { return e.updateAt(w.wrap(fsys), e.now, aDayLater) }
	return s
}

// rollingBack returns from 1.1.0 to 1.0.0, which takes no network.
func rollingBack(t testing.TB) *scenario {
	r := repository(t)
	must(t, r.Release("app", "stable", "any", "1.0.0", program("1.0.0")))
	before := publish(t, r)
	must(t, r.Release("app", "stable", "any", "1.1.0", program("1.1.0"), "1.0.0"))
	e := &endpoint{goal: newGoal("1.1.0", "1.0.0", program), trust: newTrust(t, before, publish(t, r))}
	e.keeps = nil
	image := emptyMachine(t)
	e.init(t, image)
	must(t, e.update(image, e.before))
	must(t, e.update(image, e.now))
	e.settle(t, image)
	return e.scenario("update/rollback", image, e.goBack)
}
