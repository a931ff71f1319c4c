// SPDX-License-Identifier: Apache-2.0

//go:build unix

package endtoend

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/fetcher/update"
	"github.com/waybill-project/waybill/internal/durable"
)

// trouble is an endpoint at 1.0.0 with a repository of its own that offers
// 1.1.0, about to be spoilt.
type trouble struct {
	*endpoint
	bucket string
	root   string
	front  *proxy
	flags  []string
}

// TestEndpointRefuses spoils an update in every way that is not an attack on
// metadata alone. Each gets a clear error and its exit code, the installed
// program stays byte for byte, and once the trouble is over the next run
// finishes.
func TestEndpointRefuses(t *testing.T) {
	t.Parallel()
	home := found(t, filepath.Join(t.TempDir(), "bucket"))
	old, fresh := home.writeScript("1.0.0", scriptSize), home.writeScript("1.1.0", scriptSize)
	home.release("1.0.0", old)
	before := filepath.Join(t.TempDir(), "bucket")
	copyTree(t, home.repo, before)
	home.release("1.1.0", fresh, "--no-deltas")
	const artifact = "targets/app/1.1.0/" + platform + "/*.app"
	tests := []struct {
		name      string
		code      int
		text      string
		untouched string // no request may contain this
		spoil     func(x *trouble) (mend func())
	}{
		{"install path that cannot be written", 9, "permission denied", "/", (*trouble).loseRights},
		{"folder of the program is gone", 9, "no such file", "/", (*trouble).losePath},
		{"too little space", 9, "not enough free space", "/targets/app/1.1.0/", (*trouble).smallDisk},
		{"disk that fills up meanwhile", 9, "file too large", "", (*trouble).limitFiles},
		{"another fetch at work", 9, "lock", "/", func(x *trouble) func() {
			unlock, err := durable.TryLock(x.path("state/lock"))
			must(x.t, err)
			return func() { must(x.t, unlock()) }
		}},
		{"server down", 3, "refused", "", func(x *trouble) func() {
			x.setUp("http://127.0.0.1:1", x.root, "--replace")
			return func() { x.setUp(x.front.url, x.root, "--replace") }
		}},
		{"server in trouble", 3, "503", "", func(x *trouble) func() {
			return x.answer(func(w http.ResponseWriter, _ *http.Request) bool {
				w.WriteHeader(http.StatusServiceUnavailable)
				return true
			})
		}},
		{"artifact gone", 3, "404", "", func(x *trouble) func() { return x.remove(artifact) }},
		{"channel document gone", 3, "404", "", func(x *trouble) func() { return x.remove("targets/app/channels/stable/*.json") }},
		{"snapshot gone", 3, "404", "", func(x *trouble) func() { return x.remove("metadata/3.snapshot.json") }},
		{"artifact tampered with", 4, "app/1.1.0/" + platform + "/app", "", func(x *trouble) func() { return x.tamper(artifact) }},
		{"artifact cut short", 4, "app/1.1.0/" + platform + "/app", "", func(x *trouble) func() { return x.truncate(artifact) }},
		{"timestamp tampered with", 4, "timestamp", "/targets/", func(x *trouble) func() { return x.tamper("metadata/timestamp.json") }},
		{"snapshot tampered with", 4, "snapshot", "/targets/", func(x *trouble) func() { return x.tamper("metadata/3.snapshot.json") }},
		{"unknown product", 15, "nope", "", func(x *trouble) func() { return x.configure(`"product": "app"`, `"product": "nope"`) }},
		{"unknown channel", 15, "nope", "", func(x *trouble) func() { return x.configure(`"channel": "stable"`, `"channel": "nope"`) }},
		{"unknown platform", 15, "plan9", "", func(x *trouble) func() { return x.configure(`"linux-amd64"`, `"plan9-mips"`) }},
		{"downgrade", 12, "--allow-downgrade", "/targets/app/1.0.0/", func(x *trouble) func() {
			x.update()
			x.flags = []string{"--version", "1.0.0"}
			return func() { x.flags = nil }
		}},
		{"damaged configuration", 2, "fetch.json", "/", func(x *trouble) func() { return x.configure(`"schema"`, `"scheme"`) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			x := inTrouble(t, home, before)
			x.has(old)
			mend := test.spoil(x)
			x.front.forget()
			f := x.refused(test.code, test.text, x.flags...)
			t.Logf("%s\n\thint: %s", f.Error.Message, f.Error.Hint)
			if n := x.front.count(test.untouched); test.untouched != "" && n > 0 {
				t.Errorf("%d requests contain %q before it is found out", n, test.untouched)
			}
			x.version()
			mend()
			x.update()
			x.has(fresh)
		})
	}
}

// inTrouble makes an endpoint that follows a bucket as it was before 1.1.0, then
// puts that as it is now in its place.
func inTrouble(t *testing.T, home *publisher, before string) *trouble {
	t.Helper()
	x := &trouble{bucket: filepath.Join(t.TempDir(), "bucket"), root: home.path("root.json")}
	copyTree(t, before, x.bucket)
	x.front = newProxy(t, serve(t, x.bucket))
	x.endpoint = newEndpoint(t, x.front.url, x.root)
	x.update()
	copyTree(t, home.repo, x.bucket)
	return x
}

