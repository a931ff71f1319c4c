// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

// web serves a sim over HTTP and counts.
type web struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string

	connections atomic.Int32
	hook        func(w http.ResponseWriter, r *http.Request) bool // true if it answered
}

func newWeb(t *testing.T, s *sim) *web {
	w := &web{}
	w.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(r.URL.EscapedPath(), "/repo%20a/")
		w.mu.Lock()
		w.requests = append(w.requests, name+r.Header.Get("Range"))
		hook := w.hook
		w.mu.Unlock()
		if hook != nil && hook(rw, r) {
			return
		}
		s.mu.Lock()
		data, ok := s.objects[name]
		s.mu.Unlock()
		if !ok {
			http.NotFound(rw, r)
			return
		}
		rw.Header().Set("ETag", `"`+sum256(data)[:16]+`"`)
		http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(data))
	}))
	w.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			w.connections.Add(1)
		}
	}
	w.Start()
	t.Cleanup(w.Close)
	return w
}

func (w *web) asked() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := w.requests
	w.requests = nil
	return out
}

func (w *web) source(t *testing.T, opts HTTPOptions) *HTTPSource {
	opts.sleep = func(context.Context, time.Duration) error { return nil }
	src, err := NewHTTPSource(w.URL+"/repo%20a", &opts)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

func (e *endpoint) over(src Source) *Client {
	c := e.client()
	c.source = src
	return c
}

func TestIdleCheckIsTwoRequests(t *testing.T) {
	s := newSim(t)
	w := newWeb(t, s)
	e := s.endpoint()
	statuses := map[string]int{}
	w.hook = nil
	src := w.source(t, HTTPOptions{})
	if err := e.over(src).Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := w.asked(); len(got) != 4 {
		t.Errorf("first refresh: %q", got)
	}
	src.client.Transport = recordStatus{src.client.Transport, statuses}
	if err := e.over(src).Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := w.asked(); !slices.Equal(got, []string{"metadata/2.root.json", layout.Timestamp}) {
		t.Errorf("idle refresh: %q", got)
	}
	if statuses["metadata/2.root.json"] != 404 || statuses["metadata/timestamp.json"] != 304 {
		t.Errorf("answers %v", statuses)
	}
	if n := w.connections.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
	s.stamp()
	if err := e.over(src).Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	e.have(versions{"timestamp": 2})
}

type recordStatus struct {
	http.RoundTripper
	seen map[string]int
}

func (r recordStatus) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.RoundTripper.RoundTrip(req)
	if err == nil {
		_, name, _ := strings.Cut(req.URL.Path, "/repo a/")
		r.seen[name] = resp.StatusCode
	}
	return resp, err
}

func TestMissingRootAnswers(t *testing.T) {
	for code, ok := range map[int]bool{403: true, 404: true, 410: true, 401: false, 500: false, 302: false} {
		s := newSim(t)
		w := newWeb(t, s)
		w.hook = func(rw http.ResponseWriter, r *http.Request) bool {
			if !strings.HasSuffix(r.URL.Path, "2.root.json") {
				return false
			}
			rw.WriteHeader(code)
			return true
		}
		err := s.endpoint().over(w.source(t, HTTPOptions{})).Refresh(context.Background())
		if (err == nil) != ok || err != nil && Class(err) != "network" {
			t.Errorf("%d: %v", code, err)
		}
	}
}

func TestForbiddenTimestampIsNotAbsent(t *testing.T) {
	w := newWeb(t, newSim(t))
	w.hook = func(rw http.ResponseWriter, _ *http.Request) bool { rw.WriteHeader(403); return true }
	_, err := w.source(t, HTTPOptions{}).Open(context.Background(), layout.Timestamp, Request{})
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

func TestRetries(t *testing.T) {
	for name, c := range map[string]struct {
		code, want int
		after      string
		wait       time.Duration
	}{
		"404 never":            {404, 1, "", 0},
		"400 never":            {400, 1, "", 0},
		"503":                  {503, 4, "", 0},
		"429 with time":        {429, 4, "7", 7 * time.Second},
		"two tries' time":      {503, 2, "40", 40 * time.Second},
		"too long a time":      {503, 1, "99999999", 0},
		"time is not a number": {503, 4, "soon", 0},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWeb(t, newSim(t))
			w.hook = func(rw http.ResponseWriter, _ *http.Request) bool {
				if c.after != "" {
					rw.Header().Set("Retry-After", c.after)
				}
				rw.WriteHeader(c.code)
				return true
			}
			src := w.source(t, HTTPOptions{})
			var least time.Duration
			src.opts.sleep = func(_ context.Context, d time.Duration) error {
				if least == 0 || d < least {
					least = d
				}
				return nil
			}
			_, err := src.Open(context.Background(), layout.Timestamp, Request{})
			if Class(err) != "network" {
				t.Errorf("error %v", err)
			}
			if n := len(w.asked()); n != c.want {
				t.Errorf("%d requests, want %d", n, c.want)
			}
			if least < c.wait || c.wait > 0 && least > c.wait+time.Second {
				t.Errorf("waited %s, want %s", least, c.wait)
			}
		})
	}
}

