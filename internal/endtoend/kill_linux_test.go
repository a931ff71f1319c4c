// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

var (
	killSeed   = flag.Uint64("kill.seed", 0, "seed of the random kills; 0: a new one")
	killOnly   = flag.Int("kill.only", 0, "kill at this call only")
	killRandom = flag.Int("kill.random", 8, "how often each situation is killed at a random moment, twice in a row")
)

// leastKills is how many the whole test has to come to, unless it is told to do
// less.
const leastKills = 200

// thorough is after how many kills the checks that take long are made.
const thorough = 4

// situation is a program about to change something, in a folder that can be put
// back to how it was, and what must hold once the program was killed.
type situation struct {
	name    string
	prepare func(t *testing.T, dir string) victim
}

// victim is a situation that was prepared.
type victim struct {
	*shell                                 // in which the program runs
	args    []string                       // of the program
	folders []string                       // that are put back before each run
	killed  func(t *testing.T)             // what must hold at once
	again   func(t *testing.T, audit bool) // the next run finishes; what must hold then
}

// TestKill ends the two programs, as they are shipped, with kill -9: as they
// enter each call that changes a file, and at random moments.
func TestKill(t *testing.T) {
	t.Parallel()
	seed := *killSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d", seed)
	var points, kills atomic.Int64
	t.Run("situations", func(t *testing.T) {
		for i, s := range append(updates(), publications()...) {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				h := newHarness(t, s)
				defer func() { points.Add(int64(h.points)); kills.Add(int64(h.points + h.strikes)) }()
				h.sweep()
				h.strike(rand.New(rand.NewPCG(seed, uint64(i))))
			})
		}
	})
	t.Logf("figure D4: %d kills of the real programs, at each of %d calls that change a file and at random, no violation; bounds %d kills and 0", kills.Load(), points.Load(), leastKills)
	part := testing.Short() || *killOnly > 0 || strings.Contains(flag.Lookup("test.run").Value.String(), "/")
	if !part && !t.Failed() && kills.Load() < leastKills {
		t.Errorf("only %d kills, want %d", kills.Load(), leastKills)
	}
}

// harness runs one situation again and again.
type harness struct {
	t       *testing.T
	victim  victim
	image   string
	points  int // kills at calls
	strikes int // kills at random moments
}

func newHarness(t *testing.T, s situation) *harness {
	dir := t.TempDir()
	h := &harness{t: t, victim: s.prepare(t, dir), image: t.TempDir()}
	for i, folder := range h.victim.folders {
		copyTree(t, folder, filepath.Join(h.image, fmt.Sprint(i)))
	}
	return h
}

func (h *harness) restore() {
	h.t.Helper()
	for i, folder := range h.victim.folders {
		must(h.t, os.RemoveAll(folder))
		copyTree(h.t, filepath.Join(h.image, fmt.Sprint(i)), folder)
	}
}

// sweep kills at every call of a run, as a run that is not killed shows them.
func (h *harness) sweep() {
	start := time.Now()
	h.restore()
	whole := h.victim.trace(0, h.victim.args...)
	if whole.code != 0 {
		h.t.Fatalf("it fails although it was not killed: status %d\n%s", whole.code, whole.output)
	}
	h.check("not at all", true)
	for _, k := range h.chosen(whole.calls) {
		h.restore()
		run := h.victim.trace(k, h.victim.args...)
		if !run.killed { // the same bytes came in fewer pieces this time
			continue
		}
		h.points++
		h.check(fmt.Sprintf("at call %d (%s)", k, run.calls[k-1]), h.points%thorough == 0)
	}
	h.t.Logf("%d calls, %d kills, %v", len(whole.calls), h.points, time.Since(start).Round(time.Second))
}

// chosen are the numbers of the calls to kill at: all but those at which the
// files are as they were at the one before, since a sync changes nothing that
// outlives a process only; and of a long run of writes to one file the first two
// and the last.
func (h *harness) chosen(calls []string) []int {
	if *killOnly > 0 {
		return []int{*killOnly}
	}
	var ks []int
	for i, call := range calls {
		synced := i > 0 && strings.HasPrefix(calls[i-1], "sync ")
		middle := i > 1 && i+1 < len(calls) && calls[i-2] == call && calls[i-1] == call && calls[i+1] == call
		if !synced && !middle {
			ks = append(ks, i+1)
		}
	}
	if testing.Short() {
		return every(ks, 9)
	}
	return ks
}

func every(ks []int, step int) []int {
	var some []int
	for i := 0; i < len(ks); i += step {
		some = append(some, ks[i])
	}
	return some
}

// strike kills at random moments of runs that are not traced.
func (h *harness) strike(random *rand.Rand) {
	if *killOnly > 0 {
		return
	}
	h.restore()
	start := time.Now()
	h.victim.ok(h.victim.args...)
	took := time.Since(start)
	for range *killRandom {
		h.restore()
		delay, again := time.Duration(random.Int64N(int64(took))), time.Duration(random.Int64N(int64(took)))
		for _, d := range []time.Duration{delay, again} {
			if h.victim.runFor(d, h.victim.args...).killed() {
				h.strikes++
			}
		}
		h.check(fmt.Sprintf("after %v, and the next run after %v", delay, again), false)
	}
	h.t.Logf("%d of %d runs killed at random moments within %v", h.strikes, 2**killRandom, took.Round(time.Millisecond))
}

// runFor kills a program after some time, unless it has ended by itself.
func (s *shell) runFor(d time.Duration, args ...string) result {
	s.t.Helper()
	cmd := s.command(context.Background(), args...)
	must(s.t, cmd.Start())
	timer := time.AfterFunc(d, func() { cmd.Process.Kill() })
	defer timer.Stop()
	_ = cmd.Wait() // a kill is an error
	return result{code: cmd.ProcessState.ExitCode(), state: cmd.ProcessState}
}

func (h *harness) check(when string, audit bool) {
	h.t.Helper()
	defer func() {
		if h.t.Failed() {
			h.t.Logf("%v was killed %s", h.victim.args, when)
		}
	}()
	h.victim.killed(h.t)
	h.victim.again(h.t, audit)
}
