// SPDX-License-Identifier: Apache-2.0

package update

import (
	"archive/tar"
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/fetcher"
)

// Credentials go to the server of the first URL, on every request, and to no other.
func TestCredentials(t *testing.T) {
	e := newEndpoint(t)
	e.release("1.1.0", "1.0.0")
	token, dir := "one", t.TempDir()
	secret := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	files := http.FileServer(http.Dir(e.repo.Dir))
	private := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+token || r.Header.Get("X-Tenant") != "acme" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		files.ServeHTTP(w, r)
	}))
	defer private.Close()
	asked := 0
	public := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		if r.Header.Get("Authorization") != "" || r.Header.Get("X-Tenant") != "" {
			t.Error("the other mirror was given credentials")
		}
		files.ServeHTTP(w, r)
	}))
	defer public.Close()
	c := e.config()
	c.TokenFile, c.HeaderFile = secret("token", "one\n"), secret("headers", "# for acme\nx-tenant:  acme \n\n")
	c.URLs = []string{private.URL}
	root, err := os.ReadFile(e.repo.RootFile())
	must(t, err)
	must(t, Init(e.state, c, root, &InitOptions{Replace: true}))
	u := e.open(Options{})
	_, err = u.Check(context.Background())
	must(t, err)
	token = "two"
	if _, err = u.Check(context.Background()); err == nil || !strings.Contains(err.Error(), "401") {
		t.Error(err)
	}
	secret("token", "two")
	_, err = u.Check(context.Background())
	must(t, err)

	c.URLs = []string{private.URL, public.URL}
	must(t, Init(e.state, c, root, &InitOptions{Replace: true}))
	secret("token", "wrong")
	o, err := e.open(Options{}).Update(context.Background(), nil)
	must(t, err)
	if o.To != "1.1.0" || asked == 0 {
		t.Errorf("%+v, %d requests to the public mirror", o, asked)
	}
	must(t, os.Remove(c.HeaderFile))
	_, err = e.open(Options{}).Rollback(context.Background()) // needs no network
	if err != nil && fetcher.Class(err) == "network" {
		t.Error(err)
	}
	c.URLs = []string{public.URL, private.URL}
	if err := Init(e.state, c, root, &InitOptions{Replace: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file is accepted: %v", err)
	}
}

func TestSecretsThatAreRefused(t *testing.T) {
	e := newEndpoint(t)
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text string
		mode os.FileMode
	}{
		"readable by all": {"X-A: b", 0o644}, "no colon": {"X-A", 0o600}, "no value": {"X-A: ", 0o600}, "empty": {"\n", 0o600},
		"space in name": {"X A: b", 0o600}, "control": {"X-A: b\x01", 0o600}, "range": {"range: bytes=0-1", 0o600}, "host": {"Host: a", 0o600},
		"huge": {"X-A: " + strings.Repeat("b", maxSecret), 0o600},
	} {
		path := filepath.Join(dir, name)
		must(t, os.WriteFile(path, []byte(c.text), c.mode))
		config := e.config()
		config.URLs, config.HeaderFile = []string{"https://a/"}, path
		root, err := os.ReadFile(e.repo.RootFile())
		must(t, err)
		err = Init(e.state, config, root, &InitOptions{Replace: true})
		if err == nil && (c.mode == 0o600 || runtime.GOOS != "windows") {
			t.Errorf("%s: accepted", name)
		}
		if err != nil && strings.Contains(err.Error(), "b\x01") {
			t.Errorf("%s: the error shows the value: %v", name, err)
		}
	}
}

func TestMirrorsOfAConfiguration(t *testing.T) {
	e := newEndpoint(t)
	e.release("1.1.0")
	c := e.config()
	empty := t.TempDir()
	address, err := FileURL(empty)
	must(t, err)
	c.URLs = append([]string{address}, c.URLs...)
	root, err := os.ReadFile(e.repo.RootFile())
	must(t, err)
	must(t, Init(e.state, c, root, &InitOptions{Replace: true}))
	o, err := e.open(Options{}).Update(context.Background(), nil)
	must(t, err)
	if o.To != "1.1.0" || o.Metadata == 0 {
		t.Errorf("%+v", o)
	}
}

func TestBundle(t *testing.T) {
	e := newEndpoint(t)
	e.release("1.1.0")
	path := filepath.Join(t.TempDir(), "bundle.tar")
	out, err := os.Create(path)
	must(t, err)
	w := tar.NewWriter(out)
	must(t, w.AddFS(os.DirFS(e.repo.Dir)))
	must(t, errors.Join(w.Close(), out.Close()))
	must(t, os.RemoveAll(e.repo.Dir))
	if _, err := e.open(Options{}).Update(context.Background(), nil); fetcher.Class(err) != "network" {
		t.Fatal(err)
	}
	b, err := OpenBundle(path)
	must(t, err)
	defer b.Close()
	o, err := e.open(Options{Source: b}).Update(context.Background(), nil)
	must(t, err)
	if o.To != "1.1.0" || e.content() != string(program("1.1.0")) {
		t.Errorf("%+v", o)
	}
	must(t, os.WriteFile(path, []byte("no archive"), 0o600))
	if _, err := OpenBundle(path); fetcher.Class(err) != "network" {
		t.Error(err)
	}
	if _, err := OpenBundle(filepath.Join(e.dir, "absent")); fetcher.Class(err) != "local" {
		t.Error(err)
	}
}

// Neither a mistake in the configuration nor the network shows what is secret.
func TestConfigurationShowsNoPassword(t *testing.T) {
	for _, urls := range []string{
		`"https://u:hunter2@a/"`, `"https://u:hunter2@a/","https://u:hunter2@a/"`, `"https://u:hunter2@a b/"`, `"ftp://u:hunter2@a/"`, `"u:hunter2@a"`,
		`"file://u:hunter2@a/x"`,
	} {
		for _, more := range []string{"", `"token_file":"/x",`} {
			text := `{"schema":1,"urls":[` + urls + `],` + more + `"product":"app","channel":"stable","platforms":["any"],"path":"/opt/app","mode":"file"}`
			if _, err := parseConfig([]byte(text)); err == nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

// A header file holds credentials, whatever their names are.
func TestHeaderFileIsNotForPlainHTTP(t *testing.T) {
	for address, ok := range map[string]bool{"https://a/": true, "http://127.0.0.1:1/": true, "http://a/": false, "http://10.0.0.1/": false} {
		text := `{"schema":1,"urls":["` + address + `"],"header_file":"/x","product":"app","channel":"stable","platforms":["any"],"path":"/opt/app","mode":"file"}`
		if _, err := parseConfig([]byte(text)); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// However much a server says, what the last good check found is not lost.
func TestCheckedSurvivesATalkativeServer(t *testing.T) {
	e := newEndpoint(t)
	e.update()
	long := errors.New(strings.Repeat("\x01", 100<<10))
	u := e.open(Options{Source: talkative{long}})
	if _, err := u.Check(context.Background()); err == nil {
		t.Fatal("no error")
	}
	s, err := u.Status(context.Background())
	must(t, err)
	if s.Checked == nil || s.Checked.Succeeded.IsZero() || s.Checked.Class != "network" {
		t.Errorf("%+v", s.Checked)
	}
}

type talkative struct{ err error }

func (s talkative) Open(context.Context, string, fetcher.Request) (*fetcher.Response, error) {
	return nil, s.err
}
