// SPDX-License-Identifier: Apache-2.0

package release_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/waybill-project/waybill/repo/release"
)

func offers() *release.Channel {
	tree := offer("3.0.0", 30)
	tree.Kind = release.KindTree
	system := offer("2.2.0", 22)
	system.MinimumOS = "12.1"
	waved := offer("2.1.0", 21)
	waved.Rollout = &release.Rollout{Start: published, Waves: []release.Wave{{After: time.Hour, Percent: release.Everyone}}}
	from := offer("2.0.0", 20)
	from.MinimumFrom = "1.4.0"
	return channel(offer("1.4.0", 14), from, offer("1.3.0", 13), tree, system, offer("1.2.0", 12), waved, offer("1.0.0", 10))
}

func TestSelect(t *testing.T) {
	open := published.Add(time.Hour)
	installed := func(version string, n int) release.Installed {
		return release.Installed{Version: version, SHA256: sha(n), Length: 1000}
	}
	retract := func(version, fallback string) *release.Standing {
		return &release.Standing{Product: "app", Retracted: []release.Retraction{{Version: version, Fallback: fallback}}}
	}
	for _, c := range []struct {
		name     string
		standing *release.Standing
		have     release.Installed
		want     release.Want
		version  string
		err      error
	}{
		{"first installation", nil, release.Installed{}, release.Want{}, "2.0.0", nil},
		{"first installation in the wave", nil, release.Installed{}, release.Want{Now: open}, "2.1.0", nil},
		{"before the wave", nil, release.Installed{}, release.Want{Now: open.Add(-1)}, "2.0.0", nil},
		{"system new enough", nil, release.Installed{}, release.Want{OS: "12.1"}, "2.2.0", nil},
		{"system newer", nil, release.Installed{}, release.Want{OS: "13"}, "2.2.0", nil},
		{"system too old", nil, release.Installed{}, release.Want{OS: "12.0.9"}, "2.0.0", nil},
		{"system of unknown version", nil, release.Installed{}, release.Want{OS: "twelve"}, "2.0.0", nil},
		{"trees too", nil, release.Installed{}, release.Want{Kinds: []string{"file", "tree"}}, "3.0.0", nil},
		{"no kind at all", nil, release.Installed{}, release.Want{Kinds: []string{}}, "", release.ErrNoRelease},
		{"skipped", nil, release.Installed{}, release.Want{Skip: []string{"2.0.0"}}, "1.4.0", nil},
		{"update", nil, installed("1.4.0", 14), release.Want{}, "2.0.0", nil},
		{"update that must stop over", nil, installed("1.2.0", 12), release.Want{}, "1.4.0", nil},
		{"up to date", nil, installed("2.0.0", 20), release.Want{}, "", nil},
		{"up to date, skip list or not", nil, installed("2.0.0", 20), release.Want{Skip: []string{"2.0.0"}}, "", nil},
		{"up to date outside the wave", nil, installed("2.1.0", 21), release.Want{}, "", nil},
		{"content differs", nil, installed("2.0.0", 99), release.Want{}, "2.0.0", nil},
		{"content not known", nil, release.Installed{Version: "2.0.0"}, release.Want{}, "", nil},
		{"found by hash", nil, release.Installed{SHA256: sha(12)}, release.Want{}, "1.4.0", nil},
		{"version is none", nil, release.Installed{Version: "dev", SHA256: sha(12)}, release.Want{}, "1.4.0", nil},
		{"file not known", nil, release.Installed{SHA256: sha(99)}, release.Want{}, "2.0.0", nil},
		{"newer than all", nil, installed("9.0.0", 90), release.Want{}, "", nil},
		{"newer than all, going down", nil, installed("9.0.0", 90), release.Want{AllowDowngrade: true}, "2.0.0", nil},
		{"between, never down", nil, installed("1.9.0", 19), release.Want{Skip: []string{"2.0.0"}}, "", nil},

		{"pin", nil, installed("1.2.0", 12), release.Want{Version: "1.3.0"}, "1.3.0", nil},
		{"pin at once", nil, installed("1.3.0", 13), release.Want{Version: "1.3.0"}, "", nil},
		{"pin over the skip list", nil, release.Installed{}, release.Want{Version: "1.3.0", Skip: []string{"1.3.0"}}, "1.3.0", nil},
		{"pin before the wave", nil, installed("2.0.0", 20), release.Want{Version: "2.1.0"}, "2.1.0", nil},
		{"pin not offered", nil, release.Installed{}, release.Want{Version: "1.3.1"}, "", release.ErrNoRelease},
		{"pin lower", nil, installed("2.0.0", 20), release.Want{Version: "1.3.0"}, "", release.ErrDowngrade},
		{"pin lower, allowed", nil, installed("2.0.0", 20), release.Want{Version: "1.3.0", AllowDowngrade: true}, "1.3.0", nil},
		{"pin out of reach", nil, installed("1.3.0", 13), release.Want{Version: "2.0.0"}, "", release.ErrMinimumFrom},
		{"pin of a tree", nil, release.Installed{}, release.Want{Version: "3.0.0"}, "", release.ErrKind},
		{"pin of a newer system", nil, release.Installed{}, release.Want{Version: "2.2.0", OS: "11"}, "", release.ErrMinimumOS},
		{"pin below the minimum", &release.Standing{Product: "app", Minimum: "1.4.0"}, release.Installed{}, release.Want{Version: "1.3.0"}, "", release.ErrBelowMinimum},
		{"pin below the minimum, downgrade allowed", &release.Standing{Product: "app", Minimum: "1.4.0"}, installed("2.0.0", 20),
			release.Want{Version: "1.3.0", AllowDowngrade: true}, "", release.ErrBelowMinimum},
		{"pin of a retracted one", retract("1.3.0", ""), release.Installed{}, release.Want{Version: "1.3.0", AllowDowngrade: true}, "", release.ErrRetracted},

		{"retracted is never newly installed", retract("2.0.0", "1.4.0"), installed("1.4.0", 14), release.Want{}, "", nil},
		{"running a retracted one", retract("2.0.0", "1.4.0"), installed("2.0.0", 20), release.Want{}, "1.4.0", nil},
		{"running a retracted one, fallback further down", retract("2.0.0", "1.3.0"), installed("2.0.0", 20), release.Want{}, "1.4.0", nil},
		{"running a retracted one, fallback gone", retract("2.0.0", "1.9.0"), installed("2.0.0", 20), release.Want{}, "", release.ErrRetracted},
		{"running a retracted one, no fallback", retract("2.0.0", ""), installed("2.0.0", 20), release.Want{}, "", release.ErrRetracted},
		{"running a retracted one, no fallback, newer offered", retract("1.4.0", ""), installed("1.4.0", 14), release.Want{}, "2.0.0", nil},
		{"running a retracted one, pin at the fallback", retract("2.0.0", "1.3.0"), installed("2.0.0", 20), release.Want{Version: "1.3.0"}, "1.3.0", nil},
		{"running a retracted one, pin below the fallback", retract("2.0.0", "1.3.0"), installed("2.0.0", 20), release.Want{Version: "1.2.0"}, "", release.ErrDowngrade},
		{"running a retracted one, found by hash", retract("2.0.0", "1.4.0"), release.Installed{SHA256: sha(20)}, release.Want{}, "1.4.0", nil},
		{"minimum above everything", &release.Standing{Product: "app", Minimum: "9.0.0"}, release.Installed{}, release.Want{}, "", release.ErrBelowMinimum},
		{"standing of another product", &release.Standing{Product: "other"}, release.Installed{}, release.Want{}, "", release.ErrMalformed},
	} {
		choice, err := release.Select(offers(), c.standing, c.have, c.want)
		got := ""
		if choice.Release != nil {
			got = choice.Release.Version
		}
		if got != c.version || !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
			t.Errorf("%s: got %q, %v", c.name, got, err)
		}
		if err == nil && choice.Reason == "" {
			t.Errorf("%s: no reason given", c.name)
		}
	}
}

