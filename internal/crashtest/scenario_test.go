// SPDX-License-Identifier: Apache-2.0

//go:build unix

package crashtest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/internal/crashfs"
	"github.com/waybill-project/waybill/internal/durable"
)

// A scenario is something that is done to a machine and may be cut off.
type scenario struct {
	name   string
	every  int                                            // of how many crashes the recovery is cut off, too
	image  *crashfs.FS                                    // the machine before
	run    func(fsys durable.FS, promise promising) error // what is cut off
	always func(f *crashfs.FS) error                      // what holds after any crash
	kept   func(f *crashfs.FS) error                      // what holds once run returned nil: it was durable
	again  func(fsys durable.FS) error                    // one normal run
	later  func(fsys durable.FS) error                    // the same a day later; nil if time plays no part
	done   func(f *crashfs.FS) error                      // what holds then
}

// promising is called by run at a moment from which on something must survive any crash.
type promising func(holds func(f *crashfs.FS) error)

type promise struct {
	from  int // operations
	holds func(f *crashfs.FS) error
}

// recorded is a run that was not cut off.
type recorded struct {
	*scenario
	rec      *crashfs.Recording
	promises []promise
}

// record runs a scenario on a file system that wrap may have made worse.
func (s *scenario) record(wrap func(durable.FS) durable.FS) (*recorded, error) {
	f := s.image.Clone()
	r := &recorded{scenario: s, rec: f.Record()}
	err := s.run(wrap(f), func(holds func(*crashfs.FS) error) {
		r.promises = append(r.promises, promise{r.rec.Len(), holds})
	})
	if err == nil {
		r.promises = append(r.promises, promise{r.rec.Len(), s.kept})
	}
	return r, err
}

func mustRecord(t *testing.T, s *scenario, wrap func(durable.FS) durable.FS) *recorded {
	r, err := s.record(wrap)
	must(t, err)
	return r
}

// inForce counts the promises that hold after k operations.
func (r *recorded) inForce(k int) int {
	n := 0
	for n < len(r.promises) && r.promises[n].from <= k {
		n++
	}
	return n
}

// check looks at a state that a crash after k operations left. It changes nothing.
func (r *recorded) check(f *crashfs.FS, k int) error {
	if err := r.always(f); err != nil {
		return err
	}
	for _, p := range r.promises[:r.inForce(k)] {
		if err := p.holds(f); err != nil {
			return fmt.Errorf("a promise is broken: %w", err)
		}
	}
	return nil
}

// heal makes one normal run.
func (s *scenario) heal(f *crashfs.FS, wrap func(durable.FS) durable.FS) error {
	return s.healBy(f, s.again, wrap)
}

func (s *scenario) healBy(f *crashfs.FS, again func(durable.FS) error, wrap func(durable.FS) durable.FS) error {
	if err := again(wrap(f)); err != nil {
		return fmt.Errorf("the next run fails: %w", err)
	}
	if err := s.always(f); err != nil {
		return fmt.Errorf("after the next run: %w", err)
	}
	if err := s.done(f); err != nil {
		return fmt.Errorf("after the next run: %w", err)
	}
	return nil
}

func asIs(f durable.FS) durable.FS { return f }

// walk visits every state once.
type walk struct {
	run   *recorded
	wrap  func(durable.FS) durable.FS
	stop  bool // at the first violation
	every int  // of how many states the run that heals one is cut off, too; 0 is none

	first  map[visit]bool        // cut off once
	seen   map[visit]bool        // checked
	states map[uint64]bool       // distinct states that were checked
	models map[crashfs.Model]int // states built, by model
	fresh  map[crashfs.Model]int // of which nobody had seen the content before
	second int                   // states of crashes in recoveries that were built
	begin  time.Time
	bad    []violation
}

type visit struct {
	digest   uint64
	promises int
}

type violation struct {
	where string
	err   error
}

func newWalk(r *recorded, wrap func(durable.FS) durable.FS) *walk {
	return &walk{
		run: r, wrap: wrap, begin: time.Now(), first: map[visit]bool{}, seen: map[visit]bool{}, states: map[uint64]bool{},
		models: map[crashfs.Model]int{}, fresh: map[crashfs.Model]int{},
	}
}

// points calls visit for all states of a recording until it returns false.
func points(rec *crashfs.Recording, visit func(p crashfs.Point, f *crashfs.FS) bool) {
	for k := range rec.Len() + 1 {
		for _, m := range crashfs.Models() {
			for seed := range rec.Seeds(m, k) {
				p := crashfs.Point{K: k, Model: m, Seed: seed}
				f, err := rec.State(p)
				if err != nil {
					panic(err)
				}
				if !visit(p, f) {
					return
				}
			}
		}
	}
}

func (w *walk) all() {
	points(w.run.rec, func(p crashfs.Point, f *crashfs.FS) bool {
		w.models[p.Model]++
		digest := f.Digest()
		v := visit{digest, w.run.inForce(p.K)}
		if w.first[v] {
			return true
		}
		w.first[v], w.seen[v] = true, true
		if !w.states[digest] {
			w.states[digest] = true
			w.fresh[p.Model]++
		}
		w.one(p, f)
		return !w.stop || len(w.bad) == 0
	})
}

func (w *walk) one(p crashfs.Point, f *crashfs.FS) {
	if err := w.run.check(f, p.K); err != nil {
		w.bad = append(w.bad, violation{p.String(), err})
		return
	}
	g := f.Clone()
	var rec *crashfs.Recording
	deeper := w.every > 0 && len(w.first)%w.every == 0
	if deeper {
		rec = g.Record()
	}
	if err := w.run.heal(g, w.wrap); err != nil {
		w.bad = append(w.bad, violation{p.String(), err})
		return
	}
	if deeper {
		w.recovery(p, rec)
	}
}

// recovery cuts the healing run off, too.
func (w *walk) recovery(first crashfs.Point, rec *crashfs.Recording) {
	points(rec, func(p crashfs.Point, f *crashfs.FS) bool {
		w.second++
		digest := f.Digest()
		v := visit{digest, w.run.inForce(first.K)}
		if w.seen[v] {
			return true
		}
		w.seen[v], w.states[digest] = true, true
		err := w.run.check(f, first.K)
		if err == nil {
			err = w.run.heal(f, w.wrap)
		}
		if err != nil {
			w.bad = append(w.bad, violation{first.String() + "/" + p.String(), err})
		}
		return len(w.bad) == 0
	})
}

// replay checks the one state that a flag names: K,MODEL,SEED, or two of them for a crash in the healing run.
func (r *recorded) replay(t *testing.T, name string) {
	rec := r.rec
	var f *crashfs.FS
	for i, part := range strings.Split(name, "/") {
		p, err := crashfs.ParsePoint(part)
		if err == nil && i > 0 {
			rec = f.Record()
			err = r.heal(f, asIs)
		}
		if err == nil {
			f, err = rec.State(p)
		}
		if err != nil {
			t.Fatal(err)
		}
		for j, op := range rec.Ops()[:p.K] {
			t.Logf("%3d %v", j+1, op)
		}
		t.Logf("--- %v", p)
		if i == 0 {
			if err := r.check(f, p.K); err != nil {
				t.Error(err)
			}
		}
	}
	for _, path := range f.Files() {
		data, _ := f.ReadFile(path)
		t.Logf("%s: %d bytes", path, len(data))
	}
	if err := r.heal(f, asIs); err != nil {
		t.Error(err)
	}
}
