// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

// What 5.5 asks of snapshot and 5.6 of targets is the same but for rollback.

func specDownload(t *testing.T, role string) {
	step(t, func(s *sim, e *endpoint) {
		e.ok()
		if asked := fmt.Sprint(s.asked()); !bytes.Contains([]byte(asked), []byte(" 1."+role+".json")) {
			t.Errorf("asked for %s", asked)
		}
	}, func(s *sim, e *endpoint) {
		object := layout.Versioned(role, 1)
		s.put(object, append(bytes.Clone(s.objects[object]), ' '))
		e.fails(ErrTooLarge)
	})
	step(t, func(s *sim, e *endpoint) { // without a signed length the limit of the client counts
		s.hashes = false
		s.release("targets")
		e.opts.Limits.Metadata = int64(max(len(s.objects[layout.Versioned("snapshot", 2)]), len(s.objects[layout.Versioned("targets", 2)])))
		e.ok()
	}, func(s *sim, e *endpoint) {
		s.hashes = false
		s.release("targets")
		e.opts.Limits.Metadata = int64(min(len(s.objects[layout.Versioned("snapshot", 2)]), len(s.objects[layout.Versioned("targets", 2)])) - 1)
		e.fails(ErrTooLarge)
	})
}

func specHash(t *testing.T, role string) {
	step(t, func(s *sim, e *endpoint) { // hashes are optional
		s.hashes = false
		s.release("targets")
		e.ok()
	}, func(s *sim, e *endpoint) {
		object := layout.Versioned(role, 1)
		s.put(object, bytes.Replace(s.objects[object], []byte(`"`), []byte(` `), 1))
		e.fails(ErrMismatch)
		e.have(versions{role: 0})
	})
}

func specSigned(t *testing.T, role string) {
	two := func(s *sim) {
		s.hashes = false
		s.addKey(role, edKey(role+"-2"))
		s.threshold(role, 2)
		s.publish("root")
		s.release("targets")
	}
	step(t, func(s *sim, e *endpoint) {
		two(s)
		e.ok()
	}, func(s *sim, e *endpoint) {
		two(s)
		key := s.keys[role][0]
		for _, keys := range [][]*simKey{{key}, {key, edKey("stranger")}, {edKey("stranger")}} {
			s.put(layout.Versioned(role, 2), s.as(role, 2, keys...))
			e.fails(ErrThreshold)
			e.have(versions{role: 0})
		}
	})
}

func specVersion(t *testing.T, role string) {
	step(t, func(s *sim, e *endpoint) {
		s.release("targets")
		e.ok()
		e.have(versions{role: 2})
	}, func(s *sim, e *endpoint) {
		s.hashes = false
		s.release("targets")
		for version, rule := range map[int64]error{1: ErrRollback, 3: ErrMismatch} {
			s.put(layout.Versioned(role, 2), s.as(role, version))
			e.fails(rule)
			e.have(versions{role: 0})
		}
	})
}

func specFreeze(t *testing.T, role string) {
	step(t, func(s *sim, e *endpoint) {
		s.expire(role, epoch.Add(time.Second))
		s.release("targets")
		e.ok()
	}, func(s *sim, e *endpoint) {
		e.ok()
		s.expire(role, epoch)
		s.release("targets")
		e.fails(ErrExpired)
		e.have(versions{role: 1})
	})
}

func specPersist(t *testing.T, role string) {
	step(t, func(s *sim, e *endpoint) {
		s.release("targets")
		e.ok()
		e.stored(role+".json", s.objects[layout.Versioned(role, 2)])
	}, func(s *sim, e *endpoint) {
		e.ok()
		first := s.objects[layout.Versioned(role, 1)]
		s.hashes = false
		s.release("targets")
		s.put(layout.Versioned(role, 2), s.as(role, 2, edKey("stranger")))
		e.fails(ErrThreshold)
		e.stored(role+".json", first)
	})
}

