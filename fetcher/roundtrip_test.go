// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

func (e *endpoint) transport(opts *TransportOptions) *Transport {
	e.t.Helper()
	tr, err := NewTransport(e.client(), opts)
	if err != nil {
		e.t.Fatal(err)
	}
	e.t.Cleanup(func() { tr.Close() })
	return tr
}

func ask(t *testing.T, tr http.RoundTripper, method, url string, header ...string) (*http.Response, string, error) {
	t.Helper()
	r, err := http.NewRequest(method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := (&http.Client{Transport: tr}).Do(r)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body), nil
}

func TestTransport(t *testing.T) {
	s := newSim(t)
	s.add("targets", "app/file one.txt", []byte("0123456789"))
	s.add("targets", "empty", nil)
	s.release("targets")
	tr := s.endpoint().transport(nil)
	tag := `"` + sum256([]byte("0123456789")) + `"`
	const base = "http://anywhere.invalid/"
	for _, c := range []struct {
		method, path string
		header       []string
		status       int
		body, extra  string // extra is of Content-Range
	}{
		{"GET", "app/file%20one.txt", nil, 200, "0123456789", ""},
		{"GET", "app/file%20one.txt?nocache=1", nil, 200, "0123456789", ""},
		{"HEAD", "app/file%20one.txt", nil, 200, "", ""},
		{"GET", "empty", nil, 200, "", ""},
		{"GET", "app/file%20one.txt", []string{"Range", "bytes=3-5"}, 206, "345", "bytes 3-5/10"},
		{"GET", "app/file%20one.txt", []string{"Range", "bytes=8-99"}, 206, "89", "bytes 8-9/10"},
		{"GET", "app/file%20one.txt", []string{"Range", "bytes=7-"}, 206, "789", "bytes 7-9/10"},
		{"GET", "app/file%20one.txt", []string{"Range", "bytes=-2"}, 206, "89", "bytes 8-9/10"},
		{"GET", "app/file%20one.txt", []string{"Range", "bytes=-99"}, 206, "0123456789", "bytes 0-9/10"},
		{"GET", "app/file%20one.txt", []string{"Range", "bytes=10-"}, 416, "", "bytes */10"},
		{"GET", "app/file%20one.txt", []string{"Range", "bytes=-0"}, 416, "", "bytes */10"},
		{"GET", "app/file%20one.txt", []string{"Range", "bytes=1-2,4-5"}, 200, "0123456789", ""},
		{"GET", "app/file%20one.txt", []string{"Range", "bytes=5-3"}, 200, "0123456789", ""},
		{"GET", "app/file%20one.txt", []string{"Range", "lines=1-2"}, 200, "0123456789", ""},
		{"GET", "app/file%20one.txt", []string{"Range", "bytes=99999999999999999999-"}, 200, "0123456789", ""},
		{"GET", "app/file%20one.txt", []string{"Range", "bytes=3-5", "If-Range", tag}, 206, "345", "bytes 3-5/10"},
		{"GET", "app/file%20one.txt", []string{"Range", "bytes=3-5", "If-Range", `"other"`}, 200, "0123456789", ""},
		{"GET", "app/file%20one.txt", []string{"If-None-Match", `"x", W/` + tag}, 304, "", ""},
		{"GET", "empty", []string{"Range", "bytes=0-"}, 416, "", "bytes */0"},
		{"GET", "absent", nil, 404, "", ""},
		{"GET", "", nil, 404, "", ""},
		{"GET", "metadata/1.root.json", nil, 404, "", ""},
		{"GET", "app/../empty", nil, 404, "", ""},
		{"GET", "%2e%2e/secret", nil, 404, "", ""},
		{"POST", "empty", nil, 405, "", ""},
		{"DELETE", "app/file%20one.txt", nil, 405, "", ""},
		{"OPTIONS", "empty", nil, 405, "", ""},
	} {
		resp, body, err := ask(t, tr, c.method, base+c.path, c.header...)
		if err != nil {
			t.Errorf("%s %s: %v", c.method, c.path, err)
			continue
		}
		if resp.StatusCode != c.status || body != c.body || resp.Header.Get("Content-Range") != c.extra {
			t.Errorf("%s %s %v: %s %q %q", c.method, c.path, c.header, resp.Status, body, resp.Header.Get("Content-Range"))
		}
		if c.status == 200 && c.path != "empty" && (resp.Header.Get("ETag") != tag || resp.ContentLength != 10) {
			t.Errorf("%s: ETag %s, length %d", c.path, resp.Header.Get("ETag"), resp.ContentLength)
		}
	}
	targets := 0
	for _, name := range s.asked() {
		if strings.HasPrefix(name, "targets/") {
			targets++
		}
	}
	if targets != 1 {
		t.Errorf("the file was fetched %d times", targets)
	}
}

