// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"

	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"github.com/waybill-project/waybill/fetcher"
)

// refresh compares a refresh of one large role, with an empty state folder and with a full one.
func refresh(ctx context.Context, s *settings, r *report) error {
	dir, err := s.folder("one-role")
	if err != nil {
		return err
	}
	if err := newTree(dir).oneRole(s.Targets); err != nil {
		return err
	}
	server, err := startServer(ctx, job{Dir: dir})
	if err != nil {
		return err
	}
	defer server.stop()
	root, err := rootOf(dir)
	if err != nil {
		return err
	}
	runs := map[string][]cost{}
	for range s.Repeat {
		for _, who := range []string{"waybill", "go-tuf"} {
			if err := refreshTwice(ctx, s, &job{Kind: "refresh/" + who, URL: server.url, Root: root}, runs); err != nil {
				return err
			}
		}
	}
	for _, when := range []string{"cold", "warm"} {
		what := fmt.Sprintf("refresh of %d targets in one role, %s", s.Targets, when)
		r.compare(what, runs["refresh/waybill "+when], runs["refresh/go-tuf "+when], 33, 33)
	}
	nothing, err := inChild(ctx, &job{Kind: "nothing"})
	if err != nil {
		return err
	}
	r.add(row{What: "a process that does nothing", Figure: "peak RSS", Ours: mib(nothing.Cost.Peak), Unit: "MiB"})
	return nil
}

func refreshTwice(ctx context.Context, s *settings, j *job, runs map[string][]cost) (err error) {
	if j.Dir, err = os.MkdirTemp(s.dir, "state-"); err != nil {
		return err
	}
	defer os.RemoveAll(j.Dir)
	for _, when := range []string{"cold", "warm"} {
		a, err := inChild(ctx, j)
		if err != nil {
			return err
		}
		runs[j.Kind+" "+when] = append(runs[j.Kind+" "+when], a.Cost)
	}
	return nil
}

// client is a new one of ours with the job's state.
func (j *job) client() (*fetcher.Client, error) {
	source, err := fetcher.NewHTTPSource(j.URL, nil)
	if err != nil {
		return nil, err
	}
	return fetcher.New(j.Root, j.Dir, source, nil)
}

func refreshWaybill(ctx context.Context, j *job) (*answer, error) {
	var err error
	a := &answer{}
	a.Cost, err = costOf(func() error {
		c, err := j.client()
		if err != nil {
			return err
		}
		if err := c.Refresh(ctx); err != nil {
			return err
		}
		_, err = c.Target(ctx, wanted)
		return err
	})
	return a, err
}

func refreshStock(_ context.Context, j *job) (*answer, error) {
	var err error
	a := &answer{}
	a.Cost, err = costOf(func() error {
		u, err := newStock(j.URL, j.Root, j.Dir, http.DefaultClient)
		if err != nil {
			return err
		}
		if err := u.Refresh(); err != nil {
			return err
		}
		_, err = u.GetTargetInfo(wanted)
		return err
	})
	return a, err
}

// newStock is go-tuf's updater as it comes, except that its limit for targets is
// raised to ours: by itself it refuses this many targets in one role.
func newStock(url string, root []byte, dir string, client *http.Client) (*updater.Updater, error) {
	c, err := config.New(url+"/metadata", root)
	if err != nil {
		return nil, err
	}
	c.RemoteTargetsURL = url + "/targets"
	c.LocalMetadataDir, c.LocalTargetsDir = filepath.Join(dir, "metadata"), filepath.Join(dir, "targets")
	c.TargetsMaxLength = 32 << 20
	if err := c.SetDefaultFetcherHTTPClient(client); err != nil {
		return nil, err
	}
	return updater.New(c)
}

// bins counts what a client receives that wants one of many targets.
func bins(ctx context.Context, s *settings, r *report) error {
	dir, err := s.folder("bins")
	if err != nil {
		return err
	}
	if err := newTree(dir).hashBins(s.Targets); err != nil {
		return err
	}
	server, err := startServer(ctx, job{Dir: dir})
	if err != nil {
		return err
	}
	defer server.stop()
	j := &job{Kind: "target/waybill", URL: server.url}
	if j.Root, err = rootOf(dir); err != nil {
		return err
	}
	if j.Dir, err = s.folder("bins-state"); err != nil {
		return err
	}
	before, err := tell(ctx, server.url, "stats/")
	if err != nil {
		return err
	}
	a, err := inChild(ctx, j)
	if err != nil {
		return err
	}
	after, err := tell(ctx, server.url, "stats/")
	if err != nil {
		return err
	}
	what := fmt.Sprintf("one of %d targets in 256 hash bins", s.Targets)
	sent := float64(after.Sent-before.Sent) / 1000
	r.add(row{What: what, Figure: "received, headers included", Ours: sent, Unit: "kB", Goal: "under 100"})
	r.add(row{What: what, Figure: "requests", Ours: float64(after.Requests - before.Requests)})
	r.add(row{What: what, Figure: "CPU", Ours: a.Cost.CPU, Unit: "s"})
	r.add(row{What: what, Figure: "peak RSS", Ours: mib(a.Cost.Peak), Unit: "MiB"})
	r.require(sent < 100, "%s: %.1f kB received", what, sent)
	return nil
}

func targetWaybill(ctx context.Context, j *job) (*answer, error) {
	var err error
	a := &answer{}
	a.Cost, err = costOf(func() error {
		c, err := j.client()
		if err != nil {
			return err
		}
		t, err := c.Target(ctx, wanted)
		if err != nil {
			return err
		}
		return c.Download(ctx, t, filepath.Join(j.Dir, "file"))
	})
	return a, err
}

// fileSum is the hash of a file, "" if there is none.
func fileSum(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return ""
	}
	return hex.EncodeToString(sum.Sum(nil))
}
