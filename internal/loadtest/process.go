// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

// childVerb makes this program read one job from its standard input and write
// one answer to its standard output.
const childVerb = "child"

// job is what a child does: Kind names it, the rest is for it.
type job struct {
	Kind     string   `json:"kind"`
	Dir      string   `json:"dir"`
	URL      string   `json:"url"`
	Root     []byte   `json:"root"`
	Target   string   `json:"target"`
	Settings settings `json:"settings"`
	Phase    []int    `json:"phase"`
	Whole    bool     `json:"whole"` // no patches
	Release  []build  `json:"release"`
}

// answer is what a child found out.
type answer struct {
	Cost     cost           `json:"cost"`
	Outcomes map[string]int `json:"outcomes,omitempty"`
	Herd     *herd          `json:"herd,omitempty"`
}

var jobs = map[string]func(context.Context, *job) (*answer, error){
	"refresh/waybill": refreshWaybill, "refresh/go-tuf": refreshStock, "target/waybill": targetWaybill,
	"clients/waybill": clientsWaybill, "clients/go-tuf": clientsStock, "clients/faults": clientsFaults,
	"nothing": func(context.Context, *job) (*answer, error) { return &answer{Cost: cost{Peak: peakKiB()}}, nil },
}

func child(ctx context.Context, in io.Reader, out io.Writer) error {
	var j job
	if err := json.NewDecoder(in).Decode(&j); err != nil {
		return err
	}
	if j.Kind == "serve" {
		return serve(ctx, &j, in, out)
	}
	do, ok := jobs[j.Kind]
	if !ok {
		return fmt.Errorf("no job %q", j.Kind)
	}
	finish, err := profile(&j)
	if err != nil {
		return err
	}
	a, err := do(ctx, &j)
	if err = errors.Join(err, finish()); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(a)
}

func command(ctx context.Context, j *job) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, childVerb)
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(text)), os.Stderr
	return cmd, nil
}

// inChild does a job in a new process.
func inChild(ctx context.Context, j *job) (*answer, error) {
	cmd, err := command(ctx, j)
	if err != nil {
		return nil, err
	}
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", j.Kind, err)
	}
	a := &answer{}
	return a, json.Unmarshal(out, a)
}

// startServer serves a folder from another process until stop is called.
func startServer(ctx context.Context, j job) (*serverHandle, error) {
	j.Kind = "serve"
	ctx, cancel := context.WithCancel(ctx)
	cmd, err := command(ctx, &j)
	if err != nil {
		cancel()
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cancel()
		_ = cmd.Wait()
		return nil, fmt.Errorf("server: %w", err)
	}
	return &serverHandle{strings.TrimSpace(line), func() { cancel(); _ = cmd.Wait() }}, nil
}

type serverHandle struct {
	url  string
	stop func()
}
