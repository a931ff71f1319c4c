// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

// wire is a connection to a server without a network, on which time is virtual:
// answer writes the whole answer to one request.
type wire func(conn net.Conn, object string, data []byte)

// source reads the repository over wires, until stop is called.
func (w wire) source(t *testing.T, s *sim) (_ *HTTPSource, stop func()) {
	src, err := NewHTTPSource("http://127.0.0.1:1", nil)
	if err != nil {
		t.Fatal(err)
	}
	var servers sync.WaitGroup
	src.client.Transport.(*http.Transport).Proxy = nil
	src.client.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		servers.Go(func() { w.serve(far, s) })
		return near, nil
	}
	return src, func() {
		src.client.CloseIdleConnections()
		servers.Wait()
	}
}

func (w wire) serve(conn net.Conn, s *sim) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		object := strings.TrimPrefix(req.URL.Path, "/")
		data, ok := s.objects[object]
		if !ok {
			fmt.Fprintf(conn, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
			continue
		}
		w(conn, object, data)
	}
}

func head(conn net.Conn, length int) {
	fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", length)
}

// dribble writes part after part with a pause between them, until the other side goes.
func dribble(conn net.Conn, data []byte, part int, pause time.Duration) {
	for len(data) > 0 {
		n := min(part, len(data))
		if _, err := conn.Write(data[:n]); err != nil {
			return
		}
		data = data[n:]
		time.Sleep(pause)
	}
}

// slowAttacks keep a client waiting as long as it lets them.
var slowAttacks = map[string]wire{
	"no answer": func(conn net.Conn, _ string, _ []byte) { _, _ = io.Copy(io.Discard, conn) },
	"header byte by byte": func(conn net.Conn, _ string, _ []byte) {
		dribble(conn, []byte("HTTP/1.1 200 OK\r\nX-Y: "+strings.Repeat("z", 1000)), 1, time.Second)
	},
	"informational answers": func(conn net.Conn, _ string, _ []byte) {
		dribble(conn, bytes.Repeat([]byte("HTTP/1.1 103 Early Hints\r\n\r\n"), 100), 28, 10*time.Second)
	},
	"silence after one byte": func(conn net.Conn, _ string, data []byte) {
		head(conn, len(data))
		_, _ = conn.Write(data[:1])
		_, _ = io.Copy(io.Discard, conn)
	},
	"a byte every 3 s": func(conn net.Conn, _ string, data []byte) {
		head(conn, len(data))
		dribble(conn, data, 1, 3*time.Second)
	},
	"a byte every 19 s": func(conn net.Conn, _ string, data []byte) {
		head(conn, len(data))
		dribble(conn, data, 1, 19*time.Second)
	},
	"fast, then a byte every 19 s": func(conn net.Conn, _ string, data []byte) {
		head(conn, len(data))
		first := len(data) / 2
		_, _ = conn.Write(data[:first])
		dribble(conn, data[first:], 1, 19*time.Second)
	},
	"1,000 bytes a second": func(conn net.Conn, object string, data []byte) {
		if len(data) < 1<<20 {
			data = make([]byte, 4<<10) // of a length that was not promised: the client must read it to know
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n\r\n")
			dribble(conn, data, 60, time.Second)
			return
		}
		head(conn, len(data))
		dribble(conn, data, 1000, time.Second)
	},
	"breaks off again and again": func(conn net.Conn, _ string, data []byte) {
		head(conn, len(data))
		_, _ = conn.Write(data[:1])
		time.Sleep(14 * time.Second)
		conn.Close()
	},
	"closes without an answer": func(conn net.Conn, _ string, _ []byte) {
		time.Sleep(14 * time.Second)
		conn.Close()
	},
	"come back later": func(conn net.Conn, _ string, _ []byte) {
		time.Sleep(10 * time.Second)
		fmt.Fprintf(conn, "HTTP/1.1 503 Busy\r\nRetry-After: 19\r\nContent-Length: 0\r\n\r\n")
	},
	"redirects after pauses": func(conn net.Conn, object string, _ []byte) {
		time.Sleep(14 * time.Second)
		fmt.Fprintf(conn, "HTTP/1.1 302 Found\r\nLocation: /%s\r\nContent-Length: 0\r\n\r\n", object)
	},
	"slow error pages": func(conn net.Conn, _ string, _ []byte) {
		fmt.Fprintf(conn, "HTTP/1.1 503 Busy\r\nContent-Length: 4000\r\n\r\n")
		dribble(conn, make([]byte, 4000), 1, 10*time.Second)
	},
	"chunk extension byte by byte": func(conn net.Conn, _ string, _ []byte) {
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		dribble(conn, []byte("1;x="+strings.Repeat("y", 1000)), 1, time.Second)
	},
}

