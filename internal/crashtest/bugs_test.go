// SPDX-License-Identifier: Apache-2.0

//go:build unix

package crashtest

import (
	"slices"
	"testing"

	"github.com/waybill-project/waybill/internal/crashfs"
	"github.com/waybill-project/waybill/internal/durable"
)

// A bug is a mistake that the program might have. It is put in either into what was recorded (ops), or between the
// program and its files (wrap), or there in the run after the crash only (heal).
type bug struct {
	name string
	in   string // scenario
	ops  edit
	wrap func(fsys durable.FS) durable.FS
	heal func(fsys durable.FS) durable.FS
}

// bugs must all be found. Each is one that programs of this kind had.
func bugs() []bug {
	return []bug{
		// Syncs that are forgotten.
		{name: "journal not synced", in: "install/update", ops: drop(crashfs.Sync, ".install.json.tmp")},
		{name: "folder of the journal not synced", in: "install/update", ops: dropNth(crashfs.SyncDir, "/state", 1)},
		{name: "record not synced", in: "install/update", ops: drop(crashfs.Sync, ".installed.json.tmp")},
		{name: "folder of the record not synced", in: "install/update", ops: dropNth(crashfs.SyncDir, "/state", 2)},
		{name: "folder of the program not synced", in: "install/update", ops: drop(crashfs.SyncDir, "/bin")},
		{name: "folder of the previous version not synced", in: "install/update", ops: drop(crashfs.SyncDir, "/previous")},
		{name: "verified file not synced, staged file neither", in: "install/update", wrap: both(skip("verified-1.1.0", crashfs.Sync), skip(".app.waybill-new", crashfs.Sync))},
		{name: "copied program not synced", in: "install/update across file systems", ops: drop(crashfs.Sync, ".app.waybill-new")},
		{name: "copied previous version not synced", in: "install/update across file systems", ops: drop(crashfs.Sync, "/previous/")},
		{name: "no sync at all", in: "install/update", wrap: skip("", crashfs.Sync, crashfs.SyncDir)},
		{name: "no folder synced", in: "update/full", wrap: skip("", crashfs.SyncDir)},
		{name: "no file synced", in: "update/full", wrap: skip("", crashfs.Sync)},
		{name: "downloaded file not synced", in: "download/over another", ops: drop(crashfs.Sync, ".unverified")},
		{name: "no folder of a move synced", in: "download/over another", wrap: both(skip("/bin", crashfs.SyncDir), skip("/partial", crashfs.SyncDir))},
		{name: "built file not synced", in: "update/delta", wrap: skip(".build.tmp", crashfs.Sync)},
		{name: "timestamp not synced", in: "trust/refresh", ops: drop(crashfs.Sync, ".timestamp.json.tmp")},
		{name: "snapshot not synced", in: "trust/refresh", ops: drop(crashfs.Sync, ".snapshot.json.tmp")},
		{name: "targets not synced", in: "trust/refresh", ops: drop(crashfs.Sync, ".targets.json.tmp")},
		{name: "folder not synced after the timestamp", in: "trust/refresh", ops: syncAfter("/timestamp.json")},
		{name: "folder not synced after the snapshot", in: "trust/refresh", ops: syncAfter("/snapshot.json")},
		{name: "new root not synced", in: "trust/online keys rotated", ops: drop(crashfs.Sync, ".2.root.json.tmp")},
		{name: "folder of the new root not synced", in: "trust/online keys rotated", ops: drop(crashfs.SyncDir, "/roots")},
		{name: "newest root not synced", in: "trust/online keys rotated", ops: drop(crashfs.Sync, "/.root.json.tmp")},
		{name: "floor not synced", in: "trust/online keys rotated", ops: drop(crashfs.Sync, ".floor.tmp")},
		{name: "new folders not synced", in: "trust/first refresh", wrap: skip("/trust", crashfs.SyncDir)},
		// Steps in another order.
		{name: "mode after the sync", in: "download/over another", ops: swap(crashfs.Chmod, ".unverified", crashfs.Sync, ".unverified")},
		{name: "mode of the program after the sync", in: "install/update", ops: swap(crashfs.Chmod, ".app.waybill-new", crashfs.Sync, ".app.waybill-new")},
		{name: "mode after the switch", in: "install/update", ops: later(crashfs.Chmod, ".app.waybill-new", crashfs.Rename, ".app.waybill-new")},
		{name: "sync after the rename", in: "trust/refresh", ops: swap(crashfs.Sync, ".timestamp.json.tmp", crashfs.Rename, ".timestamp.json.tmp")},
		{name: "journal after the switch", in: "install/update", ops: later(crashfs.Rename, ".install.json.tmp", crashfs.Rename, ".app.waybill-new")},
		{name: "record before the switch", in: "install/update", ops: later(crashfs.Rename, ".app.waybill-new", crashfs.Rename, ".installed.json.tmp")},
		{name: "commit before the folder is synced", in: "install/update", ops: later(crashfs.SyncDir, "/bin", crashfs.SyncDir, "/state")},
		{name: "journal removed before the commit", in: "install/update", ops: later(crashfs.Rename, ".installed.json.tmp", crashfs.Remove, "/install.json")},
		{name: "previous version removed before the commit", in: "install/update", ops: sooner(crashfs.Remove, "/previous/", crashfs.Rename, ".app.waybill-new")},
		{name: "floor before the root", in: "trust/online keys rotated", ops: later(crashfs.Rename, "/.root.json.tmp", crashfs.Rename, ".floor.tmp")},
		{name: "timestamp after the snapshot", in: "trust/refresh", ops: later(crashfs.Rename, ".timestamp.json.tmp", crashfs.Rename, ".snapshot.json.tmp")},
		// Steps that are left out.
		{name: "no journal", in: "install/update", ops: drop(crashfs.Rename, ".install.json.tmp")},
		{name: "no record", in: "install/update", wrap: skip(".installed.json.tmp", crashfs.Rename)},
		{name: "no previous version kept", in: "install/update", ops: drop(crashfs.Link, "/previous/")},
		{name: "journal never removed", in: "install/update", wrap: skip("/install.json", crashfs.Remove)},
		{name: "litter beside the program never removed", in: "install/update", wrap: skip(".waybill-new", crashfs.Remove)},
		{name: "temporary files never removed", in: "update/full", wrap: skip(".tmp-", crashfs.Remove)},
		{name: "old versions never removed", in: "install/update", wrap: skip("/previous/", crashfs.Remove)},
		{name: "timestamp never stored", in: "trust/refresh", wrap: skip(".timestamp.json.tmp", crashfs.Rename)},
		{name: "root never stored", in: "trust/online keys rotated", wrap: skip(".2.root.json.tmp", crashfs.Rename)},
		// Files that are written where they lie.
		{name: "program written in place", in: "install/update", wrap: inPlace("/bin/app")},
		{name: "program removed before the rename", in: "install/update", wrap: removing("/bin/app")},
		{name: "record written in place", in: "install/update", wrap: inPlace("/installed.json")},
		{name: "timestamp written in place", in: "trust/refresh", wrap: inPlace("/timestamp.json")},
		{name: "root written in place", in: "trust/all keys rotated in three roots", wrap: inPlace("/root.json")},
		{name: "download written in place", in: "download/over another", wrap: inPlace("/bin/app")},
		{name: "metadata not replaced as a whole", in: "update/full", wrap: removing("/targets.json")},
		{name: "staged file continued", in: "install/update across file systems", wrap: continued(".app.waybill-new")},
		// Bytes that are believed.
		{name: "resumed bytes not hashed", in: "download/resume", wrap: believing(".unverified", program("1.1.0"))},
		{name: "recovery believes the journal", in: "install/update", heal: believing("/bin/app", large("1.1.0"))},
		{name: "existing file not hashed", in: "download/over another", heal: believing("/bin/app", program("1.1.0"))},
		// What is touched beside.
		{name: "temporary file elsewhere", in: "trust/refresh", wrap: elsewhere},
	}
}

// TestBugFigures puts every bug in and wants a violation for it.
func TestBugFigures(t *testing.T) {
	all := scenarios(t)
	caught := 0
	for _, b := range bugs() {
		t.Run(b.name, func(t *testing.T) {
			i := slices.IndexFunc(all, func(s *scenario) bool { return s.name == b.in })
			w := all[i].with(t, b)
			w.stop = true
			w.all()
			if len(w.bad) == 0 {
				t.Errorf("not found in %d states", len(w.seen))
				return
			}
			caught++
			t.Logf("%s: %v", w.bad[0].where, w.bad[0].err)
		})
	}
	t.Logf("figure D3: %d of %d bugs that were put in are found; bound all, and 30", caught, len(bugs()))
}

func (s *scenario) with(t *testing.T, b bug) *walk {
	wrap, heal := b.wrap, b.heal
	if wrap == nil {
		wrap = asIs
	}
	if heal == nil {
		heal = wrap
	}
	r, err := s.record(wrap)
	if err != nil {
		t.Fatalf("it fails without a crash: %v", err)
	}
	if b.ops != nil {
		r.edit(t, b.ops)
	}
	return newWalk(r, heal)
}