func TestRetrySucceeds(t *testing.T) {
	s := newSim(t)
	w := newWeb(t, s)
	count := 0
	w.hook = func(rw http.ResponseWriter, _ *http.Request) bool {
		count++
		if count%2 == 1 {
			rw.WriteHeader(503)
			return true
		}
		return false
	}
	if err := s.endpoint().over(w.source(t, HTTPOptions{})).Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
}

func TestRedirectPolicy(t *testing.T) {
	var elsewhere []http.Header
	other := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		elsewhere = append(elsewhere, r.Header)
	}))
	defer other.Close()
	for name, c := range map[string]struct {
		to     func(r *http.Request) string
		header http.Header
		from   string // host that the client believes to talk to
		ok     bool
	}{
		"same host":               {to: func(r *http.Request) string { return "/final" }, ok: true},
		"other host":              {to: func(*http.Request) string { return other.URL + "/final" }, ok: true},
		"other host, credentials": {to: func(*http.Request) string { return other.URL + "/final" }, header: http.Header{"Authorization": {"Bearer x"}}},
		"other host, own header":  {to: func(*http.Request) string { return other.URL + "/final" }, header: http.Header{"X-Token": {"x"}}},
		"loop":                    {to: func(r *http.Request) string { return r.URL.Path + "x" }},
		"file":                    {to: func(*http.Request) string { return "file:///etc/passwd" }},
		"user in URL":             {to: func(*http.Request) string { return "http://a:b@" + strings.TrimPrefix(other.URL, "http://") + "/final" }},
	} {
		t.Run(name, func(t *testing.T) {
			elsewhere = nil
			w := newWeb(t, newSim(t))
			w.hook = func(rw http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != "/final" {
					http.Redirect(rw, r, c.to(r), http.StatusFound)
				}
				return true
			}
			resp, err := w.source(t, HTTPOptions{Header: c.header}).Open(context.Background(), layout.Timestamp, Request{})
			if (err == nil) != c.ok {
				t.Fatalf("error %v", err)
			}
			if err == nil {
				resp.Body.Close()
			} else if len(elsewhere) > 0 {
				t.Error("the other host was asked")
			}
			for _, h := range elsewhere {
				if h.Get("Referer") != "" || h.Get("Authorization") != "" {
					t.Errorf("told the other host %v", h)
				}
			}
		})
	}
}

func TestRedirectRules(t *testing.T) {
	src, err := NewHTTPSource("https://example.com/repo", nil)
	if err != nil {
		t.Fatal(err)
	}
	for to, ok := range map[string]bool{
		"https://example.com/x": true, "https://cdn.example.net/x": true, "http://example.com/x": false,
		"https://127.0.0.1/x": false, "https://localhost/x": false, "https://169.254.169.254/x": false, "https://[::1]/": false,
		"https://[64:ff9b::a9fe:a9fe]/": false, "https://[64:ff9b::5db8:d822]/": true, "https://[2002:c0a8:1::1]/": false, "https://[2002:5db8:d822::1]/": true,
		"https://[fec0::1]/": false, "https://[::7f00:1]/": false, "https://198.18.0.1/": false, "https://255.255.255.255/": false,
		"https://10.0.0.1/x": false, "https://[fd00::1]/": false, "https://[::ffff:192.168.0.1]/": false, "https://100.64.0.1/": false, "ftp://example.com/x": false,
	} {
		from, _ := http.NewRequest("GET", "https://example.com/repo/metadata/timestamp.json", nil)
		next, _ := http.NewRequest("GET", to, nil)
		if err := src.checkRedirect(next, []*http.Request{from}); (err == nil) != ok {
			t.Errorf("%s: %v", to, err)
		}
	}
	for addr, refused := range map[string]bool{"127.0.0.1:80": true, "[::1]:80": true, "0.0.0.0:80": true, "[fe80::1]:80": true, "93.184.216.34:443": false, "224.0.0.1:80": true,
		"[64:ff9b::7f00:1]:80": true, "[64:ff9b:1::a00:1]:80": true, "[2606:2800:220:1::1]:443": false, "0.1.2.3:80": true} {
		if err := refusePrivate("tcp", addr, nil); (err != nil) != refused {
			t.Errorf("%s: %v", addr, err)
		}
	}
	if src.configured("127.0.0.1:443") || !src.configured("example.com:443") {
		t.Error("configured addresses are wrong")
	}
}

