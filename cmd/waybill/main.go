// SPDX-License-Identifier: Apache-2.0

// Waybill signs software releases and their deltas into a TUF repository in a
// bucket. One file per verb; what an error means for the exit status is in
// exit.go alone. Verbs, flags, exit codes and the members of --json objects are
// only ever added to.
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
	log.SetOutput(io.Discard) // a storage library prints there what it also returns
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv)
	stop()
	os.Exit(code)
}

// run is the whole program. It gives the exit status.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env func(string) string) int {
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr, env: env, now: time.Now}
	return a.main(ctx, args)
}