// An attacker who sends hardly anything is noticed within a minute, whatever pauses he makes
// and however often he breaks off.
func TestSlowAttacks(t *testing.T) {
	s := newSim(t)
	s.add("targets", "file", make([]byte, 1<<20))
	s.release("targets")
	const bound = 60 * time.Second
	var worst time.Duration
	for name, attack := range slowAttacks {
		for _, object := range []string{layout.Timestamp, "target"} {
			synctest.Test(t, func(t *testing.T) {
				took := underAttack(t, s, object, attack)
				if took > bound {
					t.Errorf("%s of %s: %v", name, object, took)
				}
				worst = max(worst, took)
			})
		}
	}
	t.Logf("figure D15: a slow server is given up after %v at most, retries included, over %d attacks; bound 60s", worst.Round(time.Second), len(slowAttacks))
}

// underAttack returns how long a client takes to give up an object.
func underAttack(t *testing.T, s *sim, object string, attack wire) time.Duration {
	honest := wire(func(conn net.Conn, name string, data []byte) {
		if object == "target" && !strings.HasPrefix(name, "targets/") {
			head(conn, len(data))
			_, _ = conn.Write(data)
			return
		}
		attack(conn, name, data)
	})
	src, stop := honest.source(t, s)
	defer stop()
	c := s.endpoint().over(src)
	start := time.Now()
	target, err := c.Target(context.Background(), "file")
	if object == "target" {
		if err != nil {
			t.Fatal(err)
		}
		err = c.Download(context.Background(), target, filepath.Join(t.TempDir(), "file"))
	}
	if Class(err) != "network" {
		t.Errorf("error %v", err)
	}
	return time.Since(start)
}

// A link of 8 KiB a second is slow and honest, however unevenly it delivers.
func TestHonestSlowLink(t *testing.T) {
	const runs, rate = 1000, 8 << 10
	random := rand.New(rand.NewPCG(1, 1))
	content := make([]byte, 256<<10)
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	s := newSim(t)
	for i := range 16 {
		s.add("targets", fmt.Sprintf("file-%d", i), content[:(i+1)*16<<10])
	}
	s.release("targets")
	link := wire(func(conn net.Conn, _ string, data []byte) {
		time.Sleep(time.Duration(random.Int64N(int64(3 * time.Second))))
		head(conn, len(data))
		for len(data) > 0 {
			n := min(1+random.IntN(1<<random.IntN(18)), len(data))
			time.Sleep(time.Duration(n) * time.Second / rate)
			if _, err := conn.Write(data[:n]); err != nil {
				return
			}
			data = data[n:]
		}
	})
	failed := 0
	for range runs {
		synctest.Test(t, func(t *testing.T) {
			src, stop := link.source(t, s)
			defer stop()
			c := s.endpoint().over(src)
			target, err := c.Target(context.Background(), fmt.Sprintf("file-%d", random.IntN(16)))
			if err == nil {
				err = c.Download(context.Background(), target, filepath.Join(t.TempDir(), "file"))
			}
			if err != nil {
				failed++
				t.Error(err)
			}
		})
	}
	t.Logf("figure D15: %d of %d downloads over an honest link of 8 KiB/s failed; bound 0", failed, runs)
}

// chain publishes so many roots that a client has to walk through them.
func (s *sim) chain(n int) {
	for range n {
		s.publish("root")
	}
}

