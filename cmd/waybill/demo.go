// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/policy"
)

func (a *app) demoCommand() *cobra.Command {
	var dir string
	var keep bool
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show all of it on this machine: sign, publish, update by delta, refuse a forgery",
		Long: `Builds versions of the program fetch, makes a root of three offline keys of which
two must sign, publishes the first two to a folder, serves it on loopback, and lets
version 1 update itself to version 2 by a delta. Then it tampers with the folder and
shows that the program refuses. Every command is printed as you would type it.

It needs Go and the module's source: run it there. It uses no network.`,
		Example: `  go run ./cmd/waybill demo
  waybill demo --keep --dir /tmp/demo`,
		Args: badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return a.demo(c.Context(), dir, keep) },
	}
	c.Flags().StringVar(&dir, "dir", "", "work in `DIR`, which must not exist yet (default: a temporary folder)")
	c.Flags().BoolVar(&keep, "keep", false, "leave the folder for a look around")
	return exits(c, cli.Local)
}

func (a *app) demo(ctx context.Context, dir string, keep bool) (err error) {
	d, err := a.newDemo(dir)
	if err != nil {
		return err
	}
	defer func() {
		if keep {
			a.note("everything is in %s", d.dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(d.dir))
	}()
	for _, act := range []func(context.Context) error{d.build, d.makeKeys, d.ceremony, d.firstRelease} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	stop, err := d.serve(ctx)
	if err != nil {
		return err
	}
	for _, act := range []func(context.Context) error{d.install, d.update, d.tamperFiles, d.tamperMetadata} {
		if err = act(ctx); err != nil {
			break
		}
	}
	if err = errors.Join(err, stop()); err != nil {
		return err
	}
	d.title("Done: the update came as a delta, the forgeries were refused, the old program still runs.")
	return a.object(map[string]any{"schema": 1, "ok": true})
}

func (a *app) newDemo(dir string) (*demo, error) {
	source, err := moduleRoot()
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if dir == "" {
		dir, err = os.MkdirTemp("", "waybill-demo-")
	} else if dir, err = filepath.Abs(dir); err == nil {
		err = os.Mkdir(dir, 0o755)
	}
	if err != nil {
		return nil, err
	}
	d := &demo{dir: dir, source: source, waybill: self, out: a.stdout, platform: runtime.GOOS + "-" + runtime.GOARCH}
	if a.asJSON {
		d.out = a.stderr
	}
	if runtime.GOOS == "windows" {
		d.exe = ".exe"
	}
	for _, sub := range []string{"alice", "bob", "carol", "publisher", "endpoint"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(filepath.Join(dir, sub, "passphrase"), []byte("only "+sub+" knows\n"), 0o600); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// demo is one run of it. Everybody in it works in a folder of their own.
type demo struct {
	dir      string // all of it
	source   string // the module
	waybill  string // this program
	platform string
	exe      string // what names of programs end with
	url      string // of the server
	out      io.Writer
}

func (d *demo) build(ctx context.Context) error {
	d.title("Three versions of a real program: fetch itself")
	for _, version := range []string{"1.0.0", "2.0.0", "3.0.0"} {
		args := []string{"build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -X main.version=" + version, "-o", d.built(version), "./cmd/fetch"}
		if _, err := d.run(ctx, command{at: d.source, name: "go", args: args}); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) built(version string) string {
	return filepath.Join(d.dir, "build", version, "fetch"+d.exe)
}

// phrase is where each of them keeps the passphrase of their own keys.
const phrase = "WAYBILL_PASSPHRASE_FILE=passphrase"

func (d *demo) makeKeys(ctx context.Context) error {
	d.title("Three people make a root key each, offline, and hand over the public part")
	for _, who := range []string{"alice", "bob", "carol"} {
		if _, err := d.run(ctx, d.waybillAt(who, "key", "new", "--out", "root.key")); err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) ceremony(ctx context.Context) error {
	d.title("The publisher writes the policy and stages the first root; two of three must sign it")
	init := []string{"init", "--product", "fetch", "--channel", "stable", "--platform", d.platform, "--root-threshold", "2"}
	for _, who := range []string{"alice", "bob", "carol"} {
		init = append(init, "--root-key", who+"="+filepath.Join("..", who, "root.key.pub"))
	}
	if _, err := d.run(ctx, d.waybillAt("publisher", init...)); err != nil {
		return err
	}
	p, err := policy.Read(filepath.Join(d.dir, "publisher", "waybill.yaml"))
	if err != nil {
		return err
	}
	for _, who := range []string{"alice", "bob"} {
		d.title(who + " gets a copy of the change file, compares the fingerprint, and signs without any repository")
		if err := d.copyFile(filepath.Join("publisher", ".waybill", "change.json"), filepath.Join(who, "change.json")); err != nil {
			return err
		}
		if _, err := d.run(ctx, d.waybillAt(who, "sign", "change.json", "--key", "root.key", "--confirm-root", p.Root, "--yes")); err != nil {
			return err
		}
	}
	d.title("The publisher adds the signatures of the release and online keys, and publishes")
	if _, err := d.run(ctx, d.waybillAt("publisher", "sign", "--yes")); err != nil {
		return err
	}
	_, err = d.run(ctx, d.publisher("publish", filepath.Join("..", "alice", "change.json"), filepath.Join("..", "bob", "change.json")))
	return err
}

func (d *demo) firstRelease(ctx context.Context) error {
	d.title("The first release")
	return d.release(ctx, "1.0.0")
}

func (d *demo) release(ctx context.Context, version string) error {
	from := filepath.Join("..", "build", version, "fetch"+d.exe)
	_, err := d.run(ctx, d.publisher("release", d.platform+"="+from, "--version", version))
	return err
}

func (d *demo) install(ctx context.Context) error {
	d.title("An endpoint has version 1 of the program, and the first root")
	if err := d.copyFile(filepath.Join("build", "1.0.0", "fetch"+d.exe), filepath.Join("endpoint", "fetch"+d.exe)); err != nil {
		return err
	}
	if err := d.copyFile(filepath.Join("publisher", "root.json"), filepath.Join("endpoint", "root.json")); err != nil {
		return err
	}
	if _, err := d.run(ctx, d.fetch(0, "init", "--url", d.url, "--root", "root.json", "--product", "fetch", "--channel", "stable", "--path", "fetch"+d.exe, "--state", "state")); err != nil {
		return err
	}
	if _, err := d.run(ctx, d.fetch(0, "status", "--state", "state")); err != nil {
		return err
	}
	return d.runs(ctx, "1.0.0")
}

func (d *demo) update(ctx context.Context) error {
	d.title("Version 2 comes out, with a delta from version 1")
	if err := d.release(ctx, "2.0.0"); err != nil {
		return err
	}
	d.title("The program updates itself")
	if _, err := d.run(ctx, d.fetch(0, "update", "--state", "state")); err != nil {
		return err
	}
	return d.runs(ctx, "2.0.0")
}

// runs has the endpoint's program tell its version.
func (d *demo) runs(ctx context.Context, version string) error {
	said, err := d.run(ctx, d.fetch(0, "version"))
	if err == nil && !strings.Contains(said, version) {
		err = fmt.Errorf("demo: the endpoint runs %q, expected version %s", strings.TrimSpace(said), version)
	}
	return err
}

func (d *demo) tamperFiles(ctx context.Context) error {
	d.title("Version 3 comes out, and an attacker changes its files in the bucket")
	if err := d.release(ctx, "3.0.0"); err != nil {
		return err
	}
	for _, pattern := range []string{"targets/fetch/3.0.0/*/*", "targets/fetch/deltas/*/*"} {
		if err := d.flip(pattern); err != nil {
			return err
		}
	}
	if _, err := d.run(ctx, d.fetch(cli.Verification, "update", "--state", "state")); err != nil {
		return err
	}
	if err := d.runs(ctx, "2.0.0"); err != nil {
		return err
	}
	d.title("The publisher's audit finds it too")
	audit := d.publisher("verify")
	audit.status = cli.Verification
	_, err := d.run(ctx, audit)
	return err
}

func (d *demo) tamperMetadata(ctx context.Context) error {
	d.title("The attacker changes signed metadata as well")
	if err := d.forge("metadata/timestamp.json"); err != nil {
		return err
	}
	if _, err := d.run(ctx, d.fetch(cli.Verification, "update", "--state", "state")); err != nil {
		return err
	}
	return d.runs(ctx, "2.0.0")
}
