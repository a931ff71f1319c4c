// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/fetcher/install"
	"github.com/waybill-project/waybill/fetcher/update"
)

const (
	maxChecks = 5
	releases  = 4
)

// faults has whole endpoints, with journal and installation, follow the releases
// from a server that misbehaves, and then live through an outage.
func faults(ctx context.Context, s *settings, r *report) error {
	j := &job{Kind: "clients/faults", Settings: *s}
	server, err := serveProduct(ctx, s, j, "faulty", releases)
	if err != nil {
		return err
	}
	defer server.stop()
	if j.Dir, err = s.folder("endpoints"); err != nil {
		return err
	}
	a, err := inChild(ctx, j)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("%d endpoints, fault mix, seed %d", s.Clients, s.Seed)
	reportFaults(r, s, what, a)
	return nil
}

func reportFaults(r *report, s *settings, what string, a *answer) {
	for _, name := range sortedKeys(a.Outcomes) {
		r.add(row{What: what, Figure: name, Ours: float64(a.Outcomes[name])})
	}
	r.add(row{What: what, Figure: "wall", Ours: a.Cost.Wall, Unit: "s"})
	r.add(row{What: what, Figure: "peak RSS", Ours: mib(a.Cost.Peak), Unit: "MiB"})
	updates := s.Clients * releases
	newest := 100 * float64(a.Outcomes[endNewest]) / float64(updates)
	r.add(row{What: what, Figure: "newest after at most 5 checks", Ours: newest, Unit: "%", Goal: "at least 99.9"})
	r.add(row{What: what, Figure: "outage: peak over mean of requests", Ours: a.Herd.Ratio, Goal: "at most 3"})
	r.add(row{What: what, Figure: "outage: requests per endpoint", Ours: a.Herd.PerClient})
	r.require(a.Outcomes[endWrong] == 0, "%s: %d wrong installations", what, a.Outcomes[endWrong])
	r.require(a.Outcomes[checkUntyped] == 0, "%s: %d errors without a type", what, a.Outcomes[checkUntyped])
	r.require(newest >= 99.9, "%s: %.2f %% newest", what, newest)
	r.require(a.Herd.Ratio <= 3, "%s: peak of %.1f times the mean after an outage", what, a.Herd.Ratio)
}

const (
	endNewest    = "end: newest"
	endOld       = "end: the version before"
	endWrong     = "end: WRONG"
	checkUntyped = "check: error without a type"
)

// census counts outcomes.
type census struct {
	mu    sync.Mutex
	count map[string]int
}

func (c *census) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count[name]++
}

// herd is how the requests spread while the server was down.
type herd struct {
	Ratio     float64 `json:"peak_over_mean"`
	PerClient float64 `json:"requests_per_client"`
}

func clientsFaults(ctx context.Context, j *job) (*answer, error) {
	endpoints := make([]*update.Updater, j.Settings.Clients)
	for i := range endpoints {
		var err error
		if endpoints[i], err = newEndpoint(j, i); err != nil {
			return nil, err
		}
	}
	counts := &census{count: map[string]int{endWrong: 0, checkUntyped: 0}}
	a := &answer{Outcomes: counts.count}
	var err error
	a.Cost, err = costOf(func() error {
		if _, err := tell(ctx, j.URL, fmt.Sprintf("faults/%d", j.Settings.Seed)); err != nil {
			return err
		}
		for n := range j.Release {
			if err := followFaulty(ctx, j, endpoints, n, counts); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.Herd, err = outage(ctx, j, endpoints)
	return a, err
}

// newEndpoint sets an endpoint up. Its patience is a twentieth of the real one, so
// that a stall costs one second.
func newEndpoint(j *job, i int) (*update.Updater, error) {
	state := filepath.Join(j.state(i), "state")
	config := update.Config{
		URLs: []string{j.URL}, Product: product, Channel: channel, Platforms: []string{platform},
		Path: filepath.Join(j.state(i), product),
	}
	if err := update.Init(state, config, j.Root, nil); err != nil {
		return nil, err
	}
	source, err := fetcher.NewHTTPSource(j.URL, &fetcher.HTTPOptions{
		UserAgent: "endpoint-" + strconv.Itoa(i), ConnectTimeout: 5 * time.Second, HeaderTimeout: 5 * time.Second,
		StallTimeout: time.Second, SlowWindow: 3 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	return update.Open(state, &update.Options{Source: source})
}

func followFaulty(ctx context.Context, j *job, endpoints []*update.Updater, n int, counts *census) error {
	if _, err := tell(ctx, j.URL, fmt.Sprintf("release/%d", n+1)); err != nil {
		return err
	}
	return forAll(len(endpoints), min(j.Settings.Parallel, 250), func(i int) error {
		for range maxChecks {
			_, err := endpoints[i].Update(ctx, nil)
			counts.add(checkClass(err))
			if fileSum(j.installed(i)) == j.Release[n].SHA256 {
				break
			}
		}
		counts.add(endClass(j, i, n))
		return ctx.Err()
	})
}

// checkClass names what a check ended with; everything typed has a class.
func checkClass(err error) string {
	var installing *install.Error
	switch class := fetcher.Class(err); {
	case err == nil:
		return "check: ok"
	case class != "failure" && class != "canceled":
		return "check: " + class + " error"
	case errors.As(err, &installing):
		return "check: install error"
	}
	fmt.Fprintln(os.Stderr, "without a type:", err)
	return checkUntyped
}

// endClass judges the installed file: nothing but this release or an older one may be there.
func endClass(j *job, i, n int) string {
	sum := fileSum(j.installed(i))
	at := slices.IndexFunc(j.Release[:n+1], func(b build) bool { return b.SHA256 == sum })
	switch {
	case at == n:
		return endNewest
	case at >= 0 || sum == "":
		return endOld
	}
	return endWrong
}

// outage has all endpoints check while the server is down, at times that are
// spread evenly as those of a schedule would be, and looks at how the server sees
// them come back.
func outage(ctx context.Context, j *job, endpoints []*update.Updater) (*herd, error) {
	before, err := tell(ctx, j.URL, "down/1")
	if err != nil {
		return nil, err
	}
	err = forAll(len(endpoints), len(endpoints), func(i int) error {
		random := rand.New(rand.NewPCG(j.Settings.Seed, uint64(i)))
		time.Sleep(time.Duration(random.Int64N(int64(j.Settings.Spread))))
		if _, err := endpoints[i].Update(ctx, nil); fetcher.Class(err) != "network" {
			return fmt.Errorf("endpoint %d during an outage: %w", i, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	after, err := tell(ctx, j.URL, "down/0")
	if err != nil {
		return nil, err
	}
	return herdOf(after.Ticks[len(before.Ticks):], len(endpoints)), nil
}

func herdOf(ticks []int64, clients int) *herd {
	var sum, peak int64
	for _, n := range ticks {
		sum += n
		peak = max(peak, n)
	}
	return &herd{
		Ratio:     float64(peak) * float64(len(ticks)) / float64(max(sum, 1)),
		PerClient: float64(sum) / float64(clients),
	}
}
