// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

// Transport lets an updater that knows nothing of signatures read verified targets: it is a
// http.RoundTripper for its http.Client, and a http.Handler for one in another
// program. A GET or HEAD of BASE and the name of a target is answered with its content, with
// Content-Length, ETag and single ranges. What the repository does not list is 404, and
// another method 405; nothing is ever asked of the host in the URL. No byte is handed out before
// the whole file was verified; a file that was is kept open for the next requests.
type Transport struct {
	client *Client
	base   *url.URL
	opts   TransportOptions
	shelf  shelf

	turn  chan struct{} // held while metadata is brought up to date
	at    time.Time     // when it was
	slots chan struct{} // held by what ServeHTTP serves
}

// TransportOptions are all optional.
type TransportOptions struct {
	// Base is the URL that the targets are under, "" for the root of any host. Requests
	// for other URLs are answered with 404.
	Base string
	// MaxAge is how old the metadata may be: 1 minute. It is never used beyond its expiry.
	MaxAge time.Duration
	// MaxOpen is how many verified files are kept: 4. Each takes its length on disk.
	MaxOpen int
}

// Strangers may be behind ServeHTTP. Each file that they are reading takes its length on disk, so that there are only so many
// at a time, and a reader that takes less than 64 KiB in a minute is let go.
const (
	maxServed = 32
	sendStall = time.Minute
	sendShare = 64 << 10
)

// NewTransport makes a Transport that reads from client. Close it when it is done with.
func NewTransport(client *Client, opts *TransportOptions) (*Transport, error) {
	t := &Transport{client: client, turn: make(chan struct{}, 1), slots: make(chan struct{}, maxServed)}
	if opts != nil {
		t.opts = *opts
	}
	if t.opts.MaxAge <= 0 {
		t.opts.MaxAge = time.Minute
	}
	t.shelf.most = t.opts.MaxOpen
	if t.shelf.most <= 0 {
		t.shelf.most = 4
	}
	var err error
	if t.base, err = url.Parse(t.opts.Base); err != nil {
		return nil, err
	}
	return t, nil
}

// Close gives back the files that are kept and not in use; those in use follow.
func (t *Transport) Close() error {
	t.shelf.close()
	return nil
}

// RoundTrip implements http.RoundTripper. A repository that does not verify, trouble
// on the way to it or with the local disk is an error and never a response: errors.As finds
// *VerifyError, *SourceError and *LocalError in what http.Client returns.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body.Close()
	}
	resp, err := t.answer(r)
	if err != nil {
		return nil, err
	}
	resp.Proto, resp.ProtoMajor, resp.ProtoMinor = "HTTP/1.1", 1, 1
	resp.Status = fmt.Sprintf("%d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	resp.Request = r
	return resp, nil
}

// ServeHTTP implements http.Handler. Where RoundTrip returns an error it answers 502, or 503 if
// the fault is local, with the class of the error in one line. 32 requests are served at a time; others wait.
func (t *Transport) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case t.slots <- struct{}{}:
		defer func() { <-t.slots }()
	case <-r.Context().Done():
		return
	}
	resp, err := t.answer(r)
	out := &sending{ResponseController: http.NewResponseController(w), w: w}
	out.begin()
	defer out.end()
	if err != nil {
		name, _ := t.target(r) // and not the path, which may hold a token
		t.client.warn("request not served", "target", name, "error", err)
		status := http.StatusBadGateway
		if Class(err) == "local" {
			status = http.StatusServiceUnavailable
		}
		http.Error(w, Class(err), status)
		return
	}
	defer resp.Body.Close()
	for name, values := range resp.Header {
		w.Header()[name] = values
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(resp.StatusCode)
	if r.Method != http.MethodHead {
		_, _ = pour(out, resp.Body)
	}
}

// sending gives up on a reader that stands still.
type sending struct {
	*http.ResponseController
	w    io.Writer
	left int // bytes of the share that the deadline is for
}

// begin starts a share.
func (s *sending) begin() error {
	s.left = sendShare
	err := s.SetWriteDeadline(time.Now().Add(sendStall))
	if errors.Is(err, http.ErrNotSupported) {
		return nil
	}
	return err
}

func (s *sending) Write(p []byte) (int, error) {
	if s.left -= len(p); s.left < 0 {
		if err := s.begin(); err != nil {
			return 0, err
		}
		s.left -= len(p)
	}
	return s.w.Write(p)
}

