// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/delta"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/release"
)

func TestClockBehindIsRefusedAndClientsGoOn(t *testing.T) {
	tests := []struct {
		behind  time.Duration
		refused bool
	}{
		{30 * time.Minute, false},
		{2 * time.Hour, true},
		{30 * 24 * time.Hour, true},
	}
	publish := map[string]func(*world, *Repo) error{
		"refresh": func(w *world, r *Repo) error { _, err := r.Refresh(ctx, w.sign); return err },
		"release": func(w *world, r *Repo) error { _, err := w.tryRelease(r, "1.1.0", "stable"); return err },
	}
	for _, test := range tests {
		for what, run := range publish {
			t.Run(fmt.Sprint(what, " ", test.behind), func(t *testing.T) {
				w := newWorld(t)
				w.release(w.initialise(), "1.0.0", "stable")
				right := w.now
				w.now = right.Add(-test.behind)
				before := objects(t, w.bucket)
				err := run(w, w.openWith(&Options{Work: t.TempDir()}))
				if !test.refused {
					w.must(err)
				} else if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), "clock") || objects(t, w.bucket) != before {
					t.Errorf("%d objects more: %v", objects(t, w.bucket)-before, err)
				}
				w.now = right
				w.must(w.client().Refresh(ctx))
			})
		}
	}
}

// A timestamp that outlasts new ones also comes of a policy that shortens its life.
func TestShorterLifetimeIsPublishedOnTheOperatorsWord(t *testing.T) {
	w := newWorld(t)
	p := w.release(w.initialise(), "1.0.0", "stable")
	role := w.policy.Roles[metadata.TIMESTAMP]
	role.Expires = 48 * time.Hour
	w.policy.Roles[metadata.TIMESTAMP] = role
	_, err := w.open().Refresh(ctx, w.sign)
	if !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), fmt.Sprint("--continue-from ", p.Timestamp)) {
		t.Errorf("without a word: %v", err)
	}
	_, err = w.openWith(&Options{Work: w.work, ContinueFrom: p.Timestamp}).Refresh(ctx, w.sign)
	w.must(err)
	_, err = w.open().Refresh(ctx, w.sign)
	w.must(err)
}

func TestChannelThatOutgrowsItsLimitLosesItsOldestPatches(t *testing.T) {
	w := newWorld(t)
	doc := &release.Channel{Schema: 1, Product: "app", Channel: "stable", Platform: "linux-amd64"}
	for i := range release.MaxReleases {
		sum := func(i int) string { return hexHash([]byte(fmt.Sprint(i))) }
		version := fmt.Sprintf("1.%d.0", i)
		rel := release.Release{Version: version, Published: epoch, Kind: "file",
			Artifact: release.Artifact{Target: release.ArtifactTarget("app", version, "linux-amd64", "app"), Length: 9800000, SHA256: sum(i)}}
		for j := max(0, i-32); j < i; j++ {
			rel.Deltas = append(rel.Deltas, release.Edge{From: sum(j), FromLength: 9800000, Length: 310000, Format: delta.BSDiff4, Memory: 33554432,
				Target: release.PatchTarget("app", "linux-amd64", sum(i), sum(j), delta.BSDiff4)})
		}
		doc.Releases = append(doc.Releases, rel)
	}
	if _, err := doc.Encode(); !errors.Is(err, release.ErrMalformed) {
		t.Fatalf("it fits, so this tests nothing: %v", err)
	}
	c := w.drafted(w.initialise(), func(d *Draft) error { return d.setChannel(doc) })
	got, err := release.ParseChannel(c.Files[0].Content)
	w.must(err)
	newest, oldest := got.Newest(), got.Find("1.0.0")
	if len(got.Releases) != release.MaxReleases || len(newest.Deltas) != 32 || oldest == nil || len(oldest.Deltas) != 0 {
		t.Errorf("%d releases, newest %s with %d deltas", len(got.Releases), newest.Version, len(newest.Deltas))
	}
}

func TestDelegationsLeaveThePolicyBeforeTheyAreStaged(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	w.plain = true
	w.read()
	r = w.open()
	_, err := r.Publish(ctx, w.drafted(r, func(d *Draft) error { return d.Retract(ctx, "app", "1.0.0", "bad", "") }), w.sign, nil)
	w.must(err)
	_, err = r.Refresh(ctx, w.sign)
	w.must(err)
	if _, err := w.tryRelease(r, "1.1.0", "stable"); err == nil || !strings.Contains(err.Error(), "channels") {
		t.Errorf("a release needs channels, for which the policy has no lifetime: %v", err)
	}
	w.must(w.rotate(nil, "release"))
	w.release(w.open(), "1.1.0", "stable")
	doc, err := w.client().Channel(ctx, "app", "stable", "linux-amd64")
	if err != nil || len(doc.Releases) != 2 {
		t.Errorf("a client: %v %+v", err, doc)
	}
}

func TestDelegationsComeBackAfterTheirObjectsAreGone(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	w.release(r, "1.1.0", "stable")
	warm := w.warm()
	for _, plain := range []bool{true, false} {
		w.plain = plain
		w.must(w.rotate(nil, "release"))
		w.checkClients(warm, 0, false)
		for _, role := range []string{policy.RoleChannels, policy.RoleDeltas} {
			for n := int64(1); plain && n < 10; n++ {
				err := os.Remove(filepath.Join(w.bucket, filepath.FromSlash(layout.Versioned(role, n))))
				if !errors.Is(err, os.ErrNotExist) {
					w.must(err)
				}
			}
		}
	}
	w.release(w.open(), "1.2.0", "stable")
	for name, client := range map[string]*fetcher.Client{"warm": warm, "new": w.client()} {
		w.must(client.Refresh(ctx))
		doc, err := client.Channel(ctx, "app", "stable", "linux-amd64")
		if err != nil || doc.Find("1.2.0") == nil {
			t.Errorf("a %s client: %v", name, err)
		}
	}
}
