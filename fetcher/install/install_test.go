// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sum(content string) string {
	h := sha256.Sum256([]byte(content))
	return hex.EncodeToString(h[:])
}

// writeNew makes a file that shares nothing with one of that name before.
func writeNew(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.RemoveAll(path))
	must(t, os.WriteFile(path, []byte(content), 0o600))
}

// put installs content as version at dir/app.
func put(t *testing.T, dir, version, content string) *Record {
	t.Helper()
	verified := filepath.Join(dir, "verified")
	writeNew(t, verified, content)
	record, err := File(context.Background(), request(dir, version, content), nil)
	must(t, err)
	return record
}

func request(dir, version, content string) Request {
	return Request{
		Verified: filepath.Join(dir, "verified"),
		Build:    Build{Version: version, SHA256: sum(content), Length: int64(len(content))},
		Path:     filepath.Join(dir, "app"),
		State:    filepath.Join(dir, "state"),
	}
}

func wantContent(t *testing.T, path, want string) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	if string(data) != want {
		t.Fatalf("%s holds %q, want %q", path, data, want)
	}
}

func TestRollbackSkipsUntilNewer(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "1.0.0", "one")
	put(t, dir, "1.1.0", "two")
	state := filepath.Join(dir, "state")

	record, err := Rollback(context.Background(), state, nil)
	must(t, err)
	wantContent(t, filepath.Join(dir, "app"), "one")
	if record.Current.Version != "1.0.0" || !slices.Equal(record.Skipped, []string{"1.1.0"}) || record.Previous != nil {
		t.Fatalf("record after rollback: %+v", record)
	}
	if _, err := Rollback(context.Background(), state, nil); !errors.Is(err, ErrNoPrevious) {
		t.Fatalf("second rollback: %v", err)
	}
	if r := put(t, dir, "1.0.1", "one and a bit"); !slices.Equal(r.Skipped, []string{"1.1.0"}) {
		t.Fatalf("an older version ended the skip: %+v", r)
	}
	if r := put(t, dir, "1.2.0", "three"); len(r.Skipped) != 0 {
		t.Fatalf("a newer version did not end the skip: %+v", r)
	}
}

func TestVerifiedBytesAreCheckedAgain(t *testing.T) {
	for name, swapped := range map[string]string{
		"other bytes": "evil", "longer": "two and more", "shorter": "tw", "empty": "",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "1.0.0", "one")
			must(t, os.WriteFile(filepath.Join(dir, "verified"), []byte(swapped), 0o600))
			_, err := File(context.Background(), request(dir, "1.1.0", "two"), nil)
			if !errors.Is(err, ErrMismatch) {
				t.Fatalf("got %v", err)
			}
			wantContent(t, filepath.Join(dir, "app"), "one")
			if _, err := os.Lstat(filepath.Join(dir, "state", journalName)); !errors.Is(err, os.ErrNotExist) {
				t.Fatalf("a journal is left: %v", err)
			}
		})
	}
}

func TestDamagedPreviousIsNotRestored(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "1.0.0", "one")
	put(t, dir, "1.1.0", "two")
	state := filepath.Join(dir, "state")
	must(t, os.WriteFile(previousPath(state, sum("one")), []byte("0ne"), 0o600))
	if _, err := Rollback(context.Background(), state, nil); !errors.Is(err, ErrMismatch) {
		t.Fatalf("got %v", err)
	}
	wantContent(t, filepath.Join(dir, "app"), "two")
}

func TestDamagedStateHeals(t *testing.T) {
	for name, damage := range map[string]string{
		"empty": "", "null": "null", "object": "{}", "torn": `{"schema":1,"pa`, "schema": `{"schema":99}`,
		"huge":     strings.Repeat(" ", maxDocument+1),
		"relative": `{"schema":1,"operation":"install","path":"app","current":{"sha256":"` + sum("x") + `","length":1}}`,
	} {
		for _, file := range []string{recordName, journalName} {
			t.Run(name+" "+file, func(t *testing.T) {
				dir := t.TempDir()
				put(t, dir, "1.0.0", "one")
				state := filepath.Join(dir, "state")
				must(t, os.WriteFile(filepath.Join(state, file), []byte(damage), 0o600))
				if _, err := Recover(context.Background(), state, nil); err != nil {
					t.Fatal(err)
				}
				wantContent(t, filepath.Join(dir, "app"), "one")
				put(t, dir, "1.1.0", "two")
				wantContent(t, filepath.Join(dir, "app"), "two")
			})
		}
	}
}

// A target that somebody else changed while a crashed operation was pending is left alone.
func TestRecoverLeavesForeignFile(t *testing.T) {
	dir := t.TempDir()
	record := put(t, dir, "1.0.0", "one")
	d := newDisk(nil)
	next := *record
	next.Current, next.Previous = Build{"1.1.0", sum("two"), 3}, &record.Current
	job := &journal{Schema: 1, Operation: opInstall, Path: next.Path, From: next.Previous, To: next.Current, Record: next}
	must(t, d.writeJournal(filepath.Join(dir, "state"), job))
	must(t, os.WriteFile(filepath.Join(dir, "app"), []byte("somebody's"), 0o755))

	got, err := Recover(context.Background(), filepath.Join(dir, "state"), nil)
	must(t, err)
	if got == nil || got.Result != Left || got.From != "1.0.0" || got.To != "1.1.0" {
		t.Fatalf("got %+v", got)
	}
	wantContent(t, filepath.Join(dir, "app"), "somebody's")
}

