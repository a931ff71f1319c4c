// SPDX-License-Identifier: Apache-2.0

package serve_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/serve"
	"github.com/waybill-project/waybill/repo/store"
	"github.com/waybill-project/waybill/repo/store/storetest"
)

const body = "0123456789"

var hash = fmt.Sprintf("%x", sha256.Sum256([]byte(body)))

// fill puts one object of each kind into a store, and some that are not public.
func fill(t testing.TB, s *store.Store) {
	t.Helper()
	for _, name := range []string{
		"metadata/1.root.json", layout.Timestamp, layout.Target("app/1.0.0/any/app", hash),
		layout.Target("app/plain", ""), layout.Versioned("../odd role", 3),
		"publisher/lease.json", "publisher/secret", "waybill.yaml", "metadata/deep/secret.json", "metadata/key.pem",
	} {
		storetest.Put(t, s, name, []byte(body))
	}
}

func folder(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "repository"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	fill(t, s)
	return s
}

// ask sends a request whose target stays as it is; one that is no URL becomes a
// path as a whole.
func ask(h http.Handler, method, target string, header ...string) *http.Response {
	r := httptest.NewRequest(method, "/", nil)
	u, err := url.ParseRequestURI(target)
	if err != nil {
		u = &url.URL{Path: target}
	}
	r.URL = u
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func text(t testing.TB, r *http.Response) string {
	t.Helper()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestObjects(t *testing.T) {
	forever := "public, max-age=31536000, immutable"
	for kind, s := range map[string]*store.Store{"folder": folder(t), "bucket": bucket(t)} {
		h := serve.New(s, nil)
		for _, c := range []struct{ path, cache, kind string }{
			{"/metadata/1.root.json", forever, "application/json"},
			{"/metadata/timestamp.json", "no-cache", "application/json"},
			{"/metadata/timestamp.json?bust=1", "no-cache", "application/json"},
			{"/metadata/3...%2Fodd%20role.json", forever, "application/json"},
			{"/targets/app/1.0.0/any/" + hash + ".app", forever, "application/octet-stream"},
			{"/targets/app/plain", forever, "application/octet-stream"},
		} {
			t.Run(kind+c.path, func(t *testing.T) { checkObject(t, h, c.path, c.cache, c.kind) })
		}
	}
}

func bucket(t testing.TB) *store.Store {
	s := storetest.NewMemory().Store()
	fill(t, s)
	return s
}

func checkObject(t *testing.T, h http.Handler, path, cache, kind string) {
	get := ask(h, "GET", path)
	head := ask(h, "HEAD", path)
	if got := text(t, get); get.StatusCode != 200 || got != body {
		t.Fatalf("%d %q", get.StatusCode, got)
	}
	if got := text(t, head); head.StatusCode != 200 || got != "" {
		t.Fatalf("HEAD: %d %q", head.StatusCode, got)
	}
	tag := get.Header.Get("ETag")
	for _, r := range []*http.Response{get, head} {
		for name, want := range map[string]string{"Cache-Control": cache, "Content-Type": kind, "Content-Length": "10",
			"ETag": tag, "Accept-Ranges": "bytes", "X-Content-Type-Options": "nosniff"} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
	}
	if len(tag) < 66 || tag[0] != '"' {
		t.Errorf("ETag %s is not a strong one", tag)
	}
	if strings.Contains(path, hash) && tag != `"`+hash+`"` {
		t.Errorf("ETag of a hash-named target is %s", tag)
	}
	for _, c := range []struct {
		header []string
		code   int
		want   string
	}{
		{[]string{"If-None-Match", tag}, 304, ""},
		{[]string{"If-None-Match", `"other", ` + tag}, 304, ""},
		{[]string{"If-None-Match", `"other"`}, 200, body},
		{[]string{"Range", "bytes=3-5"}, 206, "345"},
		{[]string{"Range", "bytes=3-"}, 206, "3456789"},
		{[]string{"Range", "bytes=-2"}, 206, "89"},
		{[]string{"Range", "bytes=9-100"}, 206, "9"},
		{[]string{"Range", "bytes=10-"}, 416, ""},
		{[]string{"Range", "bytes=0-1,4-5"}, 200, body},
		{[]string{"Range", "bytes=5-2"}, 416, ""},
		{[]string{"Range", "bytes=99999999999999999999-"}, 416, ""},
		{[]string{"Range", "bytes=3-5", "If-Range", tag}, 206, "345"},
		{[]string{"Range", "bytes=3-5", "If-Range", `"old"`}, 200, body},
	} {
		r := ask(h, "GET", path, c.header...)
		got := text(t, r)
		if r.StatusCode != c.code || c.code < 400 && got != c.want {
			t.Errorf("%q: %d %q, want %d %q", c.header, r.StatusCode, got, c.code, c.want)
		}
	}
}

func TestNotServed(t *testing.T) {
	h := serve.New(folder(t), nil)
	for _, path := range []string{
		"", "/", "/metadata", "/metadata/", "/targets/", "/metadata/2.root.json", "/targets/app/none", "/targets/app",
		"/publisher/lease.json", "/publisher/secret", "/publisher/lock", "/waybill.yaml", "/metadata/deep/secret.json", "/metadata/key.pem",
		"/metadata/../publisher/secret", "/metadata/%2e%2e/publisher/secret", "/metadata/..%2fpublisher%2fsecret",
		"/targets/../publisher/secret", "/targets/%2E%2E/publisher/secret", "/targets/%252e%252e/publisher/secret",
		"/targets/..%5cpublisher%5csecret", `/targets/..\publisher\secret`, "/targets/./app/plain", "/targets//app/plain",
		"//metadata/1.root.json", "/metadata//1.root.json", "/./metadata/1.root.json", "/metadata/1.root.json/", "/metadata/1.root.json/x",
		"/METADATA/../publisher/secret", "/targets/x/../../publisher/secret", "/targets/app/plain%00", "/targets/app/plain%00.json",
		"/targets/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/targets/" + strings.Repeat("a", 5000), "/targets/" + strings.Repeat("a/", 500) + "x",
		"/targets/CON", "/targets/C:/x", "/%6detadata%2f1.root.json",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			r := ask(h, method, path)
			if r.StatusCode != 404 || r.Header.Get("Cache-Control") != "no-store" || strings.Contains(text(t, r), body) {
				t.Errorf("%s %.80q: %d, Cache-Control %q", method, path, r.StatusCode, r.Header.Get("Cache-Control"))
			}
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
		r := ask(h, method, "/metadata/1.root.json")
		if r.StatusCode != 405 || r.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d, Allow %q", method, r.StatusCode, r.Header.Get("Allow"))
		}
	}
}

func TestReplaced(t *testing.T) {
	m := storetest.NewMemory()
	s := m.Store()
	fill(t, s)
	h := serve.New(s, nil)
	before := ask(h, "GET", "/"+layout.Timestamp).Header.Get("ETag")
	m.Set(layout.Timestamp, []byte("newer"))
	r := ask(h, "GET", "/"+layout.Timestamp, "If-None-Match", before)
	if got := text(t, r); r.StatusCode != 200 || got != "newer" {
		t.Errorf("%d %q", r.StatusCode, got)
	}
}

func TestStoreFails(t *testing.T) {
	m := storetest.NewMemory()
	s := m.Store()
	fill(t, s)
	h := serve.New(s, nil)
	m.Fault(func(storetest.Op) storetest.Outcome { return storetest.Fails })
	for _, path := range []string{"/metadata/timestamp.json", "/metadata/1.root.json"} {
		r := ask(h, "GET", path)
		if r.StatusCode != 502 || r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("ETag") != "" {
			t.Errorf("%s: %d, %v", path, r.StatusCode, r.Header)
		}
	}
}

func TestRate(t *testing.T) {
	var now atomic.Int64
	h := serve.New(folder(t), &serve.Options{Rate: 0.5, Burst: 2, Now: func() time.Time { return time.Unix(now.Load(), 0) }})
	code := func(remote string) (int, string) {
		r := httptest.NewRequest("GET", "/metadata/1.root.json", nil)
		r.RemoteAddr = remote
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code, w.Header().Get("Retry-After")
	}
	for i, c := range []struct {
		remote string
		after  int64
		want   int
		retry  string
	}{
		{"192.0.2.1:1", 0, 200, ""}, {"192.0.2.1:2", 0, 200, ""}, {"192.0.2.1:3", 0, 429, "2"}, {"192.0.2.1:3", 0, 429, "2"},
		{"192.0.2.2:1", 0, 200, ""}, {"[::ffff:192.0.2.1]:9", 0, 429, "2"},
		{"192.0.2.1:3", 2, 200, ""}, {"192.0.2.1:3", 0, 429, "2"},
		{"[2001:db8::1]:1", 0, 200, ""}, {"[2001:db8::2]:1", 0, 200, ""}, {"[2001:db8::3%eth0]:1", 0, 429, "2"}, {"[2001:db8:0:1::1]:1", 0, 200, ""},
		{"nonsense", 0, 200, ""}, {"", 0, 200, ""}, {"other nonsense", 0, 429, "2"},
	} {
		now.Add(c.after)
		if got, retry := code(c.remote); got != c.want || retry != c.retry {
			t.Errorf("%d: %s: %d, Retry-After %q; want %d, %q", i, c.remote, got, retry, c.want, c.retry)
		}
	}
	for i := range 20000 {
		code(fmt.Sprintf("10.%d.%d.%d:1", i>>16, i>>8&255, i&255))
	}
	if got, _ := code("192.0.2.99:1"); got != 200 {
		t.Errorf("a new client after many: %d", got)
	}
}

func TestConcurrency(t *testing.T) {
	m := storetest.NewMemory()
	s := m.Store()
	fill(t, s)
	h := serve.New(s, &serve.Options{Concurrent: 1})
	inside, leave := make(chan struct{}), make(chan struct{})
	m.Fault(func(storetest.Op) storetest.Outcome {
		inside <- struct{}{}
		<-leave
		return storetest.Works
	})
	first := make(chan int)
	go func() { first <- ask(h, "GET", "/metadata/timestamp.json").StatusCode }()
	<-inside
	r := ask(h, "GET", "/metadata/timestamp.json")
	if r.StatusCode != 503 || r.Header.Get("Retry-After") != "1" {
		t.Errorf("second: %d, Retry-After %q", r.StatusCode, r.Header.Get("Retry-After"))
	}
	want(t, metrics(h), `waybill_serve_requests_in_flight 1`, `waybill_serve_limited_total{limit="concurrency"} 1`)
	close(leave)
	if code := <-first; code != 200 {
		t.Errorf("first: %d", code)
	}
}

func metrics(h *serve.Handler) string {
	w := httptest.NewRecorder()
	h.Metrics(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func want(t testing.TB, got string, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no %q in\n%s", line, got)
		}
	}
}

func TestMetrics(t *testing.T) {
	h := serve.New(folder(t), nil)
	for range 3 {
		ask(h, "GET", "/metadata/1.root.json")
	}
	ask(h, "HEAD", "/metadata/1.root.json")
	ask(h, "GET", "/metadata/1.root.json", "Range", "bytes=0-3")
	ask(h, "POST", "/metadata/1.root.json")
	want(t, metrics(h),
		`# TYPE waybill_serve_requests_total counter`, `waybill_serve_requests_total{code="200"} 4`,
		`waybill_serve_requests_total{code="206"} 1`, `waybill_serve_requests_total{code="405"} 1`,
		`waybill_serve_requests_in_flight 0`, `waybill_serve_limited_total{limit="rate"} 0`,
		fmt.Sprintf(`waybill_serve_sent_bytes_total %d`, 34+len("method not allowed\n")))
}

func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	m := storetest.NewMemory()
	s := m.Store()
	fill(t, s)
	go func() { ended <- serve.Serve(ctx, l, serve.New(s, nil)) }()
	// A request that runs when the end comes is still answered.
	inside, leave := make(chan struct{}), make(chan struct{})
	m.Fault(func(storetest.Op) storetest.Outcome { close(inside); <-leave; return storetest.Works })
	got := make(chan string, 1)
	go func() { got <- raw(l, "GET /metadata/timestamp.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") }()
	<-inside
	stop()
	close(leave)
	if answer := <-got; !strings.HasPrefix(answer, "HTTP/1.1 200") || !strings.HasSuffix(answer, body) {
		t.Errorf("running request: %q", answer)
	}
	if err := <-ended; err != nil {
		t.Errorf("end: %v", err)
	}
	if c, err := net.Dial("tcp", l.Addr().String()); err == nil {
		c.Close()
		t.Error("still listening")
	}
}

