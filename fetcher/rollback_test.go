// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"fmt"
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
