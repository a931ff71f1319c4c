// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/waybill-project/waybill/delta"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/repo/release"
)

// clients compares a thousand endpoints, each with connections of its own as on
// machines of their own: the first installation, a check that finds nothing new,
// three updates, ours by patches, go-tuf's by whole files, which is all that it
// knows, and three by whole files of both.
func clients(ctx context.Context, s *settings, r *report) error {
	j := &job{Settings: *s}
	server, err := serveProduct(ctx, s, j, "product", 7)
	if err != nil {
		return err
	}
	defer server.stop()
	runs, sent := map[string][]cost{}, map[string]int64{}
	who := []string{"waybill", "go-tuf"}
	for range s.Repeat {
		for _, who := range who {
			if err := clientsOnce(ctx, s, j, who, runs, sent); err != nil {
				return err
			}
		}
		slices.Reverse(who) // who goes first pays for memory that the machine has not used yet
	}
	r.Notes = append(r.Notes, unlike)
	for _, p := range phases[:s.Phases] {
		what := fmt.Sprintf("%d clients, %d at once: %s", s.Clients, s.Parallel, p.name)
		ours, theirs := "waybill "+p.name, "go-tuf "+p.name
		r.compare(what, runs[ours], runs[theirs], 60, 50)
		r.add(row{What: what, Figure: "received", Ours: float64(sent[ours]) / 1e6, Theirs: float64(sent[theirs]) / 1e6, Unit: "MB"})
	}
	return nil
}

// unlike is what the two do not have in common.
const unlike = "waybill flushes each file and folder to disk and replaces files by renaming; go-tuf flushes nothing and writes over the installed file"

// phase is a part of the life of the clients, measured in a process of its own.
type phase struct {
	name    string
	release []int // published one after the other
	whole   bool  // without patches
}

var phases = []phase{
	{"first refresh and 1 MiB", []int{1}, false}, {"a check with nothing new", []int{1}, false},
	{"three updates, ours by patches", []int{2, 3, 4}, false}, {"three updates, both by whole files", []int{5, 6, 7}, true},
}

// serveProduct publishes so many releases of the product, starts a server and tells both to a job.
func serveProduct(ctx context.Context, s *settings, j *job, name string, releases int) (*serverHandle, error) {
	dir, err := s.folder(name)
	if err != nil {
		return nil, err
	}
	if j.Release, err = publish(dir, releases); err != nil {
		return nil, err
	}
	if j.Root, err = rootOf(dir); err != nil {
		return nil, err
	}
	server, err := startServer(ctx, job{Dir: dir})
	if err == nil {
		j.URL = server.url
	}
	return server, err
}

func clientsOnce(ctx context.Context, s *settings, j *job, who string, runs map[string][]cost, sent map[string]int64) (err error) {
	if j.Dir, err = os.MkdirTemp(s.dir, "clients-"); err != nil {
		return err
	}
	defer os.RemoveAll(j.Dir)
	j.Kind = "clients/" + who
	for _, p := range phases[:s.Phases] {
		before, err := tell(ctx, j.URL, "stats/")
		if err != nil {
			return err
		}
		j.Phase, j.Whole = p.release, p.whole
		a, err := inChild(ctx, j)
		if err != nil {
			return err
		}
		after, err := tell(ctx, j.URL, "stats/")
		if err != nil {
			return err
		}
		name := who + " " + p.name
		runs[name], sent[name] = append(runs[name], a.Cost), after.Sent-before.Sent
	}
	return nil
}

