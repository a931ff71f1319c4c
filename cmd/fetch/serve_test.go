// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/internal/testrepo"
)

// machine is a folder with a repository, and an endpoint set up for it.
type machine struct {
	t    *testing.T
	dir  string
	repo *testrepo.Repo
}

func newMachine(t *testing.T) *machine {
	dir := t.TempDir()
	m := &machine{t: t, dir: dir, repo: testrepo.New(filepath.Join(dir, "repo"), time.Now(), 1)}
	m.repo.Add("docs/readme.txt", []byte("hello"), nil)
	m.repo.Add("false", []byte("the real thing"), nil)
	if err := errors.Join(m.repo.Release("app", "stable", "any", "1.0.0", []byte("one")), m.repo.Publish()); err != nil {
		t.Fatal(err)
	}
	var out, errs strings.Builder
	args := []string{"init", "--url", m.repo.Dir, "--root", m.repo.RootFile(), "--product", "app", "--channel", "stable",
		"--path", filepath.Join(dir, "app"), "--state", filepath.Join(dir, "state")}
	if code := run(t.Context(), args, nil, &out, &errs, os.Getenv, time.Now); code != 0 {
		t.Fatal(errs.String())
	}
	return m
}

// serve runs the verb and returns its first line and what stops it.
func (m *machine) serve(args ...string) (line string, stop func() int) {
	m.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	in, out := io.Pipe()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, append([]string{"serve", "--state", filepath.Join(m.dir, "state")}, args...), nil, out, io.Discard, os.Getenv, time.Now)
		out.Close()
	}()
	r := bufio.NewReader(in)
	line, err := r.ReadString('\n')
	if err != nil {
		cancel()
		m.t.Fatalf("serve %q ended: %v", args, err)
	}
	go func() { _, _ = io.Copy(io.Discard, r) }()
	return strings.TrimSpace(line), func() int { cancel(); return <-code }
}