func TestHTTPSourceURLs(t *testing.T) {
	for _, base := range []string{"", "ftp://x/", "/path", "http://", "https://x/?q", "https://x/#f", "http://%zz/"} {
		if _, err := NewHTTPSource(base, nil); err == nil {
			t.Errorf("%q accepted", base)
		}
	}
	src, err := NewHTTPSource("https://h/a%2Fb", &HTTPOptions{TargetsURL: "https://t/x/"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		layout.Versioned("../x?", 1): "https://h/a%2Fb/metadata/1...%2Fx%3F.json",
		layout.Target("a b/c", "ff"): "https://t/x/a%20b/ff.c",
		"targets/../x":               "", "targets/%2e%2e/x": "", "other/x": "", "metadata//x": "", "targets/a?b": "",
	} {
		got, err := src.locate(name)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestCompressedAnswerIsRefused(t *testing.T) {
	w := newWeb(t, newSim(t))
	w.hook = func(rw http.ResponseWriter, r *http.Request) bool {
		if got := r.Header.Get("Accept-Encoding"); got != "identity" {
			t.Errorf("Accept-Encoding %q", got)
		}
		rw.Header().Set("Content-Encoding", "gzip")
		return true
	}
	if _, err := w.source(t, HTTPOptions{}).Open(context.Background(), layout.Timestamp, Request{}); err == nil {
		t.Error("accepted")
	}
}

func TestHugeHeadersAreRefused(t *testing.T) {
	w := newWeb(t, newSim(t))
	w.hook = func(rw http.ResponseWriter, _ *http.Request) bool {
		for i := range 200 {
			rw.Header().Set(fmt.Sprint("X-", i), strings.Repeat("a", 1000))
		}
		return true
	}
	if _, err := w.source(t, HTTPOptions{}).Open(context.Background(), layout.Timestamp, Request{}); Class(err) != "network" {
		t.Errorf("error %v", err)
	}
}

func TestEndlessBody(t *testing.T) {
	s := newSim(t)
	w := newWeb(t, s)
	w.hook = func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "timestamp.json") {
			return false
		}
		for {
			if _, err := rw.Write(make([]byte, 1024)); err != nil {
				return true
			}
		}
	}
	wantRule(t, s.endpoint().over(w.source(t, HTTPOptions{})).Refresh(context.Background()), ErrTooLarge)
}

func TestStalledBody(t *testing.T) {
	s := newSim(t)
	w := newWeb(t, s)
	release := make(chan struct{})
	w.hook = func(rw http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "timestamp.json") {
			return false
		}
		rw.Header().Set("Content-Length", "100")
		_, _ = rw.Write([]byte("{"))
		rw.(http.Flusher).Flush()
		<-release
		return true
	}
	err := s.endpoint().over(w.source(t, HTTPOptions{StallTimeout: 50 * time.Millisecond})).Refresh(context.Background())
	close(release)
	if !errors.Is(err, ErrTooSlow) || Class(err) != "network" {
		t.Errorf("error %v", err)
	}
}

// dripping gives one byte for every three seconds of its clock.
type dripping struct {
	clock *time.Time
	each  int
	left  int
}

func (d *dripping) Read(p []byte) (int, error) {
	*d.clock = d.clock.Add(3 * time.Second)
	n := min(d.each, len(p), d.left)
	if d.left -= n; n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
func (d *dripping) Close() error { return nil }

func TestSlowTransfer(t *testing.T) {
	for name, c := range map[string]struct {
		each int
		slow bool
	}{"1 byte in 3 s": {1, true}, "honest slow link": {24 << 10, false}} {
		t.Run(name, func(t *testing.T) {
			clock := epoch
			opts := HTTPOptions{now: func() time.Time { return clock }}
			opts.setDefaults()
			src := &HTTPSource{opts: opts}
			body := src.watch(&patience{}, &dripping{&clock, c.each, c.each * 1000}, func(error) {})
			_, err := io.Copy(io.Discard, body)
			if errors.Is(err, ErrTooSlow) != c.slow {
				t.Errorf("error %v", err)
			}
			if spent := clock.Sub(epoch); c.slow && spent > 60*time.Second {
				t.Errorf("noticed after %s", spent)
			}
		})
	}
}

func TestPoisonousTag(t *testing.T) {
	s := newSim(t)
	w := newWeb(t, s)
	e := s.endpoint()
	src := w.source(t, HTTPOptions{})
	if err := e.over(src).Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	f := e.client().store.floor()
	f.ETag = "\"a\x01\r\nX: y"
	if err := e.client().store.setFloor(f); err != nil {
		t.Fatal(err)
	}
	if err := e.over(src).Refresh(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestServerDown(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	src, err := NewHTTPSource("http://"+addr, &HTTPOptions{sleep: func(context.Context, time.Duration) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	s := newSim(t)
	if err := s.endpoint().over(src).Refresh(context.Background()); Class(err) != "network" {
		t.Errorf("error %v", err)
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-1/2", "bytes 5-5/*", "bytes 9223372036854775807-9223372036854775807/9223372036854775807", "bytes -1-2/3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		from, size, ok := contentRange(s)
		if ok && (from < 0 || size < -1 || size >= 0 && size <= from) {
			t.Errorf("%q: %d, %d", s, from, size)
		}
	})
}