// raw sends bytes as they are and returns the whole answer.
func raw(l net.Listener, request string) string {
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	if _, err := io.WriteString(c, request); err != nil {
		return err.Error()
	}
	answer, err := io.ReadAll(bufio.NewReader(c))
	if err != nil && !errors.Is(err, io.EOF) && len(answer) == 0 {
		return err.Error()
	}
	return string(answer)
}

func TestHostileRequests(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve.Serve(ctx, l, serve.New(folder(t), nil)) }()
	for name, c := range map[string][2]string{
		"path climbs":         {"GET /metadata/../publisher/secret HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "404"},
		"absolute URL climbs": {"GET http://x/targets/%2e%2e/publisher/secret HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "404"},
		"no slash":            {"GET metadata/1.root.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "400"},
		"star":                {"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", ""},
		"connect":             {"CONNECT x:1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "405"},
		"bad escape":          {"GET /targets/%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "400"},
		"large header":        {"GET / HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", ""},
		"body never sent":     {"GET /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n", "200"},
		"upload never sent":   {"POST /metadata/1.root.json HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "405"},
		"not HTTP":            {"\x16\x03\x01\x02\x00\x01\r\n\r\n", "400"},
	} {
		answer := raw(l, c[0])
		if !strings.Contains(answer, c[1]) || strings.Contains(answer, body) != (c[1] == "200") {
			t.Errorf("%s: %.200q, want %s", name, answer, c[1])
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