// end sends what the server still holds, as long as there is a deadline.
func (s *sending) end() {
	_ = s.Flush()
	_ = s.SetWriteDeadline(time.Time{})
}

// answer is nil only with an error. Its body is never nil.
func (t *Transport) answer(r *http.Request) (_ *http.Response, err error) {
	defer guard(&err)
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != "" {
		resp := plain(http.StatusMethodNotAllowed)
		resp.Header.Set("Allow", "GET, HEAD")
		return resp, nil
	}
	name, ok := t.target(r)
	if !ok {
		return plain(http.StatusNotFound), nil
	}
	walk := t.client.OneWalk(r.Context())
	if err := t.refresh(walk); err != nil {
		return nil, err
	}
	target, err := t.client.Target(walk, name)
	if Class(err) == "absent" {
		return plain(http.StatusNotFound), nil
	}
	if err != nil {
		return nil, err
	}
	return t.serve(r, target)
}

// plain is an answer without content.
func plain(status int) *http.Response {
	h := http.Header{"Content-Length": {"0"}, "Cache-Control": {"no-cache"}}
	return &http.Response{StatusCode: status, Header: h, Body: http.NoBody}
}

// target is the name of the target that a request is for. A query, which updaters add against
// caches, means nothing.
func (t *Transport) target(r *http.Request) (string, bool) {
	if t.base.Host != "" && (!strings.EqualFold(r.URL.Host, t.base.Host) || r.URL.Scheme != t.base.Scheme) {
		return "", false
	}
	name, ok := strings.CutPrefix(r.URL.Path, strings.TrimSuffix(t.base.Path, "/")+"/")
	return name, ok && name != ""
}

// refresh brings the metadata up to date if it is too old. Of several requests one does.
func (t *Transport) refresh(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-t.turn }()
	now := t.client.opts.Now()
	if age := now.Sub(t.at); age >= 0 && age < t.opts.MaxAge && t.client.valid(now) {
		return nil
	}
	if err := t.client.Refresh(ctx); err != nil {
		return err
	}
	t.at = now
	return nil
}

// valid tells whether what is trusted has not expired since it was verified.
func (c *Client) valid(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.trusted
	if t == nil {
		return false
	}
	at := instant{time: now}
	used := []*document{t.root.document, t.timestamp.document, t.snapshot.document, t.targets.document}
	for _, delegated := range c.edges {
		used = append(used, delegated.document)
	}
	for _, doc := range used {
		if c.fresh(doc, at) != nil {
			return false
		}
	}
	return true
}

// serve answers from the signed entry as far as it can, and from the verified file for the rest.
func (t *Transport) serve(r *http.Request, target *Target) (*http.Response, error) {
	tag := `"` + target.hash() + `"`
	h := http.Header{
		"Accept-Ranges": {"bytes"}, "Cache-Control": {"no-cache"}, "Etag": {tag},
		"Content-Type": {layout.ContentType(layout.Target(target.Name, ""))},
	}
	resp := &http.Response{Header: h, Body: http.NoBody}
	if holds(r.Header.Get("If-None-Match"), tag) {
		resp.StatusCode = http.StatusNotModified
		return resp, nil
	}
	part := wholeOf(target.Length)
	if condition := r.Header.Get("If-Range"); condition == "" || condition == tag {
		part = rangeOf(r.Header.Get("Range"), target.Length)
	}
	resp.StatusCode, resp.ContentLength = part.status, part.length
	if part.status != http.StatusOK {
		h.Set("Content-Range", part.String())
	}
	h.Set("Content-Length", strconv.FormatInt(part.length, 10))
	if r.Method == http.MethodHead || part.length == 0 {
		return resp, nil
	}
	f, err := t.shelf.take(r.Context(), target.claim(), func() (*File, error) { return t.client.OpenVerified(r.Context(), target) })
	if err != nil {
		return nil, err
	}
	resp.Body = &lent{Reader: io.NewSectionReader(f, part.from, part.length), back: sync.OnceFunc(f.back)}
	return resp, nil
}

// lent is the content of a file on the shelf.
type lent struct {
	io.Reader
	back func()
}

func (l *lent) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, fs.ErrClosed) {
		err = &LocalError{Path: "verified file", Err: err}
	}
	return n, err
}

func (l *lent) Close() error {
	l.back()
	return nil
}
