// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	maxClients = 4096
	looked     = 32
)

// clients limits the requests of each address, in bounded memory.
type clients struct {
	rate  rate.Limit
	burst int
	now   func() time.Time

	mu    sync.Mutex
	known map[netip.Prefix]*rate.Limiter
}

func newClients(perSecond float64, burst int, now func() time.Time) *clients {
	return &clients{rate: rate.Limit(perSecond), burst: burst, now: now, known: map[netip.Prefix]*rate.Limiter{}}
}

// wait counts a request and tells how long its client should have waited.
func (c *clients) wait(remote string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	who, now := client(remote), c.now()
	limiter := c.known[who]
	if limiter == nil {
		if len(c.known) >= maxClients {
			c.forget(now)
		}
		limiter = rate.NewLimiter(c.rate, c.burst)
		c.known[who] = limiter
	}
	reservation := limiter.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait > 0 {
		reservation.CancelAt(now)
	}
	return wait
}

// forget drops, of a few clients at random, the one with the most requests
// left: about that one the least is lost.
func (c *clients) forget(now time.Time) {
	var most netip.Prefix
	tokens, n := -1.0, 0
	for who, limiter := range c.known {
		if left := limiter.TokensAt(now); left > tokens {
			most, tokens = who, left
		}
		if n++; n == looked {
			break
		}
	}
	delete(c.known, most)
}

// client is the address that a request counts for: an IPv6 subscriber usually
// has a /64 to himself.
func client(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	return netip.PrefixFrom(addr, bits).Masked()
}
