// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/waybill-project/waybill/internal/testrepo"
)

// Scripts have the command fetch, and fetch-after DURATION ..., which is the same with a clock that is ahead.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"fetch":       main,
		"fetch-after": mainAfter,
	})
}

func mainAfter() {
	ahead, err := time.ParseDuration(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(125)
	}
	now := func() time.Time { return time.Now().Add(ahead) }
	os.Exit(run(context.Background(), os.Args[2:], os.Stdin, os.Stdout, os.Stderr, os.Getenv, now))
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("FETCH_STATE", filepath.Join(e.WorkDir, "state"))
			e.Values["world"] = &world{requests: new(atomic.Int64)}
			return os.Mkdir(filepath.Join(e.WorkDir, "bin"), 0o755)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"build":    build,
			"bundle":   bundle,
			"gobuild":  gobuild,
			"repo":     repoScript,
			"serve":    serve,
			"servetls": serveTLS,
			"served":   served,
			"status":   status,
			"tamper":   tamper,
		},
	})
}

// world is what the verbs of one script share.
type world struct {
	repo     *testrepo.Repo
	server   *httptest.Server
	requests *atomic.Int64
}

func worldOf(ts *testscript.TestScript) *world { return ts.Value("world").(*world) }

// repo new DIR [SEED] | release VERSION FILE [FROM...] | target NAME FILE | retract VERSION FALLBACK | publish
func repoScript(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: repo new|release|target|retract|publish ...")
	}
	w := worldOf(ts)
	switch verb, args := args[0], args[1:]; verb {
	case "new":
		seed := byte(1)
		if len(args) > 1 {
			seed = args[1][0]
		}
		w.repo = testrepo.New(ts.MkAbs(args[0]), time.Now(), seed)
	case "release":
		ts.Check(w.repo.Release("app", "stable", "any", args[0], []byte(ts.ReadFile(args[1])), args[2:]...))
	case "target":
		w.repo.Add(args[0], []byte(ts.ReadFile(args[1])), nil)
	case "retract":
		w.repo.Retract("app", args[0], args[1])
	case "publish":
		ts.Check(w.repo.Publish())
	default:
		ts.Fatalf("repo: unknown verb %s", verb)
	}
}

// build FILE VERSION makes a pseudo-program of which two versions differ in a few bytes.
func build(ts *testscript.TestScript, _ bool, args []string) {
	data := make([]byte, 200_000)
	fill := rand.NewChaCha8([32]byte{1})
	_, err := fill.Read(data)
	ts.Check(err)
	for i, c := range []byte(strings.Repeat(args[1], 10)) {
		data[1000+i*3000] = c
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o755))
}

// gobuild FILE VERSION builds the real program.
func gobuild(ts *testscript.TestScript, _ bool, args []string) {
	c := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version="+args[1], "-o", ts.MkAbs(args[0]), ".")
	if out, err := c.CombinedOutput(); err != nil {
		ts.Fatalf("%v\n%s", err, out)
	}
}

// serve DIR [TOKEN] serves a folder on loopback, to who has the token if there is one, and sets $URL; without a folder it stops.
func serve(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	if len(args) == 0 {
		w.server.Close()
		return
	}
	w.server = httptest.NewServer(w.handler(ts.MkAbs(args[0]), args[1:]))
	ts.Defer(w.server.Close)
	ts.Setenv("URL", w.server.URL)
}

// serveTLS DIR FILE does so over TLS and writes the certificate.
func serveTLS(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	w.server = httptest.NewTLSServer(w.handler(ts.MkAbs(args[0]), nil))
	ts.Defer(w.server.Close)
	ts.Setenv("URL", w.server.URL)
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.server.Certificate().Raw})
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), block, 0o600))
}

func (w *world) handler(dir string, token []string) http.Handler {
	files := http.FileServer(http.Dir(dir))
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.requests.Add(1)
		if len(token) > 0 && r.Header.Get("Authorization") != "Bearer "+token[0] {
			rw.WriteHeader(http.StatusUnauthorized)
			return
		}
		files.ServeHTTP(rw, r)
	})
}

