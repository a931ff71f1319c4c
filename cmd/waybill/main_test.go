// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// Scripts have the command waybill, the command waybill-after DURATION ...,
// which is the same with a clock that is ahead, and the command fetch.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"waybill":       main,
		"waybill-after": mainAfter,
	})
}

func mainAfter() {
	ahead, err := parseSpan(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(125)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, env: os.Getenv,
		now: func() time.Time { return time.Now().Add(ahead) }}
	os.Exit(a.main(ctx, os.Args[2:]))
}

func TestScripts(t *testing.T) {
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	bin := buildFetch(t, root)
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "script"),
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+e.Getenv("PATH"))
			e.Setenv("MODULE", root)
			for _, name := range []string{"HOME", "GOCACHE", "GOMODCACHE", "GOPATH", "GOFLAGS", "GOPROXY"} {
				e.Setenv(name, goEnv(name))
			}
			e.Setenv("WAYBILL_PASSPHRASE", "correct horse")
			e.Setenv("WAYBILL_REPO", filepath.Join(e.WorkDir, "bucket"))
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name == "root" {
				return os.Geteuid() == 0, nil
			}
			return false, fmt.Errorf("unknown condition %q", name)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"cpdir":     copyDir,
			"envfile":   envFile,
			"fetch":     fetch,
			"get":       get,
			"hash":      hashFile,
			"lock":      lock,
			"pin":       pin,
			"random":    random,
			"sed":       substitute,
			"serve":     serveScript,
			"status":    status,
			"tamper":    tamper,
			"versitygw": versitygw,
		},
	})
}

// goEnv keeps the go tool of the demo working in a script's empty home.
func goEnv(name string) string {
	if name == "HOME" {
		return os.Getenv("HOME")
	}
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func buildFetch(t *testing.T, root string) string {
	t.Helper()
	bin := t.TempDir()
	c := exec.Command("go", "build", "-buildvcs=false", "-o", filepath.Join(bin, "fetch"+exeSuffix()), "./cmd/fetch")
	c.Dir = root
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("build fetch: %v\n%s", err, out)
	}
	return bin
}

func exeSuffix() string {
	if runtime.GOOS == "windows" {
		return ".exe"
	}
	return ""
}