// loseRights gives the state folder to a user who may not write beside the
// program, and runs as that user.
func (x *trouble) loseRights() (mend func()) {
	bin := filepath.Dir(x.app)
	if os.Getuid() != 0 {
		must(x.t, os.Chmod(bin, 0o555))
		return func() { must(x.t, os.Chmod(bin, 0o755)) }
	}
	const nobody = 65534
	chown := func(id int) {
		must(x.t, filepath.WalkDir(x.path("state"), func(path string, _ os.DirEntry, err error) error {
			return errors.Join(err, os.Lchown(path, id, id))
		}))
	}
	chown(nobody)
	for dir := x.dir; dir != filepath.Clean(os.TempDir()) && dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		must(x.t, os.Chmod(dir, 0o755))
	}
	x.user = &syscall.Credential{Uid: nobody, Gid: nobody}
	return func() { chown(0); x.user = nil }
}

func (x *trouble) losePath() (mend func()) {
	kept, app := x.path("elsewhere"), x.app
	must(x.t, os.Rename(filepath.Dir(app), kept))
	x.app = filepath.Join(kept, "app")
	return func() { must(x.t, os.Rename(kept, filepath.Dir(app))); x.app = app }
}

// limitFiles lets no file grow beyond 100 KiB, as a quota does.
func (x *trouble) limitFiles() (mend func()) {
	x.wrap = []string{"/bin/sh", "-c", `ulimit -f 200; "$@"`, "sh"}
	return func() { x.wrap = nil }
}

func (x *trouble) answer(with func(http.ResponseWriter, *http.Request) bool) (mend func()) {
	x.front.set(with, nil)
	return func() { x.front.set(nil, nil) }
}

// object is every object of the bucket that matches a pattern.
func (x *trouble) objects(pattern string) map[string][]byte {
	x.t.Helper()
	paths, err := filepath.Glob(filepath.Join(x.bucket, filepath.FromSlash(pattern)))
	must(x.t, err)
	if len(paths) == 0 {
		x.t.Fatalf("no object %s", pattern)
	}
	kept := map[string][]byte{}
	for _, path := range paths {
		kept[path] = x.read(path)
	}
	return kept
}

// change replaces objects; nil removes them.
func (x *trouble) change(pattern string, to func([]byte) []byte) (mend func()) {
	x.t.Helper()
	kept := x.objects(pattern)
	for path, data := range kept {
		if data = to(data); data == nil {
			must(x.t, os.Remove(path))
		} else {
			x.write(path, data, 0o644)
		}
	}
	return func() {
		for path, data := range kept {
			x.write(path, data, 0o644)
		}
	}
}

func (x *trouble) remove(pattern string) func() {
	return x.change(pattern, func([]byte) []byte { return nil })
}

// tamper changes one byte in the middle, where JSON stays JSON.
func (x *trouble) tamper(pattern string) func() {
	return x.change(pattern, func(data []byte) []byte {
		for i := len(data) / 2; i < len(data); i++ {
			if c := data[i]; c >= '0' && c < '9' {
				data = []byte(string(data))
				data[i]++
				return data
			}
		}
		x.t.Fatalf("no digit in %s", pattern)
		return nil
	})
}

func (x *trouble) truncate(pattern string) func() {
	return x.change(pattern, func(data []byte) []byte { return data[:len(data)/2] })
}

func (x *trouble) configure(old, with string) (mend func()) {
	kept := x.read("state/fetch.json")
	x.replace("state/fetch.json", old, with)
	return func() { x.write("state/fetch.json", kept, 0o600) }
}

// TestExpiredRoot lets the root run out, with a clock that only the library
// takes: the program stays, and with the right clock the update goes on.
func TestExpiredRoot(t *testing.T) {
	t.Parallel()
	home := found(t, filepath.Join(t.TempDir(), "bucket"))
	old, fresh := home.writeScript("1.0.0", scriptSize/10), home.writeScript("1.1.0", scriptSize/10)
	home.release("1.0.0", old)
	before := filepath.Join(t.TempDir(), "bucket")
	copyTree(t, home.repo, before)
	home.release("1.1.0", fresh)
	x := inTrouble(t, home, before)
	later := func() time.Time { return time.Now().Add(400 * 24 * time.Hour) }
	u, err := update.Open(x.path("state"), &update.Options{Now: later})
	must(t, err)
	_, err = u.Update(context.Background(), nil)
	var verify *fetcher.VerifyError
	var expired *fetcher.ExpiredError
	if !errors.As(err, &verify) || verify.Role != "root" || !errors.As(err, &expired) || !errors.Is(err, fetcher.ErrExpired) {
		t.Fatalf("an expired root: %v", err)
	}
	if !strings.Contains(err.Error(), expired.Expires.UTC().Format(time.RFC3339)) {
		t.Errorf("%v does not say when it expired", err)
	}
	x.has(old)
	if o := x.update(); o.To != "1.1.0" {
		t.Errorf("with the right clock: %+v", o)
	}
	x.has(fresh)
}