// The gap that a switch through a rename aside leaves is closed in either direction.
func TestRecoverFillsGap(t *testing.T) {
	for name, c := range map[string]struct{ staged, want, result string }{
		"new is complete": {"two", "two", Finished},
		"new is torn":     {"tw", "one", Undone},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			record := put(t, dir, "1.0.0", "one")
			app, state := filepath.Join(dir, "app"), filepath.Join(dir, "state")
			next := *record
			next.Current, next.Previous = Build{"1.1.0", sum("two"), 3}, &record.Current
			job := &journal{Schema: 1, Operation: opInstall, Path: app, From: next.Previous, To: next.Current, Record: next}
			must(t, newDisk(nil).writeJournal(state, job))
			must(t, os.Rename(app, asidePath(app)))
			must(t, os.WriteFile(stagedPath(app), []byte(c.staged), 0o755))

			got, err := Recover(context.Background(), state, nil)
			must(t, err)
			if got.Result != c.result {
				t.Fatalf("got %+v", got)
			}
			wantContent(t, app, c.want)
			for _, litter := range []string{stagedPath(app), asidePath(app)} {
				if _, err := os.Lstat(litter); !errors.Is(err, os.ErrNotExist) {
					t.Fatalf("%s is left: %v", litter, err)
				}
			}
		})
	}
}

func TestCheckWritable(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o644))
	must(t, os.Mkdir(filepath.Join(dir, "folder"), 0o755))
	must(t, os.Symlink("file", filepath.Join(dir, "link")))
	for name, c := range map[string]struct {
		path string
		rule error
		says string
	}{
		"absent":           {filepath.Join(dir, "absent"), nil, ""},
		"file":             {filepath.Join(dir, "file"), nil, ""},
		"folder":           {filepath.Join(dir, "folder"), ErrNotRegular, "it is a folder"},
		"symbolic link":    {filepath.Join(dir, "link"), ErrNotRegular, "it is a symbolic link"},
		"missing folder":   {filepath.Join(dir, "no", "app"), os.ErrNotExist, filepath.Join(dir, "no")},
		"file as a folder": {filepath.Join(dir, "file", "app"), nil, "not a folder"},
		"relative":         {"app", nil, "not absolute"},
	} {
		t.Run(name, func(t *testing.T) {
			before := list(t, dir)
			err := CheckWritable(c.path, nil)
			if c.says == "" {
				must(t, err)
			} else {
				wantError(t, err, c.rule, c.says)
			}
			if after := list(t, dir); !slices.Equal(before, after) {
				t.Fatalf("left %q", after)
			}
		})
	}
}

func wantError(t *testing.T, err, rule error, says string) {
	t.Helper()
	var typed *Error
	if !errors.As(err, &typed) || !strings.Contains(err.Error(), says) || rule != nil && !errors.Is(err, rule) {
		t.Fatalf("got %v", err)
	}
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestCheckSpace(t *testing.T) {
	dir := t.TempDir()
	must(t, CheckSpace(dir, 1))
	wantError(t, CheckSpace(dir, 1<<62), ErrSpace, "4611686018427387904 bytes are needed")
}

func TestPlantedStagedFileIsNotWrittenThrough(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "1.0.0", "one")
	victim := filepath.Join(dir, "victim")
	must(t, os.WriteFile(victim, []byte("precious"), 0o644))
	must(t, os.Symlink(victim, stagedPath(filepath.Join(dir, "app"))))
	put(t, dir, "1.1.0", "two")
	wantContent(t, victim, "precious")
	wantContent(t, filepath.Join(dir, "app"), "two")
}

func TestSymbolicLinkTargetIsRefused(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "real"), []byte("one"), 0o755))
	must(t, os.Symlink("real", filepath.Join(dir, "app")))
	must(t, os.WriteFile(filepath.Join(dir, "verified"), []byte("two"), 0o600))
	_, err := File(context.Background(), request(dir, "1.1.0", "two"), nil)
	wantError(t, err, ErrNotRegular, "symbolic link")
	wantContent(t, filepath.Join(dir, "real"), "one")
}

func TestCancelBeforeSwitch(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "1.0.0", "one")
	must(t, os.WriteFile(filepath.Join(dir, "verified"), []byte("two"), 0o600))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := File(ctx, request(dir, "1.1.0", "two"), nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	wantContent(t, filepath.Join(dir, "app"), "one")
}

func TestExecutable(t *testing.T) {
	path, err := Executable()
	must(t, err)
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		t.Fatalf("%s: %v", path, err)
	}
}
