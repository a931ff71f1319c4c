// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

// copied is another source with what the repository holds now.
func (s *sim) copied() *sim {
	return &sim{t: s.t, consist: s.consist, objects: maps.Clone(s.objects)}
}

// mirrored makes a client of the endpoint that asks these.
func (e *endpoint) mirrored(sources ...Source) *Client { return e.over(NewMirrors(sources...)) }

func refresh(t *testing.T, c *Client) {
	t.Helper()
	if err := c.Refresh(context.Background()); err != nil {
		t.Fatalf("refresh: %v", err)
	}
}

func TestMirrorsIdleCheckIsTwoRequests(t *testing.T) {
	a := newSim(t)
	b := a.copied()
	e := a.endpoint()
	refresh(t, e.mirrored(a, b))
	a.wantAsked("2.root.json", "timestamp.json", "1.snapshot.json", "1.targets.json")
	b.wantAsked("2.root.json", "timestamp.json")
	for range 3 {
		e.now = e.now.Add(19 * time.Minute)
		refresh(t, e.mirrored(a, b))
		a.wantAsked("2.root.json", "timestamp.json")
		b.wantAsked()
	}
	e.now = e.now.Add(3 * time.Minute)
	refresh(t, e.mirrored(a, b))
	a.wantAsked("2.root.json", "timestamp.json")
	b.wantAsked("2.root.json", "timestamp.json")
}

// A mirror that stands still looks as healthy as a repository in which nothing happens.
func TestMirrorThatStandsStill(t *testing.T) {
	b := newSim(t)
	e := b.endpoint()
	a := b.copied()
	c := e.mirrored(a, b)
	refresh(t, c)
	b.publish("root")
	b.rotate("timestamp", "timestamp-2")
	b.publish("root")
	b.release("targets")
	refresh(t, c)
	e.have(versions{"root": 1, "timestamp": 1})
	e.now = e.now.Add(time.Hour)
	refresh(t, c)
	e.have(versions{"root": 3, "timestamp": 2, "snapshot": 2, "targets": 2})
	a.asked()
	b.asked()
	refresh(t, c)
	b.wantAsked("4.root.json", "timestamp.json")
	a.wantAsked()
	refresh(t, e.mirrored(a, b)) // a new process asks a first, and knows better
	e.have(versions{"root": 3, "timestamp": 2})
}

func TestMirrorBehindAtTheFirstRefresh(t *testing.T) {
	b := newSim(t)
	e := b.endpoint()
	a := b.copied()
	b.publish("root")
	b.release("targets")
	refresh(t, e.mirrored(a, b))
	e.have(versions{"root": 2, "timestamp": 2, "snapshot": 2, "targets": 2})
}

