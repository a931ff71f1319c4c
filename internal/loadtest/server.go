// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

// server holds a repository in memory and counts what goes over its connections.
//
//	GET /.release/N   from now on serve timestamp.N
//	GET /.faults/SEED misbehave, 0 for not
//	GET /.down/0|1    refuse everything with 503
//	GET /.stats/      stats as JSON
type server struct {
	objects map[string]object
	release atomic.Int64
	seed    atomic.Uint64
	down    atomic.Bool
	sent    atomic.Int64
	started time.Time

	mu       sync.Mutex
	tries    map[string]int
	requests int64
	ticks    []int64 // requests per tick since the start
}

type object struct {
	data []byte
	tag  string
}

const tick = 250 * time.Millisecond

// stats are since the start of the server.
type stats struct {
	Requests int64   `json:"requests"`
	Sent     int64   `json:"sent_bytes"` // on the wire, headers included
	Ticks    []int64 `json:"ticks"`
}

func serve(ctx context.Context, j *job, _ io.Reader, out io.Writer) error {
	s := &server{objects: map[string]object{}, tries: map[string]int{}, started: time.Now()}
	if err := s.load(j.Dir); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "http://%s\n", l.Addr())
	h := &http.Server{Handler: s, ReadHeaderTimeout: time.Minute}
	context.AfterFunc(ctx, func() { h.Close() })
	if err := h.Serve(counted{l, &s.sent}); err != http.ErrServerClosed {
		return err
	}
	return nil
}

func (s *server) load(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		s.objects[filepath.ToSlash(name)] = object{data, strconv.Quote(hexSum(data)[:16])}
		return err
	})
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	if verb, arg, ok := strings.Cut(strings.TrimPrefix(name, "."), "/"); ok && name[0] == '.' {
		s.control(w, verb, arg)
		return
	}
	try := s.count(r.UserAgent() + " " + name)
	if s.down.Load() {
		http.Error(w, "down", http.StatusServiceUnavailable)
		return
	}
	o, ok := s.find(name, 0)
	if !ok {
		http.NotFound(w, r)
		return
	}
	if seed := s.seed.Load(); seed != 0 {
		s.misbehave(w, r, name, o, fmt.Sprint(seed, r.UserAgent(), name, try))
		return
	}
	send(w, r, o)
}

func send(w http.ResponseWriter, r *http.Request, o object) {
	w.Header().Set("ETag", o.tag)
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(o.data))
}

// find returns an object; the timestamp of the present release, or one of back releases ago.
func (s *server) find(name string, back int64) (object, bool) {
	if n := s.release.Load(); n > 0 && name == layout.Timestamp {
		name = fmt.Sprintf("timestamp.%d", max(1, n-back))
	}
	o, ok := s.objects[name]
	return o, ok
}

// count returns how often the same client asked for the same object before.
func (s *server) count(what string) int {
	at := int(time.Since(s.started) / tick)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	for len(s.ticks) <= at {
		s.ticks = append(s.ticks, 0)
	}
	s.ticks[at]++
	s.tries[what]++
	return s.tries[what]
}

func (s *server) control(w http.ResponseWriter, verb, arg string) {
	n, _ := strconv.ParseUint(arg, 10, 64)
	switch verb {
	case "release":
		s.release.Store(int64(n))
	case "faults":
		s.seed.Store(n)
	case "down":
		s.down.Store(n > 0)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(stats{s.requests, s.sent.Load(), s.ticks})
}

// tell controls a server from another process.
func tell(ctx context.Context, url, what string) (*stats, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url+"/."+what, nil)
	if err != nil {
		return nil, err
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	s := &stats{}
	return s, json.NewDecoder(resp.Body).Decode(s)
}

// counted counts the bytes that its connections send.
type counted struct {
	net.Listener
	sent *atomic.Int64
}

func (l counted) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return countedConn{c, l.sent}, nil
}

type countedConn struct {
	net.Conn
	sent *atomic.Int64
}

func (c countedConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.sent.Add(int64(n))
	return n, err
}
