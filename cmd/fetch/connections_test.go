// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// pipes is a listener on which time is virtual.
type pipes struct {
	conns chan net.Conn
	done  context.Context
}

func (l pipes) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done.Done():
		return nil, net.ErrClosed
	}
}

func (l pipes) Close() error   { return nil }
func (l pipes) Addr() net.Addr { return &net.TCPAddr{} }

// dial connects, and sends something if there is room for it.
func (l pipes) dial(text string) net.Conn {
	near, far := net.Pipe()
	go func() {
		select {
		case l.conns <- far:
			_, _ = io.WriteString(near, text)
		case <-l.done.Done():
		}
	}()
	return near
}

// crowd runs a server whose answers wait for held.
func crowd(t *testing.T, test func(l pipes, busy *atomic.Int32, held chan struct{})) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		l := pipes{make(chan net.Conn), ctx}
		var busy atomic.Int32
		held, ended := make(chan struct{}), make(chan error)
		go func() {
			ended <- serveUntil(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				busy.Add(1)
				defer busy.Add(-1)
				<-held
				fmt.Fprint(w, "hello")
			}))
		}()
		test(l, &busy, held)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

const request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"

func answered(conn net.Conn) bool {
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	return err == nil && string(data) == "hello"
}

// One program too many waits for its turn.
func TestServeTalksToFewAtATime(t *testing.T) {
	crowd(t, func(l pipes, busy *atomic.Int32, held chan struct{}) {
		var conns []net.Conn
		for range maxConnections + 10 {
			conns = append(conns, l.dial(request))
		}
		synctest.Wait()
		if n := busy.Load(); n != maxConnections {
			t.Errorf("%d at a time", n)
		}
		close(held)
		var all sync.WaitGroup
		for _, conn := range conns {
			all.Go(func() {
				defer conn.Close()
				if !answered(conn) {
					t.Error("no answer")
				}
			})
		}
		all.Wait()
	})
}

// Who keeps a connection for later keeps nobody out, and who says nothing not for long.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	for idle, bound := range map[bool]time.Duration{true: 0, false: 5 * time.Second} {
		crowd(t, func(l pipes, busy *atomic.Int32, held chan struct{}) {
			close(held)
			var conns []net.Conn
			for range maxConnections {
				text := ""
				if idle {
					text = request
				}
				conns = append(conns, l.dial(text))
				if idle && !answered(conns[len(conns)-1]) {
					t.Error("no answer")
				}
				synctest.Wait()
			}
			start := time.Now()
			conn := l.dial(request)
			defer conn.Close()
			ok := answered(conn)
			if took := time.Since(start); !ok || took > bound {
				t.Errorf("idle %v: answered %v after %v", idle, ok, took)
			}
			if _, err := conns[0].Read(make([]byte, 1)); err != io.EOF {
				t.Errorf("the oldest is still there: %v", err)
			}
			for _, conn := range conns {
				conn.Close()
			}
		})
	}
}

// A header that drips is waited for no longer than one that does not come.
func TestServeWaitsForHeadersNotLong(t *testing.T) {
	crowd(t, func(l pipes, busy *atomic.Int32, held chan struct{}) {
		close(held)
		start := time.Now()
		for _, text := range []string{"", "GET / HT"} {
			conn := l.dial(text)
			_, _ = io.ReadAll(conn)
			conn.Close()
		}
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("both took %v", took)
		}
	})
}
