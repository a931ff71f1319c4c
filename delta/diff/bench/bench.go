// SPDX-License-Identifier: Apache-2.0

// Package bench measures what patches cost, ours and those of other tools.
//
// [Pairs] finds what to measure on, [Ours] and [Peers] say what is measured,
// [Measure] does one tool on one pair, and [Means] sums up. Every step runs in a
// process of its own, one at a time, and a patch counts only if what it makes is
// the new file byte by byte.
//
// CPU time and peak memory are what the system says of the ended process and of
// those that it waited for. The members of the JSON objects are only added to.
package bench

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// DefaultTimeout is what a step may take with the zero Options.
const DefaultTimeout = 10 * time.Minute

// Options are the optional arguments of Measure.
type Options struct {
	Runs    int           // how often; medians count. Zero means 1
	Timeout time.Duration // of a single step; zero means DefaultTimeout
	Keep    string        // folder that gets the patches, as PAIR/TOOL-VARIANT.patch; "" is none
}

// What became of a measurement.
const (
	OK      = "ok"
	Timeout = "timeout" // a step took longer than Options allow
	Failed  = "failed"  // a step ended with an error
	Wrong   = "wrong"   // the patch made something else than the new file
)

// Row is one tool on one pair. Without a status of OK it has no figures.
type Row struct {
	Tool        string  `json:"tool"`
	Variant     string  `json:"variant,omitempty"`
	Status      string  `json:"status"`
	Detail      string  `json:"detail,omitempty"`
	PatchLength int64   `json:"patch_length,omitempty"`
	Relative    float64 `json:"relative,omitempty"` // to the patch of Baseline, if there is one
	Make        *Cost   `json:"make,omitempty"`
	Apply       *Cost   `json:"apply,omitempty"`
}

// Cost is what processes took. CPU and wall time are in seconds, CPU is user and
// system time of all threads; the peak of resident memory is in bytes, 0 where
// the system does not tell.
type Cost struct {
	CPU  float64 `json:"cpu_seconds"`
	Wall float64 `json:"wall_seconds"`
	Peak int64   `json:"peak_bytes,omitempty"`
}

// and is the cost of two processes of which one follows the other.
func (c Cost) and(next Cost) Cost {
	return Cost{c.CPU + next.CPU, c.Wall + next.Wall, max(c.Peak, next.Peak)}
}

// fault is a measurement that ended early.
type fault struct {
	status string
	err    error
}

func (f *fault) Error() string { return f.err.Error() }

// Measure makes the patch of a pair and applies it, with nothing beside. What
// went wrong with the tool is in the Row; an error is the end of ctx, or trouble
// with the files.
func Measure(ctx context.Context, pair Pair, tool Tool, opts *Options) (Row, error) {
	if opts == nil {
		opts = &Options{}
	}
	row := Row{Tool: tool.Name, Variant: tool.Variant, Status: OK}
	dir, err := os.MkdirTemp("", "waybill-bench-")
	if err != nil {
		return row, err
	}
	b := &bench{dir: dir, limit: cmp.Or(opts.Timeout, DefaultTimeout)}
	b.job = Job{
		Old: pair.Old, New: pair.New, OldSHA256: pair.oldSum, NewSHA256: pair.newSum, Timeout: b.limit,
		Patch: filepath.Join(dir, "patch"), Result: filepath.Join(dir, "result"),
	}
	err = b.runs(ctx, tool, max(1, opts.Runs), &row)
	if err == nil && opts.Keep != "" {
		err = keep(b.job.Patch, filepath.Join(opts.Keep, pair.Name), tool)
	}
	var f *fault
	if errors.As(err, &f) {
		row = Row{Tool: row.Tool, Variant: row.Variant, Status: f.status, Detail: f.Error()}
		err = nil
	}
	return row, errors.Join(err, os.RemoveAll(dir))
}

