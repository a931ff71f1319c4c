// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

// The tests of this file are for faults that were found in other clients.

func TestNullsAreRefusedBeforeAnySignature(t *testing.T) {
	for name, c := range map[string]struct{ role, old, new string }{
		"target entry":       {"targets", `"targets":{}`, `"targets":{"a":null}`},
		"targets":            {"targets", `"targets":{}`, `"targets":null`},
		"delegations":        {"targets", `"targets":{}`, `"targets":{},"delegations":null`},
		"hashes":             {"targets", `"targets":{}`, `"targets":{"a":{"length":1,"hashes":null}}`},
		"a hash":             {"targets", `"targets":{}`, `"targets":{"a":{"length":1,"hashes":{"sha256":null}}}`},
		"custom":             {"targets", `"targets":{}`, `"targets":{"a":{"length":1,"hashes":{"sha256":"00"},"custom":null}}`},
		"delegated role":     {"targets", `"targets":{}`, `"targets":{},"delegations":{"keys":{},"roles":[null]}`},
		"snapshot entry":     {"timestamp", `"snapshot.json":{`, `"snapshot.json":null,"x":{`},
		"no snapshot entry":  {"timestamp", `"snapshot.json"`, `"snapshot.jsom"`},
		"targets entry":      {"snapshot", `"targets.json":{`, `"targets.json":null,"x.json":{`},
		"no targets entry":   {"snapshot", `"targets.json"`, `"target.json"`},
		"signatures":         {"timestamp", `"signatures":[`, `"signatures":null,"x":[`},
		"a signature":        {"timestamp", `"signatures":[`, `"signatures":[null,`},
		"a keyid":            {"timestamp", `"keyid":"timestamp-1"`, `"keyid":null`},
		"signed":             {"timestamp", `"signed":{`, `"signed":null,"x":{`},
		"expires":            {"timestamp", `"expires":"`, `"expires":null,"x":"`},
		"version":            {"timestamp", `,"version":1}}`, `,"version":null}}`},
		"float version":      {"timestamp", `"version":1}`, `"version":1.0}`},
		"exponent version":   {"timestamp", `"version":1}`, `"version":1e0}`},
		"zero version":       {"timestamp", `"version":1}`, `"version":0}`},
		"negative version":   {"timestamp", `"version":1}`, `"version":-1}`},
		"version over 2^53":  {"timestamp", `"version":1}`, `"version":9007199254740992}`},
		"spec_version 2":     {"timestamp", `"spec_version":"1.0.34"`, `"spec_version":"2.0.0"`},
		"spec_version bogus": {"timestamp", `"spec_version":"1.0.34"`, `"spec_version":"bogus"`},
		"doubled name":       {"timestamp", `"version":1}`, `"version":1,"version":1}`},
		"trailing data":      {"timestamp", `"signed":`, `"signed":{}}{"signed":`},
		"meta with more":     {"timestamp", `"snapshot.json":{`, `"targets.json":{"version":1},"snapshot.json":{`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			s.hashes = false
			s.md["snapshot"]["version"] = int64(0)
			s.md["timestamp"]["version"] = int64(0)
			s.commit()
			object := s.object(c.role, 1)
			bad := bytes.Replace(s.objects[object], []byte(c.old), []byte(c.new), 1)
			if bytes.Equal(bad, s.objects[object]) {
				t.Fatalf("nothing replaced in %s", bad)
			}
			s.put(object, bad)
			s.endpoint().fails(ErrMalformed)
		})
	}
}