func TestSpec_5_5_1_DownloadSnapshot(t *testing.T)  { specDownload(t, "snapshot") }
func TestSpec_5_5_2_SnapshotHash(t *testing.T)      { specHash(t, "snapshot") }
func TestSpec_5_5_3_ArbitrarySoftware(t *testing.T) { specSigned(t, "snapshot") }
func TestSpec_5_5_4_SnapshotVersion(t *testing.T)   { specVersion(t, "snapshot") }
func TestSpec_5_5_6_SnapshotFreeze(t *testing.T)    { specFreeze(t, "snapshot") }
func TestSpec_5_5_7_PersistSnapshot(t *testing.T)   { specPersist(t, "snapshot") }
func TestSpec_5_6_1_DownloadTargets(t *testing.T)   { specDownload(t, "targets") }
func TestSpec_5_6_2_TargetsHash(t *testing.T)       { specHash(t, "targets") }
func TestSpec_5_6_3_ArbitrarySoftware(t *testing.T) { specSigned(t, "targets") }
func TestSpec_5_6_4_TargetsVersion(t *testing.T)    { specVersion(t, "targets") }
func TestSpec_5_6_5_TargetsFreeze(t *testing.T)     { specFreeze(t, "targets") }
func TestSpec_5_6_6_PersistTargets(t *testing.T)    { specPersist(t, "targets") }

// delegated publishes roles and what lists them.
func (s *sim) delegated(roles ...string) {
	s.store(roles...)
	s.release("targets")
}

func terminating(paths ...any) map[string]any {
	return map[string]any{"terminating": true, "paths": paths}
}

func (e *endpoint) finds(name, role string)        { e.t.Helper(); e.found(name, role, nil) }
func (e *endpoint) misses(name string, rule error) { e.t.Helper(); e.found(name, "", rule) }

// found looks a target up: in a role, or with an error.
func (e *endpoint) found(name, role string, rule error) {
	e.t.Helper()
	target, err := e.client().Target(context.Background(), name)
	switch {
	case rule != nil:
		wantRule(e.t, err, rule)
	case err != nil:
		e.t.Error(err)
	case target.Role != role:
		e.t.Errorf("%s found in %s, not %s", name, target.Role, role)
	}
}

func TestSpec_5_5_5_SnapshotRollback(t *testing.T) {
	step(t, func(s *sim, e *endpoint) { // a role more, a version higher, a version the same
		e.ok()
		s.delegate("targets", "A", nil)
		s.delegated("A")
		e.ok()
		s.commit()
		e.ok()
		e.have(versions{"snapshot": 3, "targets": 2})
	}, func(s *sim, e *endpoint) {
		s.delegate("targets", "A", nil)
		s.publish("A")
		s.delegated()
		e.ok()
		for _, change := range []func(){
			func() { s.md["targets"]["version"] = int64(1) },
			func() { s.md["targets"]["version"] = int64(2); s.md["A"]["version"] = int64(1); s.store("A") },
			func() { delete(s.md, "A") },
		} {
			change()
			s.commit()
			e.fails(ErrRollback)
			e.have(versions{"snapshot": 2})
		}
	})
}

func TestSpec_5_6_7_Search(t *testing.T) {
	step(t, func(s *sim, e *endpoint) { // depth first, in order of appearance
		s.delegate("targets", "A", nil)
		s.delegate("A", "B", nil)
		s.delegate("targets", "C", nil)
		s.add("B", "x", []byte("b"))
		s.add("C", "x", []byte("c"))
		s.delegated("A", "B", "C")
		e.finds("x", "B")
	}, func(s *sim, e *endpoint) { // a role that cannot be verified ends the search
		s.delegate("targets", "A", nil)
		s.delegate("targets", "C", nil)
		s.add("C", "x", []byte("c"))
		s.hashes = false
		s.delegated("A", "C")
		s.put(layout.Versioned("A", 1), s.as("A", 1, edKey("stranger")))
		e.misses("x", ErrThreshold)
	})
}

func TestSpec_5_6_7_1_VisitedRoles(t *testing.T) {
	cycle := func(s *sim) {
		s.delegate("targets", "A", nil)
		s.delegate("A", "B", nil)
		s.delegate("B", "A", nil)
		s.delegate("targets", "C", nil)
		s.add("C", "x", []byte("c"))
		s.delegated("A", "B", "C")
	}
	step(t, func(s *sim, e *endpoint) {
		cycle(s)
		e.finds("x", "C")
	}, func(s *sim, e *endpoint) {
		cycle(s)
		e.misses("absent", fs.ErrNotExist)
		e.opts.Limits.Delegations = 2
		e.misses("x", ErrTooLarge)
	})
}

