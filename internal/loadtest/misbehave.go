// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"
)

// fault is one way to misbehave and how many of a hundred requests meet it.
type fault struct {
	name  string
	share int
	do    func(s *server, w http.ResponseWriter, r *http.Request, name string, o object)
}

var faultMix = []fault{
	{"5xx", 5, func(_ *server, w http.ResponseWriter, _ *http.Request, _ string, _ object) {
		http.Error(w, "out of order", http.StatusBadGateway)
	}},
	{"429", 3, func(_ *server, w http.ResponseWriter, _ *http.Request, _ string, _ object) {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "slow down", http.StatusTooManyRequests)
	}},
	{"truncated", 5, func(_ *server, w http.ResponseWriter, _ *http.Request, _ string, o object) {
		length(w, len(o.data))
		_, _ = w.Write(o.data[:len(o.data)/2])
		panic(http.ErrAbortHandler)
	}},
	{"flipped", 5, func(_ *server, w http.ResponseWriter, r *http.Request, _ string, o object) {
		bad := bytes.Clone(o.data)
		bad[len(bad)/2] ^= 1
		send(w, r, object{bad, o.tag})
	}},
	{"extra", 2, func(_ *server, w http.ResponseWriter, r *http.Request, _ string, o object) {
		send(w, r, object{append(bytes.Clone(o.data), "more"...), o.tag})
	}},
	{"stall", 2, func(_ *server, w http.ResponseWriter, r *http.Request, _ string, o object) {
		length(w, len(o.data))
		_, _ = w.Write(o.data[:len(o.data)/3])
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}},
	{"drip", 1, drip},
	{"range ignored", 3, func(_ *server, w http.ResponseWriter, _ *http.Request, _ string, o object) {
		length(w, len(o.data))
		_, _ = w.Write(o.data)
	}},
	{"wrong Content-Range", 2, func(_ *server, w http.ResponseWriter, _ *http.Request, _ string, o object) {
		w.Header().Set("Content-Range", fmt.Sprintf("bytes 7-%d/%d", len(o.data)-1, len(o.data)))
		w.WriteHeader(http.StatusPartialContent)
		_, _ = w.Write(o.data[min(7, len(o.data)):])
	}},
	{"reset", 2, func(*server, http.ResponseWriter, *http.Request, string, object) { panic(http.ErrAbortHandler) }},
	{"redirect", 1, func(_ *server, w http.ResponseWriter, r *http.Request, name string, _ object) {
		http.Redirect(w, r, "http://127.0.0.1:9/"+name, http.StatusFound)
	}},
	{"stale timestamp", 1, func(s *server, w http.ResponseWriter, r *http.Request, name string, _ object) {
		old, _ := s.find(name, 1)
		send(w, r, old)
	}},
	{"64 KiB header", 1, func(_ *server, w http.ResponseWriter, r *http.Request, _ string, o object) {
		w.Header().Set("X-Padding", strings.Repeat("x", 64<<10))
		send(w, r, o)
	}},
}

// misbehave answers as the mix wants it. What happens depends on the seed, the
// client, the object and how often it was asked for, and so not on the
// order in which clients run.
func (s *server) misbehave(w http.ResponseWriter, r *http.Request, name string, o object, what string) {
	h := fnv.New64a()
	h.Write([]byte(what))
	pick := rand.New(rand.NewPCG(h.Sum64(), 0)).IntN(100)
	for _, f := range faultMix {
		if pick -= f.share; pick < 0 {
			f.do(s, w, r, name, o)
			return
		}
	}
	send(w, r, o)
}

func length(w http.ResponseWriter, n int) { w.Header().Set("Content-Length", fmt.Sprint(n)) }

// drip sends a byte now and then until the client gives up.
func drip(_ *server, w http.ResponseWriter, r *http.Request, _ string, o object) {
	length(w, len(o.data))
	for _, b := range o.data {
		if _, err := w.Write([]byte{b}); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
		select {
		case <-r.Context().Done():
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}
