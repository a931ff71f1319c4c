// SPDX-License-Identifier: Apache-2.0

package update

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/fetcher/install"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/release"
)

// UpdateOptions are what an operator may ask for. The zero value takes the newest release that is open and never goes down.
type UpdateOptions struct {
	Version        string // this one and no other
	AllowDowngrade bool
}

// Left is a way that was not taken, or was tried in vain, and why.
type Left struct {
	Way    string `json:"way"`
	Class  string `json:"class"`
	Reason string `json:"reason"`
}

// Outcome is what a run did.
type Outcome struct {
	Product   string            `json:"product"`
	Channel   string            `json:"channel"`
	Platform  string            `json:"platform,omitempty"`
	Path      string            `json:"path"`
	From      string            `json:"from"`            // version before; empty if none or unknown
	Known     string            `json:"known,omitempty"` // how it is known
	To        string            `json:"to"`              // version now
	Changed   bool              `json:"changed"`         // whether the file at Path was replaced
	Reason    string            `json:"reason"`
	Way       string            `json:"way,omitempty"` // direct, chain, compressed, full; rollback
	Fetched   int64             `json:"fetched_bytes"` // of artifact and patches
	Full      int64             `json:"full_bytes"`    // what the artifact itself would have cost
	Saved     float64           `json:"saved_percent"`
	Metadata  int64             `json:"metadata_bytes"`
	Left      []Left            `json:"left,omitempty"`
	Passed    []Passed          `json:"passed,omitempty"`
	Skipped   []string          `json:"skipped,omitempty"`
	Self      bool              `json:"self"` // the file at Path is the running program
	Recovered *install.Recovery `json:"recovered,omitempty"`
	Clock     *time.Time        `json:"clock_behind,omitempty"` // as in Check
}

func (u *Updater) newOutcome(recovery *install.Recovery) *Outcome {
	return &Outcome{
		Product: u.config.Product, Channel: u.config.Channel, Path: u.config.Path, Self: u.isSelf(), Recovered: recovery,
	}
}

func (u *Updater) isSelf() bool {
	self, err := install.Executable()
	if err != nil {
		return false
	}
	target, err := filepath.EvalSymlinks(u.config.Path)
	return err == nil && target == self
}

// Update brings the program to the newest release that the endpoint may have. Whether the place can be written is
// found out before anything is fetched. If a download or the installation failed, the outcome is there beside the
// error and says which ways were tried; else it is nil with an error.
func (u *Updater) Update(ctx context.Context, opts *UpdateOptions) (*Outcome, error) {
	if opts == nil {
		opts = &UpdateOptions{}
	}
	unlock, recovery, err := u.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	if err := install.CheckWritable(u.config.Path, u.installOptions()); err != nil {
		return nil, err
	}
	o := u.newOutcome(recovery)
	d, err := u.decide(ctx, release.Want{Version: opts.Version, AllowDowngrade: opts.AllowDowngrade})
	if err != nil {
		return nil, err
	}
	o.decided(d)
	if d.choice.Release == nil {
		u.sweepDownloads("")
	} else if err := u.fetchAndInstall(ctx, d, o); err != nil {
		return o, err
	}
	o.Metadata, o.Clock = u.metadata.Load(), u.clock()
	return o, nil
}

func (o *Outcome) decided(d *decision) {
	o.Platform, o.Reason, o.Passed = d.check.Platform, d.check.Reason, d.check.Passed
	o.From, o.To, o.Known = d.have.Version, d.have.Version, d.check.Installed.Known
}

func (u *Updater) fetchAndInstall(ctx context.Context, d *decision, o *Outcome) error {
	to := d.choice.Release
	target, err := u.client.Artifact(ctx, d.channel, to)
	if err != nil {
		return err
	}
	verified, err := u.downloadPath(to)
	if err != nil {
		return err
	}
	if err := u.checkSpace(to, d.ways[0]); err != nil {
		return err
	}
	base := ""
	if d.check.Installed.Known != Absent {
		base = u.config.Path
	}
	report, err := u.client.Build(ctx, target, d.ways, base, verified)
	o.fetched(report)
	if err != nil {
		return err
	}
	request := install.Request{
		Verified: verified, Path: u.config.Path, State: u.state, Replaces: d.replaces(),
		Build: install.Build{Version: to.Version, SHA256: to.Artifact.SHA256, Length: to.Artifact.Length},
	}
	record, err := install.File(ctx, request, u.installOptions())
	if err != nil {
		return err
	}
	u.sweepDownloads("")
	o.installed(d, record)
	return nil
}

