// SPDX-License-Identifier: Apache-2.0

package update

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/release"
)

const (
	configName = "fetch.json"
	rootName   = "root.json"

	maxConfig = 64 << 10
	maxRoot   = 64 << 10

	// ModeFile is one file that is replaced as a whole.
	ModeFile = "file"
)

// Config is what one endpoint wants: STATE/fetch.json.
type Config struct {
	Schema    int      `json:"schema"`
	URLs      []string `json:"urls"` // mirrors of the repository, the first one preferred as long as nothing else is known: https, http, file or unix
	Product   string   `json:"product"`
	Channel   string   `json:"channel"`
	Platforms []string `json:"platforms"` // the first that the channel has is taken
	Path      string   `json:"path"`      // absolute: the installed program
	Mode      string   `json:"mode"`      // ModeFile

	// Files with credentials for the server of the first URL, which no other server gets. Absolute paths.
	TokenFile  string `json:"token_file,omitempty"`  // a bearer token
	HeaderFile string `json:"header_file,omitempty"` // lines NAME: VALUE
}

const maxURLs = 16

// InitOptions are all optional.
type InitOptions struct {
	Replace bool       // overwrite a state folder that is set up already
	FS      durable.FS // nil: the real file system
}

// Init sets up a state folder: configuration and the root of trust, which are checked but not fetched. It refuses a
// folder that is set up already with an error that wraps fs.ErrExist, unless it is to be replaced.
func Init(state string, config Config, root []byte, opts *InitOptions) error {
	if opts == nil {
		opts = &InitOptions{}
	}
	fsys := fileSystem(opts.FS)
	config.Schema, config.Mode = 1, ModeFile
	if err := config.check(); err != nil {
		return &ConfigError{configName, err}
	}
	if err := checkRoot(root); err != nil {
		return &ConfigError{rootName, err}
	}
	if err := config.checkSecrets(); err != nil {
		return err
	}
	if err := durable.MkdirAll(fsys, state, 0o700); err != nil {
		return local(state, err)
	}
	unlock, err := durable.TryLock(filepath.Join(state, lockName))
	if err != nil {
		return local(state, err)
	}
	defer unlock()
	path := filepath.Join(state, configName)
	if _, err := fsys.Stat(path); err == nil && !opts.Replace {
		return local(path, fs.ErrExist)
	}
	return config.write(fsys, state, root)
}

func (c Config) write(fsys durable.FS, state string, root []byte) error {
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return &ConfigError{configName, err}
	}
	rootPath, path := filepath.Join(state, rootName), filepath.Join(state, configName)
	if err := durable.WriteFile(fsys, rootPath, root, 0o600); err != nil {
		return local(rootPath, err)
	}
	return local(path, durable.WriteFile(fsys, path, append(data, '\n'), 0o600))
}

// Load reads the configuration and the root of a state folder; ErrNotSetUp if there is none.
func Load(state string, fsys durable.FS) (Config, []byte, error) {
	fsys = fileSystem(fsys)
	var c Config
	data, err := readConfigFile(fsys, filepath.Join(state, configName), maxConfig)
	if err != nil {
		return c, nil, err
	}
	if c, err = parseConfig(data); err != nil {
		return c, nil, &ConfigError{filepath.Join(state, configName), err}
	}
	root, err := readConfigFile(fsys, filepath.Join(state, rootName), maxRoot)
	return c, root, err
}

func readConfigFile(fsys durable.FS, path string, limit int64) ([]byte, error) {
	data, err := durable.ReadFile(fsys, path, limit)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &ConfigError{path, ErrNotSetUp}
	case errors.Is(err, durable.ErrTooLarge):
		return nil, &ConfigError{path, err}
	}
	return data, local(path, err)
}

func parseConfig(data []byte) (Config, error) {
	var c Config
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c); err != nil {
		return c, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return c, errors.New("something follows the object")
	}
	return c, c.check()
}

func (c *Config) check() error {
	if c.Schema != 1 {
		return fmt.Errorf("schema %d is unknown", c.Schema)
	}
	if err := c.checkURLs(); err != nil {
		return err
	}
	if err := errors.Join(release.CheckProduct(c.Product), release.CheckChannel(c.Channel)); err != nil {
		return err
	}
	if len(c.Platforms) == 0 {
		return errors.New("no platform")
	}
	for _, p := range c.Platforms {
		if err := release.CheckPlatform(p); err != nil {
			return err
		}
	}
	if !filepath.IsAbs(c.Path) || filepath.Clean(c.Path) != c.Path {
		return fmt.Errorf("path %q is not an absolute, clean path", c.Path)
	}
	if c.Mode != ModeFile {
		return fmt.Errorf("mode %q is unknown", c.Mode)
	}
	return nil
}

func (c *Config) checkURLs() error {
	if len(c.URLs) == 0 || len(c.URLs) > maxURLs {
		return fmt.Errorf("%d urls, want 1 to %d", len(c.URLs), maxURLs)
	}
	for i, address := range c.URLs {
		if slices.Contains(c.URLs[:i], address) {
			return fmt.Errorf("url %d is there twice", i+1)
		}
	}
	for _, file := range []string{c.TokenFile, c.HeaderFile} {
		if file != "" && !filepath.IsAbs(file) {
			return fmt.Errorf("path %q is not absolute", file)
		}
		if scheme, _, _ := strings.Cut(c.URLs[0], ":"); file != "" && scheme != "https" && scheme != "http" {
			return errors.New("credentials are for a server, and the first url is none")
		}
	}
	plain := *c
	plain.TokenFile, plain.HeaderFile = cmp.Or(c.TokenFile, c.HeaderFile), "" // neither is read here; both are secret
	_, err := plain.sources("")
	return err
}

// checkRoot is the check that every client makes of its first root.
func checkRoot(root []byte) error {
	if len(root) > maxRoot {
		return fmt.Errorf("more than %d bytes", maxRoot)
	}
	_, err := fetcher.New(root, "", fetcher.NewDirSource(os.DevNull), &fetcher.Options{Ephemeral: true})
	return err
}

func fileSystem(fsys durable.FS) durable.FS {
	if fsys == nil {
		return durable.OS()
	}
	return fsys
}
