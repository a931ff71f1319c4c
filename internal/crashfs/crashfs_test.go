// SPDX-License-Identifier: Apache-2.0

//go:build unix

package crashfs_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/internal/crashfs"
	"github.com/waybill-project/waybill/internal/durable"
)

var start = time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestLikeTheSystem does the same random operations here and on the real file system.
func TestLikeTheSystem(t *testing.T) {
	for seed := range uint64(60) {
		dir, random := t.TempDir(), rand.New(rand.NewPCG(seed, 0))
		model := crashfs.New(start)
		must(t, durable.MkdirAll(model, dir, 0o755))
		for step := range 120 {
			op := pick(random, dir)
			want, got := op(durable.OS()), op(model)
			if want != got {
				t.Fatalf("seed %d, step %d: the system says %s, the model %s", seed, step, want, got)
			}
		}
		if want, got := listing(t, durable.OS(), dir), listing(t, model, dir); want != got {
			t.Fatalf("seed %d: the system has\n%s\nthe model\n%s", seed, want, got)
		}
	}
}

// pick is an operation on few names, so that they often meet; it tells what came of it.
func pick(random *rand.Rand, dir string) func(durable.FS) string {
	name := func() string {
		return filepath.Join(dir, []string{"a", "b", "d", "d/a", "d/b", "d/e", "no/a"}[random.IntN(7)])
	}
	from, to, text := name(), name(), strings.Repeat("x", random.IntN(5))
	flags := []int{os.O_RDONLY, os.O_RDWR, os.O_RDWR | os.O_CREATE, os.O_WRONLY | os.O_CREATE | os.O_EXCL, os.O_RDWR | os.O_TRUNC, os.O_WRONLY | os.O_APPEND}
	flag, offset := flags[random.IntN(len(flags))], int64(random.IntN(6))
	switch random.IntN(7) {
	case 0:
		return func(f durable.FS) string { return result("rename", from, to, f.Rename(from, to)) }
	case 1:
		return func(f durable.FS) string { return result("link", from, to, f.Link(from, to)) }
	case 2:
		return func(f durable.FS) string { return result("remove", from, "", f.Remove(from)) }
	case 3:
		return func(f durable.FS) string { return result("mkdir", from, "", f.Mkdir(from, 0o700)) }
	case 4:
		return func(f durable.FS) string { return result("syncdir", from, "", f.SyncDir(filepath.Dir(from))) }
	}
	return func(f durable.FS) string { return use(f, from, flag, offset, text) }
}

func result(what, from, to string, err error) string {
	class := "ok"
	for _, e := range []error{fs.ErrNotExist, fs.ErrExist, fs.ErrPermission} {
		if errors.Is(err, e) {
			class = e.Error()
		}
	}
	if err != nil && class == "ok" {
		class = "failed"
	}
	return fmt.Sprintf("%s %s %s: %s", what, from, to, class)
}

