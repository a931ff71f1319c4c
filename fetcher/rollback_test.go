// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/waybill-project/waybill/repo/layout"
)

func TestRollback(t *testing.T) {
	t.Run("new_timestamp_version_rollback", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		old := s.objects[layout.Timestamp]
		s.stamp()
		e.ok()
		s.put(layout.Timestamp, old)
		e.fails(ErrRollback)
		e.have(versions{"timestamp": 2})
	})
	for _, hashes := range []bool{false, true} {
		t.Run(fmt.Sprintf("snapshot_rollback[hashes=%v]", hashes), func(t *testing.T) {
			s := newSim(t)
			s.hashes = hashes
			e := s.endpoint()
			s.commit()
			e.ok()
			s.md["snapshot"]["version"] = int64(1)
			s.stamp()
			e.fails(ErrRollback)
			e.have(versions{"timestamp": 2, "snapshot": 2})
		})
		t.Run(fmt.Sprintf("targets_rollback[hashes=%v]", hashes), func(t *testing.T) {
			s := newSim(t)
			s.hashes = hashes
			e := s.endpoint()
			s.release("targets")
			e.ok()
			s.md["targets"]["version"] = int64(1)
			s.commit()
			e.fails(ErrRollback)
			e.have(versions{"timestamp": 3, "snapshot": 2, "targets": 2})
		})
	}
	t.Run("targets_role_removal", func(t *testing.T) {
		s := newSim(t)
		e := s.endpoint()
		s.delegate("targets", "A", nil)
		s.store("A")
		s.release("targets")
		e.ok()
		delete(s.md, "A")
		s.commit()
		e.fails(ErrRollback)
	})
	for _, c := range []struct {
		name    string
		rotated []string
		role    string
	}{
		{"targets_fast_forward_recovery", []string{"snapshot"}, "targets"},
		{"snapshot_key_alone", []string{"snapshot"}, "snapshot"},
		{"new_snapshot_fast_forward_recovery", []string{"snapshot", "timestamp"}, "snapshot"},
		{"new_timestamp_fast_forward_recovery", []string{"timestamp"}, "timestamp"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSim(t)
			e := s.endpoint()
			s.md[c.role]["version"] = int64(maxInt - 1)
			s.release("targets")
			if c.role == "timestamp" {
				s.store("timestamp")
			}
			e.ok()
			before := s.version("timestamp")
			for _, role := range c.rotated {
				s.rotate(role, role+"-new")
			}
			s.publish("root")
			s.md[c.role]["version"] = int64(1)
			s.store("targets")
			s.commit()
			if c.role != "timestamp" && s.version("timestamp") <= before {
				t.Fatal("test is wrong")
			}
			e.ok()
			e.ok()
		})
	}
}

// list makes these the keys of a role, and how many of them are needed.
func (s *sim) list(role string, threshold int, names ...string) {
	s.rotate(role, names...)
	s.threshold(role, threshold)
}

// What a client saw binds it under every new root that only lets signers in, and no longer
// once any root shut one out, however many roots it walks at once and whatever it had
// stored of them.
func TestFloorsUnderNewRoots(t *testing.T) {
	type change func(s *sim)
	list := func(role string, threshold int, names ...string) change {
		return func(s *sim) { s.list(role, threshold, names...) }
	}
	for name, c := range map[string]struct {
		before change // of root 1, whose timestamp and snapshot sign with all their keys
		roots  []change
		drops  bool
	}{
		"same keys":                       {nil, []change{func(*sim) {}}, false},
		"timestamp key added":             {nil, []change{list("timestamp", 1, "timestamp-1", "new")}, false},
		"snapshot key added":              {nil, []change{list("snapshot", 1, "snapshot-1", "new")}, false},
		"keys added one by one":           {nil, []change{list("timestamp", 1, "timestamp-1", "b"), list("timestamp", 1, "timestamp-1", "b", "c")}, false},
		"threshold lowered":               {list("timestamp", 2, "timestamp-1", "b"), []change{list("timestamp", 1, "timestamp-1", "b")}, false},
		"threshold raised":                {list("timestamp", 1, "timestamp-1", "b"), []change{list("timestamp", 2, "timestamp-1", "b")}, true},
		"targets key replaced":            {nil, []change{list("targets", 1, "targets-2")}, false},
		"timestamp key replaced":          {nil, []change{list("timestamp", 1, "new")}, true},
		"snapshot key replaced":           {nil, []change{list("snapshot", 1, "new")}, true},
		"one of two removed":              {list("timestamp", 1, "timestamp-1", "b"), []change{list("timestamp", 1, "b")}, true},
		"one of two replaced":             {list("snapshot", 1, "snapshot-1", "b"), []change{list("snapshot", 1, "b", "c")}, true},
		"added, then the old one removed": {nil, []change{list("timestamp", 1, "timestamp-1", "b"), list("timestamp", 1, "b")}, true},
		"removed and added again":         {nil, []change{list("timestamp", 1, "b"), list("timestamp", 1, "timestamp-1")}, true},
		"added and removed again":         {nil, []change{list("timestamp", 1, "timestamp-1", "b"), list("timestamp", 1, "timestamp-1")}, true},
		"raised and lowered again":        {list("snapshot", 1, "snapshot-1", "b"), []change{list("snapshot", 2, "snapshot-1", "b"), list("snapshot", 1, "snapshot-1", "b")}, true},
	} {
		for _, way := range []string{"at once", "one by one", "stored by a run that died", "program with the newest root", "state of an older version"} {
			t.Run(name+"/"+way, func(t *testing.T) {
				s := newSim(t)
				if c.before != nil {
					c.before(s)
					s.store("root")
				}
				e := s.endpoint()
				s.md["timestamp"]["version"], s.md["snapshot"]["version"] = int64(1000), int64(1000)
				s.release("targets")
				e.ok()
				if way == "state of an older version" {
					e.forgetUnder()
				}
				for _, change := range c.roots {
					change(s)
					s.publish("root")
					name := layout.Root(s.version("root"))
					if way == "stored by a run that died" {
						e.put("roots/"+filepath.Base(name), s.objects[name])
					}
					if way == "one by one" {
						s.drop(layout.Timestamp)
						_ = e.refresh()
					}
				}
				s.md["timestamp"]["version"], s.md["snapshot"]["version"] = int64(1), int64(1)
				s.release("targets")
				if way == "program with the newest root" {
					_ = e.refresh()
					e.root = s.objects[layout.Root(s.version("root"))]
				}
				err := e.refresh()
				if c.drops == (err != nil) || !c.drops && !errors.Is(err, ErrRollback) {
					t.Errorf("floors dropped: want %v, error %v", c.drops, err)
				}
				if c.drops {
					old := s.objects[layout.Timestamp]
					s.stamp()
					e.ok()
					s.put(layout.Timestamp, old)
					e.fails(ErrRollback)
				}
			})
		}
	}
}

