// SPDX-License-Identifier: Apache-2.0

//go:build unix

package endtoend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// limit is far above what any run of a program takes.
const limit = 4 * time.Minute

// shell runs the programs in a folder, with an environment of its own.
type shell struct {
	t    testing.TB
	dir  string
	env  []string
	wrap []string            // a command that is given the command to run
	user *syscall.Credential // nil: the one that runs the test
}

// result is how a program ended; code is -1 after a signal.
type result struct {
	code           int
	stdout, stderr string
	state          *os.ProcessState
}

func newShell(t testing.TB, dir string, env ...string) *shell {
	return &shell{t: t, dir: dir, env: append(environment(), env...)}
}

// environment is that of the test without what would reach into the programs.
func environment() []string {
	var env []string
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if strings.HasPrefix(name, "WAYBILL_") || strings.HasPrefix(name, "FETCH_") || strings.HasSuffix(strings.ToLower(name), "_proxy") {
			continue
		}
		env = append(env, v)
	}
	return env
}

func (s *shell) command(ctx context.Context, args ...string) *exec.Cmd {
	args = append(append(slices.Clone(s.wrap), s.program(args[0])), args[1:]...)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = s.dir, s.env
	if s.user != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.user}
	}
	return cmd
}

// program is the path of one of ours, or of any other by its path.
func (s *shell) program(name string) string {
	if strings.ContainsRune(name, filepath.Separator) {
		return name
	}
	return filepath.Join(programs, name)
}

// run gives how a program ended, whatever that is.
func (s *shell) run(args ...string) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return s.finish(s.command(ctx, args...))
}

func (s *shell) finish(cmd *exec.Cmd) result {
	s.t.Helper()
	return s.finishKillable(cmd, nil)
}

// finishKillable hands the process over, to be killed, before it waits for it.
func (s *shell) finishKillable(cmd *exec.Cmd, started chan<- *os.Process) result {
	s.t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("%s: %v", strings.Join(cmd.Args, " "), err)
	}
	if started != nil {
		started <- cmd.Process
	}
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("%s: %v", strings.Join(cmd.Args, " "), err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String(), cmd.ProcessState}
}

// ok runs a program that must succeed and gives what it printed.
func (s *shell) ok(args ...string) string {
	s.t.Helper()
	return s.exits(0, "", args...).stdout
}

// exits runs a program that must end with a code, and whose output, if text is
// not empty, must contain it.
func (s *shell) exits(code int, text string, args ...string) result {
	s.t.Helper()
	r := s.run(args...)
	if r.code != code {
		s.t.Fatalf("%s: exit status %d, want %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), r.code, code, r.stdout, r.stderr)
	}
	if !strings.Contains(r.stdout+r.stderr, text) {
		s.t.Fatalf("%s: no %q in\nstdout: %s\nstderr: %s", strings.Join(args, " "), text, r.stdout, r.stderr)
	}
	return r
}

func (s *shell) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(s.dir, name)
}

func (s *shell) read(name string) []byte {
	s.t.Helper()
	data, err := os.ReadFile(s.path(name))
	must(s.t, err)
	return data
}

func (s *shell) write(name string, data []byte, mode os.FileMode) {
	s.t.Helper()
	path := s.path(name)
	must(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	syscall.ForkLock.RLock() // as in copyFile
	err := os.WriteFile(path, data, mode)
	syscall.ForkLock.RUnlock()
	must(s.t, err)
	must(s.t, os.Chmod(path, mode))
}

// replace changes text in a file, where it must occur.
func (s *shell) replace(name, old, with string) {
	s.t.Helper()
	data := string(s.read(name))
	if !strings.Contains(data, old) {
		s.t.Fatalf("%s: no %q in\n%s", name, old, data)
	}
	s.write(name, []byte(strings.ReplaceAll(data, old, with)), 0o644)
}

// decode reads the JSON object that a program printed.
func decode[T any](t testing.TB, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return v
}

// killed tells whether SIGKILL ended a program.
func (r result) killed() bool {
	status, ok := r.state.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}
