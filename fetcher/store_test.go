// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/waybill-project/waybill/repo/layout"
)

func TestStatePerRepository(t *testing.T) {
	s := newSim(t)
	dir := t.TempDir()
	now := &Options{Now: s.endpoint().clock()}
	one, err := New(s.objects[layout.Root(1)], dir, s, now)
	if err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Error("New wrote something")
	}
	s.publish("root")
	if err := one.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	id, _ := Fingerprint(s.objects[layout.Root(1)])
	if _, err := os.Stat(filepath.Join(dir, id, "root.json")); err != nil {
		t.Error(err)
	}
	t.Run("newer embedded root keeps the lineage", func(t *testing.T) {
		two, err := New(s.objects[layout.Root(2)], dir, s, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := two.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 1 {
			t.Errorf("%d folders", len(entries))
		}
	})
	t.Run("another repository is kept apart", func(t *testing.T) {
		other := newSim(t)
		other.md["root"]["x"] = 1
		other.store("root")
		c, err := New(other.objects[layout.Root(1)], dir, other, now)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Refresh(context.Background()); err != nil {
			t.Fatal(err)
		}
		if entries, _ := os.ReadDir(dir); len(entries) != 2 {
			t.Errorf("%d folders", len(entries))
		}
	})
}

func TestEphemeral(t *testing.T) {
	s := newSim(t)
	s.add("targets", "file", []byte("content"))
	s.release("targets")
	e := s.endpoint()
	e.opts.Ephemeral = true
	c, err := New(e.root, "", s, &Options{Ephemeral: true, Now: e.clock()})
	if err != nil {
		t.Fatal(err)
	}
	target, err := c.Target(context.Background(), "file")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := c.Download(context.Background(), target, filepath.Join(dir, "file")); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%v", entries)
	}
	old := s.objects[layout.Timestamp]
	s.stamp()
	if err := c.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.put(layout.Timestamp, old)
	wantRule(t, c.Refresh(context.Background()), ErrRollback)
}

func TestConcurrentRefreshes(t *testing.T) {
	s := newSim(t)
	s.add("targets", "file", []byte("content"))
	s.release("targets")
	e := s.endpoint()
	clients := []*Client{e.client(), e.client()}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			c := clients[i%2]
			if err := c.Refresh(context.Background()); err != nil {
				t.Error(err)
			}
			target, err := c.Target(context.Background(), "file")
			if err != nil {
				t.Error(err)
				return
			}
			if err := c.Download(context.Background(), target, filepath.Join(e.dir, "out")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// A process that fell asleep must not put an old delegated role over a newer one.
func TestSlowProcessDoesNotOverwrite(t *testing.T) {
	s := graphSim(t, []arc{{"targets", "A", false, nil}})
	e := s.endpoint()
	slow := e.client()
	if err := slow.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.release("A")
	if _, err := e.client().Target(context.Background(), "x"); err == nil {
		t.Fatal("found")
	}
	e.have(versions{"A": 2})
	if _, err := slow.Target(context.Background(), "x"); err == nil {
		t.Fatal("found")
	}
	e.have(versions{"A": 2})
}

func TestIdleRefreshWritesNothing(t *testing.T) {
	s := newSim(t)
	e := s.endpoint()
	e.ok()
	before := listing(t, e.dir)
	e.ok()
	if after := listing(t, e.dir); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
}

func listing(t *testing.T, dir string) string {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			b.WriteString(path + " " + info.ModTime().String() + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestLocalTroubleIsLocal(t *testing.T) {
	s := newSim(t)
	e := s.endpoint()
	e.dir = filepath.Join(e.dir, "file")
	if err := os.WriteFile(e.dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.refresh(); Class(err) != "local" {
		t.Errorf("error %v", err)
	}
}

func TestCanceled(t *testing.T) {
	s := newSim(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.endpoint().client().Refresh(ctx); Class(err) != "canceled" {
		t.Errorf("error %v", err)
	}
}

func TestRefreshAfterFailureTrustsNothing(t *testing.T) {
	s := newSim(t)
	s.add("targets", "file", []byte("content"))
	s.release("targets")
	e := s.endpoint()
	c := e.client()
	if _, err := c.Target(context.Background(), "file"); err != nil {
		t.Fatal(err)
	}
	s.open = func(string, Request) (*Response, error) { return nil, iotest.ErrTimeout }
	if err := c.Refresh(context.Background()); Class(err) != "network" {
		t.Fatal(err)
	}
	if _, err := c.Target(context.Background(), "file"); Class(err) != "network" {
		t.Errorf("error %v", err)
	}
	s.open = nil
	if _, err := c.Target(context.Background(), "file"); err != nil {
		t.Error(err)
	}
}
