// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/waybill-project/waybill/delta"
	"github.com/waybill-project/waybill/delta/diff"
	"github.com/waybill-project/waybill/internal/cli"
)

func (a *app) deltaCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "delta",
		Short: "Make, apply and look at patches by hand",
		Example: `  waybill delta make old new -o patch
  waybill delta apply old patch -o new2 --sha256 HEX
  waybill delta info patch`,
		Args: badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return usagef(c, "delta wants make, apply or info") },
	}
	c.AddCommand(a.deltaMakeCommand(), a.deltaApplyCommand(), a.deltaInfoCommand())
	return exits(c)
}

func (a *app) deltaMakeCommand() *cobra.Command {
	var out, format, memory string
	var limit time.Duration
	c := &cobra.Command{
		Use:     "make OLD NEW -o PATCH",
		Short:   "Make the patch that turns OLD into NEW; it is applied once to prove it",
		Example: `  waybill delta make app-1.0 app-1.1 -o app.patch --memory 4GiB --timeout 10m`,
		Args:    badArgs(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			budget := diff.Budget{Time: limit}
			var err error
			if budget.Memory, err = parseSize(memory); err != nil {
				return usagef(c, "--memory %s: %v", memory, err)
			}
			if out == "" {
				return usagef(c, "-o PATCH is missing")
			}
			return a.deltaMake(c.Context(), args[0], args[1], out, format, budget)
		},
	}
	f := c.Flags()
	f.StringVarP(&out, "output", "o", "", "`PATCH` to write")
	f.StringVar(&format, "format", delta.BSDiff4, "patch `FORMAT`: "+strings.Join(delta.Formats(), ", "))
	f.StringVar(&memory, "memory", "", "use at most this much memory, such as 512MiB (default 2GiB)")
	f.DurationVar(&limit, "timeout", 0, "give up after this time (default 5m)")
	return exits(c, cli.Local)
}

func (a *app) deltaMake(ctx context.Context, from, to, out, format string, budget diff.Budget) error {
	base, err := openFile(from)
	if err != nil {
		return err
	}
	defer base.Close()
	result, err := openFile(to)
	if err != nil {
		return err
	}
	defer result.Close()
	started := a.now()
	var size int64
	err = writeOutput(out, func(w io.Writer) error {
		counted := &counter{w: w}
		defer func() { size = counted.n }()
		return diff.Make(ctx, format, base, result, base.size, result.size, counted, &diff.Options{Budget: budget})
	})
	if err != nil {
		return err
	}
	a.say("%s: %s, %s of %s saved", out, cli.Bytes(size), percent(result.size-size, result.size), cli.Bytes(result.size))
	return a.object(map[string]any{"schema": 1, "patch": out, "format": format, "length": size,
		"base_length": base.size, "result_length": result.size, "seconds": a.now().Sub(started).Seconds()})
}

func (a *app) deltaApplyCommand() *cobra.Command {
	var out, sum string
	c := &cobra.Command{
		Use:   "apply OLD PATCH -o NEW",
		Short: "Apply a patch",
		Long: `Applies a patch to OLD and prints the sha256 of the result. With --sha256 only that
result is kept. A patch says nothing trustworthy about its result: without --sha256
it is unverified, and "waybill delta apply" says so.`,
		Example: `  waybill delta apply app-1.0 app.patch -o app-1.1 --sha256 9f86d08...`,
		Args:    badArgs(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			want, err := hex.DecodeString(sum)
			if err != nil || (sum != "" && len(want) != sha256.Size) {
				return usagef(c, "--sha256 wants 64 hex digits")
			}
			if out == "" {
				return usagef(c, "-o NEW is missing")
			}
			return a.deltaApply(c.Context(), args[0], args[1], out, want)
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "`FILE` to write")
	c.Flags().StringVar(&sum, "sha256", "", "what the result must hash to, in `HEX`")
	return exits(c, cli.Verification, cli.Local)
}

func (a *app) deltaApply(ctx context.Context, from, patchPath, out string, want []byte) error {
	base, err := openFile(from)
	if err != nil {
		return err
	}
	defer base.Close()
	patch, err := openFile(patchPath)
	if err != nil {
		return err
	}
	defer patch.Close()
	info, err := patchFacts(ctx, base, patch)
	if err != nil {
		return badPatch(patchPath, err)
	}
	copy(info.ResultSHA256[:], want)
	made := sha256.New()
	err = writeOutput(out, func(w io.Writer) error {
		err := delta.Apply(ctx, info, base, patch, io.MultiWriter(w, made), nil)
		if len(want) == 0 && errors.Is(err, delta.ErrResultMismatch) {
			return nil // there was nothing to match
		}
		return err
	})
	if err != nil {
		return badPatch(patchPath, err)
	}
	if len(want) == 0 {
		a.warn("%s is unverified: compare its sha256 with one that you trust", out)
	}
	a.say("%x", made.Sum(nil))
	return a.object(map[string]any{"schema": 1, "result": out, "length": info.ResultLength,
		"sha256": hex.EncodeToString(made.Sum(nil)), "verified": len(want) > 0})
}

func badPatch(path string, err error) error {
	if errors.Is(err, delta.ErrCorrupt) || errors.Is(err, delta.ErrResultMismatch) {
		return &cli.Error{Code: cli.Verification, Err: fmt.Errorf("%s: %w", path, err), Hint: "was it made for this base? nothing was written"}
	}
	if errors.Is(err, delta.ErrUnsupported) {
		return &cli.Error{Code: cli.Verification, Err: fmt.Errorf("%s: %w", path, err), Hint: "it may be a good patch for another program"}
	}
	return err
}

// patchFacts is what signed metadata would say about the patch; here the base
// and the patch's own headers are all there is.
func patchFacts(ctx context.Context, base, patch *inputFile) (delta.Info, error) {
	claim, err := delta.Inspect(ctx, patch, patch.size)
	if err != nil {
		return delta.Info{}, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(base, 0, base.size)); err != nil {
		return delta.Info{}, err
	}
	info := delta.Info{Format: claim.Format, BaseLength: base.size, ResultLength: claim.ResultLength, PatchLength: patch.size}
	sum.Sum(info.BaseSHA256[:0])
	return info, nil
}

func (a *app) deltaInfoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "info PATCH",
		Short:   "Show what the header of a patch claims",
		Example: `  waybill delta info app.patch --json`,
		Args:    badArgs(cobra.ExactArgs(1)),
		RunE:    func(c *cobra.Command, args []string) error { return a.deltaInfo(c.Context(), args[0]) },
	}
	return exits(c, cli.Verification, cli.Local)
}

func (a *app) deltaInfo(ctx context.Context, path string) error {
	patch, err := openFile(path)
	if err != nil {
		return err
	}
	defer patch.Close()
	claim, err := delta.Inspect(ctx, patch, patch.size)
	if err != nil {
		return badPatch(path, err)
	}
	a.say("format      %s\nlength      %d\nresult      %d (%s, as the patch claims)", claim.Format, patch.size, claim.ResultLength, cli.Bytes(claim.ResultLength))
	object := map[string]any{"schema": 1, "format": claim.Format, "length": patch.size, "result_length": claim.ResultLength}
	for _, s := range claim.Sections {
		a.say("%-11s %d", s.Name, s.Length)
		object[s.Name+"_length"] = s.Length
	}
	return a.object(object)
}
