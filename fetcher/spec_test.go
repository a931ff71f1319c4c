// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

// The tests TestSpec_N follow section N of the TUF specification 1.0.34, "Detailed
// client workflow": for every numbered step what it must accept, and what it must
// refuse. TestSpecIsComplete checks that none is missing.
var specSteps = strings.Fields(`5_1 5_2
	5_3_1 5_3_2 5_3_3 5_3_4 5_3_5 5_3_6 5_3_7 5_3_8 5_3_9 5_3_10 5_3_11 5_3_12
	5_4_1 5_4_2 5_4_3_1 5_4_3_2 5_4_4 5_4_5
	5_5_1 5_5_2 5_5_3 5_5_4 5_5_5 5_5_6 5_5_7
	5_6_1 5_6_2 5_6_3 5_6_4 5_6_5 5_6_6 5_6_7 5_6_7_1 5_6_7_2_1 5_6_7_2_2
	5_7_1 5_7_2 5_7_3`)

func TestSpecIsComplete(t *testing.T) {
	var source strings.Builder
	files, err := filepath.Glob("spec*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(data)
	}
	for _, step := range specSteps {
		if n := strings.Count(source.String(), "func TestSpec_"+step+"_"); n == 0 {
			t.Errorf("no test for step %s", step)
		}
	}
}

// scene plays on a fresh repository and a fresh endpoint.
type scene func(s *sim, e *endpoint)

// step runs what a step must accept and what it must refuse.
func step(t *testing.T, accepts, refuses scene) {
	t.Helper()
	for name, play := range map[string]scene{"accepts": accepts, "refuses": refuses} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			play(s, s.endpoint())
		})
	}
}

func (s *sim) expire(role string, at time.Time) { s.md[role]["expires"] = at.Format(time.RFC3339) }

// as returns a role's file with another version, signed as it should be or by the keys given.
func (s *sim) as(role string, version int64, keys ...*simKey) []byte {
	signed := maps.Clone(s.md[role])
	signed["version"] = version
	if keys == nil {
		keys = s.keys[role]
	}
	return signAs(s.t, signed, keys...)
}

func (e *endpoint) stored(file string, want []byte) {
	e.t.Helper()
	got, err := os.ReadFile(filepath.Join(e.dir, filepath.FromSlash(file)))
	if err != nil || string(got) != string(want) {
		e.t.Errorf("%s is not what was accepted (%v)", file, err)
	}
}

func TestSpec_5_1_FixedUpdateStartTime(t *testing.T) {
	drift := func(s *sim, e *endpoint, start, later time.Time) error {
		s.expire("targets", epoch)
		s.release("targets")
		e.now = start
		s.open = func(string, Request) (*Response, error) { e.now = later; return nil, nil }
		return e.refresh()
	}
	step(t, func(s *sim, e *endpoint) {
		if err := drift(s, e, epoch.Add(-time.Second), epoch.Add(time.Hour)); err != nil {
			s.t.Error(err)
		}
	}, func(s *sim, e *endpoint) {
		wantRule(s.t, drift(s, e, epoch, epoch.Add(-time.Hour)), ErrExpired)
	})
}

func TestSpec_5_2_LoadTrustedRoot(t *testing.T) {
	step(t, func(s *sim, e *endpoint) { // its expiry does not matter
		s.expire("root", epoch.Add(-time.Hour))
		s.store("root")
		e.root = s.objects[layout.Root(1)]
		s.expire("root", epoch.Add(time.Hour))
		s.publish("root")
		e.ok()
	}, func(s *sim, e *endpoint) {
		_, err := New(s.as("root", 1, edKey("stranger")), e.dir, s, nil)
		wantRule(s.t, err, ErrThreshold)
	})
}

func TestSpec_5_3_1_LineOfContinuity(t *testing.T) {
	rotated := func(s *sim) {
		for _, key := range []string{"root-2", "root-3"} {
			s.rotate("root", key)
			s.publish("root")
		}
	}
	step(t, func(s *sim, e *endpoint) {
		rotated(s)
		e.ok()
		e.have(versions{"root": 3})
	}, func(s *sim, e *endpoint) { // a root that does not hang on the chain
		rotated(s)
		s.drop(layout.Root(2))
		e.ok()
		e.have(versions{"root": 1})
	})
}

func TestSpec_5_3_2_VersionOfTheTrustedRoot(t *testing.T) {
	step(t, func(s *sim, e *endpoint) {
		s.publish("root", "root")
		e.ok()
		s.asked()
		e.ok()
		s.wantAsked("4.root.json", "timestamp.json")
	}, func(s *sim, e *endpoint) { // a stored file that claims to be the trusted root
		e.ok()
		s.asked()
		if err := os.WriteFile(filepath.Join(e.dir, "roots", "2.root.json"), s.as("root", 2, edKey("stranger")), 0o600); err != nil {
			s.t.Fatal(err)
		}
		e.ok()
		s.wantAsked("2.root.json", "timestamp.json")
	})
}

