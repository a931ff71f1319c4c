// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"encoding/json"
	"slices"
	"time"
)

// standing is what is kept of a mirror from one process to the next, in the file "mirrors" of
// the state folder: most programs that update live for one update only. It is a hint for
// the order of requests and nothing else, so that it needs no protection.
type standing struct {
	Strikes int     `json:"strikes"`
	Rate    float64 `json:"rate"`       // bytes a second
	Latency int64   `json:"latency_ms"` // until an answer begins
}

const (
	standingFile = "mirrors"
	maxStandings = 16 << 10
)

// recall gives mirrors of which nothing is known the standing that they had.
func (m *Mirrors) recall(data []byte) {
	var kept map[string]standing
	if json.Unmarshal(data, &kept) != nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, x := range m.mirrors {
		s, ok := kept[x.tag()]
		if !ok || x.strikes > 0 || x.rate > 0 || x.latency > 0 {
			continue
		}
		x.strikes = min(max(s.Strikes, 0), maxStrikes)
		x.rate = max(s.Rate, 0)
		x.latency = time.Duration(min(max(s.Latency, 0), 1e6)) * time.Millisecond
	}
}

// standings is what to keep, and the strikes among it.
func (m *Mirrors) standings() (data []byte, strikes []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := map[string]standing{}
	for _, x := range m.mirrors {
		kept[x.tag()] = standing{x.strikes, x.rate, x.latency.Milliseconds()}
		strikes = append(strikes, x.strikes)
	}
	data, _ = json.Marshal(kept)
	return data, strikes
}

// tag names a mirror without its URL.
func (x *mirror) tag() string { return sum256([]byte(x.label))[:16] }

// remember keeps the standing of several mirrors: after a file was measured, and whenever one gained or
// lost strikes. That it could not is no failure.
func (c *Client) remember(m *Mirrors, measured bool) {
	if len(m.mirrors) < 2 {
		return
	}
	data, strikes := m.standings()
	c.mu.Lock()
	same := slices.Equal(strikes, c.strikes)
	c.strikes = strikes
	c.mu.Unlock()
	if same && !measured {
		return
	}
	if err := c.store.write(standingFile, data); err != nil {
		c.warn("cannot keep what is known of the mirrors", "error", err)
	}
}

// recall reads what was kept.
func (c *Client) recall() {
	m := c.mirrors()
	if len(m.mirrors) < 2 {
		return
	}
	m.recall(c.store.read(standingFile, maxStandings))
	_, c.strikes = m.standings()
}