func TestSelectSaysWhatItSkipped(t *testing.T) {
	choice, err := release.Select(offers(), nil, release.Installed{Version: "1.4.0", SHA256: sha(14)}, release.Want{Skip: []string{"2.0.0"}})
	if err != nil || choice.Release != nil {
		t.Fatalf("got %+v, %v", choice, err)
	}
	var versions []string
	for i, want := range []error{release.ErrKind, release.ErrMinimumOS, release.ErrNotOpen, release.ErrSkipped} {
		versions = append(versions, choice.Skipped[i].Version)
		if !errors.Is(choice.Skipped[i].Err, want) {
			t.Errorf("%s: got %v, want %v", choice.Skipped[i].Version, choice.Skipped[i].Err, want)
		}
	}
	if !slices.Equal(versions, []string{"3.0.0", "2.2.0", "2.1.0", "2.0.0"}) {
		t.Errorf("got %v", versions)
	}
	_, err = release.Select(channel(), nil, release.Installed{}, release.Want{})
	if !errors.Is(err, release.ErrNoRelease) {
		t.Errorf("an empty channel: got %v", err)
	}
}

func TestSelectNeverGoesDownByItself(t *testing.T) {
	for _, release1 := range offers().Releases {
		for _, minimum := range []string{"", "1.3.0", "9.0.0"} {
			have := release.Installed{Version: release1.Version, SHA256: release1.Artifact.SHA256}
			choice, err := release.Select(offers(), &release.Standing{Product: "app", Minimum: minimum}, have, release.Want{})
			if err != nil {
				t.Errorf("%s: %v", release1.Version, err)
			}
			if choice.Release != nil && release.Compare(choice.Release.Version, release1.Version) <= 0 {
				t.Errorf("%s goes to %s", release1.Version, choice.Release.Version)
			}
		}
	}
}

