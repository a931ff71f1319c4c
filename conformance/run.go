// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Client is what a case drives. All of a client's state lies in the folders of the
// Command, so that every call stands for a new process.
type Client interface {
	// Do carries out one verb.
	Do(ctx context.Context, c Command) error
	// Classes says what an error of Do is, as far as the client can tell: none if it
	// only knows success and failure.
	Classes(err error) []string
}

// Command is one verb with all that belongs to it. The URLs end in a slash.
type Command struct {
	Verb        string
	Root        []byte // for Init
	MetadataDir string
	MetadataURL string
	TargetDir   string
	TargetsURL  string
	Targets     []string // for Download
	Product     string   // for Release, with Channel and Platform
	Channel     string
	Platform    string
	Now         time.Time
}

// CrashError is returned by Do if the client came to an end that is neither
// success nor an orderly failure. It never passes.
type CrashError struct{ Err error }

func (e *CrashError) Error() string { return "crash: " + e.Err.Error() }
func (e *CrashError) Unwrap() error { return e.Err }

// Run holds a client against the whole corpus, each case a parallel subtest. The
// cases in known, with a reason each, must fail, so that the list stays true; nil if
// the client passes all.
func Run(t *testing.T, client Client, known map[string]string) {
	cases, err := Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Family+"/"+c.Name, func(t *testing.T) {
			t.Parallel()
			reason := known[c.Name]
			switch err := c.Check(t.Context(), client, t.TempDir()); {
			case err != nil && reason == "":
				t.Errorf("%v\n%s (%s)", err, c.Shows, c.Source)
			case err == nil && reason != "":
				t.Errorf("passes, though known to fail: %s", reason)
			}
		})
	}
}

// stepTime is ample for a client that does not wait for ever.
const stepTime = 30 * time.Second

// Check plays one case and returns what the client did wrong, or nil. It works in
// dir, which must be empty.
func (c *Case) Check(ctx context.Context, client Client, dir string) error {
	s := newSite(c)
	defer s.Close()
	m, err := newMachine(c, s, client, dir)
	if err != nil {
		return err
	}
	for i := range c.Steps {
		if err := m.play(ctx, &c.Steps[i]); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	return nil
}

// machine is the client's computer: folders in a box, deep enough for a name that
// climbs out of the target folder to stay in it.
type machine struct {
	c      *Case
	site   *site
	client Client
	dir    string
	box    string
	base   Command
}

func newMachine(c *Case, s *site, client Client, dir string) (*machine, error) {
	m := &machine{c: c, site: s, client: client, dir: dir, box: filepath.Join(dir, "a", "b", "c", "d", "box")}
	m.base = Command{
		MetadataDir: filepath.Join(m.box, "metadata"), MetadataURL: s.URL + "/metadata/",
		TargetDir: filepath.Join(m.box, "targets"), TargetsURL: s.URL + "/targets/",
	}
	for _, dir := range []string{m.base.MetadataDir, m.base.TargetDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	root, err := c.file(c.Root)
	if err != nil {
		return nil, err
	}
	s.served[string(root)] = true
	command := m.base
	command.Verb, command.Root, command.Now = Init, root, c.Clock
	// Validation of the first root is optional in init; refresh tells.
	var crash *CrashError
	if err := m.do(context.Background(), command); errors.As(err, &crash) {
		return nil, fmt.Errorf("init: %w", err)
	}
	return m, nil
}

// do does not wait for a client that ignores its context.
func (m *machine) do(ctx context.Context, c Command) error {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- m.client.Do(ctx, c) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return &CrashError{fmt.Errorf("no answer: %w", ctx.Err())}
	}
}

func (m *machine) play(ctx context.Context, step *Step) error {
	if err := m.site.change(step.Serve); err != nil {
		return err
	}
	if err := m.damage(step.Damage); err != nil {
		return err
	}
	command := m.base
	command.Verb, command.Targets, command.Now = step.Verb, step.Targets, m.c.Clock
	command.Product, command.Channel, command.Platform = step.Product, step.Channel, step.Platform
	if step.Clock != nil {
		command.Now = *step.Clock
	}
	result := m.do(ctx, command)
	if err := judge(step.Expect, result, m.client); err != nil {
		return err
	}
	for _, check := range []func(*Step, error) error{m.checkTrusted, m.checkFiles, m.checkBox, m.checkAsked} {
		if err := check(step, result); err != nil {
			return fmt.Errorf("%w (the client said: %v)", err, result)
		}
	}
	return nil
}

func (m *machine) damage(files map[string]*string) error {
	for name, with := range files {
		path := filepath.Join(m.base.MetadataDir, name)
		if with == nil {
			if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
			continue
		}
		data, err := m.c.file(*with)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func sum(data []byte) string {
	s := sha256.Sum256(data)
	return hex.EncodeToString(s[:])
}
