// SPDX-License-Identifier: Apache-2.0

package update

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/waybill-project/waybill/delta"
	"github.com/waybill-project/waybill/fetcher/install"
	"github.com/waybill-project/waybill/repo/release"
)

// How an installed version is known.
const (
	Recorded   = "recorded"   // the record says so, and the file still has the hash that it had then
	Identified = "identified" // the channel lists a release with the hash of the file
	Modified   = "modified"   // the record says so, but the file is another one now
	Unknown    = "unknown"    // nobody knows the file
	Absent     = "absent"     // there is no file
)

// Installed is what lies at the target. Version is empty if it is unknown or absent.
type Installed struct {
	Version string `json:"version,omitempty"`
	SHA256  string `json:"sha256,omitempty"`
	Length  int64  `json:"length,omitempty"`
	Known   string `json:"known"`
}

// Offer is the release that would be installed, and the cheapest way to it.
type Offer struct {
	Version   string    `json:"version"`
	Published time.Time `json:"published"`
	Critical  bool      `json:"critical"`
	Way       string    `json:"way"`
	Bytes     int64     `json:"bytes"`
	Full      int64     `json:"full"`
}

// Passed is a newer release that was passed over, and why.
type Passed struct {
	Version string `json:"version"`
	Reason  string `json:"reason"`
}

// Check is what a check found. Offer is nil if there is nothing to do.
type Check struct {
	Product   string            `json:"product"`
	Channel   string            `json:"channel"`
	Platform  string            `json:"platform"`
	Path      string            `json:"path"`
	Installed Installed         `json:"installed"`
	Offer     *Offer            `json:"offer,omitempty"`
	Reason    string            `json:"reason"`
	Passed    []Passed          `json:"passed,omitempty"`
	Recovered *install.Recovery `json:"recovered,omitempty"`
	Metadata  int64             `json:"metadata_bytes"`
	Clock     *time.Time        `json:"clock_behind,omitempty"` // what was verified last, if the clock of this machine stands before it
}

// Check refreshes the metadata and decides, but downloads nothing.
func (u *Updater) Check(ctx context.Context) (*Check, error) {
	unlock, recovery, err := u.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	d, err := u.decide(ctx, release.Want{})
	if err != nil {
		return nil, err
	}
	c := d.check
	c.Recovered, c.Metadata, c.Clock = recovery, u.metadata.Load(), u.clock()
	return &c, nil
}

// clock is nil if the clock of this machine can be right.
func (u *Updater) clock() *time.Time {
	if at, behind := u.client.Clock(); behind {
		return &at
	}
	return nil
}

// decision is what a run is going to do.
type decision struct {
	check   Check
	channel *release.Channel
	have    release.Installed
	choice  release.Choice
	ways    []release.Way
}

// decide brings the metadata up to date, finds out what is installed, and selects. What it found is remembered.
func (u *Updater) decide(ctx context.Context, want release.Want) (*decision, error) {
	d, err := u.reach(ctx, want)
	u.remember(ctx, d, err)
	return d, err
}

func (u *Updater) reach(ctx context.Context, want release.Want) (*decision, error) {
	ctx = u.client.OneWalk(ctx)
	if err := u.client.Refresh(ctx); err != nil {
		return nil, err
	}
	standing, err := u.client.Standing(ctx, u.config.Product)
	if err != nil {
		return nil, err
	}
	channel, err := u.channel(ctx)
	if err != nil {
		return nil, err
	}
	record, err := u.record()
	if err != nil {
		return nil, err
	}
	installed, err := u.installed(ctx, channel, record)
	if err != nil {
		return nil, err
	}
	if record != nil {
		want.Skip = record.Skipped
	}
	d := &decision{channel: channel, have: release.Installed{Version: installed.Version, SHA256: installed.SHA256, Length: installed.Length}}
	if d.choice, err = release.Select(channel, standing, d.have, want); err != nil {
		return nil, fmt.Errorf("%s in channel %s: %w", u.config.Product, u.config.Channel, err)
	}
	d.describe(u, installed)
	return d, nil
}

// channel is the channel document of the first platform in the endpoint's order that has one.
func (u *Updater) channel(ctx context.Context) (*release.Channel, error) {
	c := u.config
	what := fmt.Sprintf("product %q with channel %q for platform %s", c.Product, c.Channel, strings.Join(c.Platforms, ", "))
	var missing *NoSuchError
	for _, platform := range c.Platforms {
		channel, err := u.client.Channel(ctx, c.Product, c.Channel, platform)
		if err == nil {
			return channel, nil
		}
		if err = absent(err, "%s", what); !errors.As(err, &missing) {
			return nil, err
		}
	}
	return nil, missing
}

// record is the record of the last installation, nil if there is none for this path or it cannot be read.
func (u *Updater) record() (*install.Record, error) {
	record, err := install.Load(u.state, u.installOptions())
	if errors.Is(err, install.ErrCorrupt) {
		u.opts.Logger.Warn("the record of the installation is unreadable and ignored", "error", err)
		return nil, nil
	}
	if err != nil || record == nil || record.Path != u.config.Path {
		return nil, err
	}
	return record, nil
}

// installed finds out what the file at the target is; channel may be nil.
func (u *Updater) installed(ctx context.Context, channel *release.Channel, record *install.Record) (Installed, error) {
	file, err := install.Measure(ctx, u.config.Path, u.installOptions())
	if err != nil {
		return Installed{}, err
	}
	if file == nil {
		return Installed{Known: Absent}, nil
	}
	i := Installed{SHA256: file.SHA256, Length: file.Length, Known: Unknown}
	if record != nil && record.Current.SHA256 == file.SHA256 && record.Current.Version != "" {
		i.Version, i.Known = record.Current.Version, Recorded
		return i, nil
	}
	if version := versionOf(channel, file.SHA256); version != "" {
		i.Version, i.Known = version, Identified
		return i, nil
	}
	if record != nil && record.Current.SHA256 != file.SHA256 {
		i.Version, i.Known = record.Current.Version, Modified
	}
	return i, nil
}

func versionOf(channel *release.Channel, sha string) string {
	version := ""
	if channel == nil {
		return version
	}
	for _, r := range channel.Releases {
		if r.Artifact.SHA256 == sha && (version == "" || release.Compare(r.Version, version) > 0) {
			version = r.Version
		}
	}
	return version
}

func (d *decision) describe(u *Updater, installed Installed) {
	d.check = Check{
		Product: u.config.Product, Channel: u.config.Channel, Platform: d.channel.Platform, Path: u.config.Path,
		Installed: installed, Reason: d.choice.Reason,
	}
	for _, s := range d.choice.Skipped {
		d.check.Passed = append(d.check.Passed, Passed{s.Version, strings.TrimPrefix(s.Err.Error(), s.Version+": ")})
	}
	to := d.choice.Release
	if to == nil {
		return
	}
	d.ways = release.Plan(d.channel, to, d.have, delta.UpdateFormats(), release.PlanLimits{})
	d.check.Offer = &Offer{
		Version: to.Version, Published: to.Published, Critical: to.Critical,
		Way: d.ways[0].Kind, Bytes: d.ways[0].Bytes, Full: to.Artifact.Length,
	}
}
