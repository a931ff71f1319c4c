// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

// HTTPOptions are all optional; zero durations stand for the defaults given.
type HTTPOptions struct {
	MetadataURL string // in place of BASE/metadata/
	TargetsURL  string // in place of BASE/targets/
	UserAgent   string // "waybill-fetcher"
	// Header is sent with every request but not across a redirect, as it may hold credentials;
	// with a Header or a Token no redirect to another host is followed.
	Header http.Header
	// Token returns a bearer token; it is called for every request, so that a token may change.
	// It, a Header Authorization or Cookie, and a password in the URL are refused for a plain http URL of another machine.
	Token func(context.Context) (string, error)

	ConnectTimeout time.Duration // TCP and TLS, each: 15 s
	HeaderTimeout  time.Duration // until the answer begins: 15 s
	StallTimeout   time.Duration // without a byte: 20 s
	SlowWindow     time.Duration // until at least MinRate bytes have come for each of its seconds, in all tries together: 60 s
	MinRate        int64         // 1024
	Retries        int           // after network errors, 429 and 5xx: 3; negative for none

	sleep func(context.Context, time.Duration) error
	now   func() time.Time
}

// HTTPSource reads a repository from a web server or bucket. It keeps no
// cookies, wants no compression, follows at most 3 redirects, never from https to http
// and never to a private address unless the base is one. The environment is heeded as
// by every Go program: HTTPS_PROXY, HTTP_PROXY and NO_PROXY name proxies, and, where the
// system has no store of its own, SSL_CERT_FILE and SSL_CERT_DIR the trusted authorities.
type HTTPSource struct {
	base              string
	metadata, targets *url.URL
	socket            string // path of a unix socket, "" for the network
	opts              HTTPOptions
	client            *http.Client
}

// NewHTTPSource reads the repository at base, an http or https URL of the folder
// that holds metadata/ and targets/. It may hold percent-escapes, and no query. A base
// unix:///PATH is a server that listens on that socket and has the repository at its root.
func NewHTTPSource(base string, opts *HTTPOptions) (*HTTPSource, error) {
	s := &HTTPSource{base: base}
	if opts != nil {
		s.opts = *opts
	}
	s.opts.setDefaults()
	var err error
	if s.socket, err = socketPath(base); err != nil {
		return nil, err
	}
	if s.socket != "" {
		base = "http://localhost/"
	}
	if s.metadata, err = folder(base, "metadata/", s.opts.MetadataURL); err != nil {
		return nil, err
	}
	if s.targets, err = folder(base, "targets/", s.opts.TargetsURL); err != nil {
		return nil, err
	}
	for _, u := range []*url.URL{s.metadata, s.targets} {
		if s.secret(u) && u.Scheme == "http" && !onThisMachine(u.Hostname()) {
			return nil, fmt.Errorf("%s: credentials do not go over plain http", u.Redacted())
		}
	}
	s.client = s.newClient()
	return s, nil
}

// secret tells whether requests for a URL hold what nobody on the way may see.
func (s *HTTPSource) secret(u *url.URL) bool {
	for name := range s.opts.Header {
		switch http.CanonicalHeaderKey(name) {
		case "Authorization", "Proxy-Authorization", "Cookie":
			return true
		}
	}
	return s.opts.Token != nil || u.User != nil
}

// String is the base URL, without a password.
func (s *HTTPSource) String() string {
	if u, err := url.Parse(s.base); err == nil {
		return u.Redacted()
	}
	return "malformed URL"
}

// parseURL is url.Parse with errors that show no password.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil && strings.Contains(text, "@") {
		return nil, errors.New("malformed URL with a name or password in it")
	}
	return u, err
}

// socketPath is the path in a URL unix:///PATH, "" for another scheme.
func socketPath(base string) (string, error) {
	u, err := parseURL(base)
	if err != nil || u.Scheme != "unix" {
		return "", err
	}
	if u.Host != "" || len(u.Path) < 2 || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("%s: want unix:///PATH", u.Redacted())
	}
	if len(u.Path) > 2 && u.Path[2] == ':' {
		return u.Path[1:], nil // unix:///C:/socket
	}
	return u.Path, nil
}

// Close ends idle connections. The source can still be used.
func (s *HTTPSource) Close() error {
	s.client.CloseIdleConnections()
	return nil
}

