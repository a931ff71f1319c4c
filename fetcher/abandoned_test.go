// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/internal/durable"
)

// abandoned is a state folder with two lineages, one of which nobody uses any more.
type abandoned struct {
	t         *testing.T
	dir, gone string
	litter    []string
}

func newAbandoned(t *testing.T) *abandoned {
	s := newSim(t)
	s.add("targets", "file", []byte("content"))
	s.release("targets")
	a := &abandoned{t: t, dir: t.TempDir()}
	c, err := New(s.endpoint().root, a.dir, s, &Options{Now: func() time.Time { return epoch }})
	if err != nil {
		t.Fatal(err)
	}
	target, err := c.Target(context.Background(), "file")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Download(context.Background(), target, filepath.Join(t.TempDir(), "file")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Bytes(context.Background(), target, 100); err != nil {
		t.Fatal(err)
	}
	a.gone = c.store.dir
	for _, name := range []string{"x", "roots/x", "blobs/x", "partial/build"} {
		file, path, err := durable.CreateTemp(durable.OS(), filepath.Join(a.gone, filepath.FromSlash(name)), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
		a.litter = append(a.litter, path)
	}
	a.litter = append(a.litter, a.write("partial/"+target.hash()+unverified))
	return a
}

func (a *abandoned) write(name string) string {
	path := filepath.Join(a.gone, filepath.FromSlash(name))
	if err := os.WriteFile(path, []byte("left"), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

func (a *abandoned) date(at time.Time) {
	for _, path := range a.litter {
		if err := os.Chtimes(path, at, at); err != nil {
			a.t.Fatal(err)
		}
	}
}

// sweep refreshes another repository with the same state folder, and returns what is left of the litter.
func (a *abandoned) sweep() (left []string) {
	s := newSim(a.t)
	s.rotate("root", "another")
	s.md["root"]["version"] = int64(0)
	s.keys["root"] = s.keys["root"][:1]
	s.publish("root")
	c, err := New(s.signed("root"), a.dir, s, &Options{Now: func() time.Time { return epoch }})
	if err != nil {
		a.t.Fatal(err)
	}
	if err := c.Refresh(context.Background()); err != nil {
		a.t.Fatal(err)
	}
	if c.store.dir == a.gone {
		a.t.Fatal("the same lineage")
	}
	for _, path := range a.litter {
		if _, err := os.Lstat(path); err == nil {
			left = append(left, strings.TrimPrefix(path, a.gone))
		}
	}
	return left
}

func (a *abandoned) files() (all []string) {
	_ = filepath.Walk(a.gone, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() && !slices.Contains(a.litter, path) {
			all = append(all, path)
		}
		return err
	})
	return all
}

// What was left in the folder of a repository that nobody asks any more goes after a day, and nothing else.
func TestSweepTakesLitterOfAbandonedRepositories(t *testing.T) {
	day := epoch.Add(-staleAfter)
	for name, c := range map[string]struct {
		do   func(a *abandoned)
		goes bool
	}{
		"old":   {func(a *abandoned) { a.date(day) }, true},
		"young": {func(a *abandoned) { a.date(day.Add(time.Minute)) }, false},
		"no proof of whose it is": {func(a *abandoned) {
			a.date(day)
			a.write("roots/1.root.json")
		}, false},
		"another name": {func(a *abandoned) {
			a.date(day)
			other := filepath.Join(a.dir, strings.Repeat("0", 64))
			if err := os.Rename(a.gone, other); err != nil {
				a.t.Fatal(err)
			}
			for i, path := range a.litter {
				a.litter[i] = filepath.Join(other, strings.TrimPrefix(path, a.gone))
			}
			a.gone = other
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAbandoned(t)
			c.do(a)
			others := a.files()
			left := a.sweep()
			if c.goes && len(left) > 0 || !c.goes && len(left) < len(a.litter) {
				t.Errorf("left %q of %d", left, len(a.litter))
			}
			if now := a.files(); !slices.Equal(now, others) {
				t.Errorf("there were %q, now there are %q", others, now)
			}
		})
	}
}

// Whoever is at work there keeps what he has.
func TestSweepLeavesWhoIsAtWork(t *testing.T) {
	for _, lock := range []string{"lock", busyFile, "partial/lock"} {
		a := newAbandoned(t)
		a.date(epoch.Add(-staleAfter))
		release, err := durable.Share(context.Background(), filepath.Join(a.gone, filepath.FromSlash(lock)))
		if err != nil {
			t.Fatal(err)
		}
		if left := a.sweep(); len(left) < len(a.litter) {
			t.Errorf("%s: left only %q", lock, left)
		}
		if err := release(); err != nil {
			t.Error(err)
		}
	}
}

// A link is no folder of ours.
func TestSweepFollowsNoLinks(t *testing.T) {
	a := newAbandoned(t)
	elsewhere := filepath.Join(t.TempDir(), "partial")
	if err := os.Rename(filepath.Join(a.gone, partialDir), elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(elsewhere, filepath.Join(a.gone, partialDir)); err != nil {
		t.Fatal(err)
	}
	a.date(epoch.Add(-staleAfter))
	left := a.sweep()
	if !slices.ContainsFunc(left, func(path string) bool { return strings.HasSuffix(path, unverified) }) {
		t.Errorf("left %q", left)
	}
}

// Of a repository that nobody has refreshed for a month what can be had again goes; what forbids a rollback stays.
func TestSweepTakesCopiesOfAbandonedRepositories(t *testing.T) {
	for name, c := range map[string]struct {
		refreshed time.Duration
		partial   bool
		goes      bool
	}{
		"a month ago":                         {abandonedAfter, true, true},
		"a month ago, never downloaded":       {abandonedAfter, false, true},
		"less than a month ago":               {abandonedAfter - time.Minute, true, false},
		"in what is the future to this clock": {-time.Hour, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAbandoned(t)
			a.date(epoch.Add(-staleAfter))
			if !c.partial {
				if err := os.RemoveAll(filepath.Join(a.gone, partialDir)); err != nil {
					t.Fatal(err)
				}
			}
			want := a.files()
			for _, path := range want {
				if err := os.Chtimes(path, epoch.Add(-c.refreshed), epoch.Add(-c.refreshed)); err != nil {
					t.Fatal(err)
				}
			}
			if c.goes {
				want = slices.DeleteFunc(want, func(path string) bool {
					return strings.HasSuffix(path, "targets.json") || strings.Contains(path, "blobs")
				})
			}
			a.sweep()
			if left := a.files(); !slices.Equal(left, want) {
				t.Errorf("left %q, want %q", left, want)
			}
		})
	}
}

// Who comes back to an abandoned repository is not taken back by what was swept.
func TestSweptRepositoryDoesNotGoBack(t *testing.T) {
	s := newSim(t)
	s.delegate("targets", "A", nil)
	s.store("A")
	s.release("targets")
	old := s.copied()
	s.release("A", "targets")
	dir := t.TempDir()
	client := func(source Source) *Client {
		c, err := New(s.endpoint().root, dir, source, &Options{Now: func() time.Time { return epoch }})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	search := func(source Source) (*Client, error) {
		c := client(source)
		_, err := c.Target(context.Background(), "nowhere")
		return c, err
	}
	c, err := search(s)
	if Class(err) != "absent" {
		t.Fatal(err)
	}
	month := epoch.Add(-abandonedAfter)
	for _, name := range []string{floorFile, "A.json", "targets.json"} {
		if err := os.Chtimes(filepath.Join(c.store.dir, name), month, month); err != nil {
			t.Fatal(err)
		}
	}
	(&abandoned{t: t, dir: dir}).sweep()
	if left, _ := filepath.Glob(filepath.Join(c.store.dir, "*.json")); len(left) != 3 {
		t.Errorf("left %q", left)
	}
	_, err = search(old)
	wantRule(t, err, ErrRollback)
	if _, err = search(s); Class(err) != "absent" {
		t.Error(err)
	}
}
