// SPDX-License-Identifier: Apache-2.0

//go:build unix

package endtoend

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/waybill-project/waybill/internal/testserver"
)

// TestKillOnS3 ends `waybill publish` with kill -9 at every object that it
// writes to S3: before the server hears of it, and once it is written but the
// publisher does not know.
func TestKillOnS3(t *testing.T) {
	bucket, dir := testserver.S3(t)
	front, bucket := proxyBefore(t, bucket)
	p := found(t, bucket)
	p.release("1.0.0", p.writeScript("1.0.0", scriptSize))
	warm := newEndpoint(t, dir, p.path("root.json"))
	warm.update()
	kills, releases := 0, 0
	for _, landed := range []bool{false, true} {
		for k := 1; ; k++ {
			releases++
			version := fmt.Sprintf("1.%d.0", releases)
			p.stage(version, p.writeScript(version, scriptSize))
			if !front.killAtWrite(p.shell, k, landed) {
				break
			}
			kills++
			p.survives(warm, dir, version)
		}
	}
	t.Logf("figure D4: %d kills of the publisher at every write to S3, no violation; bound 0 violations", kills)
	if kills < 12 {
		t.Errorf("a release is more objects than %d", kills/2)
	}
}

// proxyBefore puts a proxy before the server of an S3 URL.
func proxyBefore(t *testing.T, bucket string) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(bucket)
	must(t, err)
	query := u.Query()
	p := newProxy(t, query.Get("endpoint"))
	query.Set("endpoint", p.url)
	u.RawQuery = query.Encode()
	return p, u.String()
}

// killAtWrite publishes, and kills at the k-th write. It tells whether there
// was one; otherwise the publication must have succeeded.
func (p *proxy) killAtWrite(s *shell, k int, landed bool) bool {
	s.t.Helper()
	cmd := s.command(context.Background(), "waybill", "publish")
	var writes atomic.Int64
	started := make(chan *os.Process, 1)
	kill := func(r *http.Request) {
		if r.Method == http.MethodPut && writes.Add(1) == int64(k) {
			(<-started).Kill()
		}
	}
	if landed {
		p.set(nil, kill)
	} else {
		p.set(func(_ http.ResponseWriter, r *http.Request) bool {
			kill(r)
			return r.Method == http.MethodPut && writes.Load() >= int64(k)
		}, nil)
	}
	defer p.set(nil, nil)
	r := s.finishKillable(cmd, started)
	if !r.killed() && r.code != 0 {
		s.t.Fatalf("waybill publish: %d\n%s", r.code, r.stderr)
	}
	return r.killed()
}

// survives checks a bucket that lies in a folder after a kill, publishes again
// and checks the result.
func (p *publisher) survives(warm *endpoint, dir, version string) {
	p.t.Helper()
	newEndpoint(p.t, dir, p.path("root.json")).ok("fetch", "check")
	warm.ok("fetch", "check")
	p.ok("waybill", "publish")
	if o := warm.update(); o.To != version {
		p.t.Fatalf("the client went to %s, want %s", o.To, version)
	}
	cold := newEndpoint(p.t, dir, p.path("root.json"))
	cold.update()
	for _, e := range []*endpoint{warm, cold} {
		e.has(p.path("build/app-" + version))
	}
	if out := p.ok("waybill", "verify"); !strings.Contains(out, "0 problems") {
		p.t.Fatal(out)
	}
}
