// SPDX-License-Identifier: Apache-2.0

//go:build unix

package crashtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/internal/crashfs"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/internal/testrepo"
)

// trust is what a client knows of a repository, which goes from one publication to another.
type trust struct {
	dir         string
	first       []byte
	before, now *server
	from, to    versions // stored
	rotated     bool     // timestamp and snapshot may be dropped on the way
}

type versions map[string]int64

var topLevel = []string{"root", "timestamp", "snapshot", "targets"}

// repository is an empty one; its folder is real but not on the machine.
func repository(t testing.TB) *testrepo.Repo { return testrepo.New(t.TempDir(), now, 1) }

// newTrust has a place for locks in the real file system.
func newTrust(t testing.TB, before, now *server) *trust {
	x := &trust{first: before.objects["metadata/1.root.json"], before: before, now: now}
	id, err := fetcher.Fingerprint(x.first)
	must(t, err)
	x.dir = filepath.Join(state, "trust", id)
	must(t, os.MkdirAll(filepath.Join(x.dir, "partial"), 0o700))
	return x
}

// locks puts the lock files on the machine that a client finds there.
func (x *trust) locks(t testing.TB, f *crashfs.FS) {
	for _, path := range []string{filepath.Join(x.dir, "lock"), filepath.Join(x.dir, "partial", "lock"), filepath.Join(state, "lock")} {
		must(t, f.Write(path, nil, 0o600))
	}
}

func (x *trust) client(fsys durable.FS, s *server) (*fetcher.Client, error) {
	return x.clientAt(fsys, s, now)
}

func (x *trust) clientAt(fsys durable.FS, s *server, at time.Time) (*fetcher.Client, error) {
	return fetcher.New(x.first, filepath.Join(state, "trust"), s, &fetcher.Options{FS: fsys, Now: func() time.Time { return at }})
}