// eachRelease has every client follow some releases, and checks at the end what they have.
func eachRelease(ctx context.Context, j *job, follow func(ctx context.Context, i int, b build) error) (*answer, error) {
	var err error
	var last build
	a := &answer{}
	a.Cost, err = costOf(func() error {
		for _, n := range j.Phase {
			if _, err := tell(ctx, j.URL, fmt.Sprintf("release/%d", n)); err != nil {
				return err
			}
			last = j.Release[n-1]
			if err := forAll(j.Settings.Clients, j.Settings.Parallel, func(i int) error { return follow(ctx, i, last) }); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range j.Settings.Clients {
		if got := fileSum(j.installed(i)); got != last.SHA256 {
			err = errors.Join(err, fmt.Errorf("client %d has %q", i, got))
		}
	}
	return a, err
}

// forAll calls do for 0 to n-1, so many at once.
func forAll(n, parallel int, do func(i int) error) error {
	next, failed := make(chan int), make(chan error, parallel)
	for range parallel {
		go func() {
			var err error
			for i := range next {
				err = errors.Join(err, do(i))
			}
			failed <- err
		}()
	}
	for i := range n {
		next <- i
	}
	close(next)
	var err error
	for range parallel {
		err = errors.Join(err, <-failed)
	}
	return err
}

func (j *job) state(i int) string     { return filepath.Join(j.Dir, strconv.Itoa(i)) }
func (j *job) installed(i int) string { return filepath.Join(j.state(i), product) }

func clientsWaybill(ctx context.Context, j *job) (*answer, error) {
	sources := make([]fetcher.Source, j.Settings.Clients)
	for i := range sources {
		source, err := fetcher.NewHTTPSource(j.URL, nil)
		if err != nil {
			return nil, err
		}
		sources[i] = source
	}
	have := make([]release.Installed, j.Settings.Clients)
	for i := range have {
		have[i] = j.have(i)
	}
	return eachRelease(ctx, j, func(ctx context.Context, i int, b build) error {
		err := followWaybill(ctx, j, sources[i], i, have[i], b)
		have[i] = release.Installed{Version: b.Version, SHA256: b.SHA256, Length: b.Length}
		return err
	})
}

// have is what an endpoint has installed, as its record would say.
func (j *job) have(i int) release.Installed {
	sum := fileSum(j.installed(i))
	for _, b := range j.Release {
		if b.SHA256 == sum {
			return release.Installed{Version: b.Version, SHA256: b.SHA256, Length: b.Length}
		}
	}
	return release.Installed{}
}

// followWaybill is one check of one endpoint, by a Client of its own as a new process would have it.
func followWaybill(ctx context.Context, j *job, source fetcher.Source, i int, have release.Installed, b build) error {
	c, err := fetcher.New(j.Root, j.state(i), source, nil)
	if err != nil {
		return err
	}
	if err := c.Refresh(ctx); err != nil {
		return err
	}
	standing, err := c.Standing(ctx, product)
	if err != nil {
		return err
	}
	doc, err := c.Channel(ctx, product, channel, platform)
	if err != nil {
		return err
	}
	choice, err := release.Select(doc, standing, have, release.Want{})
	if err != nil {
		return err
	}
	if choice.Release == nil && have.SHA256 == b.SHA256 {
		return nil
	}
	if choice.Release == nil || choice.Release.Version != b.Version {
		return fmt.Errorf("client %d chose %+v, not %s", i, choice, b.Version)
	}
	target, err := c.Artifact(ctx, doc, choice.Release)
	if err != nil {
		return err
	}
	ways := release.Plan(doc, choice.Release, have, j.formats(), release.PlanLimits{})
	report, err := c.Build(ctx, target, ways, j.base(i, have), j.installed(i))
	if err == nil && len(report.Left) > 0 {
		err = fmt.Errorf("client %d left %+v", i, report.Left)
	}
	return err
}

func (j *job) formats() []string {
	if j.Whole {
		return nil
	}
	return delta.UpdateFormats()
}

func (j *job) base(i int, have release.Installed) string {
	if have.SHA256 == "" {
		return ""
	}
	return j.installed(i)
}

func clientsStock(ctx context.Context, j *job) (*answer, error) {
	sources := make([]*http.Client, j.Settings.Clients)
	for i := range sources {
		sources[i] = &http.Client{Transport: &http.Transport{}}
	}
	return eachRelease(ctx, j, func(_ context.Context, i int, b build) error {
		u, err := newStock(j.URL, j.Root, j.state(i), sources[i])
		if err != nil {
			return err
		}
		if err := u.Refresh(); err != nil {
			return err
		}
		info, err := u.GetTargetInfo(b.Target)
		if err != nil {
			return err
		}
		if path, _, err := u.FindCachedTarget(info, j.installed(i)); path != "" || err != nil {
			return err
		}
		_, _, err = u.DownloadTarget(info, j.installed(i), "")
		return err
	})
}
