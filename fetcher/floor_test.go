// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/waybill-project/waybill/internal/durable"
)

// placing notes the names that files are given, in order.
type placing struct {
	durable.FS
	names []string
}

func (p *placing) Rename(from, to string) error {
	p.names = append(p.names, filepath.Base(to))
	return p.FS.Rename(from, to)
}

// The floor names the root and its keys before anything is stored under them, in one write, and the time at the end.
func TestFloorIsWrittenBeforeWhatItIsFor(t *testing.T) {
	s := newSim(t)
	e := s.endpoint()
	disk := &placing{FS: quick{durable.OS()}}
	e.opts.FS = disk
	want := func(what string, names ...string) {
		t.Helper()
		if !slices.Equal(disk.names, names) {
			t.Errorf("%s: stored %q, want %q", what, disk.names, names)
		}
		disk.names = nil
	}
	e.ok()
	want("first refresh", "1.root.json", "root.json", floorFile, "timestamp.json", "snapshot.json", "targets.json", floorFile)
	e.ok()
	want("nothing new")
	s.publish("root")
	e.ok()
	want("new root", "2.root.json", "root.json", floorFile)
	s.rotate("timestamp", "timestamp-new")
	s.publish("root")
	s.stamp()
	e.ok()
	want("new key", "3.root.json", "root.json", floorFile, "timestamp.json", "snapshot.json")
	s.md["root"]["expires"] = epoch.Add(-time.Hour).Format(time.RFC3339)
	s.publish("root")
	e.fails(ErrExpired)
	want("new root that has expired", "4.root.json", "root.json", floorFile)
	if f := e.client().store.floor(); f.Root != 4 || f.Under != 3 {
		t.Errorf("floor %+v", f)
	}
}
