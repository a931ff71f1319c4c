// SPDX-License-Identifier: Apache-2.0

package release_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/waybill-project/waybill/repo/release"
)

var formats = []string{"bsdiff4", "waybill1"}

func edge(from int, length, memory int64) release.Edge {
	return release.Edge{From: sha(from), FromLength: 1000, Target: fmt.Sprintf("app/deltas/any/%d-%d", from, length),
		Length: length, Format: "bsdiff4", Memory: memory}
}

func with(r release.Release, edges ...release.Edge) release.Release {
	r.Deltas = edges
	return r
}

func TestPlan(t *testing.T) {
	fromNothing := release.Edge{From: release.EmptySHA256, Target: "app/deltas/any/c", Length: 500, Format: "waybill1", Memory: 5}
	unknown := edge(1, 10, 0)
	unknown.Format = "some-day"
	hungry := edge(1, 20, release.DefaultMemory+1)
	mistaken := edge(1, 30, 0)
	mistaken.FromLength = 999
	ch := channel(
		with(offer("1.0.0", 1), edge(2, 5, 0), edge(4, 5, 0)),
		with(offer("2.0.0", 2), edge(1, 100, 7)),
		with(offer("3.0.0", 3), edge(2, 100, 3), edge(3, 1, 0), edge(1, 400, 0)),
		with(offer("4.0.0", 4), edge(3, 100, 4), edge(1, 350, 9), edge(2, 1000, 0), fromNothing, unknown, hungry, mistaken),
	)
	for _, c := range []struct {
		name   string
		have   release.Installed
		limits release.PlanLimits
		want   []string
	}{
		{"chain is cheapest", release.Installed{SHA256: sha(1), Length: 1000}, release.PlanLimits{},
			[]string{"chain 300 7 [2 3 4]", "direct 350 9 [4]", "chain 500 4 [3 4]", "compressed 500 5 [4]", "full 1000 0 []"}},
		{"little memory", release.Installed{SHA256: sha(1), Length: 1000}, release.PlanLimits{Memory: 6},
			[]string{"chain 500 4 [3 4]", "compressed 500 5 [4]", "full 1000 0 []"}},
		{"much memory", release.Installed{SHA256: sha(1), Length: 1000}, release.PlanLimits{Memory: 1 << 40},
			[]string{"direct 20 67108865 [4]", "chain 300 7 [2 3 4]", "direct 350 9 [4]", "chain 500 4 [3 4]", "compressed 500 5 [4]", "full 1000 0 []"}},
		{"direct that saves nothing", release.Installed{SHA256: sha(2), Length: 1000}, release.PlanLimits{},
			[]string{"chain 200 4 [3 4]", "chain 355 9 [1 4]", "compressed 500 5 [4]", "chain 505 4 [1 3 4]", "full 1000 0 []"}},
		{"nothing installed", release.Installed{}, release.PlanLimits{}, []string{"compressed 500 5 [4]", "full 1000 0 []"}},
		{"something else installed", release.Installed{SHA256: sha(77), Length: 1000}, release.PlanLimits{},
			[]string{"compressed 500 5 [4]", "full 1000 0 []"}},
		{"length unknown", release.Installed{SHA256: sha(77)}, release.PlanLimits{}, []string{"compressed 500 5 [4]", "full 1000 0 []"}},
		{"empty file installed", release.Installed{SHA256: release.EmptySHA256}, release.PlanLimits{},
			[]string{"compressed 500 5 [4]", "full 1000 0 []"}},
		{"already there", release.Installed{SHA256: sha(4), Length: 1000}, release.PlanLimits{}, []string{"full 1000 0 []"}},
	} {
		var got []string
		for _, way := range release.Plan(ch, ch.Find("4.0.0"), c.have, formats, c.limits) {
			got = append(got, describe(way))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\ngot  %q\nwant %q", c.name, got, c.want)
		}
	}
	if ways := release.Plan(ch, ch.Find("4.0.0"), release.Installed{SHA256: sha(1), Length: 1000}, nil, release.PlanLimits{}); len(ways) != 1 {
		t.Errorf("without formats: got %v", ways)
	}
}

func describe(way release.Way) string {
	path := []int{}
	for _, step := range way.Steps {
		var node int
		fmt.Sscanf(step.ResultSHA256, "%x", &node)
		path = append(path, node)
	}
	return fmt.Sprintf("%s %d %d %v", way.Kind, way.Bytes, way.Memory, path)
}

// TestPlanAgainstEveryPath compares with an exhaustive search over random graphs.
func TestPlanAgainstEveryPath(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 3000 {
		ch, have := randomChannel(random)
		to := &ch.Releases[random.IntN(len(ch.Releases))]
		ways := release.Plan(ch, to, have, formats, release.PlanLimits{Memory: 40})
		checkWays(t, to, have, ways)
		best := everyPath(ch, to, have, 40)
		if len(best) < len(ways)-1 {
			t.Fatalf("round %d: more ways than there are", round)
		}
		for _, kind := range []string{release.Direct, release.Chain, release.Compressed} {
			got, want := cheapest(ways, kind), cheapest(best, kind)
			if got != want {
				t.Fatalf("round %d: the best %s way costs %v, planned was %v", round, kind, want, got)
			}
		}
		if t.Failed() {
			t.Fatalf("round %d: %+v", round, ways)
		}
	}
}