func TestSpec_5_3_3_DownloadNextRoot(t *testing.T) {
	step(t, func(s *sim, e *endpoint) {
		s.publish("root")
		e.opts.Limits.Root = int64(len(s.objects[layout.Root(2)]))
		e.ok()
		s.publish("root", "root", "root")
		e.opts.Limits = Limits{Roots: 2}
		e.ok() // no more than Y files in one update
		e.have(versions{"root": 4})
	}, func(s *sim, e *endpoint) {
		s.publish("root")
		e.opts.Limits.Root = int64(len(s.objects[layout.Root(2)]) - 1)
		e.fails(ErrTooLarge)
	})
}

func TestSpec_5_3_4_ArbitrarySoftware(t *testing.T) {
	change := func(s *sim) (old, fresh []*simKey) { // from 2 of a, b to 2 of c, d
		s.rotate("root", "a", "b")
		s.threshold("root", 2)
		s.publish("root")
		s.keys["root"] = s.keys["root"][:2]
		s.rotate("root", "c", "d")
		s.publish("root")
		all := s.keys["root"]
		return all[2:4], all[:2]
	}
	step(t, func(s *sim, e *endpoint) {
		change(s)
		e.ok()
		e.have(versions{"root": 3})
	}, func(s *sim, e *endpoint) {
		old, fresh := change(s)
		for _, keys := range [][]*simKey{old, fresh, {old[0], fresh[0], fresh[1]}, {old[0], old[1], fresh[1]}, {}} {
			s.put(layout.Root(3), s.as("root", 3, append([]*simKey{}, keys...)...))
			e.fails(ErrThreshold)
			e.have(versions{"root": 2})
		}
	})
}

func TestSpec_5_3_5_RootRollback(t *testing.T) {
	step(t, func(s *sim, e *endpoint) {
		s.publish("root")
		e.ok()
	}, func(s *sim, e *endpoint) {
		s.publish("root")
		e.ok()
		for version, rule := range map[int64]error{1: ErrRollback, 2: ErrRollback, 4: ErrMismatch} {
			s.put(layout.Root(3), s.as("root", version))
			e.fails(rule)
			e.have(versions{"root": 2})
		}
	})
}

func TestSpec_5_3_6_IntermediateExpiry(t *testing.T) {
	step(t, func(s *sim, e *endpoint) {
		s.expire("root", epoch.Add(-time.Hour))
		s.publish("root")
		s.expire("root", epoch.Add(time.Hour))
		s.publish("root")
		e.ok()
	}, func(s *sim, e *endpoint) {
		s.publish("root")
		s.expire("root", epoch.Add(-time.Hour))
		s.publish("root")
		e.fails(ErrExpired)
	})
}

func TestSpec_5_3_7_SetTrustedRoot(t *testing.T) {
	step(t, func(s *sim, e *endpoint) {
		s.rotate("timestamp", "timestamp-2")
		s.publish("root")
		s.stamp()
		e.ok()
	}, func(s *sim, e *endpoint) { // what only the root before would accept
		old := s.keys["timestamp"][0]
		s.rotate("timestamp", "timestamp-2")
		s.publish("root")
		s.put(layout.Timestamp, s.as("timestamp", 2, old))
		e.fails(ErrThreshold)
	})
}

func TestSpec_5_3_8_PersistRoot(t *testing.T) {
	step(t, func(s *sim, e *endpoint) {
		s.publish("root")
		e.ok()
		e.stored("root.json", s.objects[layout.Root(2)])
	}, func(s *sim, e *endpoint) {
		e.ok()
		s.put(layout.Root(2), s.as("root", 2, edKey("stranger")))
		e.fails(ErrThreshold)
		e.stored("root.json", s.objects[layout.Root(1)])
	})
}

func TestSpec_5_3_9_Repeat(t *testing.T) {
	step(t, func(s *sim, e *endpoint) {
		s.publish("root", "root", "root", "root")
		e.ok()
		e.have(versions{"root": 5})
	}, func(s *sim, e *endpoint) { // what was good before the bad one stays
		s.publish("root", "root")
		s.put(layout.Root(4), []byte("{}"))
		e.fails(ErrMalformed)
		e.have(versions{"root": 3})
	})
}

func TestSpec_5_3_10_RootFreeze(t *testing.T) {
	step(t, func(s *sim, e *endpoint) {
		s.expire("root", epoch.Add(time.Second))
		s.publish("root")
		e.ok()
	}, func(s *sim, e *endpoint) {
		s.expire("root", epoch)
		s.publish("root")
		e.fails(ErrExpired)
	})
}