// Many small files, each in its time, do not make up for each other: an ordinary walk has a limit
// of its own, whatever the pace.
func TestTrickledWalk(t *testing.T) {
	var worst time.Duration
	for _, c := range []struct{ files, parts int }{{6, 3}, {6, 9}, {6, 12}, {6, 40}, {6, 55}, {100, 1}, {100, 7}, {100, 40}} {
		s := newSim(t)
		s.chain(c.files - 4)
		var came int
		trickle := wire(func(conn net.Conn, _ string, data []byte) {
			came++
			head(conn, len(data))
			dribble(conn, data, len(data)/c.parts+1, time.Second)
		})
		for _, wait := range []time.Duration{0, 20 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				came = 0
				took, err := trickled(t, s, trickle, wait)
				bound := cmp.Or(wait, time.Minute) + time.Duration(max(came-walkFiles, 0))*fileTime
				if took > bound || err != nil && (Class(err) != "network" || !errors.Is(err, ErrTooSlow)) {
					t.Errorf("%d parts of each file: %v after %v, %d files", c.parts, err, took, came)
				}
				if came <= walkFiles {
					worst = max(worst, took)
				}
			})
		}
	}
	t.Logf("figure D15: a trickle over all metadata is given up after %v at most; bound 60s, and beyond %d files and %d KiB 2s for each file and 1s for 4 KiB",
		worst.Round(time.Second), walkFiles, walkBytes>>10)
}

func trickled(t *testing.T, s *sim, w wire, wait time.Duration) (took time.Duration, err error) {
	src, stop := w.source(t, s)
	defer stop()
	e := s.endpoint()
	e.opts.Limits.Wait = wait
	start := time.Now()
	err = e.over(src).Refresh(context.Background())
	return time.Since(start), err
}

// A check is a refresh, searches and documents. That each of them goes on in its own time does not help who holds it up.
func TestTrickledCheck(t *testing.T) {
	s := newSim(t)
	s.delegate("targets", "documents", map[string]any{"paths": []any{"documents/*"}})
	for i := range 3 {
		s.add("documents", fmt.Sprint("documents/", i), pattern(1000+i))
	}
	s.publish("documents")
	s.release("targets")
	for _, parts := range []int{1, 5, 10, 15, 25} {
		trickle := wire(func(conn net.Conn, _ string, data []byte) {
			head(conn, len(data))
			dribble(conn, data, len(data)/parts+1, time.Second)
		})
		synctest.Test(t, func(t *testing.T) {
			src, stop := trickle.source(t, s)
			defer stop()
			c, start := s.endpoint().over(src), time.Now()
			ctx := c.OneWalk(context.Background())
			err := c.Refresh(ctx)
			for i := 0; i < 3 && err == nil; i++ {
				var target *Target
				if target, err = c.Target(ctx, fmt.Sprint("documents/", i)); err == nil {
					_, err = c.Bytes(ctx, target, 2000)
				}
			}
			if took := time.Since(start); took > time.Minute || (err == nil) != (parts < 10) {
				t.Errorf("%d parts of each file: %v after %v", parts, err, took)
			}
		})
	}
}

// What nobody signed buys no time: neither padding nor the same bytes sent again.
func TestPaddingBuysNoTime(t *testing.T) {
	s := newSim(t)
	s.md["targets"]["targets"] = manyFiles(800)
	s.chain(1)
	s.release("targets")
	targets := layout.Versioned("targets", 2)
	signed := len(s.objects[targets])
	for name, attack := range map[string]wire{
		"roots of garbage":   padding(layout.Root(2), bytes.Repeat([]byte(" "), layout.MaxRoot), 2000),
		"targets of garbage": padding(targets, bytes.Repeat([]byte(" "), signed), 4<<10),
		"targets, slowly":    padding(targets, s.objects[targets], 1200),
	} {
		synctest.Test(t, func(t *testing.T) {
			took, err := trickled(t, s, attack, 0)
			if bound := time.Minute + time.Duration(max(signed-walkBytes, 0))*time.Second/walkRate; err == nil || took > bound {
				t.Errorf("%s: %v after %v, %d bytes signed", name, err, took, signed)
			}
		})
	}
}

// padding answers as an honest server, but for one object.
func padding(object string, content []byte, rate int) wire {
	return func(conn net.Conn, name string, data []byte) {
		if name == object {
			data = content
			head(conn, len(data))
			dribble(conn, data, rate, time.Second)
			return
		}
		head(conn, len(data))
		_, _ = conn.Write(data)
	}
}

