// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/internal/cli"
)

const (
	unixScheme    = "unix://"
	shutdownGrace = 10 * time.Second
	writeTimeout  = 5 * time.Minute // until an answer begins, files included; while one is sent, Transport watches over it
)

// serving is printed under --json once requests are taken.
type serving struct {
	URL    string `json:"url"`              // the targets are under it
	Socket string `json:"socket,omitempty"` // path
}

type serveFlags struct {
	listen string
	token  bool
	maxAge time.Duration
}

func (a *app) serveCommand() *cobra.Command {
	var f serveFlags
	c := &cobra.Command{
		Use:   "serve",
		Short: "Serve verified files to programs on this machine",
		Long: `Listens on loopback, or on a unix socket, and answers GET and HEAD of the name of a
target with its content, with ranges, once the whole file is verified. What the repository
does not list is 404; what does not verify is 502 and never sent. So an updater that knows
nothing of signatures can be pointed here. It runs until stopped, beside the other verbs.

The first line of output is the URL. Anybody on this machine can read there, unless it
holds a token (--token) or is a socket, which belongs to this user. Requests from web
pages are refused.`,
		Example: `  fetch serve --listen 127.0.0.1:8417 &
  curl -fO http://127.0.0.1:8417/app/1.4.2/linux-amd64/app
  fetch serve --listen unix:///run/user/1000/app.sock`,
		Args: badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return a.serve(c, f) },
	}
	v := c.Flags()
	v.StringVar(&f.listen, "listen", "127.0.0.1:0", "loopback `ADDRESS`, or unix:///PATH")
	v.BoolVar(&f.token, "token", false, "put a random token in front of every name; it is part of the URL that is printed")
	v.DurationVar(&f.maxAge, "max-age", time.Minute, "`TIME` after which the metadata is brought up to date")
	return c
}

func (a *app) serve(c *cobra.Command, f serveFlags) error {
	if f.maxAge < time.Second {
		return usagef(c, "--max-age %s is under a second", f.maxAge)
	}
	u, err := a.open(nil)
	if err != nil {
		return err
	}
	transport, err := fetcher.NewTransport(u.Client(), &fetcher.TransportOptions{MaxAge: f.maxAge})
	if err != nil {
		return err
	}
	defer transport.Close()
	var handler http.Handler = transport
	token := ""
	if f.token {
		token = strings.ToLower(rand.Text())
		handler = behind(token, handler)
	}
	l, at, err := listen(c, f.listen)
	if err != nil {
		return err
	}
	if token != "" {
		at.URL += token + "/"
	}
	a.say("%s", at.URL)
	if err := a.object(at); err != nil {
		l.Close()
		return err
	}
	return serveUntil(c.Context(), l, sameMachine(handler, at.Socket != ""))
}

// listen refuses every address that others can reach.
func listen(c *cobra.Command, address string) (net.Listener, serving, error) {
	var at serving
	if path, ok := strings.CutPrefix(address, unixScheme); ok {
		l, err := listenUnix(path)
		return l, serving{URL: "http://localhost/", Socket: path}, err
	}
	host, port, err := net.SplitHostPort(address)
	if host == "localhost" {
		host = "127.0.0.1"
	}
	ip, ipErr := netip.ParseAddr(host)
	if err != nil || ipErr != nil || !ip.IsLoopback() {
		return nil, at, usagef(c, "--listen %q is no loopback address and port", address)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, at, &cli.Error{Code: cli.Local, Err: err, Hint: "take another port, or 0 for any"}
	}
	at.URL = "http://" + l.Addr().String() + "/"
	return l, at, nil
}

// listenUnix takes the place of a socket that nobody listens on any more, and of nothing else.
func listenUnix(path string) (net.Listener, error) {
	fail := func(err error) (net.Listener, error) { return nil, &fetcher.LocalError{Path: path, Err: err} }
	if !filepath.IsAbs(path) {
		return fail(errors.New("the path of a socket is absolute"))
	}
	if info, err := os.Lstat(path); err == nil {
		if info.Mode().Type() != fs.ModeSocket {
			return fail(fs.ErrExist)
		}
		if busy, err := net.Dial("unix", path); err == nil {
			busy.Close()
			return fail(errors.New("another program listens there"))
		}
		if err := os.Remove(path); err != nil {
			return fail(err)
		}
	}
	l, err := listenPrivate(path)
	if err != nil {
		return fail(err)
	}
	return l, nil
}

// behind answers only paths below the token, and does not tell by its time how much of a guess was right.
func behind(token string, next http.Handler) http.Handler {
	below := http.StripPrefix("/"+token, next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		guess, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		if subtle.ConstantTimeCompare([]byte(guess), []byte(token)) != 1 {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		below.ServeHTTP(w, r)
	})
}

// sameMachine refuses what a browser sends for a web page, also for one whose name was made to
// point at this machine, and what nobody needs: a body, which could be made to look like another request.
func sameMachine(next http.Handler, socket bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
		local := socket || host == "localhost" || err == nil && ip.IsLoopback()
		site := r.Header.Get("Sec-Fetch-Site")
		if !local || r.Header.Values("Origin") != nil || site != "" && site != "none" {
			http.Error(w, "not from this machine", http.StatusForbidden)
			return
		}
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now())
			w.Header().Set("Connection", "close")
			http.Error(w, "a body is not wanted", http.StatusBadRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// serveUntil ends without an error when it is stopped: requests under way get some seconds.
func serveUntil(ctx context.Context, l net.Listener, handler http.Handler) error {
	limited := limitConnections(l, maxConnections)
	server := &http.Server{
		Handler: handler, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, WriteTimeout: writeTimeout,
		MaxHeaderBytes: 16 << 10, DisableGeneralOptionsHandler: true, ConnState: limited.note,
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(limited) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownGrace)
	defer cancel()
	if server.Shutdown(grace) != nil {
		_ = server.Close()
	}
	<-ended
	return nil
}
