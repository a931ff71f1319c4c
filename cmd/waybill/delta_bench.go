// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/delta"
	"github.com/waybill-project/waybill/delta/diff"
	"github.com/waybill-project/waybill/delta/diff/bench"
	"github.com/waybill-project/waybill/internal/cli"
)

// benchFlags are what the user chose to measure, and how.
type benchFlags struct {
	formats, levels, peers []string
	memory                 string
	opts                   bench.Options
}

func (a *app) deltaBenchCommand() *cobra.Command {
	var b benchFlags
	c := &cobra.Command{
		Use:   "bench DIR",
		Short: "Measure formats, levels and other tools on pairs of files",
		Long: `Makes and applies patches for the pairs DIR/NAME/{old,new}, or DIR/pairs/NAME/{old,new},
in every format at every level and with the other tools that are installed. Prints
sizes, CPU and wall seconds and the peak of resident memory both ways, and means for
executables and other files. Each step runs in a process of its own, one at a time.
What a patch makes is compared with the new file.`,
		Example: `  waybill delta bench corpus
  waybill delta bench corpus --level best --peer bsdiff,zstd --runs 3 --json`,
		Args: badArgs(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, args []string) error {
			ours, err := b.ours()
			if err != nil {
				return usageError(c, err)
			}
			peers, missing := b.installed()
			if len(missing) > 0 {
				a.note("not installed, left out: %s", strings.Join(missing, ", "))
			}
			r := &benchReport{Schema: 1, Runs: b.opts.Runs, Missing: missing}
			return a.deltaBench(c.Context(), args[0], append(peers, ours...), r, &b.opts)
		},
	}
	f := c.Flags()
	f.StringSliceVar(&b.formats, "format", delta.Formats(), "`LIST` of our formats, or none")
	f.StringSliceVar(&b.levels, "level", []string{"fast", "default", "best"}, "`LIST` of levels")
	f.StringSliceVar(&b.peers, "peer", peerNames(), "`LIST` of other tools, or none")
	f.StringVar(&b.memory, "memory", "2GiB", "let ours use at most this much memory, such as 512MiB")
	f.IntVar(&b.opts.Runs, "runs", 1, "measure `N` times; medians count")
	f.DurationVar(&b.opts.Timeout, "timeout", bench.DefaultTimeout, "give up on a step after this time")
	f.StringVar(&b.opts.Keep, "keep", "", "keep the patches in this `FOLDER`")
	return exits(c, cli.Local)
}

func peerNames() (names []string) {
	for _, p := range bench.Peers() {
		names = append(names, p.Name)
	}
	return slices.Compact(names)
}

// ours are the formats at the levels that were asked for.
func (b *benchFlags) ours() (tools []bench.Tool, err error) {
	if b.opts.Runs < 1 || b.opts.Timeout <= 0 {
		return nil, errors.New("--runs and --timeout want more than 0")
	}
	if _, err := parseSize(b.memory); err != nil {
		return nil, fmt.Errorf("--memory %s: %w", b.memory, err)
	}
	err = errors.Join(checkList("format", b.formats, delta.Formats()), checkList("peer", b.peers, peerNames()))
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	for _, format := range b.formats {
		for _, name := range b.levels {
			level, err := diff.ParseLevel(name)
			if err != nil {
				return nil, fmt.Errorf("--level: %w", err)
			}
			if format != "none" {
				tools = append(tools, bench.Ours(self, format, level, "--memory", b.memory))
			}
		}
	}
	return tools, nil
}

func checkList(flag string, list, known []string) error {
	for _, name := range list {
		if name != "none" && !slices.Contains(known, name) {
			return fmt.Errorf("--%s %s: want %s or none", flag, name, strings.Join(known, ", "))
		}
	}
	return nil
}

// installed are the peers that can run, the one that all are compared with
// first, and the programs that others would need.
func (b *benchFlags) installed() (found []bench.Tool, missing []string) {
	for _, p := range bench.Peers() {
		switch m := p.Missing(); {
		case !slices.Contains(b.peers, p.Name):
		case len(m) > 0:
			missing = append(missing, m...)
		default:
			found = append(found, p)
		}
	}
	return found, slices.Compact(missing)
}

