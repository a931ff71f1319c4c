// SPDX-License-Identifier: Apache-2.0

package update

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/fetcher/install"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/internal/testrepo"
	"github.com/waybill-project/waybill/repo/release"
)

var now = time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// endpoint is one machine and the repository it follows.
type endpoint struct {
	t     *testing.T
	dir   string
	repo  *testrepo.Repo
	state string
	path  string
}

func program(version string) []byte {
	return []byte(strings.Repeat("the same in every version, line after line\n", 100) + version)
}

func newEndpoint(t *testing.T) *endpoint {
	t.Helper()
	dir := t.TempDir()
	e := &endpoint{t: t, dir: dir, state: filepath.Join(dir, "state"), path: filepath.Join(dir, "bin", "app")}
	must(t, os.Mkdir(filepath.Dir(e.path), 0o755))
	e.repo = testrepo.New(filepath.Join(dir, "repo"), now, 1)
	e.release("1.0.0")
	root, err := os.ReadFile(e.repo.RootFile())
	must(t, err)
	must(t, Init(e.state, e.config(), root, nil))
	return e
}

func (e *endpoint) config() Config {
	address, err := FileURL(e.repo.Dir)
	must(e.t, err)
	return Config{URLs: []string{address}, Product: "app", Channel: "stable", Platforms: []string{"linux-amd64", "any"}, Path: e.path}
}

func (e *endpoint) release(version string, from ...string) {
	e.t.Helper()
	must(e.t, e.repo.Release("app", "stable", "any", version, program(version), from...))
	must(e.t, e.repo.Publish())
}

func (e *endpoint) open(opts Options) *Updater {
	e.t.Helper()
	opts.Now = func() time.Time { return now }
	u, err := Open(e.state, &opts)
	must(e.t, err)
	return u
}

func (e *endpoint) update() *Outcome {
	e.t.Helper()
	o, err := e.open(Options{}).Update(context.Background(), nil)
	must(e.t, err)
	return o
}

func (e *endpoint) content() string {
	e.t.Helper()
	data, err := os.ReadFile(e.path)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	must(e.t, err)
	return string(data)
}

func TestUpdateReports(t *testing.T) {
	e := newEndpoint(t)
	o := e.update()
	if !o.Changed || o.From != "" || o.To != "1.0.0" || o.Known != Absent || o.Way != release.Full || o.Fetched != o.Full || o.Saved != 0 {
		t.Fatalf("first: %+v", o)
	}
	e.release("1.1.0", "1.0.0")
	o = e.update()
	if !o.Changed || o.From != "1.0.0" || o.To != "1.1.0" || o.Known != Recorded || o.Way != release.Direct || o.Saved < 50 || len(o.Left) != 0 {
		t.Fatalf("second: %+v", o)
	}
	if o.Metadata == 0 || o.Platform != "any" || o.Self {
		t.Fatalf("second: %+v", o)
	}
	if o = e.update(); o.Changed || o.To != "1.1.0" || o.Way != "" {
		t.Fatalf("third: %+v", o)
	}
	s, err := e.open(Options{}).Status(context.Background())
	must(t, err)
	if s.Installed.Version != "1.1.0" || s.Previous != "1.0.0" || s.Pending || len(s.Checked.Roles) != 4 || !s.Checked.Succeeded.Equal(now) {
		t.Fatalf("status: %+v", s)
	}
}

// What is at the target decides what it is, not what we remember of it.
func TestInstalledVersion(t *testing.T) {
	for name, c := range map[string]struct {
		file    string
		forget  bool
		version string
		known   string
	}{
		"recorded":                {"1.1.0", false, "1.1.0", Recorded},
		"another known one":       {"1.0.0", false, "1.0.0", Identified},
		"known, without record":   {"1.1.0", true, "1.1.0", Identified},
		"changed":                 {"changed", false, "1.1.0", Modified},
		"strange, without record": {"strange", true, "", Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			e := newEndpoint(t)
			e.update()
			e.release("1.1.0", "1.0.0")
			e.update()
			must(t, os.WriteFile(e.path, program(c.file), 0o755))
			if c.forget {
				must(t, os.Remove(filepath.Join(e.state, "installed.json")))
			}
			found, err := e.open(Options{}).Check(context.Background())
			must(t, err)
			if found.Installed.Version != c.version || found.Installed.Known != c.known {
				t.Fatalf("%+v", found.Installed)
			}
			if (found.Offer == nil) != (c.file == "1.1.0") {
				t.Fatalf("offer %+v", found.Offer)
			}
		})
	}
}