// ranges of the handler are judged by net/http's own client and server.
func TestTransportAsHandler(t *testing.T) {
	content := pattern(1 << 20)
	s, e := downloadSim(t, content)
	tr := e.transport(&TransportOptions{Base: "/some/where/"})
	server := httptest.NewServer(tr)
	defer server.Close()
	client := server.Client().Transport
	resp, body, err := ask(t, client, "GET", server.URL+"/some/where/file", "Range", "bytes=1000-1999")
	if err != nil || resp.StatusCode != 206 || body != string(content[1000:2000]) {
		t.Errorf("%v %v", resp, err)
	}
	resp, body, err = ask(t, client, "HEAD", server.URL+"/some/where/file")
	if err != nil || resp.ContentLength != 1<<20 || body != "" {
		t.Errorf("%v %v", resp, err)
	}
	for path, want := range map[string]int{"/file": 404, "/some/where": 404, "/some/wherefile": 404, "/some/where/absent": 404} {
		if resp, _, err := ask(t, client, "GET", server.URL+path); err != nil || resp.StatusCode != want {
			t.Errorf("%s: %v %v", path, resp, err)
		}
	}
	s.put(layout.Target("file", sum256(content)), []byte("false"))
	tr.Close()
	if resp, body, err := ask(t, client, "GET", server.URL+"/some/where/file"); err != nil || resp.StatusCode != 502 || body != "verification\n" {
		t.Errorf("%v %q %v", resp, body, err)
	}
}

func TestTransportErrors(t *testing.T) {
	s, e := downloadSim(t, pattern(1000))
	tr := e.transport(&TransportOptions{Base: "https://dl.example.com/app", MaxAge: time.Hour})
	get := func() error {
		resp, _, err := ask(t, tr, "GET", "https://dl.example.com/app/file")
		if err == nil && resp.StatusCode != 200 {
			err = errors.New(resp.Status)
		}
		return err
	}
	for _, url := range []string{"http://dl.example.com/app/file", "https://dl.example.com/file", "https://other/app/file"} {
		if resp, _, err := ask(t, tr, "GET", url); err != nil || resp.StatusCode != 404 {
			t.Errorf("%s: %v %v", url, resp, err)
		}
	}
	object := layout.Target("file", sum256(pattern(1000)))
	s.put(object, make([]byte, 1000))
	wantRule(t, get(), ErrMismatch)
	s.drop(object)
	if err := get(); Class(err) != "network" {
		t.Error(err)
	}
	s.put(object, pattern(1000))
	if err := get(); err != nil {
		t.Error(err)
	}
	e.now = epoch.AddDate(0, 1, 0).Add(-time.Second) // an hour is not over, but the metadata is about to expire
	tr.at = e.now
	if err := get(); err != nil {
		t.Error(err)
	}
	tr.client.opts.Now = func() time.Time { return e.now.Add(time.Minute) }
	wantRule(t, get(), ErrExpired)
}

