// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
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
	info, err := patchFacts(base, patch)
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
	return err
}

// patchFacts is what signed metadata would say about the patch; here the base
// and the patch's own header are all there is.
func patchFacts(base, patch *inputFile) (delta.Info, error) {
	h, err := readHeader(patch, patch.size)
	if err != nil {
		return delta.Info{}, err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, io.NewSectionReader(base, 0, base.size)); err != nil {
		return delta.Info{}, err
	}
	info := delta.Info{Format: h.Format, BaseLength: base.size, ResultLength: h.Result, PatchLength: patch.size}
	sum.Sum(info.BaseSHA256[:0])
	return info, nil
}

func (a *app) deltaInfoCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "info PATCH",
		Short:   "Show what the header of a patch claims",
		Example: `  waybill delta info app.patch --json`,
		Args:    badArgs(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			patch, err := openFile(args[0])
			if err != nil {
				return err
			}
			defer patch.Close()
			h, err := readHeader(patch, patch.size)
			if err != nil {
				return badPatch(args[0], err)
			}
			a.say("format      %s\nlength      %d\nresult      %d (%s, as the header claims)", h.Format, h.Length, h.Result, cli.Bytes(h.Result))
			a.say("control     %d\ndifference  %d\nextra       %d", h.Control, h.Difference, h.Extra)
			return a.object(h)
		},
	}
	return exits(c, cli.Verification, cli.Local)
}

// patchHeader is what a bsdiff4 patch says of itself; lengths in bytes, those of
// the three sections compressed.
type patchHeader struct {
	Schema     int    `json:"schema"`
	Format     string `json:"format"`
	Length     int64  `json:"length"`
	Result     int64  `json:"result_length"`
	Control    int64  `json:"control_length"`
	Difference int64  `json:"difference_length"`
	Extra      int64  `json:"extra_length"`
}

func readHeader(patch io.ReaderAt, size int64) (*patchHeader, error) {
	var b [32]byte
	if _, err := patch.ReadAt(b[:], 0); err != nil {
		return nil, fmt.Errorf("%w: shorter than a header", delta.ErrCorrupt)
	}
	if !bytes.HasPrefix(b[:], []byte("BSDIFF40")) {
		return nil, fmt.Errorf("%w: not a bsdiff4 patch", delta.ErrCorrupt)
	}
	h := &patchHeader{Schema: 1, Format: delta.BSDiff4, Length: size}
	for i, field := range []*int64{&h.Control, &h.Difference, &h.Result} {
		v := binary.LittleEndian.Uint64(b[8+8*i:])
		if v > 1<<62 {
			return nil, fmt.Errorf("%w: length out of range", delta.ErrCorrupt)
		}
		*field = int64(v)
	}
	if h.Control > size-32 || h.Difference > size-32-h.Control {
		return nil, fmt.Errorf("%w: sections longer than the patch", delta.ErrCorrupt)
	}
	h.Extra = size - 32 - h.Control - h.Difference
	return h, nil
}
