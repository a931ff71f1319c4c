// SPDX-License-Identifier: Apache-2.0

//go:build unix

package crashtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/internal/crashfs"
)

// leastStates is how many distinct states a full run has to check.
const leastStates = 20_000

func scenarios(t testing.TB) []*scenario {
	return slices.Concat(installations(t), trustStores(t), downloads(t), updates(t))
}

// TestCrashFigures cuts every scenario off at every operation, under every model, and heals what is left; some
// healing runs are cut off, too: all of them for installations and the trust store.
func TestCrashFigures(t *testing.T) {
	figures := table{}
	states := map[uint64]bool{}
	for _, s := range scenarios(t) {
		t.Run(s.name, func(t *testing.T) {
			r, err := s.record(asIs)
			must(t, err)
			if *crashOnly != "" {
				r.replay(t, *crashOnly)
				return
			}
			w := newWalk(r, asIs)
			w.every = sample(s.every)
			w.all()
			w.complain(t)
			figures.add(w)
			for digest := range w.states {
				states[digest] = true
			}
		})
	}
	total := figures.log(t)
	t.Logf("figure D1: %d distinct states over all %d operations of %d scenarios, under %d models, %d violations; bounds %d and 0",
		len(states), total.ops, len(figures), len(crashfs.Models()), total.violations, leastStates)
	t.Logf("figure D2: %d states after a crash in the run that heals (all pairs for installations and the trust store), %d violations; bounds 50000 and 0",
		total.second, total.violations)
	if !testing.Short() && *crashOnly == "" && len(figures) == len(scenarios(t)) && len(states) < leastStates {
		t.Errorf("%d distinct states, want %d", len(states), leastStates)
	}
}

func sample(every int) int {
	switch {
	case *crashMore:
		return 1
	case testing.Short():
		return 0
	}
	return every
}

func (w *walk) complain(t *testing.T) {
	t.Helper()
	for i, v := range w.bad {
		if i == 5 {
			t.Errorf("and %d more", len(w.bad)-i)
			return
		}
		t.Errorf("-crash.only=%s: %v", v.where, v.err)
	}
}

// table is a line for each scenario.
type table []line

type line struct {
	name           string
	ops            int
	models         map[crashfs.Model]int
	second, states int
	violations     int
	took           time.Duration
}

func (x *table) add(w *walk) {
	*x = append(*x, line{w.run.name, w.run.rec.Len(), w.models, w.second, len(w.states), len(w.bad), time.Since(w.begin)})
}

func (x table) log(t *testing.T) (total line) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-38s %4s", "states by scenario and model", "ops")
	for _, m := range crashfs.Models() {
		fmt.Fprintf(&b, " %8s", m)
	}
	fmt.Fprintf(&b, " %9s %9s %4s\n", "recovery", "distinct", "bad")
	total = line{name: "all", models: map[crashfs.Model]int{}}
	for _, l := range x {
		l.write(&b)
		total.ops, total.second, total.states, total.violations = total.ops+l.ops, total.second+l.second, total.states+l.states, total.violations+l.violations
		for m, n := range l.models {
			total.models[m] += n
		}
	}
	total.write(&b)
	t.Log(b.String())
	return total
}

func (l line) write(b *strings.Builder) {
	fmt.Fprintf(b, "%-38s %4d", l.name, l.ops)
	for _, m := range crashfs.Models() {
		fmt.Fprintf(b, " %8d", l.models[m])
	}
	fmt.Fprintf(b, " %9d %9d %4d %v\n", l.second, l.states, l.violations, l.took.Round(time.Millisecond))
}