func (o *HTTPOptions) setDefaults() {
	def := func(d *time.Duration, seconds time.Duration) {
		if *d <= 0 {
			*d = seconds * time.Second
		}
	}
	def(&o.ConnectTimeout, 15)
	def(&o.HeaderTimeout, 15)
	def(&o.StallTimeout, 20)
	def(&o.SlowWindow, 60)
	if o.MinRate <= 0 {
		o.MinRate = 1024
	}
	if o.Retries == 0 {
		o.Retries = 3
	}
	if o.UserAgent == "" {
		o.UserAgent = "waybill-fetcher"
	}
	if o.sleep == nil {
		o.sleep = sleep
	}
	if o.now == nil {
		o.now = time.Now
	}
}

func folder(base, dir, override string) (*url.URL, error) {
	if override != "" {
		base, dir = override, ""
	}
	u, err := parseURL(base)
	if err != nil {
		return nil, err
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s: not an http or https URL of a folder", u.Redacted())
	}
	if !strings.HasSuffix(base, "/") {
		base += "/"
	}
	return url.Parse(base + dir)
}

// locate appends an object name, which is escaped already.
func (s *HTTPSource) locate(name string) (string, error) {
	if err := layout.CheckObject(name); err != nil {
		return "", err
	}
	if rest, ok := strings.CutPrefix(name, "metadata/"); ok {
		return s.metadata.String() + rest, nil
	}
	if rest, ok := strings.CutPrefix(name, "targets/"); ok {
		return s.targets.String() + rest, nil
	}
	return "", fmt.Errorf("no object %q", name)
}

// Open implements Source.
func (s *HTTPSource) Open(ctx context.Context, name string, req Request) (*Response, error) {
	where, err := s.locate(name)
	if err != nil {
		return nil, &SourceError{name, err}
	}
	patience := patienceOf(ctx)
	for try := 0; ; try++ {
		resp, wait, err := s.once(ctx, patience, where, name, req)
		if err == nil {
			return resp, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if wait < 0 || try >= s.opts.Retries {
			return nil, &SourceError{name, err}
		}
		pause := max(wait, backoff(try))
		if left, _ := patience.spend(&s.opts, pause, 0); left <= 0 {
			return nil, &SourceError{name, err}
		}
		if err := s.opts.sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// backoff grows from a quarter of a second, with jitter so that the clients of a
// server that was down do not return together.
func backoff(try int) time.Duration {
	step := 250 * time.Millisecond << min(try, 6)
	return step/2 + rand.N(step)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const never = time.Duration(-1)

// once makes one request. With an error, wait is how long the server wants to be
// left alone, or never if another try is pointless.
func (s *HTTPSource) once(ctx context.Context, patience *patience, where, name string, req Request) (_ *Response, wait time.Duration, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer func() {
		if err != nil {
			cancel(err)
		}
	}()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return nil, never, err
	}
	if err := s.header(r, req); err != nil {
		return nil, never, err
	}
	came := patience.wait(&s.opts, s.opts.SlowWindow, cancel)
	answer, err := s.client.Do(r)
	if slow := came(0); slow != nil {
		if err == nil {
			answer.Body.Close()
		}
		return nil, never, slow
	}
	if err != nil {
		if err = brief(r.URL, err); errors.Is(err, errRedirect) {
			return nil, never, err
		}
		return nil, 0, err
	}
	resp, err := response(answer, req)
	if err != nil {
		s.drain(patience, answer, cancel)
		if answer.StatusCode == http.StatusForbidden && isRoot(name) {
			err = fmt.Errorf("%w: %w", err, fs.ErrNotExist)
		}
		return nil, s.retryAfter(answer), err
	}
	resp.Body = s.watch(patience, answer.Body, cancel)
	return resp, 0, nil
}

func (s *HTTPSource) header(r *http.Request, req Request) error {
	for k, v := range s.opts.Header {
		r.Header[http.CanonicalHeaderKey(k)] = v
	}
	if s.opts.Token != nil {
		token, err := s.opts.Token(r.Context())
		if err != nil {
			return fmt.Errorf("token: %w", err)
		}
		if !validTag(token) {
			return errors.New("token: empty, or not one line of ASCII")
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	r.Header.Set("User-Agent", s.opts.UserAgent)
	r.Header.Set("Accept-Encoding", "identity")
	if validTag(req.ETag) {
		r.Header.Set("If-None-Match", req.ETag)
	}
	switch {
	case req.Length > 0:
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", req.Offset, req.Offset+req.Length-1))
	case req.Offset > 0:
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", req.Offset))
	}
	return nil
}

// validTag keeps what a server once sent, or what became of it on disk, from
// making every later request invalid.
func validTag(tag string) bool {
	return tag != "" && strings.IndexFunc(tag, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}
