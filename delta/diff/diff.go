// SPDX-License-Identifier: Apache-2.0

// Package diff makes the patches that package delta applies.
//
// [Make] is the function that you need. The patch is an ordinary one of the
// named format, however it was found; the way may change, the formats do not.
//
// For bsdiff4 it takes the cheapest path through the longest matches, which a
// suffix array finds, with costs that it has learned from a first pass. Where
// memory does not suffice, it extends equal blocks instead. Both take linear
// time, or nearly so, for any input, end soon after their context does, and
// make the same patch on any number of cores. Every patch is applied before it
// is handed out.
package diff

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"time"

	"github.com/waybill-project/waybill/delta"
)

// ErrBudget says that a patch was not made because it would have taken more
// memory or time than the Budget; the error that wraps it says which.
var ErrBudget = errors.New("over the delta budget")

// Defaults for the zero Budget.
const (
	DefaultMemory = 2 << 30
	DefaultTime   = 5 * time.Minute
)

// Budget is what one patch may cost. A zero field means its default.
type Budget struct {
	Memory int64         // bytes, inputs included, by declared need
	Time   time.Duration // of making; the final check comes on top
}

// Options are the optional arguments of Make.
type Options struct {
	Budget Budget
	Logger *slog.Logger // told if memory suffices for block matching only; nil is silent
}

// Make writes to out a patch that leads from base to result. Lengths are in
// bytes; base may be nil if baseLen is 0. Nothing is written on an error:
// ErrBudget, delta.ErrUnsupported, the end of ctx, or trouble with the readers.
func Make(ctx context.Context, format string, base, result io.ReaderAt, baseLen, resultLen int64, out io.Writer, opts *Options) error {
	if format != delta.BSDiff4 {
		return fmt.Errorf("make patch: %w %q", delta.ErrUnsupported, format)
	}
	if opts == nil {
		opts = &Options{}
	}
	patch, err := makeBSDiff4(ctx, base, result, baseLen, resultLen, opts)
	if err != nil {
		return fmt.Errorf("make %s patch: %w", format, err)
	}
	if _, err := out.Write(patch); err != nil {
		return fmt.Errorf("write %s patch: %w", format, err)
	}
	return nil
}

func makeBSDiff4(ctx context.Context, base, result io.ReaderAt, baseLen, resultLen int64, opts *Options) ([]byte, error) {
	budget := opts.Budget.withDefaults()
	find, err := matcherFor(ctx, baseLen, resultLen, budget, opts.Logger)
	if err != nil {
		return nil, err
	}
	var p pair
	if p.base, err = read(base, baseLen); err != nil {
		return nil, fmt.Errorf("read base: %w", err)
	}
	if p.result, err = read(result, resultLen); err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	timed, cancel := context.WithTimeoutCause(ctx, budget.Time, fmt.Errorf("%w: %v of time", ErrBudget, budget.Time))
	defer cancel()
	matches, err := find(timed, p.base, p.result)
	if err != nil {
		return nil, err
	}
	patch, err := writeBSDiff4(timed, p.base, p.result, matches)
	if err != nil {
		return nil, err
	}
	return patch, p.check(ctx, patch)
}

// matcher finds what a result shares with its base.
type matcher func(ctx context.Context, base, result []byte) ([]match, error)

// matcherFor is the best matcher that the budget allows.
func matcherFor(ctx context.Context, baseLen, resultLen int64, budget Budget, logger *slog.Logger) (matcher, error) {
	err := budget.admit("alignment", alignMemory(baseLen, resultLen))
	if err == nil && max(baseLen, resultLen) <= alignMost {
		return align, nil
	}
	if err := budget.admit("block matching", blocksMemory(baseLen, resultLen)); err != nil {
		return nil, err
	}
	if logger != nil {
		logger.InfoContext(ctx, "patch made by block matching only", "reason", err)
	}
	return matchBlocks, nil
}

// pair is a base and a result in memory.
type pair struct{ base, result []byte }

// check applies the patch as a client would.
func (p pair) check(ctx context.Context, patch []byte) error {
	info := delta.Info{
		Format:       delta.BSDiff4,
		BaseLength:   int64(len(p.base)),
		BaseSHA256:   sha256.Sum256(p.base),
		ResultLength: int64(len(p.result)),
		ResultSHA256: sha256.Sum256(p.result),
		PatchLength:  int64(len(patch)),
	}
	err := delta.Apply(ctx, info, bytes.NewReader(p.base), bytes.NewReader(patch), io.Discard, nil)
	if err != nil {
		return fmt.Errorf("check of the new patch: %w", err)
	}
	return nil
}

func (b Budget) withDefaults() Budget {
	if b.Memory == 0 {
		b.Memory = DefaultMemory
	}
	if b.Time == 0 {
		b.Time = DefaultTime
	}
	return b
}

// admit refuses a declared need, in bytes, that is over budget or unknown.
func (b Budget) admit(engine string, need int64) error {
	if need < 0 || need > b.Memory {
		return fmt.Errorf("%w: %s needs %d bytes of memory, %d allowed", ErrBudget, engine, need, b.Memory)
	}
	return nil
}

// alignMemory is the need of align in bytes: the inputs, 4.7 bytes of suffix
// array and up to 1 of filter per byte of the base, seeds of up to 0.8 bytes
// per byte of the result, the patch while it grows, and garbage.
func alignMemory(baseLen, resultLen int64) int64 { return need(112<<20, baseLen, 7, resultLen, 4) }

// blocksMemory is that of block matching: the inputs, at most 2 bytes of table
// per byte of the base, and the patch while it grows.
func blocksMemory(baseLen, resultLen int64) int64 { return need(48<<20, baseLen, 3, resultLen, 3) }

// need is -1 for lengths that are out of range.
func need(fixed, baseLen, perBase, resultLen, perResult int64) int64 {
	const most = math.MaxInt / 64
	if baseLen < 0 || resultLen < 0 || baseLen > most || resultLen > most {
		return -1
	}
	return fixed + baseLen*perBase + resultLen*perResult
}

func read(r io.ReaderAt, length int64) ([]byte, error) {
	data := make([]byte, length)
	if length == 0 {
		return data, nil
	}
	n, err := r.ReadAt(data, 0)
	switch {
	case int64(n) == length:
		return data, nil
	case err == io.EOF:
		return nil, fmt.Errorf("%d bytes instead of %d: %w", n, length, io.ErrUnexpectedEOF)
	}
	return nil, err
}
