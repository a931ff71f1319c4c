// SPDX-License-Identifier: Apache-2.0

package main

import (
	"runtime"
	"slices"
	"time"
)

// cost is what a piece of work took in its process.
type cost struct {
	Wall    float64 `json:"wall_seconds"`
	CPU     float64 `json:"cpu_seconds"`
	Alloc   uint64  `json:"allocated_bytes"`
	Mallocs uint64  `json:"allocations"`
	Peak    int64   `json:"peak_rss_kib"` // of the process since its start, as the kernel saw it
	Before  int64   `json:"rss_before_kib"`
}

// costOf measures do. The peak is read from the process itself at its end: what
// the parent learns about a child begins with the parent's own peak.
func costOf(do func() error) (c cost, err error) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c.Before = peakKiB()
	cpu, start := cpuSeconds(), time.Now()
	err = do()
	c.Wall, c.CPU = time.Since(start).Seconds(), cpuSeconds()-cpu
	c.Peak = peakKiB()
	runtime.ReadMemStats(&after)
	c.Alloc, c.Mallocs = after.TotalAlloc-before.TotalAlloc, after.Mallocs-before.Mallocs
	return c, err
}

// median takes each figure by itself.
func median(runs []cost) cost {
	return cost{
		Wall: middle(runs, func(c cost) float64 { return c.Wall }), CPU: middle(runs, func(c cost) float64 { return c.CPU }),
		Alloc:   middle(runs, func(c cost) uint64 { return c.Alloc }),
		Mallocs: middle(runs, func(c cost) uint64 { return c.Mallocs }),
		Peak:    middle(runs, func(c cost) int64 { return c.Peak }),
		Before:  middle(runs, func(c cost) int64 { return c.Before }),
	}
}

func middle[T int64 | uint64 | float64](runs []cost, of func(cost) T) T {
	var all []T
	for _, c := range runs {
		all = append(all, of(c))
	}
	slices.Sort(all)
	return all[len(all)/2]
}
