// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/keys"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo"
	"github.com/waybill-project/waybill/repo/store"
	"github.com/waybill-project/waybill/signer"
)

func TestExplain(t *testing.T) {
	expired := &fetcher.VerifyError{Role: "root", Version: 1, Err: &fetcher.ExpiredError{Role: "root", Expires: time.Unix(0, 0)}}
	for _, c := range []struct {
		name string
		err  error
		want int
	}{
		{"plain", errors.New("x"), cli.Failure},
		{"policy", &policy.Error{File: "waybill.yaml", Line: 3, Msg: "x"}, cli.Usage},
		{"known", &cli.Error{Code: cli.Refused, Err: errors.New("x")}, cli.Refused},
		{"threshold", &repo.ThresholdError{Role: "root", Need: 2}, cli.Unsigned},
		{"passphrase", &signer.KeyError{Ref: "file:x", Err: keys.ErrPassphrase}, cli.KeyProblem},
		{"permissions", keys.ErrPermissions, cli.KeyProblem},
		{"key file absent", &signer.KeyError{Ref: "file:x", Err: &fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}}, cli.KeyProblem},
		{"scheme", signer.ErrUnknownScheme, cli.KeyProblem},
		{"not authorised", repo.ErrNotAuthorised, cli.KeyProblem},
		{"conflict", repo.ErrConflict, cli.Conflict},
		{"changed", &store.Error{Op: "replace", Err: store.ErrChanged}, cli.Conflict},
		{"locked", &store.Error{Op: "lock", Err: store.ErrLocked}, cli.Conflict},
		{"storage", &store.Error{Op: "get", Err: errors.New("refused")}, cli.Network},
		{"source", &fetcher.SourceError{Name: "x", Err: errors.New("404")}, cli.Network},
		{"verification", &fetcher.VerifyError{Role: "targets", Err: fetcher.ErrSignature}, cli.Verification},
		{"expired", expired, cli.Expired},
		{"put back", repo.ErrPutBack, cli.Verification},
		{"disk", &os.PathError{Op: "write", Path: "x", Err: errors.New("no space")}, cli.Local},
		{"exists", fs.ErrExist, cli.Local},
		{"unknown product", repo.ErrUnknown, cli.NoSuch},
		{"empty", repo.ErrEmpty, cli.NoSuch},
		{"not allowed", repo.ErrInvalid, cli.Refused},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := explain(context.Background(), fmt.Errorf("doing: %w", c.err))
			if got := cli.Fail("waybill", err, false, &bytes.Buffer{}, &bytes.Buffer{}); got != c.want {
				t.Errorf("%v: %d, want %d", c.err, got, c.want)
			}
			if !errors.Is(err, c.err) {
				t.Errorf("the cause is lost: %v", err)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs bytes.Buffer
	dir := t.TempDir()
	env := func(name string) string {
		return map[string]string{"WAYBILL_PASSPHRASE": "x", "WAYBILL_REPO": dir + "/bucket"}[name]
	}
	if code := run(ctx, []string{"init", "--product", "app", "--dir", dir}, nil, &out, &errs, env); code != cli.Interrupted {
		t.Fatalf("ended with %d: %s", code, errs.String())
	}
}

func TestHelp(t *testing.T) {
	var walk func(c *cobra.Command)
	a := &app{}
	walk = func(c *cobra.Command) {
		if c.Short == "" || c.Example == "" || !strings.Contains(exitHelp(c), "wrong arguments") {
			t.Errorf("%s: help wants a summary, an example and its exit status", c.CommandPath())
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(a.rootCommand())
}

func TestSpan(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "3d": 72 * time.Hour, "90m": 90 * time.Minute} {
		if got, err := parseSpan(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"d", "-1d", "0d", "3651d", "-1h", "0s", "soon", "1d12h"} {
		if got, err := parseSpan(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
	for d, want := range map[time.Duration]string{90 * time.Second: "90s", 3 * time.Minute: "3m", 47 * time.Hour: "47h", 72 * time.Hour: "3d", -3 * time.Hour: "over since 3h"} {
		if got := span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]int64{"": 0, "1": 1, "4KiB": 4096, "512MiB": 512 << 20, "2GiB": 2 << 30} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"0", "-1MiB", "1MB", "MiB", "99999999999999999999GiB"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}