func TestTransportRefreshes(t *testing.T) {
	s, e := downloadSim(t, []byte("one"))
	now := epoch
	c := e.client()
	c.opts.Now = func() time.Time { return now }
	tr, err := NewTransport(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	want := func(body string) {
		t.Helper()
		if _, got, err := ask(t, tr, "GET", "http://x/file"); err != nil || got != body {
			t.Errorf("%q, want %q, %v", got, body, err)
		}
	}
	want("one")
	s.add("targets", "file", []byte("two"))
	s.release("targets")
	want("one")
	now = now.Add(time.Minute)
	want("two")
}

func TestTransportKeepsFewFiles(t *testing.T) {
	s := newSim(t)
	for i := range 10 {
		s.add("targets", fmt.Sprint(i), pattern(1000+i))
	}
	s.release("targets")
	e := s.endpoint()
	tr := e.transport(&TransportOptions{MaxOpen: 3})
	var open []*http.Response
	for i := range 10 {
		r, _ := http.NewRequest("GET", fmt.Sprint("http://x/", i), nil)
		resp, err := tr.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, resp)
	}
	if n := len(tr.shelf.kept); n != 10 {
		t.Errorf("%d kept while in use", n)
	}
	for i, resp := range open {
		if data, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(data, pattern(1000+i)) {
			t.Errorf("%d: %v", i, err)
		}
		resp.Body.Close()
		resp.Body.Close()
	}
	if n := len(tr.shelf.kept); n != 3 {
		t.Errorf("%d kept", n)
	}
	kept := tr.shelf.kept[0].File
	if _, err := kept.ReadAt(make([]byte, 1), 0); err != nil {
		t.Error(err)
	}
	tr.Close()
	if n := len(tr.shelf.kept); n != 0 {
		t.Errorf("%d kept after Close", n)
	}
	if _, err := kept.ReadAt(make([]byte, 1), 0); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("still open: %v", err)
	}
}

func TestTransportConcurrently(t *testing.T) {
	content := pattern(400 << 10)
	s, e := downloadSim(t, content)
	tr := e.transport(&TransportOptions{MaxOpen: 1})
	var all sync.WaitGroup
	for i := range 16 {
		all.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			if i%4 == 0 {
				cancel()
			}
			r, _ := http.NewRequestWithContext(ctx, "GET", "http://x/file", nil)
			resp, err := (&http.Client{Transport: tr}).Do(r)
			if i%4 == 0 && errors.Is(err, context.Canceled) {
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if data, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(data, content) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(s.asked()); n > 8 {
		t.Errorf("%d requests", n)
	}
}

// TestNoGoroutineStays goes through the whole of the package, cancels in the middle, and looks
// for goroutines that have a function of this package on their stack.
func TestNoGoroutineStays(t *testing.T) {
	content := pattern(2 << 20)
	s, e := downloadSim(t, content)
	w := newWeb(t, s)
	src := w.source(t, HTTPOptions{})
	m := NewMirrors(src, w.source(t, HTTPOptions{}))
	c := e.over(m)
	ctx, cancel := context.WithCancel(context.Background())
	c.opts.Progress = func(p Progress) {
		if p.Done > 1<<20 {
			cancel()
		}
	}
	target, err := c.Target(ctx, "file")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Download(ctx, target, filepath.Join(e.dir, "out")); !errors.Is(err, context.Canceled) {
		t.Errorf("not canceled: %v", err)
	}
	tr, err := NewTransport(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, body, err := ask(t, tr, "GET", "http://x/file"); err != nil || len(body) != len(content) {
		t.Error(err)
	}
	tr.Close()
	for _, x := range m.mirrors {
		x.Source.(*HTTPSource).Close()
	}
	w.Close()
	const mark = "waybill/fetcher.("
	var stacks string
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); runtime.Gosched() {
		var b strings.Builder
		_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
		stacks = b.String()
		if !strings.Contains(stacks, mark) && !strings.Contains(stacks, "persistConn") {
			return
		}
	}
	t.Errorf("left running:\n%s", stacks)
}

func FuzzRange(f *testing.F) {
	for _, s := range []string{"bytes=0-1", "bytes=-5", "bytes=5-", "bytes=9223372036854775807-9223372036854775807", "bytes=1-2,3-4"} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, header string, size int64) {
		if size < 0 {
			return
		}
		p := rangeOf(header, size)
		if p.from < 0 || p.length < 0 || p.from > size || p.length > size-p.from {
			t.Errorf("%q of %d: %+v", header, size, p)
		}
		if p.status == http.StatusPartialContent {
			if from, total, ok := contentRange(p.String()); !ok || from != p.from || total != size {
				t.Errorf("%q of %d: %s", header, size, p)
			}
		}
	})
}
