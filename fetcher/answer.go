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
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

func isRoot(name string) bool {
	role, _, ok := layout.ParseVersioned(name)
	return ok && role == "root"
}

// response judges status and headers.
func response(a *http.Response, req Request) (*Response, error) {
	if enc := a.Header.Get("Content-Encoding"); enc != "" && enc != "identity" {
		return nil, fmt.Errorf("content encoding %.20q was not asked for", enc)
	}
	switch a.StatusCode {
	case http.StatusOK:
		return &Response{Size: a.ContentLength, ETag: a.Header.Get("ETag")}, nil
	case http.StatusPartialContent:
		from, size, ok := contentRange(a.Header.Get("Content-Range"))
		if !ok || from != req.Offset {
			return nil, fmt.Errorf("%w: Content-Range %.60q", errRange, a.Header.Get("Content-Range"))
		}
		return &Response{Offset: from, Size: size, ETag: a.Header.Get("ETag")}, nil
	case http.StatusRequestedRangeNotSatisfiable:
		return nil, fmt.Errorf("%w: %.60s", errRange, a.Status)
	case http.StatusNotModified:
		if req.ETag != "" {
			return &Response{NotModified: true, ETag: req.ETag}, nil
		}
	case http.StatusNotFound, http.StatusGone:
		return nil, fmt.Errorf("%.60s: %w", a.Status, fs.ErrNotExist)
	}
	return nil, fmt.Errorf("server says %.60s", a.Status)
}

// briefError cuts the text of an error short, as it may quote kilobytes of what a server sent.
type briefError struct{ err error }

const maxErrorText = 400

func (e *briefError) Error() string {
	text := e.err.Error()
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + "..."
	}
	return text
}

func (e *briefError) Unwrap() error { return e.err }

// brief names the URL that we asked for, and not, as a *url.Error does, the one that the server wants us to
// go to: that may be a signed one.
func brief(asked *url.URL, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return &briefError{fmt.Errorf("%s: %w", asked.Redacted(), err)}
}

// errRange says that a server cannot continue a transfer where we want it to.
var errRange = errors.New("range refused")

// contentRange reads "bytes FROM-TO/SIZE"; size is -1 for "*".
func contentRange(s string) (from, size int64, ok bool) {
	rest, ok := strings.CutPrefix(s, "bytes ")
	span, total, found := strings.Cut(rest, "/")
	first, last, dash := strings.Cut(span, "-")
	if !ok || !found || !dash {
		return 0, 0, false
	}
	from, err1 := strconv.ParseInt(first, 10, 64)
	to, err2 := strconv.ParseInt(last, 10, 64)
	if err1 != nil || err2 != nil || from < 0 || to < from {
		return 0, 0, false
	}
	if total == "*" {
		return from, -1, true
	}
	size, err := strconv.ParseInt(total, 10, 64)
	return from, size, err == nil && size > to
}

// retryAfter is how long to wait after a refusal, at most a minute.
func (s *HTTPSource) retryAfter(a *http.Response) time.Duration {
	if a.StatusCode != http.StatusTooManyRequests && a.StatusCode < 500 {
		return never
	}
	v := a.Header.Get("Retry-After")
	if seconds, err := strconv.Atoi(v); err == nil && seconds >= 0 {
		return min(time.Duration(min(seconds, 60))*time.Second, time.Minute)
	}
	if at, err := http.ParseTime(v); err == nil {
		return min(max(at.Sub(s.opts.now()), 0), time.Minute)
	}
	return 0
}

// drain reads a short error page to its end, so that the connection can be used
// again: a refresh with nothing new is a 404 and a 304 over one connection.
func (s *HTTPSource) drain(p *patience, a *http.Response, cancel context.CancelCauseFunc) {
	defer a.Body.Close()
	if a.ContentLength >= 0 && a.ContentLength <= 4<<10 {
		_, _ = io.Copy(io.Discard, s.watch(p, a.Body, cancel))
	}
}
