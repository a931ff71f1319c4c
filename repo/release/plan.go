// SPDX-License-Identifier: Apache-2.0

package release

import (
	"cmp"
	"slices"
)

// Kinds of [Way].
const (
	Direct     = "direct"
	Chain      = "chain"
	Compressed = "compressed"
	Full       = "full"
)

// Bounds of [Plan].
const (
	MaxSteps      = 8
	MaxWays       = 8
	DefaultMemory = 64 << 20
	keptPerNode   = 4
)

// PlanLimits bounds what applying a patch may need. A Memory of 0 is DefaultMemory.
type PlanLimits struct {
	Memory int64
}

// Step is one patch, and what it must make.
type Step struct {
	Edge
	ResultLength int64
	ResultSHA256 string
}

// Way is one way to have the bytes of a release: by one patch from what is installed
// (Direct), by several patches (Chain), by one patch from nothing (Compressed), or
// as they are (Full, which has no steps). A chain whose first step is from
// EmptySHA256 starts with nothing, every other one with what is installed. Bytes is
// the sum of what is fetched, Memory the most that a step needs.
type Way struct {
	Kind   string
	Steps  []Step
	Bytes  int64
	Memory int64
}

// Plan lists the ways to have a release, best first: fewest bytes, then least memory,
// then fewest steps. Nodes are byte strings by hash, edges the patches of all releases
// of the channel in the formats given. There are at most MaxWays of at most MaxSteps
// steps that visit no byte string twice, the best of each kind among them; then
// Full, always last, because a way that fetches as much or more is dropped.
func Plan(ch *Channel, to *Release, have Installed, formats []string, limits PlanLimits) []Way {
	full := Way{Kind: Full, Bytes: to.Artifact.Length}
	if have.SHA256 == to.Artifact.SHA256 {
		return []Way{full}
	}
	graph := newGraph(ch, to, have, formats, cmp.Or(limits.Memory, DefaultMemory))
	var ways []Way
	for _, end := range graph.search() {
		ways = append(ways, end.way())
	}
	slices.SortStableFunc(ways, compareWays)
	return append(bestWays(ways), full)
}

func compareWays(a, b Way) int {
	return cmp.Or(cmp.Compare(a.Bytes, b.Bytes), cmp.Compare(a.Memory, b.Memory), cmp.Compare(len(a.Steps), len(b.Steps)))
}

// bestWays keeps the best of each kind and fills up with the next best.
func bestWays(ways []Way) []Way {
	seen := map[string]bool{}
	var first, rest []Way
	for _, way := range ways {
		if seen[way.Kind] {
			rest = append(rest, way)
			continue
		}
		seen[way.Kind] = true
		first = append(first, way)
	}
	kept := append(first, rest[:min(len(rest), MaxWays-len(first))]...)
	slices.SortStableFunc(kept, compareWays)
	return kept
}

type graph struct {
	starts []string
	goal   string
	steps  map[string][]Step
	bytes  int64
}

// newGraph keeps the edges that can be used: known format, enough memory, and a base
// whose length is the one of the byte string they start from.
func newGraph(ch *Channel, to *Release, have Installed, formats []string, memory int64) *graph {
	lengths := map[string]int64{EmptySHA256: 0}
	if have.SHA256 != "" {
		lengths[have.SHA256] = have.Length
	}
	for _, release := range ch.Releases {
		lengths[release.Artifact.SHA256] = release.Artifact.Length
	}
	g := &graph{starts: []string{EmptySHA256}, goal: to.Artifact.SHA256, steps: map[string][]Step{}, bytes: to.Artifact.Length}
	if have.SHA256 != "" && have.SHA256 != EmptySHA256 {
		g.starts = append(g.starts, have.SHA256)
	}
	for _, release := range ch.Releases {
		for _, edge := range release.Deltas {
			length, known := lengths[edge.From]
			if known && length == edge.FromLength && edge.Memory <= memory && slices.Contains(formats, edge.Format) {
				g.steps[edge.From] = append(g.steps[edge.From], Step{edge, release.Artifact.Length, release.Artifact.SHA256})
			}
		}
	}
	return g
}

// path is a loop-free path in the graph, held by its last step.
type path struct {
	node   string
	step   Step
	before *path
	bytes  int64
	memory int64
	steps  int
}

// search goes step by step from all starts and keeps the few best paths to each node
// of each length. Since lengths are positive, the best path of all and the best of
// two or more steps are among them: replacing a part of either by a cheaper part of
// as many steps makes no loop that would not give a cheaper path still.
func (g *graph) search() []*path {
	var ends, layer []*path
	for _, start := range g.starts {
		layer = append(layer, &path{node: start})
	}
	for range MaxSteps {
		reached, next := g.advance(layer)
		ends = append(ends, reached...)
		layer = next
	}
	return ends
}

// advance extends every path by every step; paths that reach the goal go no further.
func (g *graph) advance(layer []*path) (ends, next []*path) {
	byNode := map[string][]*path{}
	for _, p := range layer {
		for _, step := range g.steps[p.node] {
			q := g.extend(p, step)
			switch {
			case q == nil:
			case q.node == g.goal:
				ends = append(ends, q)
			default:
				byNode[q.node] = keep(byNode[q.node], q)
			}
		}
	}
	return ends, inOrder(byNode)
}

func (g *graph) extend(p *path, step Step) *path {
	if p.bytes+step.Length >= g.bytes || slices.Contains(g.starts, step.ResultSHA256) || p.visits(step.ResultSHA256) {
		return nil
	}
	return &path{
		node:   step.ResultSHA256,
		step:   step,
		before: p,
		bytes:  p.bytes + step.Length,
		memory: max(p.memory, step.Memory),
		steps:  p.steps + 1,
	}
}

func (p *path) visits(node string) bool {
	for ; p != nil; p = p.before {
		if p.node == node {
			return true
		}
	}
	return false
}

func keep(paths []*path, p *path) []*path {
	at, _ := slices.BinarySearchFunc(paths, p, func(have, want *path) int {
		return cmp.Or(cmp.Compare(have.bytes, want.bytes), cmp.Compare(have.memory, want.memory), -1)
	})
	paths = slices.Insert(paths, at, p)
	return paths[:min(len(paths), keptPerNode)]
}

// inOrder makes the search the same each time, which ranging over a map is not.
func inOrder(next map[string][]*path) []*path {
	var layer []*path
	for _, paths := range next {
		layer = append(layer, paths...)
	}
	slices.SortStableFunc(layer, func(a, b *path) int { return cmp.Compare(a.node, b.node) })
	return layer
}

func (p *path) way() Way {
	way := Way{Kind: Chain, Bytes: p.bytes, Memory: p.memory}
	for ; p.before != nil; p = p.before {
		way.Steps = append(way.Steps, p.step)
	}
	slices.Reverse(way.Steps)
	if len(way.Steps) == 1 {
		way.Kind = Direct
		if way.Steps[0].From == EmptySHA256 {
			way.Kind = Compressed
		}
	}
	return way
}
