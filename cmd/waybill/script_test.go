// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/waybill-project/waybill/internal/durable"
)

// status CODE COMMAND... runs a command and insists on its exit status.
func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// fetch ARGS... runs the endpoint's program.
func fetch(ts *testscript.TestScript, neg bool, args []string) {
	if err := ts.Exec("fetch", args...); (err != nil) != neg {
		ts.Fatalf("fetch %s: %v", strings.Join(args, " "), err)
	}
}

// serve serves $WAYBILL_REPO until the script ends and sets $URL.
func serveScript(ts *testscript.TestScript, _ bool, _ []string) {
	self, err := exec.LookPath("waybill")
	ts.Check(err)
	c := exec.Command(self, "serve", "--listen", "127.0.0.1:0", "--repo", ts.Getenv("WAYBILL_REPO"))
	out, err := c.StdoutPipe()
	ts.Check(err)
	ts.Check(c.Start())
	ts.Defer(func() { _ = stopServer(c) })
	line, err := firstOutput(out)
	ts.Check(err)
	ts.Setenv("URL", regexp.MustCompile(`http://\S+`).FindString(line))
}

// versitygw starts an S3 server with an empty bucket, and points $WAYBILL_REPO at
// it.
func versitygw(ts *testscript.TestScript, _ bool, _ []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	address := l.Addr().String()
	ts.Check(l.Close())
	dir := ts.MkAbs("s3")
	ts.Check(os.MkdirAll(filepath.Join(dir, "releases"), 0o755))
	c := exec.Command("versitygw", "--port", address, "--region", "us-east-1", "--quiet", "posix", dir)
	c.Env = append(os.Environ(), "ROOT_ACCESS_KEY=key", "ROOT_SECRET_KEY=secret")
	ts.Check(c.Start())
	ts.Defer(func() {
		ts.Check(c.Process.Kill())
		_ = c.Wait()
	})
	for range 600 {
		if conn, err := net.Dial("tcp", address); err == nil {
			ts.Check(conn.Close())
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	ts.Setenv("AWS_ACCESS_KEY_ID", "key")
	ts.Setenv("AWS_SECRET_ACCESS_KEY", "secret")
	ts.Setenv("WAYBILL_REPO", "s3://releases?endpoint=http://"+address+"&region=us-east-1&use_path_style=true")
}

// get URL prints what a server answers; any status but 200 fails.
func get(ts *testscript.TestScript, neg bool, args []string) {
	answer, err := http.Get(args[0])
	ts.Check(err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	ts.Check(err)
	if (answer.StatusCode != http.StatusOK) != neg {
		ts.Fatalf("%s: %s", args[0], answer.Status)
	}
	fmt.Fprintf(ts.Stdout(), "%s", body)
}

// tamper GLOB flips a byte in the middle of each file that matches.
func tamper(ts *testscript.TestScript, _ bool, args []string) {
	found, err := filepath.Glob(ts.MkAbs(args[0]))
	ts.Check(err)
	if len(found) == 0 {
		ts.Fatalf("nothing matches %s", args[0])
	}
	for _, path := range found {
		data, err := os.ReadFile(path)
		ts.Check(err)
		data[len(data)/2] ^= 0xff
		ts.Check(os.WriteFile(path, data, 0o644))
	}
}

// pin POLICY sets $ROOT to the fingerprint that a policy pins.
func pin(ts *testscript.TestScript, _ bool, args []string) {
	m := regexp.MustCompile(`(?m)^root: *"?([0-9a-f]{64})`).FindStringSubmatch(ts.ReadFile(args[0]))
	if m == nil {
		ts.Fatalf("%s pins no root", args[0])
	}
	ts.Setenv("ROOT", m[1])
}

// sed FILE OLD NEW replaces text, which must be there; \n in NEW is a new line.
func substitute(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	text = strings.ReplaceAll(text, args[1], strings.ReplaceAll(args[2], `\n`, "\n"))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o644))
}

// envfile NAME FILE sets a variable to what a file holds.
func envFile(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], ts.ReadFile(args[1]))
}

// hash NAME FILE sets a variable to the sha256 of a file.
func hashFile(ts *testscript.TestScript, _ bool, args []string) {
	ts.Setenv(args[0], fmt.Sprintf("%x", sha256.Sum256([]byte(ts.ReadFile(args[1])))))
}

// cpdir FROM TO copies the files of a folder, with their modes, into another.
func copyDir(ts *testscript.TestScript, _ bool, args []string) {
	files, err := os.ReadDir(ts.MkAbs(args[0]))
	ts.Check(err)
	for _, f := range files {
		info, err := f.Info()
		ts.Check(err)
		data := ts.ReadFile(filepath.Join(args[0], f.Name()))
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(args[1]), f.Name()), []byte(data), info.Mode().Perm()))
	}
}

// lock FILE takes a lock as another process would, until the script ends.
func lock(ts *testscript.TestScript, _ bool, args []string) {
	unlock, err := durable.TryLock(ts.MkAbs(args[0]))
	ts.Check(err)
	ts.Defer(func() { ts.Check(unlock()) })
}

// random FILE SEED... writes 64 KiB for each seed: files that share seeds have
// small deltas.
func random(ts *testscript.TestScript, _ bool, args []string) {
	var data []byte
	for _, seed := range args[1:] {
		state := uint64(14695981039346656037)
		for _, c := range []byte(seed) {
			state = (state ^ uint64(c)) * 1099511628211
		}
		for range 64 << 10 {
			state ^= state << 13
			state ^= state >> 7
			state ^= state << 17
			data = append(data, byte(state>>32))
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o755))
}
