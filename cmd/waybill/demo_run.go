// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/waybill-project/waybill/internal/cli"
)

const modulePath = "github.com/waybill-project/waybill"

// moduleRoot finds the module's source from the working directory up.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
		if err == nil && regexp.MustCompile(`(?m)^module\s+`+regexp.QuoteMeta(modulePath)+`\s*$`).Match(data) {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", &cli.Error{Code: cli.Usage, Err: errors.New("the source of " + modulePath + " is not here"),
				Hint: "the demo builds programs from it: run it in a clone of the repository"}
		}
		dir = parent
	}
}

// A command is what somebody in the demo types.
type command struct {
	at     string   // folder, as in the prompt; absolute or below the demo's
	env    []string // assignments before the command
	name   string   // as printed
	path   string   // what is run; empty: name
	args   []string
	status int // how it must end
}

func (c command) String() string {
	words := append([]string{}, c.env...)
	words = append(words, c.name)
	for _, arg := range c.args {
		if arg == "" || strings.ContainsAny(arg, " '\"$&*?") {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		words = append(words, arg)
	}
	return strings.Join(words, " ")
}

func (d *demo) waybillAt(who string, args ...string) command {
	return command{at: who, env: []string{phrase}, name: "waybill", path: d.waybill, args: args}
}

func (d *demo) publisher(args ...string) command {
	return d.waybillAt("publisher", append(args, "--repo", filepath.Join("..", "bucket"))...)
}

func (d *demo) fetch(status int, args ...string) command {
	return command{at: "endpoint", name: "./fetch", path: filepath.Join(d.dir, "endpoint", "fetch"+d.exe), args: args, status: status}
}

func (d *demo) title(text string) { fmt.Fprintf(d.out, "\n# %s\n", text) }

func (d *demo) print(c command) {
	prompt := c.at
	if filepath.IsAbs(prompt) {
		prompt = filepath.Base(prompt)
	}
	fmt.Fprintf(d.out, "%s$ %s\n", prompt, c)
}

func (d *demo) cmd(ctx context.Context, c command) *exec.Cmd {
	path := c.path
	if path == "" {
		path = c.name
	}
	cmd := exec.CommandContext(ctx, path, c.args...)
	cmd.Dir = c.at
	if !filepath.IsAbs(c.at) {
		cmd.Dir = filepath.Join(d.dir, c.at)
	}
	cmd.Env = append(cmd.Environ(), c.env...)
	return cmd
}

// run prints a command, runs exactly that, and insists on how it ends. It gives
// what the command printed.
func (d *demo) run(ctx context.Context, c command) (string, error) {
	d.print(c)
	var said bytes.Buffer
	cmd := d.cmd(ctx, c)
	both := io.MultiWriter(&said, &indenter{w: d.out})
	cmd.Stdout, cmd.Stderr = both, both
	err := cmd.Run()
	var exit *exec.ExitError
	status := 0
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.As(err, &exit):
		status = exit.ExitCode()
	case errors.Is(err, exec.ErrNotFound):
		return "", &cli.Error{Code: cli.Usage, Err: fmt.Errorf("demo: %w", err), Hint: "the demo builds programs: install Go"}
	case err != nil:
		return "", fmt.Errorf("demo: %s: %w", c.name, err)
	}
	if status != c.status {
		return "", fmt.Errorf("demo: %s ended with status %d, expected %d", c, status, c.status)
	}
	if status != 0 {
		fmt.Fprintf(d.out, "  (exit status %d, as it should be)\n", status)
	}
	return said.String(), nil
}

func (d *demo) copyFile(from, to string) error {
	fmt.Fprintf(d.out, "$ cp %s %s\n", filepath.ToSlash(from), filepath.ToSlash(to))
	src := filepath.Join(d.dir, from)
	info, err := os.Stat(src)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(src)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(d.dir, to), data, info.Mode().Perm())
}

// flip changes a byte in the middle of every object that matches.
func (d *demo) flip(pattern string) error {
	return d.tamper(pattern, func(data []byte) { data[len(data)/2] ^= 0xff })
}

// forge changes the first hash that signed metadata holds.
func (d *demo) forge(object string) error {
	return d.tamper(object, func(data []byte) {
		mark := []byte(`"sha256":"`)
		if at := bytes.Index(data, mark); at >= 0 {
			digit := &data[at+len(mark)]
			*digit = map[bool]byte{true: '1', false: '0'}[*digit == '0']
		}
	})
}

func (d *demo) tamper(pattern string, change func([]byte)) error {
	found, err := filepath.Glob(filepath.Join(d.dir, "bucket", filepath.FromSlash(pattern)))
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("demo: nothing in the bucket matches %s: %w", pattern, fs.ErrNotExist)
	}
	for _, path := range found {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		before := bytes.Clone(data)
		change(data)
		if bytes.Equal(before, data) {
			return fmt.Errorf("demo: %s was not changed", path)
		}
		name, err := filepath.Rel(d.dir, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(d.out, "  (one byte of %s was changed)\n", filepath.ToSlash(name))
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// serve starts the server and gives how to stop it.
func (d *demo) serve(ctx context.Context) (stop func() error, err error) {
	d.title("Any web server or CDN can serve the folder; here is ours")
	c := command{at: "publisher", name: "waybill", path: d.waybill, args: []string{"serve", "--repo", filepath.Join("..", "bucket"), "--listen", "127.0.0.1:0"}}
	d.print(c)
	cmd := d.cmd(ctx, c)
	cmd.Stderr = &indenter{w: d.out}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() error { return stopServer(cmd) }
	line, err := firstOutput(out)
	if d.url = regexp.MustCompile(`http://\S+`).FindString(line); d.url == "" {
		return nil, errors.Join(fmt.Errorf("demo: waybill serve said %q", line), err, stop())
	}
	fmt.Fprintf(d.out, "  %s", line)
	return stop, nil
}

func firstOutput(r io.Reader) (string, error) {
	var line []byte
	b := make([]byte, 1)
	for len(line) < 4096 {
		n, err := r.Read(b)
		line = append(line, b[:n]...)
		if err != nil || (n == 1 && b[0] == '\n') {
			return string(line), err
		}
	}
	return string(line), nil
}

// stopServer asks the server to end and insists after a while. How a process
// that was told to end does end differs between systems.
func stopServer(cmd *exec.Cmd) error {
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		_ = cmd.Process.Kill()
	}
	kill := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	err := cmd.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}

// An indenter sets what programs print apart from the commands.
type indenter struct {
	w    io.Writer
	open bool // a line has begun
}

func (i *indenter) Write(p []byte) (int, error) {
	var b bytes.Buffer
	for line := range bytes.Lines(p) {
		if !i.open && len(line) > 1 {
			b.WriteString("  ")
		}
		b.Write(line)
		i.open = line[len(line)-1] != '\n'
	}
	if _, err := i.w.Write(b.Bytes()); err != nil {
		return 0, err
	}
	return len(p), nil
}
