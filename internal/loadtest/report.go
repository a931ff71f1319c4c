// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// report collects what was measured.
type report struct {
	Date     time.Time `json:"date"`
	Go       string    `json:"go"`
	System   string    `json:"system"`
	CPUs     int       `json:"cpus"`
	Settings *settings `json:"settings"`
	Rows     []row     `json:"rows"`
	Notes    []string  `json:"notes,omitempty"` // what must be known to compare
	Runs     []runs    `json:"runs"`            // everything that was measured, before the medians
	broken   []error
}

// row is one figure. Theirs is go-tuf's, 0 if there is none to compare with.
type row struct {
	What   string  `json:"what"`
	Figure string  `json:"figure"`
	Ours   float64 `json:"waybill"`
	Theirs float64 `json:"go_tuf,omitempty"`
	Unit   string  `json:"unit,omitempty"`
	Goal   string  `json:"goal,omitempty"`
}

type runs struct {
	What   string `json:"what"`
	Ours   []cost `json:"waybill"`
	Theirs []cost `json:"go_tuf"`
}

func newReport(s *settings) *report {
	return &report{
		Date: time.Now().UTC().Truncate(time.Second), Go: runtime.Version(),
		System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Settings: s,
	}
}

func (r *report) add(x row) { r.Rows = append(r.Rows, x) }

// require notes a bound that was broken.
func (r *report) require(ok bool, format string, args ...any) {
	if !ok {
		r.broken = append(r.broken, fmt.Errorf(format, args...))
	}
}

// compare reports the medians; time and memory are what percentages of go-tuf's are the goal.
func (r *report) compare(what string, ours, theirs []cost, timeGoal, memoryGoal int) {
	r.Runs = append(r.Runs, runs{what, ours, theirs})
	a, b := median(ours), median(theirs)
	goal := func(percent int) string { return fmt.Sprintf("at most %d %%", percent) }
	r.add(row{what, "wall", a.Wall, b.Wall, "s", goal(timeGoal)})
	r.add(row{what, "CPU", a.CPU, b.CPU, "s", goal(timeGoal)})
	r.add(row{what, "allocated", float64(a.Alloc) / 1e6, float64(b.Alloc) / 1e6, "MB", ""})
	r.add(row{what, "allocations", float64(a.Mallocs) / 1e3, float64(b.Mallocs) / 1e3, "thousand", ""})
	r.add(row{what, "peak RSS", mib(a.Peak), mib(b.Peak), "MiB", goal(memoryGoal)})
}

func mib(kib int64) float64 { return float64(kib) / 1024 }

func (r *report) write(w io.Writer, file string) error {
	fmt.Fprintf(w, "%s, %s, %s, %d CPUs; medians of %d runs\n\n",
		r.Date.Format(time.DateOnly), r.Go, r.System, r.CPUs, r.Settings.Repeat)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	last := ""
	for _, x := range r.Rows {
		if x.What != last {
			fmt.Fprintf(table, "%s\twaybill\tgo-tuf\tratio\tgoal\n", x.What)
			last = x.What
		}
		fmt.Fprintf(table, "  %s\t%s\n", x.Figure, x.cells())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, note := range r.Notes {
		fmt.Fprintln(w, note)
	}
	if file == "" {
		return nil
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return writeJSON(f, r)
}

func (x row) cells() string {
	ours := fmt.Sprintf("%.4g %s", x.Ours, x.Unit)
	if x.Theirs == 0 {
		return ours + "\t\t\t" + x.Goal
	}
	return fmt.Sprintf("%s\t%.4g %s\t%.0f %%\t%s", ours, x.Theirs, x.Unit, 100*x.Ours/x.Theirs, x.Goal)
}

func sortedKeys[T any](m map[string]T) []string { return slices.Sorted(maps.Keys(m)) }