// What one mirror serves cannot keep a client from what another one has.
func TestBadMirrorBlocksNothing(t *testing.T) {
	content := pattern(100 << 10)
	for name, spoil := range map[string]func(bad *sim){
		"false next root":    func(bad *sim) { bad.put(layout.Root(2), []byte(`{"signed":{},"signatures":[]}`)) },
		"endless next root":  func(bad *sim) { bad.put(layout.Root(2), pattern(1<<20)) },
		"false timestamp":    func(bad *sim) { bad.put(layout.Timestamp, []byte("null")) },
		"no timestamp":       func(bad *sim) { bad.drop(layout.Timestamp) },
		"false snapshot":     func(bad *sim) { bad.put(layout.Versioned("snapshot", 2), pattern(100)) },
		"no snapshot":        func(bad *sim) { bad.drop(layout.Versioned("snapshot", 2)) },
		"false targets":      func(bad *sim) { bad.put(layout.Versioned("targets", 2), pattern(100)) },
		"false target":       func(bad *sim) { bad.put(layout.Target("file", sum256(content)), pattern(100<<10-1)) },
		"no target":          func(bad *sim) { bad.drop(layout.Target("file", sum256(content))) },
		"long target":        func(bad *sim) { bad.put(layout.Target("file", sum256(content)), pattern(200<<10)) },
		"nothing":            func(bad *sim) { clear(bad.objects) },
		"trouble everywhere": func(bad *sim) { bad.open = func(string, Request) (*Response, error) { return nil, errors.New("down") } },
		"empty answers":      func(bad *sim) { bad.open = func(string, Request) (*Response, error) { return &Response{}, nil } },
		"bodies that break": func(bad *sim) {
			bad.open = func(name string, _ Request) (*Response, error) {
				return &Response{Body: io.NopCloser(io.MultiReader(brokenReader{})), Size: -1}, nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			good := newSim(t)
			good.add("targets", "file", content)
			good.release("targets")
			bad := good.copied()
			spoil(bad)
			e := good.endpoint()
			c := e.mirrored(bad, good)
			dest := filepath.Join(t.TempDir(), "file")
			target, err := c.Target(context.Background(), "file")
			if err == nil {
				err = c.Download(context.Background(), target, dest)
			}
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := os.ReadFile(dest); sum256(got) != sum256(content) {
				t.Error("another file")
			}
			if data, err := c.Bytes(context.Background(), target, 1<<20); err != nil || len(data) != len(content) {
				t.Error(err)
			}
			if order := c.mirrors().order(0); order[0].Source != Source(good) {
				t.Error("the bad mirror is still preferred")
			}
			if n := len(bad.asked()); n > 16 {
				t.Errorf("%d requests to the bad mirror", n)
			}
		})
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestMirrorsAllFail(t *testing.T) {
	down := func(s *sim) *sim {
		s.open = func(string, Request) (*Response, error) { return nil, errors.New("down") }
		return s
	}
	empty := func(s *sim) *sim { clear(s.objects); return s }
	lying := func(s *sim) *sim {
		for name := range s.objects {
			s.put(name, []byte("{}"))
		}
		return s
	}
	for name, c := range map[string]struct {
		a, b  func(*sim) *sim
		class string
	}{
		"down and down": {down, down, "network"}, "lying and down": {lying, down, "verification"},
		"down and lying": {down, lying, "verification"}, "empty and down": {empty, down, "network"}, "empty": {empty, empty, "network"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			client := s.endpoint().mirrored(c.a(s.copied()), c.b(s.copied()))
			if err := client.Refresh(context.Background()); Class(err) != c.class {
				t.Errorf("%s: %v", Class(err), err)
			}
		})
	}
	if _, err := New(newSim(t).objects[layout.Root(1)], "", NewMirrors(), &Options{Ephemeral: true}); err == nil {
		t.Error("a client of no mirror")
	}
}

// Both passes of one update judge by the time at which it began.
func TestMirrorsAreComparedAtOneInstant(t *testing.T) {
	b := newSim(t)
	e := b.endpoint()
	a := b.copied()
	refresh(t, e.mirrored(a, b))
	b.md["timestamp"]["expires"] = epoch.Add(time.Minute).Format(time.RFC3339)
	b.stamp()
	a.open = func(string, Request) (*Response, error) {
		e.now = epoch.Add(time.Hour)
		return nil, errors.New("down")
	}
	refresh(t, e.mirrored(a, b))
	e.have(versions{"timestamp": 2})
}

func TestMirrorsAsPlainSource(t *testing.T) {
	a, b := newSim(t), newSim(t)
	a.drop(layout.Timestamp)
	m := NewMirrors(a, b)
	resp, err := m.Open(context.Background(), layout.Timestamp, Request{})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if _, err := m.Open(context.Background(), "metadata/9.root.json", Request{}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	b.open = func(string, Request) (*Response, error) { return nil, errors.New("down") }
	if _, err := m.Open(context.Background(), layout.Timestamp, Request{}); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent, says one; the other is down: %v", err)
	}
}

// A timestamp that has expired at one mirror may be fresh at another one; a
// snapshot with the signed hash is the same everywhere.
func TestMirrorsAndExpiry(t *testing.T) {
	b := newSim(t)
	e := b.endpoint()
	a := b.copied()
	b.md["timestamp"]["expires"] = epoch.AddDate(0, 3, 0).Format(time.RFC3339)
	for _, role := range []string{"root", "snapshot", "targets"} {
		b.md[role]["expires"] = epoch.AddDate(0, 2, 0).Format(time.RFC3339)
	}
	b.publish("root")
	b.release("targets")
	e.now = epoch.AddDate(0, 1, 1)
	refresh(t, e.mirrored(a, b))
	e.now = epoch.AddDate(0, 2, 1)
	b.publish("root")
	b.md["root"]["expires"] = epoch.AddDate(0, 3, 0).Format(time.RFC3339)
	b.publish("root")
	a = b.copied()
	wantRule(t, e.mirrored(a, b).Refresh(context.Background()), ErrExpired)
	asked := append(a.asked(), b.asked()...)
	snapshots := 0
	for _, name := range asked {
		if name == "2.snapshot.json" {
			snapshots++
		}
	}
	if snapshots > 2 { // once in each of two passes
		t.Errorf("the same bytes were fetched %d times: %q", snapshots, asked)
	}
}

func TestInterruptedDownloadGoesOnAtAnotherMirror(t *testing.T) {
	content := pattern(1 << 20)
	b := newSim(t)
	b.add("targets", "file", content)
	b.release("targets")
	a := b.copied()
	object := layout.Target("file", sum256(content))
	a.open = func(name string, req Request) (*Response, error) {
		if name != object {
			return nil, nil
		}
		if req.Offset > 0 {
			return nil, errors.New("gone")
		}
		half := io.MultiReader(io.LimitReader(wholeBody(content), 1<<19), brokenReader{})
		return &Response{Body: io.NopCloser(half), Size: int64(len(content))}, nil
	}
	var offset int64
	b.open = func(name string, req Request) (*Response, error) {
		if name != object {
			return nil, nil
		}
		offset = req.Offset
		return &Response{Body: wholeBody(content[offset:]), Offset: offset, Size: int64(len(content))}, nil
	}
	e := b.endpoint()
	client := e.mirrored(a, b)
	target, err := client.Target(context.Background(), "file")
	if err == nil {
		err = client.Download(context.Background(), target, filepath.Join(e.dir, "out"))
	}
	if err != nil || offset != 1<<19 {
		t.Errorf("offset %d, %v", offset, err)
	}
}

// Edges of a CDN stand still at different states. Whatever they are, a client ends up with the newest
// of what they hold, and never goes back.
func TestStaleEdges(t *testing.T) {
	s := newSim(t)
	first := s.endpoint()
	history := []*sim{s.copied()}
	change := []func(){
		func() { s.stamp() },
		func() { s.release("targets") },
		func() { s.publish("root"); s.stamp() },
		func() { s.rotate("timestamp", fmt.Sprint("timestamp-", len(history))); s.publish("root"); s.stamp() },
		func() { s.rotate("snapshot", fmt.Sprint("snapshot-", len(history))); s.publish("root"); s.commit() },
		func() {
			s.rotate("root", fmt.Sprint("root-", len(history)))
			s.publish("root")
			s.keys["root"] = s.keys["root"][:1]
			s.stamp()
		},
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 24 {
		change[r.IntN(len(change))]()
		history = append(history, s.copied())
	}
	for trial := range 60 {
		e := s.endpoint()
		e.root = first.root
		reached := -1
		for range 4 {
			e.now = e.now.Add(time.Hour)
			newest := -1
			var edges []Source
			for range 3 {
				at := r.IntN(len(history))
				newest = max(newest, at)
				edges = append(edges, history[at])
			}
			err := e.mirrored(edges...).Refresh(context.Background())
			switch {
			case err == nil && newest >= reached:
				reached = newest
			case err == nil:
				t.Errorf("trial %d: went from state %d back to %d", trial, reached, newest)
			case newest >= reached || Class(err) != "verification":
				t.Errorf("trial %d: at state %d, %d offered: %v", trial, reached, newest, err)
			}
			for _, x := range edges {
				if n := len(x.(*sim).asked()); n > 60 {
					t.Errorf("%d requests to one edge", n)
				}
			}
			e.have(versions{"timestamp": timestampOf(t, history[reached])})
		}
	}
}

func timestampOf(t *testing.T, s *sim) int64 {
	t.Helper()
	ts, err := parseTimestamp(s.objects[layout.Timestamp])
	if err != nil {
		t.Fatal(err)
	}
	return ts.version
}