func get(t *testing.T, client *http.Client, url string, header ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		if r.Header.Set(header[i], header[i+1]); header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestServe(t *testing.T) {
	m := newMachine(t)
	files, err := filepath.Glob(filepath.Join(m.repo.Dir, "targets", "*.false"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.WriteFile(files[0], []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	base, stop := m.serve()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for _, c := range []struct {
		path   string
		header []string
		status int
		body   string
	}{
		{"docs/readme.txt", nil, 200, "hello"},
		{"docs/readme.txt", []string{"Range", "bytes=1-2"}, 206, "el"},
		{"app/1.0.0/any/app", nil, 200, "one"},
		{"absent", nil, 404, ""},
		{"metadata/timestamp.json", nil, 404, ""},
		{"false", nil, 502, "verification\n"},
		{"docs/readme.txt", []string{"Host", "evil.example"}, 403, "not from this machine\n"},
		{"docs/readme.txt", []string{"Origin", "https://evil.example"}, 403, "not from this machine\n"},
		{"docs/readme.txt", []string{"Host", "localhost:80"}, 200, "hello"},
		{"docs/readme.txt", []string{"Host", "[::1]:80"}, 200, "hello"},
	} {
		if status, body := get(t, client, base+c.path, c.header...); status != c.status || body != c.body {
			t.Errorf("%s %q: %d %q", c.path, c.header, status, body)
		}
	}
	if code := stop(); code != 0 {
		t.Errorf("ended with %d", code)
	}
	if left, _ := filepath.Glob(filepath.Join(m.dir, "state", "trust", "*", "partial", "*")); len(left) > 1 {
		t.Errorf("left behind %q", left)
	}
}

func TestServeWithToken(t *testing.T) {
	m := newMachine(t)
	line, stop := m.serve("--token", "--listen", "[::1]:0", "--max-age", "5m")
	if strings.Count(line, "/") != 4 || len(line) < 40 {
		t.Errorf("URL %q", line)
	}
	root := line[:strings.LastIndex(strings.TrimSuffix(line, "/"), "/")+1]
	for url, want := range map[string]int{line + "docs/readme.txt": 200, root + "docs/readme.txt": 404, root + "guess/docs/readme.txt": 404} {
		if status, _ := get(t, http.DefaultClient, url); status != want {
			t.Errorf("%s: %d", url, status)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	if code := stop(); code != 0 {
		t.Errorf("ended with %d", code)
	}
}

func TestServeOnSocket(t *testing.T) {
	m := newMachine(t)
	path := filepath.Join(m.dir, "s")
	over := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	_, stop := m.serve("--listen", "unix://"+path)
	if status, body := get(t, over, "http://localhost/docs/readme.txt"); status != 200 || body != "hello" {
		t.Errorf("%d %q", status, body)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
	var out, errs strings.Builder
	again := []string{"serve", "--listen", "unix://" + path, "--json", "--state", filepath.Join(m.dir, "state")}
	if code := run(t.Context(), again, nil, &out, &errs, os.Getenv, time.Now); code != 9 {
		t.Errorf("a second one ended with %d: %s", code, out.String())
	}
	over.CloseIdleConnections()
	stop()
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	line, stop := m.serve("--listen", "unix://"+path)
	if status, _ := get(t, over, line+"docs/readme.txt"); status != 200 {
		t.Error(status)
	}
	stop()
	if err := os.WriteFile(path, []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := run(t.Context(), again, nil, &out, &errs, os.Getenv, time.Now); code != 9 {
		t.Errorf("over a file: %d", code)
	}
	if data, _ := os.ReadFile(path); string(data) != "a file" {
		t.Error("the file is gone")
	}
}

func TestServeListensHereOnly(t *testing.T) {
	m := newMachine(t)
	for _, address := range []string{"0.0.0.0:0", ":0", "192.168.1.1:80", "[::]:0", "example.com:80", "127.0.0.1", "unix://relative"} {
		var out, errs strings.Builder
		code := run(t.Context(), []string{"serve", "--listen", address, "--json", "--state", filepath.Join(m.dir, "state")}, nil, &out, &errs, os.Getenv, time.Now)
		if code != 2 && address != "unix://relative" || code == 0 {
			t.Errorf("%s: %d", address, code)
		}
		if !json.Valid([]byte(out.String())) {
			t.Errorf("%s: %s", address, out.String())
		}
	}
}

// Requests as no client of ours writes them. Two that a careless server takes for one, or one for two, get one answer
// and an end.
func TestServeHostileRequests(t *testing.T) {
	m := newMachine(t)
	base, stop := m.serve()
	defer stop()
	address := strings.TrimSuffix(strings.TrimPrefix(base, "http://"), "/")
	const here = "Host: 127.0.0.1\r\n"
	for name, c := range map[string]struct {
		request string
		want    []string // statuses in order, until the connection ends
	}{
		"plain":                   {"GET /docs/readme.txt HTTP/1.1\r\n" + here + "Connection: close\r\n\r\n", []string{"200"}},
		"no host":                 {"GET /docs/readme.txt HTTP/1.0\r\n\r\n", []string{"403"}},
		"empty host":              {"GET /docs/readme.txt HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n", []string{"403"}},
		"two hosts":               {"GET /docs/readme.txt HTTP/1.1\r\n" + here + "Host: evil.example\r\n\r\n", []string{"400"}},
		"host in the target":      {"GET http://evil.example/docs/readme.txt HTTP/1.1\r\n" + here + "Connection: close\r\n\r\n", []string{"403"}},
		"host with a suffix":      {"GET /docs/readme.txt HTTP/1.1\r\nHost: 127.0.0.1.evil.example\r\nConnection: close\r\n\r\n", []string{"403"}},
		"host with a name":        {"GET /docs/readme.txt HTTP/1.1\r\nHost: a@127.0.0.1\r\nConnection: close\r\n\r\n", []string{"400"}},
		"from another port":       {"GET /docs/readme.txt HTTP/1.1\r\n" + here + "Sec-Fetch-Site: same-site\r\nConnection: close\r\n\r\n", []string{"403"}},
		"origin null":             {"GET /docs/readme.txt HTTP/1.1\r\n" + here + "Origin: null\r\nConnection: close\r\n\r\n", []string{"403"}},
		"empty origin":            {"GET /docs/readme.txt HTTP/1.1\r\n" + here + "Origin:\r\nConnection: close\r\n\r\n", []string{"403"}},
		"connect":                 {"CONNECT example.com:443 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", []string{"403"}},
		"connect here":            {"CONNECT 127.0.0.1:22 HTTP/1.1\r\n" + here + "Connection: close\r\n\r\n", []string{"405"}},
		"options of all":          {"OPTIONS * HTTP/1.1\r\n" + here + "Connection: close\r\n\r\n", []string{"405"}},
		"trace":                   {"TRACE /docs/readme.txt HTTP/1.1\r\n" + here + "Connection: close\r\n\r\n", []string{"405"}},
		"parent":                  {"GET /../../fetch.json HTTP/1.1\r\n" + here + "Connection: close\r\n\r\n", []string{"404"}},
		"escaped parent":          {"GET /%2e%2e/%2e%2e%2ffetch.json HTTP/1.1\r\n" + here + "Connection: close\r\n\r\n", []string{"404"}},
		"backslashes":             {"GET /..\\..\\fetch.json HTTP/1.1\r\n" + here + "Connection: close\r\n\r\n", []string{"404"}},
		"doubled slash":           {"GET //docs/readme.txt HTTP/1.1\r\n" + here + "Connection: close\r\n\r\n", []string{"404"}},
		"zero byte":               {"GET /docs/readme.txt%00 HTTP/1.1\r\n" + here + "Connection: close\r\n\r\n", []string{"404"}},
		"length and chunks":       {"GET /absent HTTP/1.1\r\n" + here + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /docs/readme.txt HTTP/1.1\r\n" + here + "\r\n", []string{"400"}},
		"two lengths":             {"GET /absent HTTP/1.1\r\n" + here + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcd", []string{"400"}},
		"body":                    {"GET /docs/readme.txt HTTP/1.1\r\n" + here + "Content-Length: 4\r\n\r\nabcdGET /docs/readme.txt HTTP/1.1\r\n" + here + "\r\n", []string{"400"}},
		"chunked body":            {"GET /docs/readme.txt HTTP/1.1\r\n" + here + "Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n", []string{"400"}},
		"body that does not come": {"GET /docs/readme.txt HTTP/1.1\r\n" + here + "Content-Length: 1000\r\n\r\n", []string{"400"}},
		"upgrade":                 {"GET /docs/readme.txt HTTP/1.1\r\n" + here + "Connection: Upgrade, close\r\nUpgrade: websocket\r\n\r\n", []string{"200"}},
		"long header":             {"GET /docs/readme.txt HTTP/1.1\r\n" + here + "X: " + strings.Repeat("a", 40<<10) + "\r\n\r\n", []string{"431"}},
	} {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.WriteString(conn, c.request) }()
		data, err := io.ReadAll(conn)
		var got []string
		for _, part := range strings.Split(string(data), "HTTP/1.")[1:] {
			got = append(got, part[2:5])
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q, %v", name, got, c.want, err)
		}
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			t.Errorf("%s: the connection stays open", name)
		}
		if len(got) == 1 && got[0] != "200" && strings.Contains(string(data), "hello") {
			t.Errorf("%s: content with %s", name, got[0])
		}
		conn.Close()
	}
}
