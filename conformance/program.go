// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Program is a Client that is another program with the command line of README.md.
// Its words are the program and arguments that come before all others.
type Program []string

// programError is an orderly failure: exit status 1.
type programError struct{ stderr string }

func (e *programError) Error() string {
	lines := strings.Split(strings.TrimSpace(e.stderr), "\n")
	return fmt.Sprintf("exit status 1: %.300s", lines[len(lines)-1])
}

// Do runs the program once.
func (p Program) Do(ctx context.Context, c Command) error {
	args := append(slices.Clone(p[1:]), "--metadata-dir", c.MetadataDir)
	switch c.Verb {
	case Init:
		root := filepath.Join(filepath.Dir(c.MetadataDir), "first-root.json")
		if err := os.WriteFile(root, c.Root, 0o600); err != nil {
			return err
		}
		defer os.Remove(root)
		args = append(args, Init, root)
	case Refresh:
		args = append(args, "--metadata-url", c.MetadataURL, Refresh)
	default:
		args = append(args, "--metadata-url", c.MetadataURL, "--target-dir", c.TargetDir, "--target-base-url", c.TargetsURL)
		for _, name := range c.Targets {
			args = append(args, "--target-name", name)
		}
		if c.Verb == Release {
			args = append(args, "--product", c.Product, "--channel", c.Channel, "--platform", c.Platform)
		}
		args = append(args, c.Verb)
	}
	cmd := exec.CommandContext(ctx, p[0], args...)
	cmd.Env = append(os.Environ(), "FAKETIME="+offset(c.Now))
	return run(ctx, cmd)
}

// Apply makes a Program an Applier: it runs the program once with the verb apply.
func (p Program) Apply(ctx context.Context, patch *Patch) (result []byte, err error) {
	dir, err := os.MkdirTemp("", "waybill-conformance-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	manifest, err := json.Marshal(patch)
	if err != nil {
		return nil, err
	}
	args := append(slices.Clone(p[1:]), "apply")
	for name, data := range map[string][]byte{"manifest.json": manifest, "base": patch.Base, "patch": patch.Patch} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"manifest.json", "base", "patch", "result"} {
		args = append(args, filepath.Join(dir, name))
	}
	err = run(ctx, exec.CommandContext(ctx, p[0], args...))
	result, unread := os.ReadFile(filepath.Join(dir, "result"))
	if err == nil {
		err = unread
	}
	return result, err
}

// run tells orderly failure from a crash.
func run(ctx context.Context, cmd *exec.Cmd) error {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() == nil && errors.As(err, &exit) && exit.ExitCode() == 1:
		return &programError{stderr.String()}
	}
	return &CrashError{fmt.Errorf("%w: %.300s", err, stderr.String())}
}

// offset is how far the clock of a case is from the real one, rounded so that the
// case's clock is never earlier than it says.
func offset(now time.Time) string {
	return fmt.Sprintf("%+d", int64(math.Ceil(time.Until(now).Seconds())))
}

// Classes reads the lines "class: NAME" that the program may write to standard error.
func (p Program) Classes(err error) []string {
	var failed *programError
	if !errors.As(err, &failed) {
		return nil
	}
	var out []string
	for line := range strings.Lines(failed.stderr) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "class: "); ok {
			out = append(out, name)
		}
	}
	return out
}
