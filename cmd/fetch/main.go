// SPDX-License-Identifier: Apache-2.0

// Fetch keeps one program of an endpoint up to date from a signed repository. It
// verifies before it writes, takes the cheapest way that works, and installs so
// that a crash leaves the old version or the new one. One file per verb; what an
// error means for the exit status is in exit.go alone. Verbs, flags, exit codes
// and the members of --json objects are only ever added to.
package main

import (
	"context"
	"io"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version is set at link time: -ldflags "-X main.version=1.2.3".
var version = ""

func main() {
	log.SetOutput(io.Discard) // net/http logs there what a server says unasked
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv, time.Now)
	stop()
	os.Exit(code)
}

// run is the whole program. It gives the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) string, now func() time.Time) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, env: env, now: now}
	return a.main(ctx, args)
}
