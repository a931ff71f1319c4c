// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

// A mirror that keeps a download alive with next to nothing is left for one that has it.
func TestMirrorThatBreaksOffForEver(t *testing.T) {
	content := pattern(400 << 10)
	for name, answer := range map[string]func(from int) (data []byte, offset int){
		"a byte a time":             func(from int) ([]byte, int) { return content[from : from+1], from },
		"a false byte a time":       func(int) ([]byte, int) { return []byte("x"), -1 },
		"nearly all, over and over": func(int) ([]byte, int) { return content[:399<<10], 0 },
	} {
		t.Run(name, func(t *testing.T) {
			good := newSim(t)
			good.add("targets", "file", content)
			good.release("targets")
			bad := good.copied()
			requests, sent := 0, 0
			bad.open = func(name string, req Request) (*Response, error) {
				if !strings.HasPrefix(name, "targets/") {
					return nil, nil
				}
				requests++
				data, offset := answer(int(req.Offset))
				if offset < 0 {
					offset = int(req.Offset)
				}
				sent += len(data)
				return &Response{Body: io.NopCloser(cut{bytes.NewReader(data)}), Offset: int64(offset), Size: int64(len(content))}, nil
			}
			good.open = ranges(content)
			e := good.endpoint()
			c := e.mirrored(bad, good)
			dest := filepath.Join(e.dir, "out")
			if err := c.get1(dest); err != nil {
				t.Error(err)
			}
			if got, _ := os.ReadFile(dest); !bytes.Equal(got, content) {
				t.Error("another file")
			}
			if requests > 8 || sent > 4*len(content) {
				t.Errorf("%d requests and %d bytes from the bad mirror", requests, sent)
			}
			if c.mirrors().order(0)[0].Source != Source(good) {
				t.Error("the bad mirror is still preferred")
			}
			c = good.endpoint().over(bad)
			if err := c.get1(dest + "2"); Class(err) != "network" {
				t.Errorf("from the bad one alone: %v", err)
			}
			if requests > 24 || sent > 8*len(content) {
				t.Errorf("%d requests and %d bytes from the bad source alone", requests, sent)
			}
		})
	}
}

// get1 downloads the target "file".
func (c *Client) get1(dest string) error {
	target, err := c.Target(context.Background(), "file")
	if err != nil {
		return err
	}
	return c.Download(context.Background(), target, dest)
}

// The next run goes on where this one was stopped, with what a bad mirror brought.
func TestPoisonedPrefixOfAnEarlierRun(t *testing.T) {
	content := pattern(400 << 10)
	for _, n := range []int{1, 200 << 10, 400 << 10} {
		good := newSim(t)
		good.add("targets", "file", content)
		good.release("targets")
		good.open = ranges(content)
		bad := good.copied()
		e := good.endpoint()
		path := filepath.Join(e.dir, partialDir, sum256(content)+unverified)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, bytes.Repeat([]byte("x"), n), 0o600)); err != nil {
			t.Fatal(err)
		}
		bad.open = func(name string, req Request) (*Response, error) {
			if !strings.HasPrefix(name, "targets/") {
				return nil, nil
			}
			return &Response{Body: wholeBody(bytes.Repeat([]byte("y"), len(content)-int(req.Offset))), Offset: req.Offset, Size: -1}, nil
		}
		dest := filepath.Join(e.dir, "out")
		if err := e.mirrored(bad, good).get1(dest); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
		if got, _ := os.ReadFile(dest); !bytes.Equal(got, content) {
			t.Errorf("%d bytes: another file", n)
		}
		if n := len(bad.asked()) + len(good.asked()); n > 16 {
			t.Errorf("%d requests", n)
		}
	}
}

// Metadata may be megabytes long: one mirror that trickles does not hold it up while another has it.
func TestMirrorThatTricklesMetadata(t *testing.T) {
	s := newSim(t)
	for i := range 3000 {
		s.add("targets", fmt.Sprint("some/folder/", i), []byte{byte(i)})
	}
	s.release("targets")
	e := s.endpoint()
	clock := epoch
	slow := &paced{sim: s.copied(), clock: &clock, rate: 1100}
	quick := &paced{sim: s.copied(), clock: &clock, rate: 8 << 20}
	m := NewMirrors(slow, quick)
	m.now = func() time.Time { return clock }
	refresh(t, e.over(m))
	if took := clock.Sub(epoch); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	if m.order(100 << 10)[0].Source != Source(quick) {
		t.Error("the slow mirror is still preferred")
	}
	clock = epoch
	m = NewMirrors(slow, slow.copied().down())
	m.now = func() time.Time { return clock }
	e = s.endpoint()
	refresh(t, e.over(m)) // slow is better than nothing
}