func TestRootShape(t *testing.T) {
	for name, change := range map[string]func(s *sim){
		"role missing":        func(s *sim) { delete(s.rootRoles(), "snapshot") },
		"role null":           func(s *sim) { s.rootRoles()["snapshot"] = nil },
		"threshold zero":      func(s *sim) { s.threshold("snapshot", 0) },
		"threshold negative":  func(s *sim) { s.threshold("root", -1) },
		"key null":            func(s *sim) { s.md["root"]["keys"].(map[string]any)["root-1"] = nil },
		"keyval null":         func(s *sim) { s.md["root"]["keys"].(map[string]any)["root-1"].(map[string]any)["keyval"] = nil },
		"keys missing":        func(s *sim) { delete(s.md["root"], "keys") },
		"consistent a string": func(s *sim) { s.md["root"]["consistent_snapshot"] = "true" },
		"too many key ids": func(s *sim) {
			entry, _ := s.entry("timestamp")
			for i := range 40 {
				entry["keyids"] = append(entry["keyids"].([]any), fmt.Sprint(i))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			e := s.endpoint()
			change(s)
			s.publish("root")
			e.fails(ErrMalformed)
			e.have(versions{"root": 1})
		})
	}
}

func TestUnusableKeysSpoilNothing(t *testing.T) {
	short := edKey("short")
	short.record["keyval"] = map[string]any{"public": "abcd"}
	alien := edKey("alien")
	alien.record = map[string]any{"keytype": "ml-dsa", "scheme": "ml-dsa-65", "keyval": map[string]any{"identity": "x"}}
	for name, k := range map[string]*simKey{"wrong length": short, "unknown type": alien} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			e := s.endpoint()
			for _, role := range []string{"root", "timestamp", "targets"} {
				s.addKey(role, k)
			}
			entry, _ := s.entry("snapshot")
			entry["keyids"] = append(entry["keyids"].([]any), "nowhere")
			s.publish("root")
			s.release("targets")
			e.ok()
			s.threshold("timestamp", 2)
			s.publish("root")
			s.stamp()
			e.fails(ErrThreshold)
		})
	}
}

func TestDelegationShape(t *testing.T) {
	key := edKey("d")
	role := func(name string, more map[string]any) map[string]any {
		r := map[string]any{"name": name, "keyids": []any{"d"}, "threshold": 1, "terminating": false, "paths": []any{"*"}}
		for k, v := range more {
			if v == "gone" {
				delete(r, k)
				continue
			}
			r[k] = v
		}
		return r
	}
	bins := map[string]any{"keyids": []any{"d"}, "threshold": 1, "bit_length": 33, "name_prefix": "b"}
	for name, d := range map[string]map[string]any{
		"role named root":         {"roles": []any{role("root", nil)}},
		"role named timestamp":    {"roles": []any{role("timestamp", nil)}},
		"role named targets":      {"roles": []any{role("targets", nil)}},
		"empty name":              {"roles": []any{role("", nil)}},
		"one name twice":          {"roles": []any{role("a", nil), role("a", nil)}},
		"paths and prefixes":      {"roles": []any{role("a", map[string]any{"path_hash_prefixes": []any{"00"}})}},
		"no paths":                {"roles": []any{role("a", map[string]any{"paths": "gone"})}},
		"null path":               {"roles": []any{role("a", map[string]any{"paths": []any{nil}})}},
		"threshold zero":          {"roles": []any{role("a", map[string]any{"threshold": 0})}},
		"terminating is a number": {"roles": []any{role("a", map[string]any{"terminating": 1})}},
		"roles and bins":          {"roles": []any{}, "succinct_roles": bins},
		"neither":                 {},
		"33 bits":                 {"succinct_roles": bins},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			d["keys"] = map[string]any{"d": key.record}
			s.md["targets"]["delegations"] = d
			s.release("targets")
			s.endpoint().fails(ErrMalformed)
		})
	}
}

