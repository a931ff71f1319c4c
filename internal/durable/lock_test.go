// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/waybill-project/waybill/internal/durable"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv("DURABLE_TEST_HOLD") != "":
		hold(os.Getenv("DURABLE_TEST_HOLD"))
	case os.Getenv("DURABLE_TEST_COUNT") != "":
		count(os.Getenv("DURABLE_TEST_COUNT"))
	}
	os.Exit(m.Run())
}

// hold takes the lock, says so, and keeps it until it is killed or its input ends.
func hold(path string) {
	if _, err := durable.TryLock(path); err != nil {
		os.Exit(1)
	}
	os.Stdout.WriteString("held\n")
	io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

const rounds = 20

// count adds to a number in a file, which loses additions unless the lock works.
func count(dir string) {
	for range rounds {
		unlock, err := durable.Lock(context.Background(), filepath.Join(dir, "lock"))
		if err != nil {
			os.Exit(1)
		}
		path := filepath.Join(dir, "count")
		data, err := os.ReadFile(path)
		n, _ := strconv.Atoi(string(data))
		err = errors.Join(err, os.WriteFile(path, strconv.AppendInt(nil, int64(n+1), 10), 0o600), unlock())
		if err != nil {
			os.Exit(1)
		}
	}
	os.Exit(0)
}

func child(t *testing.T, variable, value string) *exec.Cmd {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program)
	command.Env = append(os.Environ(), variable+"="+value)
	return command
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := durable.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := durable.TryLock(path); !errors.Is(err, durable.ErrLocked) {
		t.Errorf("got %v", err)
	}
	for range 2 {
		if err := unlock(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the lock file must stay: %v", err)
	}
	again, err := durable.TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := again(); err != nil {
		t.Error(err)
	}
}

func TestLockEndsWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := durable.TryLock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	if _, err := durable.Lock(ctx, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	result := make(chan error)
	go func() {
		_, err := durable.Lock(ctx, path)
		result <- err
	}()
	stop()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestLockFileThatCannotBe(t *testing.T) {
	if _, err := durable.TryLock(filepath.Join(t.TempDir(), "no", "lock")); err == nil || errors.Is(err, durable.ErrLocked) {
		t.Errorf("got %v", err)
	}
}

func TestLockOfAKilledProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	holder := child(t, "DURABLE_TEST_HOLD", path)
	if _, err := holder.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := holder.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	if _, err := durable.TryLock(path); !errors.Is(err, durable.ErrLocked) {
		t.Errorf("got %v", err)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	holder.Wait()
	unlock, err := durable.Lock(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

func TestLockBetweenProcesses(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "count"), "0")
	var children []*exec.Cmd
	for range 4 {
		c := child(t, "DURABLE_TEST_COUNT", dir)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, c)
	}
	for _, c := range children {
		if err := c.Wait(); err != nil {
			t.Error(err)
		}
	}
	if got := read(t, filepath.Join(dir, "count")); got != strconv.Itoa(4*rounds) {
		t.Errorf("got %s", got)
	}
}