func TestRolloutOpen(t *testing.T) {
	rollout := &release.Rollout{Start: published, Waves: []release.Wave{
		{After: 0, Percent: 0}, {After: time.Hour, Percent: 2500}, {After: 2 * time.Hour, Percent: release.Everyone},
	}}
	count := func(now time.Time) int {
		open := 0
		for i := range 1000 {
			if rollout.Open(now, []byte(sha(i)), "app", "1.0.0") {
				open++
			}
		}
		return open
	}
	for after, want := range map[time.Duration][2]int{
		-time.Second: {0, 0}, 0: {0, 0}, time.Hour: {200, 300}, 2 * time.Hour: {1000, 1000},
	} {
		if got := count(published.Add(after)); got < want[0] || got > want[1] {
			t.Errorf("%v after the start %d of 1000 are in", after, got)
		}
	}
	if rollout.Open(published.Add(time.Hour), nil, "app", "1.0.0") || !rollout.Open(published.Add(2*time.Hour), nil, "app", "1.0.0") {
		t.Error("without a seed only 100 percent is open")
	}
	var none *release.Rollout
	if rollout.Open(time.Time{}, []byte("s"), "app", "1.0.0") || !none.Open(time.Time{}, nil, "app", "1.0.0") {
		t.Error("no clock closes a roll-out, no roll-out is open")
	}
	// The first 16 digits of printf 'seed\0app\0%s' 1.4.2 | sha256sum, mod 10,000.
	const bucketOfSeed = 4499
	at := published.Add(time.Minute)
	for percent, want := range map[release.Percent]bool{bucketOfSeed: false, bucketOfSeed + 1: true} {
		rollout := &release.Rollout{Start: published, Waves: []release.Wave{{Percent: percent}}}
		if rollout.Open(at, []byte("seed"), "app", "1.4.2") != want {
			t.Errorf("bucket at %s percent: want %v", percent, want)
		}
	}
}