// benchReport is the object of delta bench.
type benchReport struct {
	Schema   int            `json:"schema"`
	Version  string         `json:"version"`
	Go       string         `json:"go"`
	Platform string         `json:"platform"`
	CPUs     int            `json:"cpus"`
	Started  time.Time      `json:"started"`
	Runs     int            `json:"runs"`
	Missing  []string       `json:"missing,omitempty"` // programs that are not installed
	Floor    bench.Cost     `json:"floor"`             // what this program costs when it does nothing
	Pairs    []bench.Result `json:"pairs"`
	Means    []bench.Mean   `json:"means"`
}

func (a *app) deltaBench(ctx context.Context, dir string, tools []bench.Tool, r *benchReport, opts *bench.Options) error {
	pairs, err := bench.Pairs(dir)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	r.Version, r.Go, r.Platform = thisVersion(), runtime.Version(), runtime.GOOS+"-"+runtime.GOARCH
	r.CPUs, r.Started = runtime.NumCPU(), a.now().UTC().Truncate(time.Second)
	if r.Floor, err = bench.Run(ctx, self, "version"); err != nil {
		return err
	}
	a.say("waybill itself, doing nothing: %.2f s CPU, %s MiB", r.Floor.CPU, mebibytes(r.Floor.Peak))
	for _, p := range pairs {
		result, err := a.benchPair(ctx, p, tools, opts)
		if err != nil {
			return err
		}
		r.Pairs = append(r.Pairs, result)
	}
	r.Means = bench.Means(r.Pairs)
	a.sayMeans(r.Means)
	if err := a.object(r); err != nil {
		return err
	}
	return a.benchFailure(r.Pairs)
}

// benchFailure ends the command with an error that is told already if something
// of ours did not work; a timeout is a figure as others are.
func (a *app) benchFailure(results []bench.Result) error {
	for _, r := range results {
		for _, row := range r.Rows {
			if slices.Contains(delta.Formats(), row.Tool) && (row.Status == bench.Failed || row.Status == bench.Wrong) {
				a.warn("%s: %s %s: %s: %s", r.Name, row.Tool, row.Variant, row.Status, cli.Printable(row.Detail))
				return &cli.Error{Code: cli.Failure}
			}
		}
	}
	return nil
}

func (a *app) benchPair(ctx context.Context, p bench.Pair, tools []bench.Tool, opts *bench.Options) (bench.Result, error) {
	result := bench.Result{Pair: p, Rows: []bench.Row{}}
	a.say("\n%s: %s, %d -> %d bytes", cli.Printable(p.Name), p.Kind, p.OldLength, p.NewLength)
	a.say("  %-21s %11s %8s   %9s %9s %8s   %9s %9s %8s", "", "patch", "/bsdiff", "make CPU", "wall", "MiB", "apply CPU", "wall", "MiB")
	for _, tool := range tools {
		row, err := bench.Measure(ctx, p, tool, opts)
		if err != nil {
			return result, err
		}
		a.sayRow(result.Add(row))
	}
	return result, nil
}

func (a *app) sayRow(row bench.Row) {
	name := fmt.Sprintf("%-12s %-8s", row.Tool, row.Variant)
	if row.Status != bench.OK {
		a.say("  %s %11s  %s", name, row.Status, cli.Printable(row.Detail))
		return
	}
	a.say("  %s %11d %8s   %9.3f %9.3f %8s   %9.3f %9.3f %8s", name, row.PatchLength, ratio(row.Relative),
		row.Make.CPU, row.Make.Wall, mebibytes(row.Make.Peak), row.Apply.CPU, row.Apply.Wall, mebibytes(row.Apply.Peak))
}

func (a *app) sayMeans(means []bench.Mean) {
	kind := ""
	for _, m := range means {
		if m.Kind != kind {
			kind = m.Kind
			a.say("\n%s pairs: geometric mean of the size, new files in MB per CPU second", kind)
			a.say("  %-21s %5s %8s %5s %10s %10s", "", "pairs", "/bsdiff", "of", "make MB/s", "apply MB/s")
		}
		a.say("  %-12s %-8s %5d %8s %5d %10.1f %10.1f", m.Tool, m.Variant, m.Pairs, ratio(m.Relative), m.Compared, m.MakeRate, m.ApplyRate)
	}
}

// ratio and mebibytes leave out what was not measured.
func ratio(r float64) string {
	if r == 0 {
		return "-"
	}
	return fmt.Sprintf("%.3f", r)
}

func mebibytes(n int64) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f", float64(n)/(1<<20))
}
