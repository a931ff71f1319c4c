// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/waybill-project/waybill/conformance"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/repo/release"
)

// waybill is our own client with its defaults, in this process.
type waybill struct{}

func TestWaybill(t *testing.T) {
	prove(t, waybillResults(), reasons(t, "testdata/waybill.txt", caseNames(t)))
}

func (waybill) Do(ctx context.Context, c conformance.Command) error {
	if c.Verb == conformance.Init {
		if err := os.WriteFile(filepath.Join(c.MetadataDir, "root.json"), c.Root, 0o600); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(c.MetadataDir, firstRoot), c.Root, 0o600)
	}
	root, err := os.ReadFile(filepath.Join(c.MetadataDir, firstRoot))
	if err != nil {
		return err
	}
	source, err := fetcher.NewHTTPSource(c.MetadataURL, &fetcher.HTTPOptions{
		MetadataURL: c.MetadataURL, TargetsURL: c.TargetsURL, Retries: -1,
	})
	if err != nil {
		return err
	}
	client, err := fetcher.New(root, c.MetadataDir, source, &fetcher.Options{Flat: true, Now: func() time.Time { return c.Now }})
	if err != nil {
		return err
	}
	if err := client.Refresh(ctx); err != nil {
		return err
	}
	for _, name := range c.Targets {
		target, err := client.Target(ctx, name)
		if err != nil {
			return err
		}
		if err := client.Download(ctx, target, targetFile(c, name)); err != nil {
			return err
		}
	}
	if c.Verb == conformance.Release {
		return newest(ctx, client, c)
	}
	return nil
}

// newest brings the newest release that a new endpoint may have.
func newest(ctx context.Context, client *fetcher.Client, c conformance.Command) error {
	target, _, err := client.Newest(ctx, c.Product, c.Channel, c.Platform, release.Installed{}, release.Want{})
	if err != nil {
		return err
	}
	return client.Download(ctx, target, targetFile(c, target.Name))
}

// firstRoot is where the clients of these tests keep what Init gave them.
const firstRoot = "first-root"

func targetFile(c conformance.Command, name string) string {
	return filepath.Join(c.TargetDir, "t-"+url.QueryEscape(name))
}

func (waybill) Classes(err error) []string {
	out := []string{}
	for class, rule := range map[string]error{
		conformance.Signature: fetcher.ErrSignature, conformance.Threshold: fetcher.ErrThreshold, conformance.Expired: fetcher.ErrExpired,
		conformance.Rollback: fetcher.ErrRollback, conformance.Mismatch: fetcher.ErrMismatch, conformance.TooLarge: fetcher.ErrTooLarge,
		conformance.Malformed: fetcher.ErrMalformed, conformance.WrongSoftware: fetcher.ErrWrongSoftware, conformance.Clock: fetcher.ErrClock,
		conformance.Space: fetcher.ErrSpace,
	} {
		if errors.Is(err, rule) {
			out = append(out, class)
		}
	}
	var source *fetcher.SourceError
	switch {
	case errors.As(err, &source):
		return append(out, conformance.Network)
	case len(out) == 0 && errors.Is(err, fs.ErrNotExist):
		return []string{conformance.Absent}
	case len(out) == 0:
		return []string{"other"}
	}
	return out
}