// A file that was changed keeps the floor of the version that was installed.
func TestModifiedFileIsNoWayDown(t *testing.T) {
	e := newEndpoint(t)
	e.release("2.0.0")
	e.update()
	must(t, os.WriteFile(e.path, program("changed"), 0o755))
	older := testrepo.New(filepath.Join(e.dir, "repo"), now, 1)
	must(t, older.Release("app", "stable", "any", "1.0.0", program("1.0.0")))
	for range 4 {
		must(t, older.Publish())
	}
	o := e.update()
	if o.Changed || e.content() != string(program("changed")) {
		t.Fatalf("%+v", o)
	}
}

func urls(n int) string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf(`"https://%d/"`, i))
	}
	return strings.Join(out, ",")
}

func TestConfigIsStrict(t *testing.T) {
	good := `{"schema":1,"urls":["https://example.org/r"],"product":"app","channel":"stable","platforms":["any"],"path":"/opt/app","mode":"file"}`
	if _, err := parseConfig([]byte(good)); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]string{
		"unknown field":  strings.Replace(good, `"schema"`, `"x":1,"schema"`, 1),
		"schema":         strings.Replace(good, `"schema":1`, `"schema":2`, 1),
		"no url":         strings.Replace(good, `"https://example.org/r"`, ``, 1),
		"url twice":      strings.Replace(good, `"https://example.org/r"`, `"https://a/","https://a/"`, 1),
		"17 urls":        strings.Replace(good, `"https://example.org/r"`, urls(17), 1),
		"password":       strings.Replace(good, `https://`, `https://a:b@`, 1),
		"relative file":  strings.Replace(good, `"mode"`, `"token_file":"x","mode"`, 1),
		"token, folder":  strings.Replace(strings.Replace(good, `https://example.org`, `file:///x`, 1), `"mode"`, `"token_file":"/x","mode"`, 1),
		"token in clear": strings.Replace(strings.Replace(good, `https:`, `http:`, 1), `"mode"`, `"token_file":"/x","mode"`, 1),
		"scheme":         strings.Replace(good, `https:`, `gopher:`, 1),
		"file host":      strings.Replace(good, `https://example.org/r`, `file://host/r`, 1),
		"product":        strings.Replace(good, `"app"`, `"../app"`, 1),
		"channel":        strings.Replace(good, `"stable"`, `""`, 1),
		"no platform":    strings.Replace(good, `["any"]`, `[]`, 1),
		"platform":       strings.Replace(good, `"any"`, `"a b"`, 1),
		"path":           strings.Replace(good, `/opt/app`, `opt/app`, 1),
		"unclean path":   strings.Replace(good, `/opt/app`, `/opt/../app`, 1),
		"mode":           strings.Replace(good, `"file"`, `"tree"`, 1),
		"trailing":       good + `{}`,
		"null":           `null`,
		"empty":          ``,
	} {
		if c, err := parseConfig([]byte(bad)); err == nil {
			t.Errorf("%s: accepted as %+v", name, c)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte(`{"schema":1,"urls":["file:///r"],"product":"app","channel":"stable","platforms":["any"],"path":"/opt/app","mode":"file"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := parseConfig(data)
		if err != nil {
			return
		}
		state := t.TempDir()
		must(t, c.write(durable.OS(), state, []byte("{}")))
		again, _, err := Load(state, nil)
		must(t, err)
		if !slices.Equal(c.Platforms, again.Platforms) || c.Path != again.Path || c.URLs[0] != again.URLs[0] {
			t.Fatalf("%+v became %+v", c, again)
		}
	})
}

func TestInitRefuses(t *testing.T) {
	e := newEndpoint(t)
	root, err := os.ReadFile(e.repo.RootFile())
	must(t, err)
	if err := Init(e.state, e.config(), root, nil); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("set up twice: %v", err)
	}
	var wrong *ConfigError
	if err := Init(e.state, e.config(), root[1:], &InitOptions{Replace: true}); !errors.As(err, &wrong) {
		t.Fatalf("broken root: %v", err)
	}
	bad := e.config()
	bad.Product = "App"
	if err := Init(e.state, bad, root, &InitOptions{Replace: true}); !errors.As(err, &wrong) {
		t.Fatalf("bad product: %v", err)
	}
	must(t, Init(e.state, e.config(), root, &InitOptions{Replace: true}))
	if _, err := Open(filepath.Join(e.dir, "nowhere"), nil); !errors.Is(err, ErrNotSetUp) {
		t.Fatalf("no state: %v", err)
	}
}

// One of many gets the lock; the others are told, and nothing is torn.
func TestConcurrentUpdaters(t *testing.T) {
	e := newEndpoint(t)
	var wins, losses atomic.Int64
	var group sync.WaitGroup
	for range 8 {
		u := e.open(Options{})
		group.Go(func() {
			for range 5 {
				_, err := u.Update(context.Background(), nil)
				switch {
				case err == nil:
					wins.Add(1)
				case errors.Is(err, durable.ErrLocked):
					losses.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if wins.Load() == 0 || wins.Load()+losses.Load() != 40 || e.content() != string(program("1.0.0")) {
		t.Fatalf("%d runs, %d locked out", wins.Load(), losses.Load())
	}
}

// killing is a file system on which every operation from number at on fails: the process is gone.
type killing struct {
	durable.FS
	at, count int
}

var errKilled = errors.New("the process is gone")

func (k *killing) do(op func() error) error {
	if k.count++; k.count >= k.at {
		return errKilled
	}
	return op()
}

func (k *killing) OpenFile(name string, flag int, perm fs.FileMode) (f durable.File, err error) {
	return f, k.do(func() error { f, err = k.FS.OpenFile(name, flag, perm); return err })
}

func (k *killing) Rename(from, to string) error {
	return k.do(func() error { return k.FS.Rename(from, to) })
}
func (k *killing) Link(from, to string) error {
	return k.do(func() error { return k.FS.Link(from, to) })
}
func (k *killing) Remove(name string) error  { return k.do(func() error { return k.FS.Remove(name) }) }
func (k *killing) SyncDir(name string) error { return k.do(func() error { return nil }) }
func (k *killing) Mkdir(name string, perm fs.FileMode) error {
	return k.do(func() error { return k.FS.Mkdir(name, perm) })
}

// TestKilledUpdate stops a whole update at every operation on the installation, looks, and updates again.
func TestKilledUpdate(t *testing.T) {
	for at := 1; ; at++ {
		e := newEndpoint(t)
		e.update()
		e.release("1.1.0", "1.0.0")
		u := e.open(Options{})
		cut := &killing{FS: durable.OS(), at: at}
		u.opts.FS = cut
		_, err := u.Update(context.Background(), nil)
		if got := e.content(); got != string(program("1.0.0")) && got != string(program("1.1.0")) {
			t.Fatalf("killed at %d: torn", at)
		}
		e.update()
		e.checkClean(at)
		if cut.count < at {
			must(t, err)
			t.Logf("%d operations", cut.count)
			return
		}
	}
}

func (e *endpoint) checkClean(at int) {
	e.t.Helper()
	record, err := install.Load(e.state, nil)
	must(e.t, err)
	if e.content() != string(program("1.1.0")) || record.Current.Version != "1.1.0" || record.Previous.Version != "1.0.0" {
		e.t.Fatalf("killed at %d: the next run left %+v", at, record)
	}
	for dir, want := range map[string]int{filepath.Dir(e.path): 1, filepath.Join(e.state, "previous"): 1, filepath.Join(e.state, downloadName): 0} {
		entries, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) || len(entries) != want {
			e.t.Fatalf("killed at %d: %s has %v, %v", at, dir, entries, err)
		}
	}
}

func TestWatch(t *testing.T) {
	e := newEndpoint(t)
	var waits []time.Duration
	var said []string
	broken := &breaking{Source: fetcher.NewDirSource(e.repo.Dir)}
	stop := errors.New("enough")
	u := e.open(Options{
		Source: broken,
		Random: func() float64 { return 0.5 },
		Sleep: func(_ context.Context, d time.Duration) error {
			waits = append(waits, d)
			broken.down = len(waits) >= 2 && len(waits) < 5
			if len(waits) == 1 {
				e.release("1.1.0", "1.0.0")
			}
			return nil
		},
	})
	err := u.Watch(context.Background(), 90*time.Second, nil, func(o *Outcome, err error) error {
		switch {
		case err != nil:
			said = append(said, fetcher.Class(err))
		case o.Changed:
			said = append(said, o.To)
		default:
			said = append(said, "same")
		}
		if len(said) == 6 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if want := []string{"1.0.0", "1.1.0", "network", "network", "network", "same"}; !slices.Equal(said, want) {
		t.Fatalf("said %q", said)
	}
	s := time.Second
	if want := []time.Duration{90 * s, 90 * s, 22500 * time.Millisecond, 45 * s, 67500 * time.Millisecond}; !slices.Equal(waits, want) {
		t.Fatalf("waited %v", waits)
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	e := newEndpoint(t)
	ctx, cancel := context.WithCancel(context.Background())
	err := e.open(Options{}).Watch(ctx, time.Hour, nil, func(*Outcome, error) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

type breaking struct {
	fetcher.Source
	down bool
}

func (b *breaking) Open(ctx context.Context, name string, req fetcher.Request) (*fetcher.Response, error) {
	if b.down {
		return nil, &fetcher.SourceError{Name: name, Err: errors.New("no route")}
	}
	return b.Source.Open(ctx, name, req)
}

// A record of another target is none: its versions are not brought back over this one.
func TestAnotherTarget(t *testing.T) {
	e := newEndpoint(t)
	e.update()
	e.release("1.1.0", "1.0.0")
	e.update()
	root, err := os.ReadFile(e.repo.RootFile())
	must(t, err)
	first := e.path
	e.path = filepath.Join(e.dir, "bin", "other")
	must(t, Init(e.state, e.config(), root, &InitOptions{Replace: true}))
	if _, err := e.open(Options{}).Rollback(context.Background()); !errors.Is(err, install.ErrNoPrevious) {
		t.Fatal(err)
	}
	e.update()
	if _, err := e.open(Options{}).Rollback(context.Background()); !errors.Is(err, install.ErrNoPrevious) {
		t.Fatal(err)
	}
	e.path = first
	if e.content() != string(program("1.1.0")) {
		t.Fatal("the first target was touched")
	}
}

func TestFileURL(t *testing.T) {
	dir := t.TempDir()
	odd := filepath.Join(dir, "a b%20#c?")
	must(t, os.Mkdir(odd, 0o755))
	must(t, os.MkdirAll(filepath.Join(odd, "metadata"), 0o755))
	must(t, os.WriteFile(filepath.Join(odd, "metadata", "timestamp.json"), []byte("x"), 0o644))
	address, err := FileURL(odd)
	must(t, err)
	source, err := openSource(address, nil)
	must(t, err)
	r, err := source.Open(context.Background(), "metadata/timestamp.json", fetcher.Request{})
	must(t, err)
	must(t, r.Body.Close())
}

// A run has the state folder to itself and removes at once what a crash left in it.
func TestLitterOfACrashGoes(t *testing.T) {
	e := newEndpoint(t)
	e.update()
	lineages, err := filepath.Glob(filepath.Join(e.state, trustName, "*"))
	must(t, err)
	for _, dir := range []string{"partial", "blobs"} {
		file, _, err := durable.CreateTemp(durable.OS(), filepath.Join(lineages[0], dir, "x"), 0o600)
		must(t, err)
		must(t, file.Close())
	}
	e.update()
	left, err := filepath.Glob(filepath.Join(lineages[0], "*", ".*"))
	must(t, err)
	if len(left) > 0 {
		t.Fatalf("left %q", left)
	}
}
