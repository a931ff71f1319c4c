// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/fetcher/update"
)

// maxRoot bounds what is read as a root of trust, in bytes.
const maxRoot = 64 << 10

type initFlags struct {
	config  update.Config
	urls    []string
	root    string
	path    string
	replace bool
}

// initResult is printed under --json.
type initResult struct {
	State  string        `json:"state"`
	Root   string        `json:"root"` // fingerprint
	Config update.Config `json:"config"`
}

func (a *app) initCommand() *cobra.Command {
	var f initFlags
	c := &cobra.Command{
		Use:   "init --url URL --root FILE --product P --channel C --path WHERE",
		Short: "Set up the state folder for one product",
		Long: `Writes the state folder: where the repository is, which product and channel are
wanted, where the program lies or will lie, and the root of trust. Nothing is fetched.

The root file decides who is trusted from then on. Take it from the publisher by a way
that you trust, and compare the fingerprint that is printed.

Several --url are mirrors: the quicker one is preferred, and none of them is trusted. The
server of the first one gets the token and the headers, over https or on this machine
only, and never across a redirect; others on this machine must not be able to read these
files. HTTPS_PROXY, HTTP_PROXY, NO_PROXY and SSL_CERT_FILE are heeded.`,
		Example: `  fetch init --url https://dl.example.org --root root.json --product app --channel stable --path /usr/local/bin/app
  fetch init --url /mnt/stick/repo --root root.json --product app --channel beta --platform linux-amd64-musl,linux-amd64 --path ./app
  fetch init --url https://private.example.org --url https://mirror.example.net --token-file token --root root.json --product app --channel stable --path ./app`,
		Args: badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return a.init(c, f) },
	}
	v := c.Flags()
	v.StringArrayVar(&f.urls, "url", nil, "where the repository is: https, http, file or unix `URL`, or a folder; once for each mirror")
	v.StringVar(&f.root, "root", "", "`FILE` with the root of trust (root.json)")
	v.StringVar(&f.config.Product, "product", "", "`NAME` of the product")
	v.StringVar(&f.config.Channel, "channel", "", "`NAME` of the channel, such as stable")
	v.StringVar(&f.path, "path", "", "`FILE` that is kept up to date: the program")
	v.StringSliceVar(&f.config.Platforms, "platform", []string{runtime.GOOS + "-" + runtime.GOARCH, "any"},
		"`LIST` of platforms; the first that the channel has is taken")
	v.StringVar(&f.config.TokenFile, "token-file", "", "`FILE` with a bearer token, read for every request")
	v.StringVar(&f.config.HeaderFile, "header-file", "", "`FILE` with lines NAME: VALUE that are sent with every request")
	v.BoolVar(&f.replace, "replace", false, "replace what was set up there before")
	return c
}

func (a *app) init(c *cobra.Command, f initFlags) error {
	if err := f.complete(c); err != nil {
		return err
	}
	state, err := a.state()
	if err != nil {
		return err
	}
	root, err := readRoot(f.root)
	if err != nil {
		return err
	}
	if err := update.Init(state, f.config, root, &update.InitOptions{Replace: f.replace}); err != nil {
		return err
	}
	fingerprint, err := fetcher.Fingerprint(root)
	if err != nil {
		return err
	}
	a.say("%s is set up in %s", f.config.Product, state)
	a.say("root of trust: %s", fingerprint)
	return a.object(initResult{state, fingerprint, f.config})
}

// complete checks that everything was given and makes paths absolute.
func (f *initFlags) complete(c *cobra.Command) error {
	f.config.Schema, f.config.Mode = 1, update.ModeFile
	var missing []string
	for _, need := range []struct{ flag, value string }{
		{"--url", strings.Join(f.urls, "")}, {"--root", f.root}, {"--product", f.config.Product}, {"--channel", f.config.Channel}, {"--path", f.path},
	} {
		if need.value == "" {
			missing = append(missing, need.flag)
		}
	}
	if len(missing) > 0 {
		return usagef(c, "missing: %s", strings.Join(missing, ", "))
	}
	return f.absolute()
}

// absolute makes paths of what was given relative to this folder.
func (f *initFlags) absolute() error {
	var failed error
	for _, address := range f.urls {
		if !strings.Contains(address, "://") {
			folder, err := update.FileURL(address)
			address, failed = folder, errors.Join(failed, err)
		}
		f.config.URLs = append(f.config.URLs, address)
	}
	f.config.Path = f.path
	for _, path := range []*string{&f.config.Path, &f.config.TokenFile, &f.config.HeaderFile} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		*path, failed = abs, errors.Join(failed, err)
	}
	return failed
}

func readRoot(path string) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the root of trust: %w", err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxRoot+1))
	if err != nil {
		return nil, fmt.Errorf("read the root of trust: %w", err)
	}
	return data, nil
}
