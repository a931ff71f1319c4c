// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

func TestToken(t *testing.T) {
	s := newSim(t)
	w := newWeb(t, s)
	valid := "Bearer one"
	w.hook = func(rw http.ResponseWriter, r *http.Request) bool {
		if slices.Equal(r.Header.Values("Authorization"), []string{valid}) && r.Header.Get("X-Tenant") == "a" {
			return false
		}
		rw.WriteHeader(http.StatusUnauthorized)
		return true
	}
	token, trouble := "one", error(nil)
	src := w.source(t, HTTPOptions{
		Header: http.Header{"x-tenant": {"a"}, "Authorization": {"Basic x"}},
		Token:  func(context.Context) (string, error) { return token, trouble },
	})
	e := s.endpoint()
	refresh(t, e.over(src))
	token, valid = "two", "Bearer two"
	refresh(t, e.over(src))
	w.asked()
	for _, bad := range []string{"", "a\r\nX: y", "\x00", "é"} {
		token = bad
		if err := e.over(src).Refresh(context.Background()); Class(err) != "network" {
			t.Errorf("token %q: %v", bad, err)
		}
	}
	token, trouble = "two", errors.New("no vault")
	if err := e.over(src).Refresh(context.Background()); !errors.Is(err, trouble) {
		t.Error(err)
	}
	if n := len(w.asked()); n != 0 {
		t.Errorf("%d requests without a token", n)
	}
	trouble, token = nil, "wrong"
	if err := e.over(src).Refresh(context.Background()); Class(err) != "network" || !strings.Contains(err.Error(), "401") {
		t.Error(err)
	}
}

func TestCredentialsStayAtHome(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another host was asked") }))
	defer other.Close()
	for name, opts := range map[string]HTTPOptions{
		"token":  {Token: func(context.Context) (string, error) { return "secret", nil }},
		"header": {Header: http.Header{"X-Key": {"secret"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			w := newWeb(t, s)
			to, seen := "", ""
			w.hook = func(rw http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "/moved") {
					seen = r.Header.Get("Authorization") + r.Header.Get("X-Key")
					_, _ = rw.Write([]byte("x"))
					return true
				}
				http.Redirect(rw, r, to, http.StatusTemporaryRedirect)
				return true
			}
			to = "/moved"
			resp, err := w.source(t, opts).Open(context.Background(), layout.Timestamp, Request{})
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if seen != "" {
				t.Errorf("sent across a redirect: %q", seen)
			}
			to = other.URL + "/moved"
			if _, err := w.source(t, opts).Open(context.Background(), layout.Timestamp, Request{}); !errors.Is(err, errRedirect) {
				t.Error(err)
			}
		})
	}
	token := func(context.Context) (string, error) { return "x", nil }
	for base, ok := range map[string]bool{"http://example.com/": false, "https://example.com/": true, "http://127.0.0.1:80/": true, "http://localhost/": true} {
		if _, err := NewHTTPSource(base, &HTTPOptions{Token: token}); (err == nil) != ok {
			t.Errorf("%s: %v", base, err)
		}
	}
	if _, err := NewHTTPSource("https://a/", &HTTPOptions{Token: token, TargetsURL: "http://b/"}); err == nil {
		t.Error("token over plain http for targets")
	}
	src, err := NewHTTPSource("https://user:secret@example.com/x", nil)
	if err != nil || strings.Contains(src.String(), "secret") {
		t.Error(src, err)
	}
}

func TestUnixSocket(t *testing.T) {
	s := newSim(t)
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		data, ok := s.objects[strings.TrimPrefix(r.URL.EscapedPath(), "/")]
		s.mu.Unlock()
		if !ok {
			http.NotFound(rw, r)
			return
		}
		http.ServeContent(rw, r, "", time.Time{}, bytes.NewReader(data))
	})}
	go server.Serve(l)
	defer server.Close()
	src, err := NewHTTPSource("unix://"+filepath.ToSlash(path), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	refresh(t, s.endpoint().over(src))
	for _, bad := range []string{"unix://host/x", "unix:///", "unix:", "unix:///x?y", "unix:///x#y"} {
		if _, err := NewHTTPSource(bad, nil); err == nil {
			t.Errorf("%s accepted", bad)
		}
	}
}
