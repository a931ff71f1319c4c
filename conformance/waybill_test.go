// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"context"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/waybill-project/waybill/conformance"
	"github.com/waybill-project/waybill/fetcher"
)

// waybill is our own client, with its defaults.
type waybill struct{}

func (waybill) Do(ctx context.Context, c conformance.Command) error {
	first := filepath.Join(c.MetadataDir, "first-root")
	if c.Verb == conformance.Init {
		if err := os.WriteFile(filepath.Join(c.MetadataDir, "root.json"), c.Root, 0o600); err != nil {
			return err
		}
		return os.WriteFile(first, c.Root, 0o600)
	}
	root, err := os.ReadFile(first)
	if err != nil {
		return err
	}
	source, err := fetcher.NewHTTPSource(c.MetadataURL, &fetcher.HTTPOptions{
		MetadataURL: c.MetadataURL, TargetsURL: c.TargetsURL, Retries: -1,
	})
	if err != nil {
		return err
	}
	opts := &fetcher.Options{Flat: true, Now: func() time.Time { return c.Now }}
	client, err := fetcher.New(root, c.MetadataDir, source, opts)
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
		if err := client.Download(ctx, target, filepath.Join(c.TargetDir, "t-"+url.QueryEscape(name))); err != nil {
			return err
		}
	}
	return nil
}

func (waybill) Classes(err error) []string {
	var out []string
	for class, rule := range map[string]error{
		conformance.Signature: fetcher.ErrSignature, conformance.Threshold: fetcher.ErrThreshold, conformance.Expired: fetcher.ErrExpired,
		conformance.Rollback: fetcher.ErrRollback, conformance.Mismatch: fetcher.ErrMismatch, conformance.TooLarge: fetcher.ErrTooLarge,
		conformance.Malformed: fetcher.ErrMalformed, conformance.WrongSoftware: fetcher.ErrWrongSoftware, conformance.Clock: fetcher.ErrClock,
	} {
		if errors.Is(err, rule) {
			out = append(out, class)
		}
	}
	var source *fetcher.SourceError
	switch {
	case errors.As(err, &source):
		out = append(out, conformance.Network)
	case out == nil && errors.Is(err, fs.ErrNotExist):
		out = append(out, conformance.Absent)
	case out == nil:
		out = append(out, "other")
	}
	return out
}