// stored reads the version of a role without verifying it; 0 is none.
func (x *trust) stored(f *crashfs.FS, name string) (int64, error) {
	data, err := f.ReadFile(filepath.Join(x.dir, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	var m struct {
		Signed struct{ Version int64 }
	}
	if err == nil {
		err = json.Unmarshal(data, &m)
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w", name, err)
	}
	return m.Signed.Version, nil
}

func (x *trust) versions(f *crashfs.FS) (versions, error) {
	v := versions{}
	for _, role := range topLevel {
		n, err := x.stored(f, role+".json")
		if err != nil {
			return nil, err
		}
		v[role] = n
	}
	for n := int64(1); ; n++ {
		got, err := x.stored(f, fmt.Sprintf("roots/%d.root.json", n))
		if err != nil {
			return nil, err
		}
		if got == 0 {
			break
		}
		if got != n {
			return nil, fmt.Errorf("roots/%d.root.json is version %d", n, got)
		}
		v["chain"] = n
	}
	floor, err := x.floor(f)
	v["floor"] = floor
	return v, err
}

// floor is the version of the root that must not be forgotten.
func (x *trust) floor(f *crashfs.FS) (int64, error) {
	data, err := f.ReadFile(filepath.Join(x.dir, "floor"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	line, check, _ := bytes.Cut(data, []byte("\n"))
	var v struct{ Root int64 }
	if err == nil && (json.Unmarshal(line, &v) != nil || strings.TrimSpace(string(check)) != sum(line)) {
		err = fmt.Errorf("the floor is damaged: %.40q", data)
	}
	return v.Root, err
}

// settle notes what the image has and what there is to come.
func (x *trust) settle(t testing.TB, image *crashfs.FS) {
	var err error
	x.from, err = x.versions(image)
	must(t, err)
	after := image.Clone()
	client, err := x.client(after, x.now)
	must(t, err)
	must(t, client.Refresh(ctx))
	x.to, err = x.versions(after)
	must(t, err)
	x.rotated = x.to["root"] > x.from["root"]
}

// always is I4: what is stored is whole, and not older than before.
func (x *trust) always(f *crashfs.FS) error {
	have, err := x.versions(f)
	if err != nil {
		return err
	}
	for role, n := range have {
		dropped := n == 0 && x.rotated && (role == "timestamp" || role == "snapshot")
		if !dropped && (n < x.from[role] || n > x.to[role]) {
			return fmt.Errorf("%s is version %d, was %d and becomes %d", role, n, x.from[role], x.to[role])
		}
	}
	if have["root"] < have["floor"] || have["chain"] < have["floor"] {
		return fmt.Errorf("the floor is ahead of what is stored: %v", have)
	}
	for _, path := range f.Files() {
		if dir, base := filepath.Split(path); filepath.Base(dir) == "blobs" && !durable.IsTemp(base) {
			if data, _ := f.ReadFile(path); sum(data) != base {
				return fmt.Errorf("%s is damaged", path)
			}
		}
	}
	return nil
}

// arrived wants the present state of the repository in the store.
func (x *trust) arrived(f *crashfs.FS) error {
	have, err := x.versions(f)
	if err != nil {
		return err
	}
	for role, n := range x.to {
		if have[role] != n {
			return fmt.Errorf("stored %s is version %d, want %d", role, have[role], n)
		}
	}
	return nil
}

// noWayBack offers the publication before: it must be refused and change nothing.
func (x *trust) noWayBack(f *crashfs.FS) error {
	g := f.Clone()
	client, err := x.client(g, x.before)
	if err != nil {
		return err
	}
	if err := client.Refresh(ctx); fetcher.Class(err) != "verification" {
		return fmt.Errorf("the publication before was accepted: %v", err)
	}
	return x.arrived(g)
}

// promises says what must be durable when an object is asked for: every role that was accepted before.
func (x *trust) promises(s *server, promise promising) *server {
	return s.with(func(name string) {
		role, n := "", int64(0)
		base := strings.TrimPrefix(name, "metadata/")
		switch {
		case base == name:
			role, n = "targets", x.to["targets"]
		case base == "timestamp.json":
			role, n = "floor", x.to["root"]
		case strings.HasSuffix(base, ".snapshot.json"):
			role, n = "timestamp", x.to["timestamp"]
		case strings.HasSuffix(base, ".targets.json"):
			role, n = "snapshot", x.to["snapshot"]
		case strings.HasSuffix(base, ".root.json"):
			next, _ := strconv.ParseInt(strings.TrimSuffix(base, ".root.json"), 10, 64)
			role, n = "chain", next-1
		}
		if n > 1 {
			promise(x.hasStored(name, role, n))
		}
	})
}

func (x *trust) hasStored(asked, role string, n int64) func(*crashfs.FS) error {
	return func(f *crashfs.FS) error {
		have, err := x.versions(f)
		if err == nil && have[role] < n {
			err = fmt.Errorf("%s was asked for, but %s %d is not on disk: %v", asked, role, n, have)
		}
		return err
	}
}

// refreshing is a scenario in which a client comes from one publication to another.
func refreshing(t testing.TB, name string, x *trust, image *crashfs.FS) *scenario {
	x.locks(t, image)
	x.settle(t, image)
	run := func(fsys durable.FS, s *server) error {
		client, err := x.client(fsys, s)
		if err != nil {
			return err
		}
		return client.Refresh(ctx)
	}
	return &scenario{
		name: name, every: 1, image: image,
		run:    func(fsys durable.FS, promise promising) error { return run(fsys, x.promises(x.now, promise)) },
		always: func(f *crashfs.FS) error { return errors.Join(x.always(f), outsideState(f)) },
		kept:   x.arrived,
		again:  func(fsys durable.FS) error { return run(fsys, x.now) },
		done:   func(f *crashfs.FS) error { return errors.Join(x.arrived(f), noTemps(f), x.noWayBack(f)) },
	}
}

func outsideState(f *crashfs.FS) error {
	for _, path := range f.Files() {
		if !strings.HasPrefix(path, state+"/") && path != filepath.Join(root, "sentinel") && filepath.Dir(path) != bin {
			return fmt.Errorf("a file outside: %s", path)
		}
	}
	return nil
}

func noTemps(f *crashfs.FS) error {
	for _, path := range f.Files() {
		if durable.IsTemp(path) || strings.HasSuffix(path, ".unverified") {
			return fmt.Errorf("litter: %s", path)
		}
	}
	return nil
}

func trustStores(t testing.TB) []*scenario {
	return []*scenario{
		refreshing(t, "trust/first refresh", freshTrust(t), emptyMachine(t)),
		refreshed(t, "trust/refresh"),
		refreshed(t, "trust/online keys rotated", []string{"timestamp", "snapshot"}),
		refreshed(t, "trust/all keys rotated in three roots", []string{"root"}, []string{"targets"}, []string{"timestamp", "snapshot", "root"}),
	}
}

// freshTrust has seen nothing yet; the publication before is older than the present one.
func freshTrust(t testing.TB) *trust {
	r := repository(t)
	r.Add("file", program("1.0.0"), nil)
	before := publish(t, r)
	r.Add("file", program("1.1.0"), nil)
	return newTrust(t, before, publish(t, r))
}

// refreshed has seen version 1 of everything; since then keys were rotated, by one root after another.
func refreshed(t testing.TB, name string, rotations ...[]string) *scenario {
	r := repository(t)
	r.Add("file", program("1.0.0"), nil)
	before := publish(t, r)
	now := publish(t, r)
	for _, roles := range rotations {
		r.Rotate(roles...)
		now = publish(t, r)
	}
	x := newTrust(t, before, now)
	image := emptyMachine(t)
	client, err := x.client(image, before)
	must(t, err)
	must(t, client.Refresh(ctx))
	return refreshing(t, name, x, image)
}