// replaces is the version of the bytes that are replaced; those of a modified file are nobody's.
func (d *decision) replaces() string {
	if d.check.Installed.Known == Modified {
		return ""
	}
	return d.have.Version
}

// downloadPath is where the verified file is built, and makes its folder. What earlier runs began for another release goes.
func (u *Updater) downloadPath(to *release.Release) (string, error) {
	dir := filepath.Join(u.state, downloadName)
	if err := durable.MkdirAll(u.opts.FS, dir, 0o700); err != nil {
		return "", local(dir, err)
	}
	u.sweepDownloads(to.Artifact.SHA256)
	return filepath.Join(dir, to.Artifact.SHA256), nil
}

// sweepDownloads removes what is no part of the download that is kept; "" keeps none. What cannot be removed stays.
func (u *Updater) sweepDownloads(keep string) {
	dir := filepath.Join(u.state, downloadName)
	entries, err := u.opts.FS.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		if keep != "" && strings.Contains(e.Name(), keep) {
			continue
		}
		if err := u.opts.FS.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			u.opts.Logger.Warn("cannot remove an old download", "error", err)
		}
	}
}

// checkSpace refuses before the download what has no chance to fit: the new file and what is fetched for it in the
// state folder, less what lies there already, and the new file once more in the target's folder if that is elsewhere.
func (u *Updater) checkSpace(to *release.Release, way release.Way) error {
	dir := filepath.Join(u.state, downloadName)
	need := to.Artifact.Length
	if way.Kind != release.Full {
		need += way.Bytes
	}
	if err := install.CheckSpace(dir, need-u.downloaded()); err != nil {
		return err
	}
	return install.CheckSpace(filepath.Dir(u.config.Path), to.Artifact.Length-u.downloaded())
}

// downloaded counts what lies in the folders of downloads, complete or not.
func (u *Updater) downloaded() int64 {
	dirs := []string{filepath.Join(u.state, downloadName)}
	lineages, err := u.opts.FS.ReadDir(filepath.Join(u.state, trustName))
	if err != nil {
		lineages = nil
	}
	for _, e := range lineages {
		dirs = append(dirs, filepath.Join(u.state, trustName, e.Name(), "partial"))
	}
	var n int64
	for _, dir := range dirs {
		entries, err := u.opts.FS.ReadDir(dir)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
				n += info.Size()
			}
		}
	}
	return n
}

// fetched notes what was transferred, also for nothing.
func (o *Outcome) fetched(report *fetcher.Report) {
	if report == nil {
		return
	}
	o.Way, o.Fetched, o.Full = report.Way, report.Fetched, report.Full
	for _, l := range report.Left {
		o.Left = append(o.Left, Left{l.Way, l.Class, l.Reason})
	}
}

func (o *Outcome) installed(d *decision, record *install.Record) {
	o.To, o.Changed, o.Skipped = record.Current.Version, true, record.Skipped
	if o.Full > 0 {
		o.Saved = max(0, 100*(1-float64(o.Fetched)/float64(o.Full)))
	}
	if why := d.whyNoDelta(); why != "" {
		o.Left = append(o.Left, Left{"delta", "plan", why})
	}
}

// whyNoDelta says why no patch was even planned; empty if one was.
func (d *decision) whyNoDelta() string {
	for _, way := range d.ways {
		if way.Kind == release.Direct || way.Kind == release.Chain {
			return ""
		}
	}
	switch d.check.Installed.Known {
	case Absent:
		return "nothing is installed to start from"
	case Modified:
		return fmt.Sprintf("the installed file is not the %s that was installed: its sha256 is %s", d.have.Version, d.have.SHA256)
	case Unknown:
		return fmt.Sprintf("the installed file is no release of this channel: its sha256 is %s", d.have.SHA256)
	}
	return fmt.Sprintf("no usable delta from %s that is smaller than the full file", d.have.Version)
}