func use(f durable.FS, path string, flag int, offset int64, text string) string {
	file, err := f.OpenFile(path, flag, 0o600)
	if err != nil {
		return result("open", path, fmt.Sprint(flag), err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.IsDir() {
		return result("stat", path, "", err)
	}
	_, seek := file.Seek(offset, io.SeekStart)
	n, write := file.Write([]byte(text))
	truncate := error(nil)
	if offset == 3 {
		truncate = file.Truncate(offset + int64(len(text)))
	}
	at, _ := file.Seek(0, io.SeekCurrent)
	back := make([]byte, 4)
	m, read := file.ReadAt(back, 1)
	if read == io.EOF {
		read = nil
	}
	return fmt.Sprintf("use %s %d: %d %d %d %q %v %v %v %v %v", path, flag, n, at, m, back, info.Size(),
		seek != nil, write != nil && text != "", truncate != nil, read != nil)
}

func listing(t *testing.T, f durable.FS, dir string) string {
	entries, err := f.ReadDir(dir)
	must(t, err)
	var out []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() {
			out = append(out, path, listing(t, f, path))
			continue
		}
		data, err := durable.ReadFile(f, path, 1<<20)
		must(t, err)
		info, err := e.Info()
		must(t, err)
		out = append(out, fmt.Sprintf("%s %v %q", path, info.Mode(), data))
	}
	return strings.Join(out, "\n")
}

// write replaces /d/f, which holds old, with or without the syncs that this needs.
func write(t *testing.T, syncFile, syncDir bool) *crashfs.Recording {
	f := crashfs.New(start)
	must(t, f.Write("/d/f", []byte(strings.Repeat("old", 300)), 0o600))
	rec := f.Record()
	file, temp, err := durable.CreateTemp(f, "/d/f", 0o600)
	must(t, err)
	_, err = file.Write([]byte(strings.Repeat("new", 300)))
	must(t, err)
	if syncFile {
		must(t, file.Sync())
	}
	must(t, file.Close())
	must(t, f.Rename(temp, "/d/f"))
	if syncDir {
		must(t, f.SyncDir("/d"))
	}
	return rec
}

// contents are what /d/f may hold at the end, by model.
func contents(t *testing.T, rec *crashfs.Recording) map[crashfs.Model][]string {
	out := map[crashfs.Model][]string{}
	for _, m := range crashfs.Models() {
		for seed := range rec.Seeds(m, rec.Len()) {
			f, err := rec.State(crashfs.Point{K: rec.Len(), Model: m, Seed: seed})
			must(t, err)
			data, err := f.ReadFile("/d/f")
			must(t, err)
			what := "damaged"
			switch string(data) {
			case strings.Repeat("old", 300):
				what = "old"
			case strings.Repeat("new", 300):
				what = "new"
			case "":
				what = "empty"
			case strings.Repeat("new", 150):
				what = "short"
			}
			if !slices.Contains(out[m], what) {
				out[m] = append(out[m], what)
			}
		}
		slices.Sort(out[m])
	}
	return out
}

// TestModels shows what each model makes of a file that is replaced with and without the syncs.
func TestModels(t *testing.T) {
	for name, c := range map[string]struct {
		file, dir bool
		want      map[crashfs.Model]string
	}{
		"with both": {true, true, map[crashfs.Model]string{
			crashfs.Kill: "new", crashfs.Strict: "new", crashfs.Ordered: "new", crashfs.Delalloc: "new", crashfs.Reorder: "new"}},
		"file only": {true, false, map[crashfs.Model]string{
			crashfs.Kill: "new", crashfs.Strict: "old", crashfs.Ordered: "new old", crashfs.Delalloc: "new", crashfs.Reorder: "new old"}},
		"folder only": {false, true, map[crashfs.Model]string{
			crashfs.Kill: "new", crashfs.Strict: "empty", crashfs.Ordered: "empty", crashfs.Delalloc: "empty short",
			crashfs.Reorder: "empty new", crashfs.Garbage: "damaged old"}},
		"neither": {false, false, map[crashfs.Model]string{
			crashfs.Kill: "new", crashfs.Strict: "old", crashfs.Ordered: "empty new old", crashfs.Delalloc: "empty short",
			crashfs.Reorder: "empty new old", crashfs.Garbage: "damaged new old"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := contents(t, write(t, c.file, c.dir))
			for _, m := range crashfs.Models() {
				if g := strings.Join(got[m], " "); g != c.want[m] {
					t.Errorf("%s leaves %q, want %q", m, g, c.want[m])
				}
			}
		})
	}
}

func TestTornWrite(t *testing.T) {
	rec := write(t, false, false)
	k := slices.IndexFunc(rec.Ops(), func(o crashfs.Op) bool { return o.Kind == crashfs.Write }) + 1
	var sizes []int
	for seed := range rec.Seeds(crashfs.Torn, k) {
		f, err := rec.State(crashfs.Point{K: k, Model: crashfs.Torn, Seed: seed})
		must(t, err)
		for _, path := range f.Files() {
			if durable.IsTemp(path) {
				data, err := f.ReadFile(path)
				must(t, err)
				sizes = append(sizes, len(data))
			}
		}
	}
	if !slices.Equal(sizes, []int{450, 512}) {
		t.Errorf("cut at %v", sizes)
	}
}

// A rename between folders of which one was synced is there in that one; the file is never lost.
func TestRenameBetweenFolders(t *testing.T) {
	for synced, want := range map[string][]string{"/a": {"/b/f"}, "/b": {"/a/f", "/b/f"}, "": {"/a/f"}} {
		f := crashfs.New(start)
		must(t, f.Write("/a/f", []byte("x"), 0o600))
		must(t, f.Write("/b/g", nil, 0o600))
		must(t, f.Remove("/b/g"))
		rec := f.Record()
		must(t, f.Rename("/a/f", "/b/f"))
		if synced != "" {
			must(t, f.SyncDir(synced))
		}
		left, err := rec.State(crashfs.Point{K: rec.Len(), Model: crashfs.Strict})
		must(t, err)
		if got := left.Files(); !slices.Equal(got, want) {
			t.Errorf("synced %q: left %v, want %v", synced, got, want)
		}
	}
}

// More open operations than can be tried in every order are sampled, and the same point is the same state.
func TestManyOpenOperations(t *testing.T) {
	f := crashfs.New(start)
	rec := f.Record()
	for i := range 12 {
		must(t, f.Mkdir(fmt.Sprintf("/%d", i), 0o700))
	}
	distinct := map[uint64]bool{}
	for seed := range rec.Seeds(crashfs.Reorder, 12) {
		p := crashfs.Point{K: 12, Model: crashfs.Reorder, Seed: seed}
		one, err := rec.State(p)
		must(t, err)
		two, err := rec.State(p)
		must(t, err)
		if one.Digest() != two.Digest() {
			t.Fatalf("%v is not one state", p)
		}
		distinct[one.Digest()] = true
	}
	if len(distinct) < 200 {
		t.Errorf("%d states", len(distinct))
	}
}

func TestPoint(t *testing.T) {
	p := crashfs.Point{K: 12, Model: crashfs.Reorder, Seed: 5}
	if q, err := crashfs.ParsePoint(p.String()); err != nil || q != p {
		t.Errorf("got %v, %v", q, err)
	}
	for _, bad := range []string{"", "1", "1,kill", "1,kil,0", "-1,kill,0", "x,kill,0", "1,kill,0,0"} {
		if _, err := crashfs.ParsePoint(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
	if _, err := write(t, true, true).State(crashfs.Point{K: 99, Model: crashfs.Kill}); err == nil {
		t.Error("a point after the end was accepted")
	}
}
