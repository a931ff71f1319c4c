// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"github.com/waybill-project/waybill/conformance"
)

// goTUF is the stock updater of go-tuf v2, used as its documentation shows: the
// first root is part of the program, the metadata folder is its cache.
type goTUF struct{}

func (goTUF) Do(_ context.Context, c conformance.Command) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &conformance.CrashError{Err: fmt.Errorf("panic: %v", r)}
		}
	}()
	first := filepath.Join(c.MetadataDir, "first-root")
	if c.Verb == conformance.Init {
		return os.WriteFile(first, c.Root, 0o600)
	}
	root, err := os.ReadFile(first)
	if err != nil {
		return err
	}
	cfg, err := config.New(c.MetadataURL, root)
	if err != nil {
		return err
	}
	cfg.LocalMetadataDir, cfg.LocalTargetsDir, cfg.RemoteTargetsURL = c.MetadataDir, c.TargetDir, c.TargetsURL
	cfg.PrefixTargetsWithHash = true
	u, err := updater.New(cfg)
	if err != nil {
		return err
	}
	u.UnsafeSetRefTime(c.Now)
	if err := u.Refresh(); err != nil {
		return err
	}
	for _, name := range c.Targets {
		if err := fetch(u, name, filepath.Join(c.TargetDir, "t-"+url.QueryEscape(name))); err != nil {
			return err
		}
	}
	return nil
}

func fetch(u *updater.Updater, name, path string) error {
	info, err := u.GetTargetInfo(name)
	if err != nil {
		return err
	}
	if info == nil {
		return errors.New("no information about " + name)
	}
	if have, _, err := u.FindCachedTarget(info, path); err != nil || have != "" {
		return err
	}
	_, _, err = u.DownloadTarget(info, path, "")
	return err
}

func (goTUF) Classes(error) []string { return nil }
