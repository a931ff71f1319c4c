// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
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
		Short: "Make, apply, look at and measure patches by hand",
		Example: `  waybill delta make old new -o patch
  waybill delta apply old patch -o new2 --sha256 HEX
  waybill delta info patch
  waybill delta bench pairs`,
		Args: badArgs(cobra.NoArgs),
		RunE: func(c *cobra.Command, _ []string) error { return usagef(c, "delta wants make, apply, info or bench") },
	}
	c.AddCommand(a.deltaMakeCommand(), a.deltaApplyCommand(), a.deltaInfoCommand(), a.deltaBenchCommand())
	return exits(c)
}

func (a *app) deltaMakeCommand() *cobra.Command {
	var out, format, level, memory string
	var limit time.Duration
	c := &cobra.Command{
		Use:     "make OLD NEW -o PATCH",
		Short:   "Make the patch that turns OLD into NEW; it is applied once to prove it",
		Example: `  waybill delta make app-1.0 app-1.1 -o app.patch --level best --memory 4GiB --timeout 10m`,
		Args:    badArgs(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			opts := &diff.Options{Budget: diff.Budget{Time: limit}}
			var err error
			if opts.Budget.Memory, err = parseSize(memory); err != nil {
				return usagef(c, "--memory %s: %v", memory, err)
			}
			if opts.Level, err = diff.ParseLevel(level); err != nil {
				return usagef(c, "--level: %v", err)
			}
			if out == "" {
				return usagef(c, "-o PATCH is missing")
			}
			err = a.deltaMake(c.Context(), args[0], args[1], out, format, opts)
			if errors.Is(err, delta.ErrUnsupported) {
				return usageError(c, err)
			}
			return err
		},
	}
	f := c.Flags()
	f.StringVarP(&out, "output", "o", "", "`PATCH` to write")
	f.StringVar(&format, "format", delta.Waybill1, "patch `FORMAT`: "+strings.Join(delta.Formats(), ", "))
	f.StringVar(&level, "level", diff.Default.String(), "`LEVEL`: fast, default, or best for the smallest patch")
	f.StringVar(&memory, "memory", "", "use at most this much memory, such as 512MiB (default 2GiB)")
	f.DurationVar(&limit, "timeout", 0, "give up after this time (default 5m)")
	return exits(c, cli.Local)
}

func (a *app) deltaMake(ctx context.Context, from, to, out, format string, opts *diff.Options) error {
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
	size, err := a.writePatch(ctx, format, base, result, out, opts)
	if errors.Is(err, diff.ErrBudget) {
		return &cli.Error{Code: cli.Failure, Err: err, Hint: "allow more with --memory or --timeout, or take --level fast"}
	}
	if err != nil {
		return err
	}
	a.say("%s: %s, %s of %s saved", out, cli.Bytes(size), percent(result.size-size, result.size), cli.Bytes(result.size))
	return a.object(map[string]any{"schema": 1, "patch": out, "format": format, "level": opts.Level.String(), "length": size,
		"base_length": base.size, "result_length": result.size, "seconds": a.now().Sub(started).Seconds()})
}

// writePatch gives the length of the patch. Its bar counts the result twice,
// matched and proven, and shows it once.
func (a *app) writePatch(ctx context.Context, format string, base, result *inputFile, out string, opts *diff.Options) (size int64, err error) {
	bar := cli.NewProgress(a.stderr, out, result.size)
	defer bar.Finish()
	opts.Progress = func(done, total int64) {
		bar.Set(int64(float64(done) / float64(total) * float64(result.size)))
	}
	err = writeOutput(out, func(w io.Writer) error {
		counted := &counter{w: w}
		defer func() { size = counted.n }()
		return diff.Make(ctx, format, base, result, base.size, result.size, counted, opts)
	})
	return size, err
}

func (a *app) deltaApplyCommand() *cobra.Command {
	var out, sum, baseSum string
	c := &cobra.Command{
		Use:   "apply OLD PATCH -o NEW",
		Short: "Apply a patch of any format",
		Long: `Applies a patch to OLD and prints the sha256 of the result. With --sha256 only that
result is kept. A patch says nothing trustworthy about its result: without --sha256
it is unverified, and "waybill delta apply" says so.`,
		Example: `  waybill delta apply app-1.0 app.patch -o app-1.1 --sha256 9f86d08...`,
		Args:    badArgs(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, args []string) error {
			want, err := parseSum(sum)
			if err != nil {
				return usagef(c, "--sha256 %w", err)
			}
			base, err := parseSum(baseSum)
			if err != nil {
				return usagef(c, "--base-sha256 %w", err)
			}
			if out == "" {
				return usagef(c, "-o NEW is missing")
			}
			return a.deltaApply(c.Context(), args[0], args[1], out, base, want)
		},
	}
	c.Flags().StringVarP(&out, "output", "o", "", "`FILE` to write")
	c.Flags().StringVar(&sum, "sha256", "", "what the result must hash to, in `HEX`")
	c.Flags().StringVar(&baseSum, "base-sha256", "", "what OLD must hash to, in `HEX`")
	return exits(c, cli.Verification, cli.Local)
}

