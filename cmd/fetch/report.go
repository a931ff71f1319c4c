// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"time"

	"github.com/waybill-project/waybill/fetcher/install"
	"github.com/waybill-project/waybill/fetcher/update"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/repo/release"
)

// sayOutcome tells a person what an update did: one line, and notes about what it did not do.
func (a *app) sayOutcome(o *update.Outcome) {
	a.noteRecovery(o.Recovered)
	a.noteClock(o.Clock)
	a.notePassed(o.Passed)
	if !o.Changed {
		a.say("%s: nothing to do: %s", o.Product, o.Reason)
		return
	}
	a.noteLeft(o)
	a.say("%s %s (%s): %s", o.Product, stepText(o), wayText(o.Way), fetchedText(o))
}

// noteLeft tells which ways were not taken, but not that a first installation has no delta, nor what the error says.
func (a *app) noteLeft(o *update.Outcome) {
	if o == nil || o.Known == update.Absent {
		return
	}
	for _, l := range o.Left {
		if l.Way != release.Full {
			a.note("%s not used: %s", wayText(l.Way), l.Reason)
		}
	}
}

func (a *app) sayRollback(o *update.Outcome) {
	a.noteRecovery(o.Recovered)
	a.say("%s %s (rollback)", o.Product, stepText(o))
	if o.From != "" {
		a.note("%s is skipped until a newer version is offered", o.From)
	}
}

func (a *app) noteRecovery(r *install.Recovery) {
	if r == nil {
		return
	}
	switch r.Result {
	case install.Finished:
		a.note("an interrupted %s of %s was finished", r.Operation, r.To)
	case install.Undone:
		a.note("an interrupted %s of %s was undone", r.Operation, r.To)
	case install.Left:
		a.note("an interrupted %s of %s was dropped: the file was changed meanwhile", r.Operation, r.To)
	default:
		a.note("an unreadable record of an interrupted run was dropped")
	}
}

func (a *app) noteClock(verified *time.Time) {
	if verified != nil {
		a.note("the clock of this machine is wrong: it is at least %s; expiry was judged by that", when(*verified))
	}
}

func (a *app) notePassed(passed []update.Passed) {
	for _, p := range passed {
		a.note("%s passed over: %s", p.Version, p.Reason)
	}
}

func stepText(o *update.Outcome) string {
	to := o.To
	if to == "" {
		to = "unknown"
	}
	switch {
	case o.Known == update.Absent:
		return to + " installed"
	case o.From == "":
		return "unknown -> " + to
	case o.From == o.To:
		return to + " restored"
	}
	return o.From + " -> " + to
}

func fetchedText(o *update.Outcome) string {
	if o.Fetched >= o.Full {
		return "fetched " + cli.Bytes(o.Fetched)
	}
	return fmt.Sprintf("fetched %s of %s (%s saved)", cli.Bytes(o.Fetched), cli.Bytes(o.Full), percent(o.Saved))
}

// percent does not round to all: only nothing fetched is 100%.
func percent(p float64) string {
	if p > 99.9 && p < 100 {
		p = 99.9
	}
	return fmt.Sprintf("%.1f%%", p)
}

func cost(way string, bytes, full int64) string {
	if bytes >= full {
		return fmt.Sprintf("%s to fetch (%s)", cli.Bytes(bytes), wayText(way))
	}
	return fmt.Sprintf("%s of %s to fetch (%s)", cli.Bytes(bytes), cli.Bytes(full), wayText(way))
}

func wayText(way string) string {
	switch way {
	case release.Direct:
		return "direct delta"
	case release.Chain:
		return "chain of deltas"
	case release.Compressed:
		return "compressed download"
	case release.Full:
		return "full download"
	case "present":
		return "downloaded before"
	}
	return way
}

// triedError is a failed update with the ways that it tried, for --json.
type triedError struct {
	error
	left []update.Left
}

func tried(err error, o *update.Outcome) error {
	if o == nil || len(o.Left) == 0 {
		return err
	}
	return &triedError{err, o.Left}
}

func (e *triedError) Unwrap() error { return e.error }

// Details are what cli.ErrorObject adds.
func (e *triedError) Details() any { return map[string]any{"left": e.left} }
