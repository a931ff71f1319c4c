// SPDX-License-Identifier: Apache-2.0

//go:build unix

package crashtest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var (
	crashOnly = flag.String("crash.only", "", "check this state only: K,MODEL,SEED, or two of them joined by /; with -run Crash/SCENARIO")
	crashMore = flag.Bool("crash.more", false, "crash in every recovery, not in a sample of them (many minutes)")
)

// The machine of all scenarios. Its folders exist for real, too, since locks are real.
var (
	root  string
	bin   string
	app   string
	state string
	now   = time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)
	ctx   = context.Background()

	// aDayLater than what happened in the machine, which starts a minute before now, but before metadata expires.
	aDayLater = now.Add(24*time.Hour - 30*time.Second)
)

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "waybill-crash")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	root, bin, state = dir, filepath.Join(dir, "bin"), filepath.Join(dir, "state")
	app = filepath.Join(bin, "app")
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sum(data []byte) string {
	h := sha256.Sum256(data)
	return hex.EncodeToString(h[:])
}