// Run measures a single command, such as one that does nothing.
func Run(ctx context.Context, command ...string) (Cost, error) {
	dir, err := os.MkdirTemp("", "waybill-bench-")
	if err != nil {
		return Cost{}, err
	}
	b := &bench{dir: dir, limit: DefaultTimeout}
	cost, err := b.step(ctx, command[0], []Command{command})
	return cost, errors.Join(err, os.RemoveAll(dir))
}

// bench is one measurement in its folder.
type bench struct {
	dir   string
	limit time.Duration
	job   Job
}

func (b *bench) runs(ctx context.Context, tool Tool, n int, row *Row) error {
	var made, applied []Cost
	for range n {
		for _, path := range []string{b.job.Patch, b.job.Result} {
			if err := os.RemoveAll(path); err != nil {
				return err
			}
		}
		m, err := b.step(ctx, "make", tool.Make(b.job))
		if err != nil {
			return err
		}
		a, err := b.step(ctx, "apply", tool.Apply(b.job))
		if err != nil {
			return err
		}
		if err := same(b.job.Result, b.job.New); err != nil {
			return err
		}
		made, applied = append(made, m), append(applied, a)
	}
	patch, err := os.Stat(b.job.Patch)
	if err != nil {
		return &fault{Failed, err}
	}
	row.PatchLength = patch.Size()
	row.Make, row.Apply = median(made), median(applied)
	return nil
}

// step runs commands in order within one time limit.
func (b *bench) step(ctx context.Context, name string, commands []Command) (Cost, error) {
	timed, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	var sum Cost
	for _, c := range commands {
		cost, err := b.command(timed, c)
		switch {
		case ctx.Err() != nil:
			return sum, ctx.Err()
		case timed.Err() != nil:
			return sum, &fault{Timeout, fmt.Errorf("%s took longer than %v", name, b.limit)}
		case err != nil:
			return sum, &fault{Failed, fmt.Errorf("%s: %w", name, err)}
		}
		sum = sum.and(cost)
	}
	return sum, nil
}

// command runs one program; if it fails, the first line that it printed is in
// the error.
func (b *bench) command(ctx context.Context, c Command) (Cost, error) {
	out, err := os.Create(filepath.Join(b.dir, "output"))
	if err != nil {
		return Cost{}, err
	}
	defer out.Close()
	cost, err := run(ctx, c, out)
	if err == nil {
		return cost, nil
	}
	lines := bufio.NewScanner(io.NewSectionReader(out, 0, 1000))
	if lines.Scan() {
		err = fmt.Errorf("%w: %s", err, lines.Text())
	}
	return cost, err
}

// same compares two files byte by byte.
func same(result, want string) error {
	a, err := os.Open(result)
	if err != nil {
		return &fault{Failed, err}
	}
	defer a.Close()
	b, err := os.Open(want)
	if err != nil {
		return err
	}
	defer b.Close()
	equal, err := equalBytes(a, b)
	if err == nil && !equal {
		return &fault{Wrong, errors.New("the result differs from the new file")}
	}
	return err
}

func equalBytes(a, b io.Reader) (bool, error) {
	p, q := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(a, p)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return false, err
		}
		m, other := io.ReadFull(b, q)
		if other != nil && other != io.EOF && other != io.ErrUnexpectedEOF {
			return false, other
		}
		if n != m || string(p[:n]) != string(q[:m]) {
			return false, nil
		}
		if n < len(p) {
			return true, nil
		}
	}
}

func median(costs []Cost) *Cost {
	middle := func(of func(Cost) float64) float64 {
		var all []float64
		for _, c := range costs {
			all = append(all, of(c))
		}
		slices.Sort(all)
		return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	}
	return &Cost{
		CPU:  middle(func(c Cost) float64 { return c.CPU }),
		Wall: middle(func(c Cost) float64 { return c.Wall }),
		Peak: int64(middle(func(c Cost) float64 { return float64(c.Peak) })),
	}
}

func keep(patch, dir string, tool Tool) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	in, err := os.Open(patch)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(filepath.Join(dir, tool.String()+".patch"))
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
