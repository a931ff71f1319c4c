// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	largeSize   = 1 << 30
	largeMemory = 64 << 20
	// lostByCut bounds what a server has sent and a client has not received when a
	// connection ends: the buffers of the kernel and of the proxy.
	lostByCut = 16 << 20
)

// TestLargeArtifact publishes an artifact of 1 GiB and fetches it with little
// memory, through a connection that is cut and a client that is killed: it goes
// on where it stopped.
func TestLargeArtifact(t *testing.T) {
	if testing.Short() {
		t.Skip("needs 3 GiB of disk")
	}
	t.Parallel()
	p := found(t, filepath.Join(t.TempDir(), "bucket"))
	file := p.path("large")
	writeLarge(t, file)
	want := sumOf(t, file)
	start := time.Now()
	r := p.release("1.0.0", file, "--no-deltas")
	t.Logf("published in %v, %d MiB resident", time.Since(start).Round(time.Second), maxRSS(r.state)>>20)
	must(t, os.Remove(file))

	front := newProxy(t, serve(t, p.repo))
	e := newEndpoint(t, front.url, p.path("root.json"))
	front.cut = 300 << 20 // the server closes the connection
	killed, peak := e.updateKilledAt(front, 700<<20)
	t.Logf("killed after %d MiB, at most %d MiB resident", front.bytes()>>20, peak>>20)
	if !killed {
		t.Fatal("the client got through before it was killed")
	}
	if e.installed() != "" {
		t.Fatal("something was installed before it was complete")
	}
	before := front.bytes()
	start = time.Now()
	r, last := e.watched("fetch", "update", "--json")
	if r.code != 0 {
		t.Fatalf("the next run: %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	o := decode[outcome](t, r.stdout)
	t.Logf("the next run took %v, received %d MiB, at most %d MiB resident (%d by rusage; this test: %d)",
		time.Since(start).Round(time.Second), (front.bytes()-before)>>20, last>>20, maxRSS(r.state)>>20, highWater(os.Getpid())>>20)
	if sum := e.installed(); sum != want {
		t.Errorf("installed is %s, want %s", sum, want)
	}
	if o.Fetched > largeSize-(700<<20)+2*lostByCut || front.bytes() > largeSize+2*lostByCut+1<<20 {
		t.Errorf("it did not go on where it stopped: the last run fetched %d bytes, the server sent %d in all", o.Fetched, front.bytes())
	}
	if n := front.count("/targets/app/1.0.0/"); n != 3 {
		t.Errorf("%d requests for the artifact, want one, one after the cut, one after the kill", n)
	}
	resident := max(peak, last)
	if usage := maxRSS(r.state); usage > highWater(os.Getpid()) {
		resident = max(resident, usage)
	}
	if resident > largeMemory {
		t.Errorf("%d MiB resident, want at most %d", resident>>20, largeMemory>>20)
	}
}

// writeLarge makes the artifact, from a fixed seed.
func writeLarge(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	_, err = io.CopyN(w, rand.NewChaCha8(sha256.Sum256([]byte("large"))), largeSize)
	must(t, err)
	must(t, w.Flush())
}

// updateKilledAt runs `fetch update` and kills it once the server has sent so
// many bytes in all.
func (e *endpoint) updateKilledAt(front *proxy, sent int64) (killed bool, peak int64) {
	e.t.Helper()
	cmd := e.command(context.Background(), "fetch", "update")
	started := make(chan *os.Process, 1)
	front.mu.Lock()
	front.reached, front.onReach = sent, func() { (<-started).Kill() }
	front.mu.Unlock()
	r, peak := e.watch(cmd, started)
	return r.killed(), peak
}

func (e *endpoint) watched(args ...string) (result, int64) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return e.watch(e.command(ctx, args...), make(chan *os.Process, 1))
}

// watch runs a program and gives the most memory that it had resident. What
// rusage says is the maximum over that and over this process, which the child
// was a copy of until it became the program; so the child is asked while it runs.
func (e *endpoint) watch(cmd *exec.Cmd, started chan *os.Process) (result, int64) {
	e.t.Helper()
	var peak int64
	done, stopped := make(chan struct{}), make(chan struct{})
	process := make(chan *os.Process, 1)
	go func() {
		defer close(stopped)
		p := <-process
		started <- p
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				peak = max(peak, highWater(p.Pid))
			case <-done:
				return
			}
		}
	}()
	r := e.finishKillable(cmd, process)
	close(done)
	<-stopped
	return r, peak
}

// highWater is the most memory that a process has had resident so far, in bytes;
// 0 if it has ended.
func highWater(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(data), "\n") {
		var kib int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kib); n == 1 {
			return kib << 10
		}
	}
	return 0
}

func maxRSS(state *os.ProcessState) int64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return int64(usage.Maxrss) << 10
}
