// SPDX-License-Identifier: Apache-2.0

// Package serve serves a repository over HTTP from any bucket, for development
// and small sites; a larger one lets the bucket or a CDN do it.
//
// [New] gives a handler for the public objects of a store, [Serve] runs it until
// a context ends. Only GET and HEAD of what package layout calls public are
// answered, with single ranges, strong ETags, and the cache headers of layout.
// How many requests run at once, and how many a client may send a second, is
// limited; who waits too long for the next bytes is cut off. [Handler.Metrics]
// counts in the text format of Prometheus.
package serve

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/store"
)

// Options of a Handler. Zero fields mean the defaults.
type Options struct {
	Concurrent int     // requests at once; 64
	Rate       float64 // requests a second from one client address, IPv6 by /64; 50
	Burst      int     // requests that a client may save up; 200
	Now        func() time.Time
	Logger     *slog.Logger // failures of the store; nil is silent
}

// Handler serves one repository.
type Handler struct {
	store   *store.Store
	slots   chan struct{}
	clients *clients
	log     *slog.Logger
	metrics metrics
}

// New makes a handler over a store, which stays the caller's to close.
func New(s *store.Store, opts *Options) *Handler {
	o := Options{}
	if opts != nil {
		o = *opts
	}
	if o.Concurrent <= 0 {
		o.Concurrent = 64
	}
	if o.Rate <= 0 {
		o.Rate = 50
	}
	if o.Burst <= 0 {
		o.Burst = 200
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Handler{
		store:   s,
		slots:   make(chan struct{}, o.Concurrent),
		clients: newClients(o.Rate, o.Burst, o.Now),
		log:     o.Logger,
	}
}

// ServeHTTP answers a request: 200, 206, 304, 404, 405, 416; 429 and 503 with
// Retry-After beyond the limits; 502 if the store fails.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.metrics.inFlight.Add(1)
	defer h.metrics.inFlight.Add(-1)
	out := newWriter(w)
	defer func() { h.metrics.count(out) }()
	out.Header().Set("X-Content-Type-Options", "nosniff")
	if r.ContentLength != 0 {
		out.leaveBody()
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		out.Header().Set("Allow", "GET, HEAD")
		refuse(out, http.StatusMethodNotAllowed)
		return
	}
	if wait := h.clients.wait(r.RemoteAddr); wait > 0 {
		h.metrics.limitedRate.Add(1)
		refuseFor(out, http.StatusTooManyRequests, wait)
		return
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
		h.object(out, r)
	default:
		h.metrics.limitedConcurrency.Add(1)
		refuseFor(out, http.StatusServiceUnavailable, time.Second)
	}
}

func refuse(w http.ResponseWriter, code int) {
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, strings.ToLower(http.StatusText(code)), code)
}

func refuseFor(w http.ResponseWriter, code int, wait time.Duration) {
	w.Header().Set("Retry-After", fmt.Sprint(int64((wait+time.Second-1)/time.Second)))
	refuse(w, code)
}

func (h *Handler) object(w http.ResponseWriter, r *http.Request) {
	name, ok := objectName(r.URL)
	if !ok {
		refuse(w, http.StatusNotFound)
		return
	}
	content, err := h.open(r.Context(), name)
	if err != nil {
		h.fail(w, r, name, err)
		return
	}
	head := w.Header()
	head.Set("Content-Type", layout.ContentType(name))
	head.Set("Cache-Control", layout.CacheControl(name))
	head.Set("ETag", content.etag)
	if strings.Contains(r.Header.Get("Range"), ",") {
		// One answer with many parts helps nobody but an attacker.
		r = r.Clone(r.Context())
		r.Header.Del("Range")
	}
	http.ServeContent(w, r, "", time.Time{}, content)
	if err := content.close(); err != nil && r.Context().Err() == nil {
		h.log.Warn("send object", "object", name, "error", err)
	}
}

func (h *Handler) fail(w http.ResponseWriter, r *http.Request, name string, err error) {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid):
		refuse(w, http.StatusNotFound)
	case r.Context().Err() != nil:
		refuse(w, statusGone)
	default:
		h.log.Warn("open object", "object", name, "error", err)
		refuse(w, http.StatusBadGateway)
	}
}

// statusGone, of nginx, is only ever counted: its client has hung up.
const statusGone = 499

// objectName is the object that a URL asks for, in layout's spelling. Escaped
// slashes stay inside their part.
func objectName(u *url.URL) (string, bool) {
	escaped, ok := strings.CutPrefix(u.EscapedPath(), "/")
	if !ok {
		return "", false
	}
	parts := strings.Split(escaped, "/")
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return "", false
		}
		parts[i] = url.PathEscape(plain)
	}
	name := strings.Join(parts, "/")
	return name, layout.Public(name)
}

func (h *Handler) open(ctx context.Context, name string) (*content, error) {
	if name == layout.Timestamp {
		data, err := h.store.Get(ctx, name, layout.MaxMetadata)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(data)
		return &content{ReadSeeker: bytes.NewReader(data), etag: fmt.Sprintf("%q", fmt.Sprintf("%x", sum[:]))}, nil
	}
	attrs, err := h.store.Stat(ctx, name)
	if err != nil {
		return nil, err
	}
	o := &object{ctx: ctx, store: h.store, name: name, attrs: attrs}
	return &content{ReadSeeker: o, object: o, etag: etag(name, attrs)}, nil
}

// etag is the hash in a target's name, the same on every mirror, or else the
// version that the store gives.
func etag(name string, attrs store.Attributes) string {
	first, _, _ := strings.Cut(path.Base(name), ".")
	if strings.HasPrefix(name, "targets/") && len(first) >= 64 && strings.Trim(first, "0123456789abcdef") == "" {
		return `"` + first + `"`
	}
	return fmt.Sprintf(`"%x"`, sha256.Sum256([]byte(name+"\x00"+attrs.ETag)))
}