func TestSpec_5_3_11_FastForwardRecovery(t *testing.T) {
	attack := func(s *sim, e *endpoint) {
		s.md["snapshot"]["version"] = int64(1 << 40)
		s.commit()
		e.ok()
		s.md["snapshot"]["version"] = int64(1)
		s.publish("root")
	}
	step(t, func(s *sim, e *endpoint) {
		attack(s, e)
		s.rotate("snapshot", "snapshot-2")
		s.publish("root")
		s.commit()
		e.ok()
		e.have(versions{"snapshot": 2})
	}, func(s *sim, e *endpoint) {
		attack(s, e)
		s.commit()
		e.fails(ErrRollback)
	})
}

func TestSpec_5_3_12_ConsistentSnapshots(t *testing.T) {
	step(t, func(s *sim, e *endpoint) {
		e.ok()
		s.consist = false
		s.md["root"]["consistent_snapshot"] = false
		s.publish("root")
		s.release("targets")
		s.asked()
		e.ok()
		s.wantAsked("2.root.json", "3.root.json", "timestamp.json", "snapshot.json", "targets.json")
	}, func(s *sim, e *endpoint) { // names without a version are no stand-in
		s.consist = false
		s.release("targets")
		if err := e.refresh(); Class(err) != "network" || !absent(err) {
			s.t.Error(err)
		}
	})
}

func TestSpec_5_4_1_DownloadTimestamp(t *testing.T) {
	step(t, func(s *sim, e *endpoint) {
		e.opts.Limits.Timestamp = int64(len(s.objects[layout.Timestamp]))
		e.ok()
	}, func(s *sim, e *endpoint) {
		e.opts.Limits.Timestamp = int64(len(s.objects[layout.Timestamp]) - 1)
		e.fails(ErrTooLarge)
	})
}

func TestSpec_5_4_2_ArbitrarySoftware(t *testing.T) {
	two := func(s *sim) {
		s.addKey("timestamp", edKey("timestamp-2"))
		s.threshold("timestamp", 2)
		s.publish("root")
	}
	step(t, func(s *sim, e *endpoint) {
		two(s)
		s.stamp()
		e.ok()
	}, func(s *sim, e *endpoint) {
		two(s)
		key := s.keys["timestamp"][0]
		for _, keys := range [][]*simKey{{key}, {key, edKey("stranger")}, {edKey("stranger")}} {
			s.put(layout.Timestamp, s.as("timestamp", 2, keys...))
			e.fails(ErrThreshold)
			e.have(versions{"timestamp": 0})
		}
	})
}

func TestSpec_5_4_3_1_TimestampRollback(t *testing.T) {
	step(t, func(s *sim, e *endpoint) { // an equal version ends the update without an error
		e.ok()
		s.asked()
		first := s.objects[layout.Timestamp]
		s.expire("timestamp", epoch.AddDate(0, 2, 0))
		s.store("timestamp")
		e.ok()
		s.wantAsked("2.root.json", "timestamp.json")
		e.stored("timestamp.json", first)
		s.stamp()
		e.ok()
		e.have(versions{"timestamp": 2})
	}, func(s *sim, e *endpoint) {
		s.stamp()
		e.ok()
		s.put(layout.Timestamp, s.as("timestamp", 1))
		e.fails(ErrRollback)
		e.have(versions{"timestamp": 2})
	})
}

func TestSpec_5_4_3_2_SnapshotVersionInTimestamp(t *testing.T) {
	step(t, func(s *sim, e *endpoint) {
		s.commit()
		e.ok()
		s.stamp() // the same
		e.ok()
		s.commit() // the next
		e.ok()
		e.have(versions{"snapshot": 3, "timestamp": 4})
	}, func(s *sim, e *endpoint) {
		s.commit()
		e.ok()
		s.md["snapshot"]["version"] = int64(1)
		s.stamp()
		e.fails(ErrRollback)
		e.have(versions{"snapshot": 2, "timestamp": 2})
	})
}

func TestSpec_5_4_4_TimestampFreeze(t *testing.T) {
	step(t, func(s *sim, e *endpoint) {
		s.expire("timestamp", epoch.Add(time.Second))
		s.stamp()
		e.ok()
	}, func(s *sim, e *endpoint) {
		e.ok()
		s.expire("timestamp", epoch)
		s.stamp()
		e.fails(ErrExpired)
		e.have(versions{"timestamp": 1})
	})
}

func TestSpec_5_4_5_PersistTimestamp(t *testing.T) {
	step(t, func(s *sim, e *endpoint) { // also if the update fails later
		s.stamp()
		s.drop(layout.Versioned("snapshot", 1))
		if err := e.refresh(); Class(err) != "network" {
			s.t.Fatal(err)
		}
		e.stored("timestamp.json", s.objects[layout.Timestamp])
	}, func(s *sim, e *endpoint) {
		e.ok()
		first := s.objects[layout.Timestamp]
		s.put(layout.Timestamp, s.as("timestamp", 2, edKey("stranger")))
		e.fails(ErrThreshold)
		e.stored("timestamp.json", first)
	})
}
