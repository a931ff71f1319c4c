// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

// spoil has the mirror answer the first requests for an object with bad copies.
func (s *sim) spoil(object string, copies ...[]byte) (asked *int) {
	asked = new(int)
	s.open = func(name string, _ Request) (*Response, error) {
		if name != object {
			return nil, nil
		}
		if *asked++; *asked > len(copies) {
			return nil, nil
		}
		bad := copies[*asked-1]
		return &Response{Body: io.NopCloser(bytes.NewReader(bad)), Size: int64(len(bad))}, nil
	}
	return asked
}

// spoilt is data with one byte changed, and another one for each n.
func spoilt(data []byte, n int) []byte {
	bad := bytes.Clone(data)
	bad[len(bad)/2+n] ^= 1
	return bad
}

// A lone mirror may give another copy, but not the same bad one again, and not for ever.
func TestLoneMirrorIsAskedAgain(t *testing.T) {
	content := pattern(100 << 10)
	cases := []struct {
		name  string
		bad   func(good []byte) [][]byte
		ok    bool
		asked int
	}{
		{"one bad copy", func(g []byte) [][]byte { return [][]byte{spoilt(g, 0)} }, true, 2},
		{"two bad copies", func(g []byte) [][]byte { return [][]byte{spoilt(g, 0), spoilt(g, 1)} }, true, 3},
		{"three bad copies", func(g []byte) [][]byte { return [][]byte{spoilt(g, 0), spoilt(g, 1), spoilt(g, 2)} }, false, 3},
		{"the same bad copy", func(g []byte) [][]byte { return [][]byte{spoilt(g, 0), spoilt(g, 0)} }, false, 2},
		{"too long a copy", func(g []byte) [][]byte { return [][]byte{append(bytes.Clone(g), make([]byte, 5000)...)} }, true, 2},
		{"too short a copy", func(g []byte) [][]byte { return [][]byte{g[:len(g)-1]} }, true, 2},
	}
	for _, c := range cases {
		for _, object := range []string{layout.Timestamp, "metadata/2.targets.json", "targets/"} {
			t.Run(c.name+" of "+object, func(t *testing.T) {
				s, e := downloadSim(t, content)
				if object == "targets/" {
					object = layout.Target("file", sum256(content))
				}
				asked := s.spoil(object, c.bad(s.objects[object])...)
				dest := filepath.Join(t.TempDir(), "file")
				err := e.download("file", dest)
				if (err == nil) != c.ok || !c.ok && Class(err) != "verification" {
					t.Errorf("got %v", err)
				}
				if got, _ := os.ReadFile(dest); c.ok != bytes.Equal(got, content) {
					t.Errorf("%d bytes are there", len(got))
				}
				if *asked != c.asked {
					t.Errorf("asked %d times, want %d", *asked, c.asked)
				}
			})
		}
	}
}

// With others to ask, a mirror that is wrong once is left.
func TestOneOfSeveralMirrorsIsNotAskedAgain(t *testing.T) {
	content := pattern(10 << 10)
	s, e := downloadSim(t, content)
	other := s.copied()
	object := layout.Target("file", sum256(content))
	asked := s.spoil(object, spoilt(content, 0))
	c := e.mirrored(s, other)
	target, err := c.Target(t.Context(), "file")
	if err != nil {
		t.Fatal(err)
	}
	dest := filepath.Join(t.TempDir(), "file")
	if err := c.Download(t.Context(), target, dest); err != nil {
		t.Fatal(err)
	}
	if *asked != 1 || !strings.Contains(strings.Join(other.asked(), " "), object) {
		t.Errorf("asked %d times", *asked)
	}
}

// Bad copies do not give a slow server more time: all tries for an object share its patience.
func TestBadCopiesShareOnePatience(t *testing.T) {
	s := newSim(t)
	n := 0
	spoiler := wire(func(conn net.Conn, object string, data []byte) {
		head(conn, len(data))
		if object == layout.Timestamp {
			n++
			data = spoilt(data, n)
		}
		dribble(conn, data, len(data)/24+1, time.Second)
	})
	synctest.Test(t, func(t *testing.T) {
		src, stop := spoiler.source(t, s)
		defer stop()
		start := time.Now()
		wantClass(t, s.endpoint().over(src).Refresh(context.Background()), "network", ErrTooSlow)
		if took := time.Since(start); n != 3 || took > time.Minute {
			t.Errorf("%d copies in %v", n, took)
		}
	})
}

// A long walk gains time for a file that was accepted, and none for a copy that was refused.
func TestBadCopiesGiveTheWalkNoTime(t *testing.T) {
	s, e := downloadSim(t, pattern(10))
	object := wanted{name: layout.Timestamp, role: "timestamp", limit: 4 << 10}
	asked := s.spoil(object.name, spoilt(s.objects[object.name], 0), spoilt(s.objects[object.name], 1), spoilt(s.objects[object.name], 2))
	c := e.over(s)
	ctx, m := c.OneWalk(t.Context()), c.mirrors()
	walk := allowanceOf(ctx, m.mirrors[0])
	walk.left, walk.files = 0, walkFiles
	good := sum256(s.objects[object.name])
	accept := func(data []byte, _ string) error {
		if sum256(data) != good {
			return &VerifyError{Role: "timestamp", Err: ErrSignature}
		}
		return nil
	}
	for _, want := range []time.Duration{0, fileTime} {
		_, _, err := c.fetchFrom(ctx, m, m.mirrors[0], nil, object, Request{}, accept)
		if walk.left != want || (err == nil) != (want > 0) {
			t.Errorf("%v more after %d requests: %v", walk.left, *asked, err)
		}
	}
}