// Power loss can leave any of these in place of a file that was not synced.
func TestDamagedStoreHealsInOneRun(t *testing.T) {
	deep := strings.Repeat("[", 5000)
	damage := map[string][]byte{
		"empty": {}, "zeros": make([]byte, 300), "null": []byte("null"), "object": []byte("{}"), "deep": []byte(deep),
		"binary": {0xff, 0xfe, 0}, "truncated": nil, "huge": bytes.Repeat([]byte(" "), 70<<10),
	}
	for _, name := range []string{"root.json", "timestamp.json", "snapshot.json", "targets.json", "A.json", "roots/1.root.json", "roots/2.root.json", "floor"} {
		t.Run(name, func(t *testing.T) {
			s := graphSim(t, []arc{{"targets", "A", false, nil}})
			s.add("A", "file", []byte("content"))
			s.release("A")
			e := s.endpoint()
			s.publish("root")
			path := filepath.Join(e.dir, filepath.FromSlash(name))
			for kind, data := range damage {
				if _, err := e.client().Target(context.Background(), "file"); err != nil {
					t.Fatal(err)
				}
				good, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if data == nil {
					data = good[:len(good)/2]
				}
				if err := os.WriteFile(path, data, 0o600); err != nil {
					t.Fatal(err)
				}
				if _, err := e.client().Target(context.Background(), "file"); err != nil {
					t.Errorf("%s: %v", kind, err)
				}
				healed, _ := os.ReadFile(path)
				if name != "floor" && !bytes.Equal(healed, good) {
					t.Errorf("%s: not healed", kind)
				}
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				e.ok()
			}
		})
	}
}

// A root that was seen stays, however old the embedded one and whatever is served.
func TestRootWithheldAcrossRestart(t *testing.T) {
	s := newSim(t)
	e := s.endpoint()
	e.ok()
	oldStamp := s.objects[layout.Timestamp]
	s.rotate("timestamp", "timestamp-new")
	s.publish("root")
	s.stamp()
	e.ok()
	s.drop(layout.Root(2))
	s.put(layout.Timestamp, oldStamp)
	e.fails(ErrSignature)
	e.have(versions{"root": 2})
	t.Run("stored root lost", func(t *testing.T) {
		if err := os.Remove(filepath.Join(e.dir, "roots", "2.root.json")); err != nil {
			t.Fatal(err)
		}
		e.fails(ErrRollback)
		e.have(versions{"root": 2})
	})
}

func TestFalseStoredRootIsIgnored(t *testing.T) {
	s := newSim(t)
	e := s.endpoint()
	e.ok()
	stranger := newSim(t)
	stranger.rotate("root", "evil")
	stranger.keys["root"] = stranger.keys["root"][:1]
	stranger.publish("root")
	path := filepath.Join(e.dir, "roots", "2.root.json")
	if err := os.WriteFile(path, stranger.objects[layout.Root(2)], 0o600); err != nil {
		t.Fatal(err)
	}
	e.ok()
	if n := len(e.client().Roots()); n != 1 {
		t.Errorf("%d roots", n)
	}
}

func TestManyRootsOverSeveralRuns(t *testing.T) {
	s := newSim(t)
	e := s.endpoint()
	e.opts.Limits.Roots = 3
	for range 7 {
		s.publish("root")
	}
	for _, want := range []int64{4, 7, 8} {
		e.ok()
		e.have(versions{"root": want})
	}
}

func TestGoodRootsBeforeABadOneAreKept(t *testing.T) {
	s := newSim(t)
	e := s.endpoint()
	s.publish("root")
	s.put(layout.Root(3), []byte("{}"))
	e.fails(ErrMalformed)
	e.have(versions{"root": 2})
}

func TestLimits(t *testing.T) {
	pad := func(data []byte, n int) []byte { return append(bytes.Repeat([]byte(" "), n), data...) }
	t.Run("root", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		s.publish("root")
		s.put(layout.Root(2), pad(s.objects[layout.Root(2)], 64<<10))
		e.fails(ErrTooLarge)
		e.opts.Limits.Root = 128 << 10
		e.ok()
	})
	t.Run("timestamp", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		s.put(layout.Timestamp, pad(s.objects[layout.Timestamp], 4<<10))
		e.fails(ErrTooLarge)
		e.opts.Limits.Timestamp = 16 << 10
		e.ok()
	})
	t.Run("snapshot", func(t *testing.T) {
		s := newSim(t)
		s.put("metadata/1.snapshot.json", pad(s.objects["metadata/1.snapshot.json"], 1))
		s.endpoint().fails(ErrTooLarge)
	})
	t.Run("signatures", func(t *testing.T) {
		s := newSim(t)
		raw, _ := json.Marshal(s.md["targets"])
		var sigs []any
		for i := range 1_000 {
			sigs = append(sigs, map[string]any{"keyid": fmt.Sprint(i), "sig": strings.Repeat("00", 64)})
		}
		s.hashes = false
		s.commit()
		s.put("metadata/1.targets.json", envelope(t, raw, sigs))
		s.endpoint().fails(ErrMalformed)
	})
	t.Run("values", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		s.put(layout.Root(2), []byte(`{"a":[`+strings.Repeat("0,", 30_000)+`0]}`))
		e.fails(ErrMalformed)
	})
}

