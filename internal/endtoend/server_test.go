// SPDX-License-Identifier: Apache-2.0

//go:build unix

package endtoend

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// serve runs `waybill serve` on a bucket until the test ends, and gives its URL.
func serve(t testing.TB, repo string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := newShell(t, t.TempDir()).command(ctx, "waybill", "serve", "--repo", repo, "--listen", "127.0.0.1:0", "--rate", "100000", "--burst", "100000", "--json")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		cancel()
		if err := cmd.Wait(); err != nil && cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("waybill serve: %v", err)
		}
	})
	var serving struct{ URL string }
	must(t, json.NewDecoder(stdout).Decode(&serving))
	return serving.URL
}

// proxy stands before a server: it counts, and can be told to do worse.
type proxy struct {
	url string

	mu       sync.Mutex
	requests []string // paths, in order
	sent     int64    // bytes of bodies
	cut      int64    // bytes of bodies after which the connection is closed, once; 0: never
	reached  int64    // bytes of bodies at which onReach is called, once
	onReach  func()
	before   func(http.ResponseWriter, *http.Request) bool
	answered func(*http.Request)
}

func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	to, err := url.Parse(target)
	must(t, err)
	p := &proxy{}
	forward := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // it is signed for S3
		},
		ModifyResponse: func(r *http.Response) error {
			if _, answered := p.hooks(); answered != nil {
				answered(r.Request)
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.note(r)
		if before, _ := p.hooks(); before != nil && before(w, r) {
			return
		}
		forward.ServeHTTP(&meter{w, p}, r)
	}))
	server.Config.ErrorLog = nil
	server.Start()
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

func (p *proxy) note(r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, r.URL.Path)
}

// set makes hooks for the requests from now on: before is called first and tells
// whether it has answered, answered once the server has answered and the client
// does not know yet.
func (p *proxy) set(before func(http.ResponseWriter, *http.Request) bool, answered func(*http.Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before, p.answered = before, answered
}

func (p *proxy) hooks() (before func(http.ResponseWriter, *http.Request) bool, answered func(*http.Request)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.before, p.answered
}

// forget starts counting anew.
func (p *proxy) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests, p.sent = nil, 0
}

// count tells how many requests there were for paths that contain text.
func (p *proxy) count(text string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, path := range p.requests {
		if strings.Contains(path, text) {
			n++
		}
	}
	return n
}

// bytes is how many bytes of bodies were sent so far.
func (p *proxy) bytes() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent
}

// meter counts what is sent, and cuts.
type meter struct {
	http.ResponseWriter
	proxy *proxy
}

func (m *meter) Write(b []byte) (int, error) {
	n, err := m.ResponseWriter.Write(b)
	p := m.proxy
	p.mu.Lock()
	p.sent += int64(n)
	cut := p.cut > 0 && p.sent >= p.cut
	if cut {
		p.cut = 0
	}
	var reached func()
	if p.onReach != nil && p.sent >= p.reached {
		reached, p.onReach = p.onReach, nil
	}
	p.mu.Unlock()
	if reached != nil {
		reached()
	}
	if cut {
		panic(http.ErrAbortHandler)
	}
	return n, err
}

func (m *meter) Unwrap() http.ResponseWriter { return m.ResponseWriter }

var _ io.Writer = (*meter)(nil)