func (s *sim) down() *sim {
	s.open = func(string, Request) (*Response, error) { return nil, errors.New("down") }
	return s
}

// "Canceled" is what we say when we are told to stop; a source that says so has failed.
func TestMirrorThatSaysCanceled(t *testing.T) {
	content := pattern(100 << 10)
	bodies := map[string]func() (*Response, error){
		"at once":    func() (*Response, error) { return nil, fmt.Errorf("x: %w", context.Canceled) },
		"while read": func() (*Response, error) { return &Response{Body: canceled{}, Size: -1}, nil },
	}
	for name, answer := range bodies {
		for _, object := range []string{layout.Root(2), layout.Timestamp, layout.Versioned("targets", 2), layout.Target("file", sum256(content))} {
			good := newSim(t)
			good.add("targets", "file", content)
			good.release("targets")
			bad := good.copied()
			bad.open = func(name string, _ Request) (*Response, error) {
				if name != object {
					return nil, nil
				}
				return answer()
			}
			e := good.endpoint()
			if err := e.mirrored(bad, good).get1(filepath.Join(e.dir, "out")); err != nil {
				t.Errorf("%s, %s: %v", object, name, err)
			}
			e = good.endpoint()
			if err := e.over(bad).get1(filepath.Join(e.dir, "out")); Class(err) != "network" {
				t.Errorf("%s, %s, alone: %s %v", object, name, Class(err), err)
			}
		}
	}
}

type canceled struct{}

func (canceled) Read([]byte) (int, error) { return 0, context.Canceled }
func (canceled) Close() error             { return nil }

// Clients that share mirrors share what they learn of them.
func TestMirrorsAreSharedByClients(t *testing.T) {
	content := pattern(100 << 10)
	good := newSim(t)
	good.add("targets", "file", content)
	good.release("targets")
	lying := good.copied()
	lying.put(layout.Target("file", sum256(content)), make([]byte, len(content)))
	m := NewMirrors(lying, good.copied().down(), good)
	e := good.endpoint()
	var all sync.WaitGroup
	for i := range 8 {
		c, dest := e.over(m), filepath.Join(e.dir, fmt.Sprint("out-", i))
		all.Go(func() {
			for range 3 {
				if err := errors.Join(c.Refresh(context.Background()), c.get1(dest), os.Remove(dest)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if m.order(0)[0].Source != Source(good) {
		t.Error("the good mirror is not preferred")
	}
}

type closing struct {
	io.Reader
	closed *int
}

func (c closing) Close() error { *c.closed++; return nil }

// Whatever a source answers, its body is closed.
func TestBodiesAreClosed(t *testing.T) {
	for name, resp := range map[string]Response{
		"not modified, unasked": {NotModified: true}, "from elsewhere": {Offset: 7}, "too long": {Size: 1 << 40}, "false": {Size: -1},
	} {
		s := newSim(t)
		opened, closed := 0, 0
		s.open = func(string, Request) (*Response, error) {
			opened++
			r := resp
			r.Body = closing{strings.NewReader("x"), &closed}
			return &r, nil
		}
		if err := s.endpoint().refresh(); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if opened != closed {
			t.Errorf("%s: %d opened, %d closed", name, opened, closed)
		}
	}
}

// Who waits for another one's refresh can be stopped.
func TestWaitingForARefreshCanBeCanceled(t *testing.T) {
	s := newSim(t)
	held, asked := make(chan struct{}), make(chan struct{})
	s.open = func(string, Request) (*Response, error) {
		close(asked)
		<-held
		return nil, errors.New("down")
	}
	c := s.endpoint().client()
	first := make(chan error)
	go func() { first <- c.Refresh(context.Background()) }()
	<-asked
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	second := make(chan error, 1)
	go func() { second <- c.Refresh(ctx) }()
	select {
	case err := <-second:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it waits for ever")
	}
	close(held)
	<-first
}
