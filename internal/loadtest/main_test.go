// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == childVerb {
		if err := run(context.Background(), os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// Every measurement runs to its end at a small size, and reports something for both clients.
func TestMeasurements(t *testing.T) {
	s := &settings{Clients: 6, Parallel: 6, Targets: 1000, Repeat: 1, Phases: len(phases), Seed: 1, Spread: time.Second / 4, dir: t.TempDir()}
	r := newReport(s)
	for _, v := range []verb{{"refresh", refresh}, {"bins", bins}, {"clients", clients}} {
		if err := v.run(context.Background(), s, r); err != nil {
			t.Fatalf("%s: %v", v.name, err)
		}
	}
	if len(r.broken) > 0 || len(r.Rows) < 25 {
		t.Errorf("%d rows, broken: %v", len(r.Rows), r.broken)
	}
	for _, x := range r.Rows {
		if x.Figure == "CPU" && x.Ours <= 0 && cpuSeconds() > 0 {
			t.Errorf("%s: %s is %v", x.What, x.Figure, x.Ours)
		}
	}
	var table bytes.Buffer
	file := t.TempDir() + "/report.json"
	if err := r.write(&table, file); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(file)
	if err != nil || !json.Valid(data) || !bytes.Contains(table.Bytes(), []byte("go-tuf")) {
		t.Errorf("report: %v\n%s", err, table.String())
	}
}

// A wrong file, or an error that nobody can act on, breaks the run whatever else was measured.
func TestBrokenBounds(t *testing.T) {
	good := func() *answer {
		return &answer{Outcomes: map[string]int{endNewest: 40}, Herd: &herd{Ratio: 2}}
	}
	for name, spoil := range map[string]func(*answer){
		"wrong installation": func(a *answer) { a.Outcomes[endWrong] = 1 },
		"untyped error":      func(a *answer) { a.Outcomes[checkUntyped] = 1 },
		"not newest":         func(a *answer) { a.Outcomes[endNewest] = 39 },
		"herd":               func(a *answer) { a.Herd.Ratio = 3.5 },
		"":                   func(*answer) {},
	} {
		s := &settings{Clients: 10}
		r := newReport(s)
		a := good()
		spoil(a)
		reportFaults(r, s, "what", a)
		if (len(r.broken) > 0) != (name != "") {
			t.Errorf("%q: %v", name, r.broken)
		}
	}
}
