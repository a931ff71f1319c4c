// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"

	"github.com/waybill-project/waybill/conformance"
)

// goTUF is the stock updater of go-tuf v2, used as its documentation shows: the
// first root is part of the program, the metadata folder is its cache.
type goTUF struct{}

// TestGoTUF proves what testdata/go-tuf-2.4.2.txt says: in which cases the stock
// updater fails, and in no other.
func TestGoTUF(t *testing.T) {
	prove(t, goTUFResults(), reasons(t, "testdata/go-tuf-2.4.2.txt", caseNames(t)))
}

func (goTUF) Do(_ context.Context, c conformance.Command) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &conformance.CrashError{Err: fmt.Errorf("panic: %v", r)}
		}
	}()
	first := filepath.Join(c.MetadataDir, firstRoot)
	if c.Verb == conformance.Init {
		return os.WriteFile(first, c.Root, 0o600)
	}
	if c.Verb == conformance.Release {
		return errors.New("this client knows no releases")
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
	u, err := updater.New(cfg)
	if err != nil {
		return err
	}
	u.UnsafeSetRefTime(c.Now)
	if err := u.Refresh(); err != nil {
		return err
	}
	for _, name := range c.Targets {
		if err := fetch(u, name, targetFile(c, name)); err != nil {
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

// Classes knows nothing: the stock updater is judged by success and failure.
func (goTUF) Classes(error) []string { return nil }