// bundle tar|zip FILE DIR makes an archive of a folder; bundle copy TO DIR copies it.
func bundle(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: bundle tar|zip|copy TO DIR")
	}
	to, from := ts.MkAbs(args[1]), os.DirFS(ts.MkAbs(args[2]))
	if args[0] == "copy" {
		ts.Check(os.CopyFS(to, from))
		return
	}
	out, err := os.Create(to)
	ts.Check(err)
	defer out.Close()
	if args[0] == "tar" {
		w := tar.NewWriter(out)
		ts.Check(errors.Join(w.AddFS(from), w.Close()))
		return
	}
	w := zip.NewWriter(out)
	ts.Check(fs.WalkDir(from, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(from, path)
		if err != nil {
			return err
		}
		f, err := w.CreateHeader(&zip.FileHeader{Name: path, Method: zip.Store})
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return err
	}))
	ts.Check(w.Close())
}

// served insists that there was a request since the last look; ! served, that there was none.
func served(ts *testscript.TestScript, neg bool, _ []string) {
	if n := worldOf(ts).requests.Swap(0); (n > 0) == neg {
		ts.Fatalf("%d requests", n)
	}
}

// status CODE COMMAND... runs a command and insists on its exit status.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		m := regexp.MustCompile(`exit status (\d+)`).FindStringSubmatch(err.Error())
		if m == nil {
			ts.Fatalf("%v", err)
		}
		got, err = strconv.Atoi(m[1])
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// tamper GLOB flips a byte in the middle of each file that matches.
func tamper(ts *testscript.TestScript, _ bool, args []string) {
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(found) == 0 {
		ts.Fatalf("nothing matches %s", args[0])
	}
	for _, path := range found {
		data, err := os.ReadFile(path)
		ts.Check(err)
		data[len(data)/2] ^= 0xff
		ts.Check(os.WriteFile(path, data, 0o644))
	}
}

// Every verb says in its help what its exit status can be, and shows an example.
func TestHelp(t *testing.T) {
	for _, verb := range []string{"init", "check", "update", "install", "watch", "rollback", "status", "get", "serve", "version"} {
		var out, errs strings.Builder
		if code := run(t.Context(), []string{verb, "--help"}, nil, &out, &errs, os.Getenv, time.Now); code != 0 {
			t.Fatalf("%s: %d %s", verb, code, errs.String())
		}
		for _, want := range []string{"EXIT STATUS:", "Examples:", "\n  0 ", "\n  130 "} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("help of %s lacks %q:\n%s", verb, want, out.String())
			}
		}
	}
}

func TestUserState(t *testing.T) {
	if runtime.GOOS == "windows" || runtime.GOOS == "darwin" {
		return
	}
	for _, c := range []struct{ xdg, home, want string }{
		{"/x", "/home/a", "/x/waybill/fetch"},
		{"", "/home/a", "/home/a/.local/state/waybill/fetch"},
		{"relative", "/home/a", "/home/a/.local/state/waybill/fetch"},
		{"", "", ""},
	} {
		env := map[string]string{"XDG_STATE_HOME": c.xdg, "HOME": c.home}
		if got := userState(func(name string) string { return env[name] }); got != c.want {
			t.Errorf("%+v: %q", c, got)
		}
	}
}

// An interrupted run is that, whatever it failed with.
func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	repo := testrepo.New(filepath.Join(dir, "repo"), time.Now(), 1)
	if err := errors.Join(repo.Release("app", "stable", "any", "1.0.0", []byte("one")), repo.Publish()); err != nil {
		t.Fatal(err)
	}
	do := func(args ...string) (int, string) {
		var out, errs strings.Builder
		code := run(ctx, append(args, "--state", filepath.Join(dir, "state")), nil, &out, &errs, os.Getenv, time.Now)
		return code, errs.String()
	}
	path := filepath.Join(dir, "app")
	if code, said := do("init", "--url", repo.Dir, "--root", repo.RootFile(), "--product", "app", "--channel", "stable", "--path", path); code != 0 {
		t.Fatal(code, said)
	}
	cancel()
	if code, said := do("update"); code != 130 {
		t.Fatal(code, said)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}