func TestSpec_5_6_7_2_1_Terminating(t *testing.T) {
	step(t, func(s *sim, e *endpoint) { // what does not match its paths passes by
		s.delegate("targets", "A", terminating("a/*"))
		s.delegate("targets", "B", nil)
		s.add("A", "a/x", []byte("a"))
		s.add("B", "x", []byte("b"))
		s.delegated("A", "B")
		e.finds("a/x", "A")
		e.finds("x", "B")
	}, func(s *sim, e *endpoint) {
		s.delegate("targets", "A", terminating("*"))
		s.delegate("targets", "B", nil)
		s.add("B", "x", []byte("b"))
		s.delegated("A", "B")
		e.misses("x", fs.ErrNotExist)
	})
}

func TestSpec_5_6_7_2_2_NonTerminating(t *testing.T) {
	step(t, func(s *sim, e *endpoint) {
		s.delegate("targets", "A", nil)
		s.delegate("targets", "B", nil)
		s.add("B", "x", []byte("b"))
		s.delegated("A", "B")
		e.finds("x", "B")
	}, func(s *sim, e *endpoint) { // a role has no say beyond the paths that it was given
		s.delegate("targets", "A", map[string]any{"paths": []any{"a/*"}})
		s.delegate("A", "B", nil)
		s.add("A", "x", []byte("a"))
		s.add("B", "x", []byte("b"))
		s.delegated("A", "B")
		e.misses("x", fs.ErrNotExist)
	})
}

func TestSpec_5_7_1_VerifyAgainstMetadata(t *testing.T) {
	fetch := func(s *sim, e *endpoint, served []byte) error {
		content := []byte("content")
		s.add("targets", "x", content)
		s.release("targets")
		s.put(layout.Target("x", sum256(content)), served)
		dest := filepath.Join(e.dir, "x")
		c := e.client()
		target, err := c.Target(context.Background(), "x")
		if err == nil {
			err = c.Download(context.Background(), target, dest)
		}
		if _, there := os.Stat(dest); (there == nil) != (err == nil) {
			s.t.Errorf("file and error: %v, %v", there, err)
		}
		return err
	}
	step(t, func(s *sim, e *endpoint) {
		if err := fetch(s, e, []byte("content")); err != nil {
			s.t.Error(err)
		}
	}, func(s *sim, e *endpoint) {
		wantRule(s.t, fetch(s, e, []byte("CONTENT")), ErrMismatch)
	})
}

func TestSpec_5_7_2_NoSuchTarget(t *testing.T) {
	step(t, func(s *sim, e *endpoint) {
		s.add("targets", "x", []byte("x"))
		s.release("targets")
		e.finds("x", "targets")
	}, func(s *sim, e *endpoint) { // an object that nobody vouches for
		s.put(layout.Target("x", ""), []byte("x"))
		e.misses("x", fs.ErrNotExist)
		if _, err := e.client().Target(context.Background(), "x"); Class(err) != "absent" {
			t.Error(err)
		}
	})
}

func TestSpec_5_7_3_DownloadTarget(t *testing.T) {
	fetch := func(s *sim, e *endpoint, served []byte, algorithms ...string) ([]byte, error) {
		s.add("targets", "dir/x", []byte("content"), algorithms...)
		s.release("targets")
		if served != nil {
			for name := range s.objects {
				if filepath.Dir(name) == "targets/dir" {
					s.put(name, served)
				}
			}
		}
		c := e.client()
		target, err := c.Target(context.Background(), "dir/x")
		if err != nil {
			return nil, err
		}
		dest := filepath.Join(e.dir, "out") // under the name asked for, without the hash
		if err := c.Download(context.Background(), target, dest); err != nil {
			return nil, err
		}
		return os.ReadFile(dest)
	}
	for _, algorithms := range [][]string{{"sha256"}, {"sha512"}, {"sha256", "sha512"}} {
		step(t, func(s *sim, e *endpoint) {
			if got, err := fetch(s, e, nil, algorithms...); err != nil || string(got) != "content" {
				s.t.Errorf("%q, %v", got, err)
			}
		}, func(s *sim, e *endpoint) {
			_, err := fetch(s, e, []byte("content and more"), algorithms...)
			wantRule(s.t, err, ErrTooLarge)
		})
	}
}