func randomChannel(random *rand.Rand) (*release.Channel, release.Installed) {
	ch := channel()
	count := 1 + random.IntN(6)
	for i := range count {
		next := offer(fmt.Sprintf("1.0.%d", i), i)
		next.Artifact.Length = 100
		for range random.IntN(7) {
			step := edge(random.IntN(count+2), 1+random.Int64N(60), random.Int64N(50))
			step.FromLength = 100
			if random.IntN(8) == 0 {
				step.From, step.FromLength = release.EmptySHA256, 0
			}
			step.Format = append(formats, "some-day")[random.IntN(3)]
			next.Deltas = append(next.Deltas, step)
		}
		ch.Releases = append(ch.Releases, next)
	}
	return ch, release.Installed{SHA256: sha(random.IntN(count + 2)), Length: 100}
}

func checkWays(t *testing.T, to *release.Release, have release.Installed, ways []release.Way) {
	t.Helper()
	last := ways[len(ways)-1]
	if last.Kind != release.Full || len(last.Steps) != 0 || last.Bytes != to.Artifact.Length || len(ways) > release.MaxWays+1 {
		t.Errorf("full is not last, or there are too many: %+v", ways)
	}
	for i, way := range ways[:len(ways)-1] {
		if i > 0 && compareCost(cost(ways[i-1]), cost(way)) > 0 {
			t.Errorf("way %d is cheaper than the one before", i)
		}
		if way.Bytes >= to.Artifact.Length || len(way.Steps) > release.MaxSteps {
			t.Errorf("way %d should have been dropped", i)
		}
		for _, other := range ways[:i] {
			if reflect.DeepEqual(way, other) {
				t.Errorf("way %d is there twice", i)
			}
		}
		checkSteps(t, to, have, way)
	}
}

func checkSteps(t *testing.T, to *release.Release, have release.Installed, way release.Way) {
	t.Helper()
	node := way.Steps[0].From
	if node != have.SHA256 && node != release.EmptySHA256 {
		t.Errorf("starts from what is not there: %+v", way)
	}
	seen := []string{node}
	var bytes, memory int64
	for _, step := range way.Steps {
		if step.From != node || slices.Contains(seen, step.ResultSHA256) || !slices.Contains(formats, step.Format) {
			t.Errorf("a step that does not fit: %+v", way)
		}
		node = step.ResultSHA256
		seen = append(seen, node)
		bytes, memory = bytes+step.Length, max(memory, step.Memory)
	}
	if node != to.Artifact.SHA256 || bytes != way.Bytes || memory != way.Memory {
		t.Errorf("wrong sum or end: %+v", way)
	}
}

type pathCost struct {
	bytes, memory int64
	steps         int
}

func cost(way release.Way) pathCost { return pathCost{way.Bytes, way.Memory, len(way.Steps)} }

func compareCost(a, b pathCost) int {
	return cmp.Or(cmp.Compare(a.bytes, b.bytes), cmp.Compare(a.memory, b.memory), cmp.Compare(a.steps, b.steps))
}

func cheapest(ways []release.Way, kind string) pathCost {
	best := pathCost{bytes: 1 << 60}
	for _, way := range ways {
		if way.Kind == kind && compareCost(cost(way), best) < 0 {
			best = cost(way)
		}
	}
	return best
}

func everyPath(ch *release.Channel, to *release.Release, have release.Installed, memory int64) []release.Way {
	var ways []release.Way
	if have.SHA256 == to.Artifact.SHA256 {
		return nil
	}
	var walk func(node string, seen []string, way release.Way)
	walk = func(node string, seen []string, way release.Way) {
		if node == to.Artifact.SHA256 {
			if way.Bytes < to.Artifact.Length {
				ways = append(ways, way)
			}
			return
		}
		for _, r := range ch.Releases {
			for _, e := range r.Deltas {
				result := r.Artifact.SHA256
				usable := e.From == node && e.Memory <= memory && slices.Contains(formats, e.Format)
				if !usable || slices.Contains(seen, result) || result == have.SHA256 || len(way.Steps) == release.MaxSteps {
					continue
				}
				next := release.Way{Bytes: way.Bytes + e.Length, Memory: max(way.Memory, e.Memory)}
				next.Steps = append(slices.Clone(way.Steps), release.Step{Edge: e, ResultLength: r.Artifact.Length, ResultSHA256: result})
				next.Kind = release.Chain
				if len(next.Steps) == 1 && e.From == release.EmptySHA256 {
					next.Kind = release.Compressed
				} else if len(next.Steps) == 1 {
					next.Kind = release.Direct
				}
				walk(result, append(slices.Clone(seen), result), next)
			}
		}
	}
	for _, start := range []string{release.EmptySHA256, have.SHA256} {
		walk(start, []string{start}, release.Way{})
	}
	return ways
}

// TestPlanOfTheLargestDocument has every release patched from 32 others, in circles,
// by patches so small that no path is ever too dear.
func TestPlanOfTheLargestDocument(t *testing.T) {
	ch := channel()
	for i := range release.MaxReleases {
		next := offer(fmt.Sprintf("1.0.%d", i), i)
		next.Artifact.Length = 1000
		for j := range release.MaxEdges {
			next.Deltas = append(next.Deltas, edge((i+j+1)%release.MaxReleases, 1, 1))
		}
		ch.Releases = append(ch.Releases, next)
	}
	to := ch.Find("1.0.0")
	have := release.Installed{SHA256: sha(40), Length: 1000}
	ways := release.Plan(ch, to, have, formats, release.PlanLimits{})
	checkWays(t, to, have, ways)
	if len(ways) != release.MaxWays+1 || ways[0].Kind != release.Chain || len(ways[0].Steps) != 2 {
		t.Errorf("got %d ways, the first %s", len(ways), describe(ways[0]))
	}
	if again := release.Plan(ch, to, have, formats, release.PlanLimits{}); !reflect.DeepEqual(again, ways) {
		t.Error("two plans differ")
	}
}