func TestMixAndMatch(t *testing.T) {
	s := newSim(t)
	s.hashes = false
	var snapshots [][]byte
	for range 3 {
		s.release("targets")
		snapshots = append(snapshots, s.objects[s.object("snapshot", s.version("snapshot"))])
	}
	now := s.object("snapshot", s.version("snapshot"))
	for i, data := range snapshots {
		s.put(now, data)
		err := s.endpoint().refresh()
		if i == len(snapshots)-1 && err != nil || i < len(snapshots)-1 && err == nil {
			t.Errorf("snapshot %d: %v", i, err)
		}
	}
}

func TestClock(t *testing.T) {
	s := newSim(t)
	e := s.endpoint()
	s.md["timestamp"]["expires"] = epoch.Add(48 * time.Hour).Format(time.RFC3339)
	s.stamp()
	e.now = epoch.Add(24 * time.Hour)
	e.ok()
	e.now = epoch.AddDate(-10, 0, 0)
	e.ok() // judged by the last verified time
	e.now = epoch.Add(72 * time.Hour)
	err := e.refresh()
	wantRule(t, err, ErrExpired)
	s.md["timestamp"]["expires"] = epoch.Add(96 * time.Hour).Format(time.RFC3339)
	s.stamp()
	e.ok()
	s.md["timestamp"]["expires"] = epoch.Add(60 * time.Hour).Format(time.RFC3339)
	s.stamp()
	e.now = epoch
	err = e.refresh()
	wantRule(t, err, ErrExpired)
	wantRule(t, err, ErrClock)
	fresh := s.endpoint()
	fresh.now = epoch.AddDate(-10, 0, 0)
	fresh.opts.NotBefore = epoch.AddDate(1, 0, 0)
	wantRule(t, fresh.refresh(), ErrClock)
}

func TestClockIsReported(t *testing.T) {
	s := newSim(t)
	e := s.endpoint()
	c := e.client()
	if at, behind := c.Clock(); !at.IsZero() || behind {
		t.Error(at, behind)
	}
	refresh(t, c)
	if at, behind := c.Clock(); !at.Equal(epoch) || behind {
		t.Error(at, behind)
	}
	e.now = time.Unix(0, 0)
	refresh(t, c)
	if at, behind := c.Clock(); !at.Equal(epoch) || !behind {
		t.Error(at, behind)
	}
}

func TestPanicBecomesTypedError(t *testing.T) {
	s := newSim(t)
	s.open = func(string, Request) (*Response, error) { panic("driver bug") }
	var verify *VerifyError
	if err := s.endpoint().refresh(); !errors.As(err, &verify) || !errors.Is(err, ErrMalformed) {
		t.Errorf("error %v", err)
	}
}

func TestSourceMisbehaves(t *testing.T) {
	for name, open := range map[string]func(string, Request) (*Response, error){
		"no body":        func(string, Request) (*Response, error) { return &Response{}, nil },
		"not modified":   func(string, Request) (*Response, error) { return &Response{NotModified: true}, nil },
		"wrong offset":   func(string, Request) (*Response, error) { return &Response{Body: wholeBody(nil), Offset: 5}, nil },
		"short":          func(string, Request) (*Response, error) { return &Response{Body: wholeBody(nil), Size: 5}, nil },
		"size too large": func(string, Request) (*Response, error) { return &Response{Body: wholeBody(nil), Size: 1 << 40}, nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			s.open = open
			err := s.endpoint().refresh()
			if class := Class(err); class != "network" && class != "verification" {
				t.Errorf("class %s: %v", class, err)
			}
		})
	}
}
