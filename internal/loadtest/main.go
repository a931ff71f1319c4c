// SPDX-License-Identifier: Apache-2.0

// Loadtest measures the client beside the stock go-tuf updater, in the same
// run, on the same repositories, against the same server, each in a process of
// its own. It is for developers and is no part of a release.
//
//	go run ./internal/loadtest            all of the following
//	go run ./internal/loadtest refresh    31,000 targets in one role, cold and warm
//	go run ./internal/loadtest bins       the same targets in 256 hash bins: bytes for one target
//	go run ./internal/loadtest clients    1,000 clients: refresh, 1 MiB artifact, updates by patches and by whole files
//	go run ./internal/loadtest faults     the same through a server that misbehaves
//	go run ./internal/loadtest figures    the figures of every change, and their bounds, [-fuzz 30s] [PACKAGE...]
//
// A table goes to standard output; -json FILE writes the same as data. The exit
// code is 1 if a bound is broken that does not depend on the machine: a wrong
// installation, an error without a type, an endpoint that does not arrive,
// a burst of retries, too many bytes. Times and memory are reported, not judged.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"time"
)

// settings are what the flags say.
type settings struct {
	Clients  int           `json:"clients"`
	Parallel int           `json:"parallel"`
	Targets  int           `json:"targets"`
	Repeat   int           `json:"repeat"`
	Phases   int           `json:"phases"`
	Seed     uint64        `json:"seed"`
	Spread   time.Duration `json:"spread"`
	Profile  string        `json:"profile"`
	dir      string
	json     string
	packages []string
	fuzz     time.Duration
}

type verb struct {
	name string
	run  func(context.Context, *settings, *report) error
}

var verbs = []verb{{"refresh", refresh}, {"bins", bins}, {"clients", clients}, {"faults", faults}}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "loadtest: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == childVerb {
		return child(ctx, os.Stdin, os.Stdout)
	}
	s, which, err := parse(args)
	if err != nil {
		return err
	}
	if which == "figures" {
		return figures(ctx, s, os.Stdout)
	}
	if s.dir, err = os.MkdirTemp(s.dir, "waybill-load-"); err != nil {
		return err
	}
	defer os.RemoveAll(s.dir)
	return measure(ctx, s, which)
}

func parse(args []string) (*settings, string, error) {
	which := "all"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		which, args = args[0], args[1:]
	}
	s := &settings{}
	flags := flag.NewFlagSet("loadtest", flag.ContinueOnError)
	flags.IntVar(&s.Clients, "clients", 1000, "how many clients there are")
	flags.IntVar(&s.Parallel, "parallel", 1000, "how many of them are at work at once")
	flags.IntVar(&s.Targets, "targets", 31000, "how many targets the large repository has")
	flags.IntVar(&s.Repeat, "repeat", 3, "how often each measurement is made; the median counts")
	flags.IntVar(&s.Phases, "phases", len(phases), "with clients: how many of the phases are measured, the first ones")
	flags.Uint64Var(&s.Seed, "seed", 1, "of the faults")
	flags.DurationVar(&s.Spread, "spread", 10*time.Second, "how long an outage lasts, and over how long checks spread")
	flags.StringVar(&s.dir, "dir", memoryDisk(), "where temporary folders go")
	flags.StringVar(&s.Profile, "profile", "", "existing folder for a CPU and an allocation profile of every measurement")
	flags.StringVar(&s.json, "json", "", "file for the results as data")
	flags.DurationVar(&s.fuzz, "fuzz", 0, "with figures: how long each fuzz target runs")
	if err := flags.Parse(args); err != nil {
		return nil, "", err
	}
	s.packages, s.Phases = flags.Args(), min(max(s.Phases, 1), len(phases))
	return s, which, nil
}

// memoryDisk is a folder in memory if the system has one, so that the disk's mood is not measured.
func memoryDisk() string {
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		return "/dev/shm"
	}
	return os.TempDir()
}

func measure(ctx context.Context, s *settings, which string) error {
	chosen := verbs
	if which != "all" {
		i := slices.IndexFunc(verbs, func(v verb) bool { return v.name == which })
		if i < 0 {
			return fmt.Errorf("no measurement %q", which)
		}
		chosen = verbs[i : i+1]
	}
	r := newReport(s)
	for _, v := range chosen {
		if err := v.run(ctx, s, r); err != nil {
			return fmt.Errorf("%s: %w", v.name, err)
		}
	}
	if err := r.write(os.Stdout, s.json); err != nil {
		return err
	}
	return errors.Join(r.broken...)
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func (s *settings) folder(name string) (string, error) {
	dir := filepath.Join(s.dir, name)
	return dir, os.MkdirAll(dir, 0o700)
}
