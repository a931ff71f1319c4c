// SPDX-License-Identifier: Apache-2.0

// Package testserver starts real storage servers for tests: versitygw for S3,
// fake-gcs-server for Google Cloud Storage, Azurite for Azure. Each call starts
// one on a free loopback port with an empty bucket, sets the environment that
// the provider's SDK reads, and ends it with the test.
//
// A server is looked for in the variable WAYBILL_TEST_ and its name, such as
// WAYBILL_TEST_AZURITE, then in PATH, then where go install puts programs. A
// test whose server is missing is skipped, with a message, and fails if the
// variable CI is true.
package testserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/build"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"
)

const (
	ready    = 30 * time.Second
	poll     = 20 * time.Millisecond
	attempts = 3
)

// program finds a server or ends the test.
func program(t testing.TB, variable, name, install string) string {
	t.Helper()
	if p := os.Getenv(variable); p != "" {
		return p
	}
	if p, err := exec.LookPath(name); err == nil {
		return p
	}
	suffix := ""
	if runtime.GOOS == "windows" {
		suffix = ".exe"
	}
	for _, folder := range append([]string{os.Getenv("GOBIN")}, filepath.Join(build.Default.GOPATH, "bin")) {
		p := filepath.Join(folder, name+suffix)
		if _, err := os.Stat(p); folder != "" && err == nil {
			return p
		}
	}
	message := fmt.Sprintf("no %s: install it with %q or name it in %s", name, install, variable)
	if os.Getenv("CI") == "true" {
		t.Fatal(message)
	}
	t.Skip(message)
	return ""
}

// start runs a server whose arguments depend on its address, and waits until it
// accepts connections. The free port may be taken by somebody else before the
// server gets it, hence the attempts.
func start(t testing.TB, path string, args func(host, port string) []string) (address string) {
	t.Helper()
	var failed error
	for range attempts {
		address := freeAddress(t)
		host, port, _ := net.SplitHostPort(address)
		var output safeBuffer
		cmd := exec.Command(path, args(host, port)...)
		cmd.Stdout, cmd.Stderr = &output, &output
		cmd.Dir = t.TempDir()
		if err := cmd.Start(); err != nil {
			t.Fatalf("start %s: %v", path, err)
		}
		exited := make(chan struct{})
		go func() { cmd.Wait(); close(exited) }()
		stop := func() { cmd.Process.Kill(); <-exited }
		if failed = waitFor(address, exited); failed == nil {
			t.Cleanup(stop)
			return address
		}
		stop()
		failed = fmt.Errorf("%w\n%s", failed, output.String())
	}
	t.Fatalf("start %s: %v", path, failed)
	return ""
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func waitFor(address string, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeout(context.Background(), ready)
	defer cancel()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		select {
		case <-exited:
			return errors.New("server ended")
		case <-ctx.Done():
			return fmt.Errorf("server is not ready after %v", ready)
		case <-tick.C:
		}
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return nil
		}
	}
}

// safeBuffer collects a server's output while the test may already read it.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
