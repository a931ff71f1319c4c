// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

// paced serves a sim at a given rate of a clock of its own.
type paced struct {
	*sim
	clock *time.Time
	rate  int // bytes a second
	bytes int
}

func (p *paced) Open(ctx context.Context, name string, req Request) (*Response, error) {
	resp, err := p.sim.Open(ctx, name, req)
	if err != nil {
		return nil, err
	}
	data, _ := io.ReadAll(resp.Body)
	resp.Body = &pacedBody{data: data[req.Offset:], paced: p}
	resp.Offset = req.Offset
	return resp, nil
}

type pacedBody struct {
	*paced
	data []byte
}

func (b *pacedBody) Read(buf []byte) (int, error) {
	n := copy(buf[:min(len(buf), 4096)], b.data)
	if b.data = b.data[n:]; n == 0 {
		return 0, io.EOF
	}
	b.bytes += n
	*b.clock = b.clock.Add(time.Duration(n) * time.Second / time.Duration(b.rate))
	return n, nil
}

func (b *pacedBody) Close() error { return nil }

func TestFasterMirrorIsPreferred(t *testing.T) {
	content := pattern(4 << 20)
	for name, c := range map[string]struct {
		rates     [3]int
		wantFirst int     // mirror that a second download starts at
		least     float64 // part of the first download that it brought
	}{
		"first is fastest":    {[3]int{10 << 20, 1 << 20, 1 << 20}, 0, 1},
		"first is slow":       {[3]int{16 << 10, 8 << 20, 32 << 10}, 1, 0.9},
		"slow, slower, quick": {[3]int{32 << 10, 16 << 10, 8 << 20}, 2, 0.9},
		"all the same":        {[3]int{32 << 10, 32 << 10, 32 << 10}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSim(t)
			s.add("targets", "file", content)
			s.add("targets", "other", pattern(1<<20))
			s.release("targets")
			e := s.endpoint()
			clock := epoch
			var sources []Source
			var all []*paced
			for _, rate := range c.rates {
				p := &paced{sim: s.copied(), clock: &clock, rate: rate}
				all, sources = append(all, p), append(sources, p)
			}
			m := NewMirrors(sources...)
			m.now = func() time.Time { return clock }
			client := e.over(m)
			get := func(name string) {
				t.Helper()
				target, err := client.Target(context.Background(), name)
				if err == nil {
					for _, p := range all {
						p.bytes = 0
					}
					err = client.Download(context.Background(), target, filepath.Join(e.dir, name+".out"))
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			get("file")
			if got := all[c.wantFirst].bytes; float64(got) < c.least*float64(len(content)) {
				t.Errorf("the quickest brought %d bytes", got)
			}
			sum := 0
			for _, p := range all {
				sum += p.bytes
			}
			if sum != len(content) {
				t.Errorf("%d bytes for %d", sum, len(content))
			}
			get("other")
			if all[c.wantFirst].bytes != 1<<20 && c.least > 0 {
				t.Errorf("the second download did not start at the quickest: %d", all[c.wantFirst].bytes)
			}
		})
	}
}

// A file that two mirrors brought together and that does not verify says nothing about either.
func TestMixOfMirrorsIsTriedApart(t *testing.T) {
	content := pattern(2 << 20)
	s := newSim(t)
	s.add("targets", "file", content)
	s.release("targets")
	e := s.endpoint()
	clock := epoch
	good := &paced{sim: s.copied(), clock: &clock, rate: 16 << 10}
	bad := &paced{sim: s.copied(), clock: &clock, rate: 8 << 20}
	bad.put(layout.Target("file", sum256(content)), make([]byte, len(content)))
	m := NewMirrors(good, bad)
	m.now = func() time.Time { return clock }
	client := e.over(m)
	target, err := client.Target(context.Background(), "file")
	if err == nil {
		err = client.Download(context.Background(), target, filepath.Join(e.dir, "out"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if m.order(0)[0].Source != Source(good) {
		t.Error("the lying mirror is preferred")
	}
	if bad.bytes > 3*len(content) || good.bytes > 2*len(content) {
		t.Errorf("%d and %d bytes", good.bytes, bad.bytes)
	}
}

// The next process knows which mirror was slow, and which one lied.
func TestStandingOfMirrorsIsKept(t *testing.T) {
	content := pattern(1 << 20)
	s := newSim(t)
	s.add("targets", "file", content)
	s.release("targets")
	e := s.endpoint()
	clock := epoch
	slow := &paced{sim: s.copied(), clock: &clock, rate: 32 << 10}
	quick := &paced{sim: s.copied(), clock: &clock, rate: 8 << 20}
	process := func() (*Client, *Mirrors) {
		m := NewMirrors(slow, quick)
		m.now = func() time.Time { return clock }
		c, err := New(e.root, e.dir, m, &Options{Flat: true, Now: e.clock()})
		if err != nil {
			t.Fatal(err)
		}
		return c, m
	}
	get := func(c *Client) {
		t.Helper()
		target, err := c.Target(context.Background(), "file")
		if err == nil {
			err = c.Download(context.Background(), target, filepath.Join(t.TempDir(), "out"))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	c, _ := process()
	get(c)
	c, m := process()
	if m.order(1 << 20)[0].Source != Source(quick) {
		t.Error("the slow mirror comes first again")
	}
	slow.put(layout.Timestamp, []byte("{}"))
	e.now = e.now.Add(time.Hour)
	refresh(t, c)
	_, m = process()
	if m.order(0)[0].Source != Source(quick) {
		t.Error("the lying mirror comes first again")
	}
	slow.put(layout.Timestamp, s.objects[layout.Timestamp])
	for range falseStrike { // an hour each
		e.now = e.now.Add(time.Hour)
		c, m = process()
		refresh(t, c)
	}
	if m.order(0)[0].strikes+m.order(0)[1].strikes != 0 {
		t.Error("a mirror that mended its ways is not forgiven")
	}
	for _, damage := range []string{"", "null", "{", `{"x":1}`, `{"` + m.mirrors[0].tag() + `":{"strikes":-9,"rate":-1,"latency_ms":-1}}`, strings.Repeat("x", 1<<20)} {
		if err := os.WriteFile(filepath.Join(e.dir, standingFile), []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		c, m := process()
		refresh(t, c)
		if len(m.order(0)) != 2 || m.mirrors[0].strikes < 0 {
			t.Errorf("%.20q", damage)
		}
	}
}
