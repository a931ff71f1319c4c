// SPDX-License-Identifier: Apache-2.0

package install

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

// seedRecord is a record as an installation writes it.
func seedRecord() Record {
	return Record{
		Schema: 1, Path: filepath.FromSlash("/opt/app"), At: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Current:  Build{Version: "1.1.0", SHA256: sum("new"), Length: 3},
		Previous: &Build{Version: "1.0.0", SHA256: sum("old"), Length: 3}, Skipped: []string{"1.2.0"},
	}
}

func addJSON(f *testing.F, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add(bytes.Replace(data, []byte("1.1.0"), []byte("null"), 1))
}

// FuzzRecord: what is read is corrupt, or the same after it was written again.
func FuzzRecord(f *testing.F) {
	addJSON(f, seedRecord())
	dir, d := f.TempDir(), newDisk(nil)
	f.Fuzz(func(t *testing.T, data []byte) {
		must(t, os.WriteFile(filepath.Join(dir, recordName), data, 0o600))
		r, err := d.load(dir)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		text, err := json.Marshal(r)
		must(t, err)
		must(t, os.WriteFile(filepath.Join(dir, recordName), text, 0o600))
		if again, err := d.load(dir); err != nil || !reflect.DeepEqual(r, again) {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}

// FuzzJournal: the same for the intent of an operation, whose record must be its own.
func FuzzJournal(f *testing.F) {
	r := seedRecord()
	addJSON(f, journal{Schema: 1, Operation: opInstall, Path: r.Path, From: r.Previous, To: r.Current, Record: r})
	addJSON(f, journal{Schema: 1, Operation: opRollback, Path: r.Path, To: r.Current, Record: r})
	dir, d := f.TempDir(), newDisk(nil)
	f.Fuzz(func(t *testing.T, data []byte) {
		must(t, os.WriteFile(filepath.Join(dir, journalName), data, 0o600))
		j, err := d.loadJournal(dir)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		if j.Path != j.Record.Path || !filepath.IsAbs(j.Path) || j.To != j.Record.Current || len(j.To.SHA256) != 64 {
			t.Errorf("accepted %+v", j)
		}
	})
}
