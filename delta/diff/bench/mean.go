// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"math"
	"slices"
)

// Result is what was measured on one pair.
type Result struct {
	Pair
	Rows []Row `json:"rows"`
}

// Add takes a row, and tells how it compares with Baseline if that came before.
func (r *Result) Add(row Row) Row {
	if base := r.row(Baseline, ""); base != nil && base.PatchLength > 0 {
		row.Relative = float64(row.PatchLength) / float64(base.PatchLength)
	}
	if row.Tool == Baseline && row.Status == OK {
		row.Relative = 1
	}
	r.Rows = append(r.Rows, row)
	return row
}

// row finds a measurement that succeeded.
func (r *Result) row(tool, variant string) *Row {
	i := slices.IndexFunc(r.Rows, func(row Row) bool {
		return row.Tool == tool && row.Variant == variant && row.Status == OK
	})
	if i < 0 {
		return nil
	}
	return &r.Rows[i]
}

// Mean sums up a tool on all pairs of a kind on which it succeeded.
type Mean struct {
	Kind     string  `json:"kind"`
	Tool     string  `json:"tool"`
	Variant  string  `json:"variant,omitempty"`
	Pairs    int     `json:"pairs"`
	Relative float64 `json:"relative,omitempty"` // geometric mean, over Compared pairs
	Compared int     `json:"compared"`

	// Megabytes of new files for each second of CPU time, over all pairs
	// together; 0 if too little was measured to tell.
	MakeRate  float64 `json:"make_mb_per_second,omitempty"`
	ApplyRate float64 `json:"apply_mb_per_second,omitempty"`
}

// Means sums up kind by kind, with the tools in the order of the rows.
func Means(results []Result) []Mean {
	var means []Mean
	for _, kind := range []string{Executable, Other} {
		var seen []string
		for _, r := range results {
			for _, row := range r.Rows {
				if name := row.Tool + " " + row.Variant; r.Kind == kind && !slices.Contains(seen, name) {
					seen = append(seen, name)
					means = append(means, mean(results, kind, row.Tool, row.Variant))
				}
			}
		}
	}
	return means
}

func mean(results []Result, kind, tool, variant string) Mean {
	m := Mean{Kind: kind, Tool: tool, Variant: variant}
	var bytes int64
	var logs, made, applied float64
	for _, r := range results {
		row := r.row(tool, variant)
		if r.Kind != kind || row == nil {
			continue
		}
		m.Pairs++
		bytes += r.NewLength
		made += row.Make.CPU
		applied += row.Apply.CPU
		if row.Relative > 0 {
			m.Compared++
			logs += math.Log(row.Relative)
		}
	}
	if m.Compared > 0 {
		m.Relative = math.Exp(logs / float64(m.Compared))
	}
	m.MakeRate, m.ApplyRate = rate(bytes, made), rate(bytes, applied)
	return m
}

func rate(bytes int64, seconds float64) float64 {
	if seconds <= 0 {
		return 0
	}
	return float64(bytes) / 1e6 / seconds
}