// put writes a file of the state folder.
func (e *endpoint) put(name string, data []byte) {
	e.t.Helper()
	path := filepath.Join(e.dir, filepath.FromSlash(name))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// forgetUnder makes the floor one that does not say under which root it was held.
func (e *endpoint) forgetUnder() {
	e.t.Helper()
	store := e.client().store
	f := store.floor()
	f.Under = 0
	if err := store.setFloor(f); err != nil {
		e.t.Fatal(err)
	}
}

// A program that is shipped with a root newer than its state finds out from the stored ones
// whether a key was revoked meanwhile, and if those are lost, whether the keys are others.
func TestFloorsUnderShippedRoot(t *testing.T) {
	for name, c := range map[string]struct {
		keys  [][]string // of timestamp, in root 2 and 3
		lost  bool
		drops bool
	}{
		"added":                     {[][]string{{"timestamp-1", "b"}, {"timestamp-1", "b", "c"}}, false, false},
		"removed and added again":   {[][]string{{"b"}, {"timestamp-1"}}, false, true},
		"replaced":                  {[][]string{{"b"}, {"b"}}, false, true},
		"roots lost, same keys":     {[][]string{{"timestamp-1"}, {"timestamp-1"}}, true, false},
		"roots lost, key was added": {[][]string{{"timestamp-1", "b"}, {"timestamp-1", "b"}}, true, true},
		"roots lost, key replaced":  {[][]string{{"b"}, {"b"}}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			e := s.endpoint()
			s.md["timestamp"]["version"], s.md["snapshot"]["version"] = int64(1000), int64(1000)
			s.release("targets")
			e.ok()
			for _, keys := range c.keys {
				s.list("timestamp", 1, keys...)
				s.publish("root")
				if n := layout.Root(s.version("root")); !c.lost {
					e.put("roots/"+filepath.Base(n), s.objects[n])
				}
			}
			if c.lost {
				if err := os.Remove(filepath.Join(e.dir, "roots", "1.root.json")); err != nil {
					t.Fatal(err)
				}
			}
			e.root = s.objects[layout.Root(3)]
			s.md["timestamp"]["version"], s.md["snapshot"]["version"] = int64(1), int64(1)
			s.release("targets")
			if err := e.refresh(); c.drops == (err != nil) {
				t.Errorf("floors dropped: want %v, error %v", c.drops, err)
			}
		})
	}
}

// A thief of an old online key cannot use it to lower floors: roots that let another key
// in keep them, and once the key is out, nothing that it signed counts.
func TestThiefOfAnOldOnlineKey(t *testing.T) {
	s := newSim(t)
	e := s.endpoint()
	old := s.objects[layout.Timestamp]
	s.release("targets")
	s.release("targets")
	e.ok()
	for _, names := range [][]string{{"timestamp-1", "b"}, {"b"}, {"b", "c"}} {
		s.list("timestamp", 1, names...)
		s.publish("root")
		good := s.objects[layout.Timestamp]
		s.put(layout.Timestamp, old)
		if slices.Contains(names, "timestamp-1") {
			e.fails(ErrRollback)
		} else {
			e.fails(ErrSignature)
		}
		s.put(layout.Timestamp, good)
		s.stamp()
		e.ok()
	}
}