func manyFiles(n int) map[string]any {
	files := map[string]any{}
	for i := range n {
		files[fmt.Sprintf("file-%d", i)] = map[string]any{"length": i, "hashes": map[string]any{"sha256": sum256([]byte{byte(i)})}}
	}
	return files
}

// Metadata of half a megabyte takes more than a minute on a slow link.
func TestHonestSlowLinkWithLargeMetadata(t *testing.T) {
	s := newSim(t)
	s.md["targets"]["targets"] = manyFiles(8000)
	s.release("targets")
	link := wire(func(conn net.Conn, _ string, data []byte) {
		time.Sleep(3 * time.Second)
		head(conn, len(data))
		dribble(conn, data, 8<<10, time.Second)
	})
	synctest.Test(t, func(t *testing.T) {
		took, err := trickled(t, s, link, 0)
		if err != nil || took < 90*time.Second {
			t.Errorf("%v after %v", err, took)
		}
	})
}

func wantClass(t *testing.T, err error, class string, rule error) {
	t.Helper()
	if Class(err) != class || !errors.Is(err, rule) {
		t.Errorf("error %v, want class %s, %v", err, class, rule)
	}
}

// The longest walk that is allowed, over a slow link on which every answer takes seconds to begin.
func TestHonestSlowWalk(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 2))
	s := newSim(t)
	s.chain(255)
	link := wire(func(conn net.Conn, _ string, data []byte) {
		time.Sleep(time.Duration(random.Int64N(int64(3 * time.Second))))
		head(conn, len(data))
		dribble(conn, data, 1<<10, time.Second/8)
	})
	for range 5 {
		synctest.Test(t, func(t *testing.T) {
			src, stop := link.source(t, s)
			defer stop()
			if err := s.endpoint().over(src).Refresh(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
}

// A server that says nothing does not use up the time of another one.
func TestSilentMirrorDoesNotHoldTheWalk(t *testing.T) {
	s := newSim(t)
	s.chain(5)
	synctest.Test(t, func(t *testing.T) {
		silent, stop := slowAttacks["no answer"].source(t, s)
		defer stop()
		honest, end := wire(func(conn net.Conn, _ string, data []byte) {
			head(conn, len(data))
			_, _ = conn.Write(data)
		}).source(t, s)
		defer end()
		honest.base = "http://127.0.0.1:2"
		start := time.Now()
		if err := s.endpoint().over(NewMirrors(silent, honest)).Refresh(context.Background()); err != nil {
			t.Error(err)
		}
		if took := time.Since(start); took > time.Minute {
			t.Errorf("took %v", took)
		}
	})
}

// What came quickly is no credit for what then trickles.
func TestAllowanceIsNotSaved(t *testing.T) {
	a := &allowance{most: time.Minute, left: time.Minute}
	if left := a.spend(time.Second, walkBytes); left != 59*time.Second {
		t.Errorf("%v left", left)
	}
	if left := a.spend(time.Second, 32<<20); left != time.Minute {
		t.Errorf("%v left", left)
	}
	if left := a.spend(50*time.Second, walkRate); left != 11*time.Second {
		t.Errorf("%v left", left)
	}
	if left := a.spend(12*time.Second, 0); left > 0 {
		t.Errorf("%v left", left)
	}
}

// Downloads that go on side by side do not wait for each other, which would look like a server that says nothing.
func TestManySlowDownloadsAtOnce(t *testing.T) {
	s := newSim(t)
	for i := range 20 {
		s.add("targets", fmt.Sprint(i), pattern(512<<10+i))
	}
	s.release("targets")
	link := wire(func(conn net.Conn, _ string, data []byte) {
		head(conn, len(data))
		dribble(conn, data, 8<<10, time.Second)
	})
	synctest.Test(t, func(t *testing.T) {
		src, stop := link.source(t, s)
		defer stop()
		c, dir := s.endpoint().over(src), t.TempDir()
		var all sync.WaitGroup
		for i := range 20 {
			target, err := c.Target(context.Background(), fmt.Sprint(i))
			if err != nil {
				t.Fatal(err)
			}
			all.Go(func() {
				if err := c.Download(context.Background(), target, filepath.Join(dir, target.Name)); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	})
}
