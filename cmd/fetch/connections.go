// SPDX-License-Identifier: Apache-2.0

package main

import (
	"net"
	"net/http"
	"slices"
	"sync"
)

// maxConnections is how many programs of this machine are talked to at a time.
const maxConnections = 64

// connections is a listener with at most so many of them open. One more takes the place of the one that was
// answered and has been idle longest; if there is none, it waits.
type connections struct {
	net.Listener
	most int

	mu   sync.Mutex
	open int
	idle []*connection // the oldest first
	room *sync.Cond
}

type connection struct {
	net.Conn
	of   *connections
	gone bool
}

func limitConnections(l net.Listener, most int) *connections {
	c := &connections{Listener: l, most: most}
	c.room = sync.NewCond(&c.mu)
	return c
}

// Accept implements net.Listener.
func (c *connections) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.open >= c.most {
		if len(c.idle) > 0 {
			oldest := c.idle[0]
			c.forget(oldest)
			oldest.Conn.Close()
			continue
		}
		c.room.Wait()
	}
	c.open++
	return &connection{Conn: conn, of: c}, nil
}

// note is for http.Server.ConnState.
func (c *connections) note(conn net.Conn, state http.ConnState) {
	one, ok := conn.(*connection)
	if !ok {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.busy(one)
	if state == http.StateIdle && !one.gone {
		c.idle = append(c.idle, one)
		c.room.Signal()
	}
}

func (c *connections) busy(one *connection) {
	c.idle = slices.DeleteFunc(c.idle, func(other *connection) bool { return other == one })
}

// forget gives the place of a connection to another one.
func (c *connections) forget(one *connection) {
	c.busy(one)
	if !one.gone {
		one.gone = true
		c.open--
		c.room.Signal()
	}
}

// Close implements net.Conn.
func (one *connection) Close() error {
	one.of.mu.Lock()
	one.of.forget(one)
	one.of.mu.Unlock()
	return one.Conn.Close()
}
