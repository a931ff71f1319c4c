// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-project/waybill/internal/durable"
)

// A file on the shelf was verified for one entry: another entry with the same hash and another
// length, or a second hash that is wrong, is another claim.
func TestShelfKeepsClaimsApart(t *testing.T) {
	content := pattern(1000)
	s := newSim(t)
	s.add("targets", "file", content, "sha256", "sha512")
	s.add("targets", "shorter", content)
	s.add("targets", "longer", content)
	s.add("targets", "second hash", content, "sha256", "sha512")
	targets := s.md["targets"]["targets"].(map[string]any)
	targets["shorter"].(map[string]any)["length"] = 500
	targets["longer"].(map[string]any)["length"] = 2000
	targets["second hash"].(map[string]any)["hashes"].(map[string]any)["sha512"] = strings.Repeat("ab", 64)
	s.release("targets")
	tr := s.endpoint().transport(nil)
	if _, body, err := ask(t, tr, "GET", "http://x/file"); err != nil || body != string(content) {
		t.Fatal(err)
	}
	for _, name := range []string{"shorter", "longer", "second%20hash"} {
		r, _ := http.NewRequest("GET", "http://x/"+name, nil)
		resp, err := tr.RoundTrip(r)
		if err == nil {
			data, _ := io.ReadAll(resp.Body)
			resp.Body.Close()
			t.Errorf("%s: %d bytes handed out", name, len(data))
			continue
		}
		if Class(err) != "verification" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// However old metadata may be, a delegated role is not used beyond its date either.
func TestTransportAndADelegatedRoleThatExpires(t *testing.T) {
	s := newSim(t)
	s.delegate("targets", "role", map[string]any{"paths": []any{"*"}})
	s.add("role", "file", []byte("x"))
	s.md["role"]["expires"] = epoch.Add(time.Hour).Format(time.RFC3339)
	s.release("role", "targets")
	now := epoch
	c := s.endpoint().client()
	c.opts.Now = func() time.Time { return now }
	tr, err := NewTransport(c, &TransportOptions{MaxAge: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	if _, body, err := ask(t, tr, "GET", "http://x/file"); err != nil || body != "x" {
		t.Fatal(body, err)
	}
	now = now.Add(2 * time.Hour)
	_, _, err = ask(t, tr, "GET", "http://x/file")
	wantRule(t, err, ErrExpired)
}

// The path may hold the token that keeps others out.
func TestTransportLogsNoToken(t *testing.T) {
	var log bytes.Buffer
	s, e := downloadSim(t, pattern(1000))
	e.opts.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	tr := e.transport(&TransportOptions{Base: "/secret/"})
	s.down()
	w := newRecorder()
	r, _ := http.NewRequest("GET", "/secret/file", nil)
	tr.ServeHTTP(w, r)
	if w.status != 502 || !strings.Contains(log.String(), "not served") || strings.Contains(log.String(), "secret") {
		t.Errorf("%d, log %s", w.status, log.String())
	}
}

type recorder struct {
	header http.Header
	status int
}

func newRecorder() *recorder                          { return &recorder{header: http.Header{}} }
func (r *recorder) Header() http.Header               { return r.header }
func (r *recorder) WriteHeader(status int)            { r.status = status }
func (r *recorder) Write(p []byte) (n int, err error) { return len(p), nil }

// Nothing is sent before the last byte was checked, whichever way the request asks.
func TestTransportSendsNothingUnverified(t *testing.T) {
	content := pattern(300 << 10)
	s, e := downloadSim(t, content)
	tr := e.transport(nil)
	s.open = func(name string, _ Request) (*Response, error) {
		if !strings.HasPrefix(name, "targets/") {
			return nil, nil
		}
		bad := bytes.Clone(content)
		bad[len(bad)-1] ^= 1
		return response200(bad), nil
	}
	for _, header := range [][]string{nil, {"Range", "bytes=0-0"}, {"Range", "bytes=-5"}, {"If-Range", `"x"`}} {
		if resp, body, err := ask(t, tr, "GET", "http://x/file", header...); err == nil {
			t.Errorf("%q: %s, %d bytes", header, resp.Status, len(body))
		}
	}
}

// Whoever cleans up after a crash leaves alone what another process is still at.
func TestSweepSparesWhatIsInUse(t *testing.T) {
	content := pattern(300 << 10)
	for _, way := range []string{"download", "open"} {
		t.Run(way, func(t *testing.T) {
			s, e := downloadSim(t, content)
			refresh(t, e.client())
			lock, err := durable.TryLock(filepath.Join(e.dir, partialDir, "lock")) // a third one has the file that is kept
			if errors.Is(err, fs.ErrNotExist) {
				err = os.Mkdir(filepath.Join(e.dir, partialDir), 0o700)
				lock, _ = durable.TryLock(filepath.Join(e.dir, partialDir, "lock"))
			}
			if err != nil {
				t.Fatal(err)
			}
			defer lock()
			e.opts.Progress = func(p Progress) {
				if p.Done == p.Total {
					refresh(t, (&endpoint{t: t, repo: s, root: e.root, dir: e.dir, now: e.now}).client())
				}
			}
			c := e.client()
			target, err := c.Target(context.Background(), "file")
			if err != nil {
				t.Fatal(err)
			}
			dest := filepath.Join(e.dir, "out")
			if way == "download" {
				err = c.Download(context.Background(), target, dest)
			} else if f, e := c.OpenVerified(context.Background(), target); e == nil {
				f.Close()
			} else {
				err = e
			}
			if err != nil {
				t.Error(err)
			}
			e.opts.Progress = nil
			refresh(t, e.client())
			if left, _ := filepath.Glob(filepath.Join(e.dir, partialDir, ".*")); len(left) > 0 {
				t.Errorf("left %q", left)
			}
		})
	}
}

// What a crash left is gone after the next refresh.
func TestSweepTakesWhatACrashLeft(t *testing.T) {
	s, e := downloadSim(t, []byte("x"))
	refresh(t, e.client())
	for _, dir := range []string{"partial", "blobs", "roots", "."} {
		if err := os.MkdirAll(filepath.Join(e.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
		file, _, err := durable.CreateTemp(durable.OS(), filepath.Join(e.dir, dir, "x"), 0o600)
		if err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
	refresh(t, s.endpointAt(e.dir).client())
	for _, pattern := range []string{"*/.*", ".*"} {
		if left, _ := filepath.Glob(filepath.Join(e.dir, pattern)); len(left) > 0 {
			t.Errorf("left %q", left)
		}
	}
}

func (s *sim) endpointAt(dir string) *endpoint {
	e := s.endpoint()
	e.dir = dir
	return e
}

// What is open at the same time takes room on the disk, so that strangers must not be able to
// open as much as they like.
func TestHandlerServesFewAtATime(t *testing.T) {
	s := newSim(t)
	for i := range 2 * maxServed {
		s.add("targets", fmt.Sprint(i), pattern(100+i))
	}
	s.release("targets")
	e := s.endpoint()
	synctest.Test(t, func(t *testing.T) {
		tr, err := NewTransport(e.client(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		held, began := make(chan struct{}), make(chan struct{}, 2*maxServed)
		for i := range 2 * maxServed {
			go func() {
				r, _ := http.NewRequest("GET", fmt.Sprint("/", i), nil)
				tr.ServeHTTP(&slowReader{recorder: newRecorder(), began: began, held: held}, r)
			}()
		}
		ctx, cancel := context.WithCancel(context.Background())
		go func() {
			r, _ := http.NewRequestWithContext(ctx, "GET", "/0", nil)
			tr.ServeHTTP(newRecorder(), r)
		}()
		synctest.Wait()
		if n := len(began); n != maxServed {
			t.Errorf("%d at a time", n)
		}
		cancel() // who gives up waiting is gone
		close(held)
		synctest.Wait()
		if n := len(began); n != 2*maxServed {
			t.Errorf("%d in all", n)
		}
	})
}

type slowReader struct {
	*recorder
	began, held chan struct{}
}

func (s *slowReader) Write(p []byte) (int, error) {
	s.began <- struct{}{}
	<-s.held
	return len(p), nil
}

// deadlines notes how many bytes were written when the deadline was moved.
type deadlines struct {
	http.ResponseWriter
	n  int
	at []int
}

func (d *deadlines) Write(p []byte) (int, error)        { d.n += len(p); return len(p), nil }
func (d *deadlines) SetWriteDeadline(_ time.Time) error { d.at = append(d.at, d.n); return nil }

// A reader gets more time for each share that it has taken, and not for each write.
func TestDeadlineMovesWithTheShare(t *testing.T) {
	for _, write := range []int{16 << 10, chunk, sendShare} {
		to := &deadlines{}
		out := &sending{ResponseController: http.NewResponseController(to), w: to}
		for range 4 * sendShare / write {
			_, _ = out.Write(make([]byte, write))
		}
		if want := []int{0, sendShare, 2 * sendShare, 3 * sendShare}; !slices.Equal(to.at, want) {
			t.Errorf("writes of %d bytes moved it at %v, want %v", write, to.at, want)
		}
	}
}

// onePipe is a listener that has one connection.
type onePipe struct {
	conns chan net.Conn
}

func (l onePipe) Accept() (net.Conn, error) {
	conn, ok := <-l.conns
	if !ok {
		return nil, net.ErrClosed
	}
	return conn, nil
}

func (l onePipe) Close() error   { return nil }
func (l onePipe) Addr() net.Addr { return &net.TCPAddr{} }

// Who asks and does not read is let go, also if the answer is so short that it lies in the buffer of the server.
func TestReaderOfAShortAnswerIsLetGo(t *testing.T) {
	s := newSim(t)
	s.add("targets", "short", []byte("short"))
	s.release("targets")
	e := s.endpoint()
	for _, path := range []string{"/short", "/absent"} {
		synctest.Test(t, func(t *testing.T) {
			tr, err := NewTransport(e.client(), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer tr.Close()
			near, far := net.Pipe()
			l := onePipe{make(chan net.Conn, 1)}
			l.conns <- far
			close(l.conns)
			closed := make(chan struct{})
			server := &http.Server{Handler: tr, ConnState: func(_ net.Conn, state http.ConnState) {
				if state == http.StateClosed {
					close(closed)
				}
			}}
			_ = server.Serve(l)
			start := time.Now()
			fmt.Fprintf(near, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
			select {
			case <-closed:
			case <-time.After(time.Hour):
				t.Errorf("%s: still there", path)
			}
			if took := time.Since(start); took > sendStall+time.Second {
				t.Errorf("%s: let go after %v", path, took)
			}
			near.Close()
			<-closed
		})
	}
}

// Strangers may ask for names until every role of a repository was read, but not have all of them kept in memory.
func TestFewDelegatedRolesStayInMemory(t *testing.T) {
	s := newSim(t)
	const roles = 6
	for i := range roles {
		s.delegate("targets", fmt.Sprint("role-", i), map[string]any{"paths": []any{fmt.Sprint(i, "/*")}})
		s.add(fmt.Sprint("role-", i), fmt.Sprint(i, "/file"), []byte("x"))
		s.md[fmt.Sprint("role-", i)]["x-padding"] = strings.Repeat("x", maxEdges/3)
		s.publish(fmt.Sprint("role-", i))
	}
	s.release("targets")
	c := s.endpoint().client()
	for range 2 {
		for i := range roles {
			if _, err := c.Target(context.Background(), fmt.Sprint(i, "/file")); err != nil {
				t.Fatal(err)
			}
			total := 0
			for _, role := range c.edges {
				total += len(role.text)
			}
			if total > maxEdges || total != c.kept || total == 0 {
				t.Errorf("%d bytes in memory, %d counted", total, c.kept)
			}
		}
	}
	if n := len(s.asked()); n != 4+roles {
		t.Errorf("%d requests", n)
	}
}