// parseSum reads a sha256, nil if there is none.
func parseSum(text string) ([]byte, error) {
	sum, err := hex.DecodeString(text)
	if err != nil || (text != "" && len(sum) != sha256.Size) {
		return nil, errors.New("wants 64 hex digits")
	}
	return sum, nil
}

func (a *app) deltaApply(ctx context.Context, from, patchPath, out string, baseSum, want []byte) error {
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
	info, err := patchFacts(base, patch, baseSum)
	if err != nil {
		return badPatch(patchPath, err)
	}
	copy(info.ResultSHA256[:], want)
	limits := &delta.Limits{BaseChecked: len(baseSum) == 0, ResultUnknown: len(want) == 0}
	made, err := a.writeResult(ctx, info, limits, base, patch, out)
	if err != nil {
		return badPatch(patchPath, err)
	}
	if len(want) == 0 {
		a.warn("%s is unverified: compare its sha256 with one that you trust", out)
	}
	a.say("%x", made)
	return a.object(map[string]any{"schema": 1, "result": out, "length": info.ResultLength,
		"sha256": hex.EncodeToString(made), "verified": len(want) > 0})
}

// writeResult gives the hash of what it wrote. If the limits say that it is unknown,
// it has to match what the patch says of it, if anything.
func (a *app) writeResult(ctx context.Context, info delta.Info, limits *delta.Limits, base, patch io.ReaderAt, out string) ([]byte, error) {
	bar := cli.NewProgress(a.stderr, out, info.ResultLength)
	defer bar.Finish()
	made := info.ResultSHA256
	err := writeOutput(out, func(w io.Writer) error {
		err := delta.Apply(ctx, info, base, patch, &reported{w, bar}, limits)
		if other := (*delta.ResultError)(nil); limits.ResultUnknown && errors.As(err, &other) {
			made = other.Got
			if bytes.HasPrefix(made[:], bytes.TrimRight(info.ResultSHA256[:], "\x00")) {
				return nil
			}
		}
		return err
	})
	return made[:], err
}

// reported shows what is written.
type reported struct {
	w   io.Writer
	bar *cli.Progress
}

func (r *reported) Write(p []byte) (int, error) {
	n, err := r.w.Write(p)
	r.bar.Add(int64(n))
	return n, err
}

func badPatch(path string, err error) error {
	for _, bad := range []error{delta.ErrCorrupt, delta.ErrUnsupported, delta.ErrBaseMismatch, delta.ErrResultMismatch} {
		if errors.Is(err, bad) {
			return &cli.Error{Code: cli.Verification, Err: fmt.Errorf("%s: %w", path, err), Hint: "was it made for this base? nothing was written"}
		}
	}
	return err
}

// patchFacts is what signed metadata would say about the patch; here the base,
// what the caller knows of it, and the patch's own headers are all there is.
func patchFacts(base, patch *inputFile, baseSum []byte) (delta.Info, error) {
	d, err := delta.Inspect(patch, patch.size)
	switch {
	case err != nil:
		return delta.Info{}, err
	case d.ResultLength < 0:
		return delta.Info{}, fmt.Errorf("%w: it does not say how long its result is", delta.ErrUnsupported)
	case d.BaseLength >= 0 && d.BaseLength != base.size:
		return delta.Info{}, fmt.Errorf("%w: %d bytes instead of %d", delta.ErrBaseMismatch, base.size, d.BaseLength)
	}
	info := delta.Info{Format: d.Format, BaseLength: base.size, ResultLength: d.ResultLength, PatchLength: patch.size}
	copy(info.ResultSHA256[:], d.ResultSum)
	if copy(info.BaseSHA256[:], baseSum) > 0 {
		return info, nil
	}
	sum := sha256.New()
	_, err = io.CopyBuffer(sum, io.NewSectionReader(base, 0, base.size), make([]byte, 256<<10))
	sum.Sum(info.BaseSHA256[:0])
	return info, err
}

func (a *app) deltaInfoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "info PATCH",
		Short:   "Show what the headers of a patch claim",
		Example: `  waybill delta info app.patch --json`,
		Args:    badArgs(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			patch, err := openFile(args[0])
			if err != nil {
				return err
			}
			defer patch.Close()
			d, err := delta.Inspect(patch, patch.size)
			if err != nil {
				return badPatch(args[0], err)
			}
			return a.deltaInfo(d, patch.size)
		},
	}
	return exits(c, cli.Verification, cli.Local)
}

// deltaInfo prints what is known; sections are as long as in the file.
func (a *app) deltaInfo(d delta.Description, length int64) error {
	object := map[string]any{"schema": 1, "format": d.Format, "length": length}
	a.say("%-11s %s\n%-11s %d", "format", d.Format, "length", length)
	if d.BaseLength >= 0 {
		object["base_length"] = d.BaseLength
		a.say("%-11s %d (%s, as the header claims)", "base", d.BaseLength, cli.Bytes(d.BaseLength))
	}
	if d.ResultLength >= 0 {
		object["result_length"] = d.ResultLength
		a.say("%-11s %d (%s, as the header claims)", "result", d.ResultLength, cli.Bytes(d.ResultLength))
	}
	for _, s := range d.Sections {
		object[s.Name+"_length"] = s.Length
		a.say("%-11s %d", s.Name, s.Length)
	}
	return a.object(object)
}
