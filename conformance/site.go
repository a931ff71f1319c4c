// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
)

// site serves the tree of the present step and remembers what was asked.
type site struct {
	*httptest.Server
	c *Case

	mu      sync.Mutex
	replies map[string]*Reply // by canonical path
	asked   []string
	served  map[string]bool // contents so far
}

func newSite(c *Case) *site {
	s := &site{c: c, replies: map[string]*Reply{}, served: map[string]bool{}}
	s.Server = httptest.NewServer(s)
	return s
}

// canonical escapes each part of a path in one way, so that clients may escape as
// they like but not move a slash.
func canonical(escaped string) (string, error) {
	parts := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return "", err
		}
		parts[i] = url.PathEscape(plain)
	}
	return strings.Join(parts, "/"), nil
}

func (s *site) change(serve map[string]*Reply) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = nil
	for name, reply := range serve {
		where, err := canonical(name)
		if err != nil {
			return err
		}
		if reply == nil {
			delete(s.replies, where)
			continue
		}
		s.replies[where] = reply
		if reply.File != "" {
			data, err := s.c.file(reply.File)
			if err != nil {
				return err
			}
			s.served[string(data)] = true
		}
	}
	return nil
}

func (s *site) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	where, err := canonical(r.URL.EscapedPath())
	s.mu.Lock()
	s.asked = append(s.asked, where)
	reply := s.replies[where]
	s.mu.Unlock()
	if reply == nil || err != nil {
		http.NotFound(w, r)
		return
	}
	if asked := r.Header.Get("Range"); asked != "" && reply.Range != "" {
		s.part(w, reply, asked)
		return
	}
	s.answer(w, reply)
}

// part answers "bytes=N-" in one of the ways that servers have.
func (s *site) part(w http.ResponseWriter, reply *Reply, asked string) {
	data, _ := s.c.file(reply.File)
	var from int
	if _, err := fmt.Sscanf(asked, "bytes=%d-", &from); err != nil || from >= len(data) || reply.Range == "refused" {
		w.WriteHeader(http.StatusRequestedRangeNotSatisfiable)
		return
	}
	says, sent := from, data[from:]
	switch reply.Range {
	case "shifted":
		sent = append(bytes.Clone(data[from+1:]), data[0])
	case "other":
		says, sent = 0, data
	}
	w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", says, says+len(sent)-1, len(data)))
	w.WriteHeader(http.StatusPartialContent)
	_, _ = w.Write(sent)
}

func (s *site) answer(w http.ResponseWriter, reply *Reply) {
	var data []byte
	if reply.File != "" {
		data, _ = s.c.file(reply.File) // change has read it
	}
	for name, value := range map[string]string{"Location": reply.Location, "Content-Encoding": reply.Encoding} {
		if value != "" {
			w.Header().Set(name, value)
		}
	}
	for i := range reply.Headers >> 10 {
		w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 1<<10))
	}
	size := int64(len(data)) + reply.Pad
	if !reply.Endless {
		w.Header().Set("Content-Length", fmt.Sprint(size))
	}
	if reply.Status != 0 {
		w.WriteHeader(reply.Status)
	}
	if reply.Cut > 0 {
		_, _ = w.Write(data[:reply.Cut])
		panic(http.ErrAbortHandler)
	}
	_, err := w.Write(data)
	spaces := bytes.Repeat([]byte(" "), 32<<10)
	for left := reply.Pad; err == nil && (left > 0 || reply.Endless); left -= int64(len(spaces)) {
		part := spaces
		if !reply.Endless {
			part = spaces[:min(left, int64(len(spaces)))]
		}
		_, err = w.Write(part)
	}
}
