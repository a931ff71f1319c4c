// SPDX-License-Identifier: Apache-2.0

// Command waybill-conformance is a TUF client with the command line that the
// public TUF conformance suite drives. It is for tests, not for use.
//
//	waybill-conformance --metadata-dir D init ROOT.json
//	waybill-conformance --metadata-url U --metadata-dir D refresh
//	waybill-conformance --metadata-url U --metadata-dir D --target-name P [--target-name P2 ...] \
//		--target-dir T --target-base-url B download
//	waybill-conformance --metadata-url U --metadata-dir D --product P --channel C --platform L \
//		--target-dir T --target-base-url B release
//
// It exits with 0 or 1. Before an error it writes lines "class: NAME" to standard
// error, with the classes of package conformance.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/release"
)

func main() {
	os.Exit(run(os.Args[1:], os.Getenv, os.Stderr))
}

// run never panics, since the suite takes only 1 for a failure.
func run(args []string, getenv func(string) string, stderr io.Writer) (code int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintln(stderr, "waybill-conformance: error:", r)
			code = 1
		}
	}()
	if err := execute(args, getenv, stderr); err != nil {
		for _, class := range classes(err) {
			fmt.Fprintln(stderr, "class:", class)
		}
		fmt.Fprintln(stderr, "waybill-conformance: error:", err)
		return 1
	}
	return 0
}

var rules = []struct {
	class string
	err   error
}{
	{"signature", fetcher.ErrSignature}, {"threshold", fetcher.ErrThreshold}, {"expired", fetcher.ErrExpired},
	{"rollback", fetcher.ErrRollback}, {"mismatch", fetcher.ErrMismatch}, {"too-large", fetcher.ErrTooLarge},
	{"malformed", fetcher.ErrMalformed}, {"wrong-software", fetcher.ErrWrongSoftware}, {"clock", fetcher.ErrClock},
	{"space", fetcher.ErrSpace},
}

// classes are all rules of which err says that they were broken.
func classes(err error) []string {
	var out []string
	for _, rule := range rules {
		if errors.Is(err, rule.err) {
			out = append(out, rule.class)
		}
	}
	switch class := fetcher.Class(err); class {
	case "network", "absent":
		out = append(out, class)
	}
	return out
}

type command struct {
	metadataURL, metadataDir string
	targetsURL, targetDir    string
	names                    []string
	product, channel         string
	platform                 string
	now                      func() time.Time
}

func execute(args []string, getenv func(string) string, stderr io.Writer) error {
	c := command{now: clock(getenv("FAKETIME"))}
	flags := flag.NewFlagSet("waybill-conformance", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&c.metadataURL, "metadata-url", "", "`URL` of the metadata")
	flags.StringVar(&c.metadataDir, "metadata-dir", "", "`DIR` for trusted metadata")
	flags.StringVar(&c.targetsURL, "target-base-url", "", "`URL` of the targets")
	flags.StringVar(&c.targetDir, "target-dir", "", "`DIR` for downloaded targets")
	flags.Func("target-name", "target `PATH` to download; may repeat", func(s string) error {
		c.names = append(c.names, s)
		return nil
	})
	flags.StringVar(&c.product, "product", "", "`PRODUCT` of which release wants the newest one")
	flags.StringVar(&c.channel, "channel", "", "`CHANNEL` in which that is")
	flags.StringVar(&c.platform, "platform", "", "`PLATFORM` for which that is")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if c.metadataDir == "" {
		return errors.New("--metadata-dir is needed")
	}
	ctx := context.Background()
	switch {
	case flags.Arg(0) == "init" && flags.NArg() == 2:
		return c.init(flags.Arg(1))
	case flags.Arg(0) == "refresh" && flags.NArg() == 1:
		_, err := c.refresh(ctx)
		return err
	case flags.Arg(0) == "download" && flags.NArg() == 1:
		return c.download(ctx)
	case flags.Arg(0) == "release" && flags.NArg() == 1:
		return c.release(ctx)
	}
	return errors.New("one of init ROOT, refresh, download, release is needed")
}

// clock reads the offset in seconds that faketime sets.
func clock(offset string) func() time.Time {
	seconds, err := strconv.ParseFloat(strings.TrimSuffix(offset, "s"), 64)
	if err != nil {
		return time.Now
	}
	return func() time.Time { return time.Now().Add(time.Duration(seconds * float64(time.Second))) }
}

// anchor holds the root given to init. It has no .json ending because the suite
// takes every such file for trusted metadata.
const anchor = "first-root"

func (c *command) init(path string) error {
	root, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if _, err := fetcher.New(root, c.metadataDir, refuse{}, c.options()); err != nil {
		return err
	}
	fs := durable.OS()
	if err := durable.MkdirAll(fs, c.metadataDir, 0o700); err != nil {
		return err
	}
	if err := durable.WriteFile(fs, filepath.Join(c.metadataDir, anchor), root, 0o600); err != nil {
		return err
	}
	return durable.WriteFile(fs, filepath.Join(c.metadataDir, "root.json"), root, 0o600)
}

type refuse struct{}

func (refuse) Open(context.Context, string, fetcher.Request) (*fetcher.Response, error) {
	return nil, errors.New("no request is made by init")
}

func (c *command) options() *fetcher.Options {
	return &fetcher.Options{
		Now:    c.now,
		Flat:   true,
		Limits: fetcher.Limits{Root: 512 << 10, Timestamp: 64 << 10},
	}
}

func (c *command) refresh(ctx context.Context) (*fetcher.Client, error) {
	root, err := os.ReadFile(filepath.Join(c.metadataDir, anchor))
	if err != nil {
		return nil, err
	}
	source, err := fetcher.NewHTTPSource(c.metadataURL, &fetcher.HTTPOptions{
		MetadataURL: c.metadataURL,
		TargetsURL:  c.targetsURL,
		Retries:     -1,
	})
	if err != nil {
		return nil, err
	}
	client, err := fetcher.New(root, c.metadataDir, source, c.options())
	if err != nil {
		return nil, err
	}
	return client, client.Refresh(ctx)
}

func (c *command) download(ctx context.Context) error {
	if c.targetDir == "" || c.targetsURL == "" || len(c.names) == 0 {
		return errors.New("--target-dir, --target-base-url and --target-name are needed")
	}
	client, err := c.refresh(ctx)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(c.targetDir, 0o755); err != nil {
		return err
	}
	for _, name := range c.names {
		target, err := client.Target(ctx, name)
		if err != nil {
			return err
		}
		if err := client.Download(ctx, target, filepath.Join(c.targetDir, fileName(name))); err != nil {
			return err
		}
	}
	return nil
}

// release downloads the newest release that a new endpoint may have.
func (c *command) release(ctx context.Context) error {
	client, err := c.refresh(ctx)
	if err != nil {
		return err
	}
	target, _, err := client.Newest(ctx, c.product, c.channel, c.platform, release.Installed{}, release.Want{})
	if err != nil {
		return err
	}
	return client.Download(ctx, target, filepath.Join(c.targetDir, fileName(target.Name)))
}

// fileName keeps a target in one folder, whatever its name.
func fileName(target string) string {
	return "t-" + url.QueryEscape(target)
}
