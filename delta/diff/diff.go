// SPDX-License-Identifier: Apache-2.0

// Package diff makes the patches that package delta applies.
//
// [Make] is the function that you need. The patch is an ordinary one of the
// named format, however it was found; the way may change, the formats do not.
//
// Level says how much time a patch is worth. For waybill1, references in
// executables, also of those within other files, are made alike and archives
// seen by their contents; then Best finds the longest matches by a suffix
// array, Default and Fast by a table of places. bsdiff4 takes the cheapest path
// through the longest matches, with costs that it has learned from a first
// pass; at level Fast, and where memory does not suffice, it extends equal
// blocks instead. vcdiff has one level.
//
// All take linear time, or nearly so, for any input, end soon after their
// context does, and make the same patch on any number of cores. Every patch is
// applied before it is handed out.
package diff

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/waybill-project/waybill/delta"
	"github.com/waybill-project/waybill/delta/internal/waybill1"
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

// Make writes to out a patch that leads from base to result. Lengths are in
// bytes; base may be nil if baseLen is 0. Nothing is written on an error:
// ErrBudget, delta.ErrUnsupported, the end of ctx, or trouble with the readers.
func Make(ctx context.Context, format string, base, result io.ReaderAt, baseLen, resultLen int64, out io.Writer, opts *Options) error {
	if !slices.Contains(delta.Formats(), format) {
		return fmt.Errorf("make patch: %w %q", delta.ErrUnsupported, format)
	}
	if opts == nil {
		opts = &Options{}
	}
	if !opts.Level.known() {
		return fmt.Errorf("make %s patch: unknown level %v", format, opts.Level)
	}
	patch, err := makePatch(ctx, format, base, result, baseLen, resultLen, opts)
	if err != nil {
		return fmt.Errorf("make %s patch: %w", format, err)
	}
	if _, err := out.Write(patch); err != nil {
		return fmt.Errorf("write %s patch: %w", format, err)
	}
	return nil
}

func makePatch(ctx context.Context, format string, base, result io.ReaderAt, baseLen, resultLen int64, opts *Options) ([]byte, error) {
	budget := opts.Budget.withDefaults()
	if err := budget.admit(format, memory(format, opts.Level, baseLen, resultLen)); err != nil {
		return nil, err
	}
	p := pair{limit: budget, progress: &progress{tell: opts.Progress, total: 2 * resultLen}}
	var err error
	if p.base, err = read(base, baseLen); err != nil {
		return nil, fmt.Errorf("read base: %w", err)
	}
	if p.result, err = read(result, resultLen); err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	timed, cancel := context.WithTimeoutCause(ctx, budget.Time, fmt.Errorf("%w: %v of time", ErrBudget, budget.Time))
	defer cancel()
	var patch []byte
	switch format {
	case delta.BSDiff4:
		patch, err = p.bsdiff4(timed, opts)
	case delta.VCDIFF:
		patch, err = encodeVCDIFF(timed, p.base, p.result, vcdiffDefaults())
	default:
		patch, err = p.waybill1(timed, opts)
	}
	if timed.Err() != nil {
		return nil, context.Cause(timed)
	}
	if err != nil {
		return nil, err
	}
	if err := p.check(ctx, format, patch); !errors.Is(err, waybill1.ErrWork) {
		return patch, err
	}
	if patch, err = p.plainly(opts.Level).make(timed); err != nil {
		return nil, err
	}
	return patch, p.check(ctx, format, patch)
}

// memory is what making a patch takes at least, in bytes, inputs included.
func memory(format string, level Level, baseLen, resultLen int64) int64 {
	switch format {
	case delta.BSDiff4:
		return blocksMemory(baseLen, resultLen)
	case delta.VCDIFF:
		return vcdiffMemory(baseLen, resultLen)
	}
	return waybill1Memory(level, baseLen, resultLen)
}

// pair is a base and a result in memory.
type pair struct {
	base, result []byte
	limit        Budget
	progress     *progress
}

func (p pair) bsdiff4(ctx context.Context, opts *Options) ([]byte, error) {
	matches, err := p.matcher(ctx, opts)(ctx, p.base, p.result)
	if err != nil {
		return nil, err
	}
	p.progress.set(int64(len(p.result)))
	return writeBSDiff4(ctx, p.base, p.result, matches)
}

// matcher finds what a result shares with its base.
type matcher func(ctx context.Context, base, result []byte) ([]match, error)

// matcher is the best one that level and budget allow.
func (p pair) matcher(ctx context.Context, opts *Options) matcher {
	if opts.Level == Fast {
		return matchBlocks
	}
	baseLen, resultLen := int64(len(p.base)), int64(len(p.result))
	err := p.limit.admit("alignment", alignMemory(baseLen, resultLen))
	if err == nil && max(baseLen, resultLen) <= alignMost {
		return align
	}
	if opts.Logger != nil {
		opts.Logger.InfoContext(ctx, "patch made by block matching only", "reason", err)
	}
	return matchBlocks
}

// check applies the patch as a client would.
func (p pair) check(ctx context.Context, format string, patch []byte) error {
	info := delta.Info{
		Format:       format,
		BaseLength:   int64(len(p.base)),
		BaseSHA256:   sha256.Sum256(p.base),
		ResultLength: int64(len(p.result)),
		ResultSHA256: sha256.Sum256(p.result),
		PatchLength:  int64(len(patch)),
	}
	err := delta.Apply(ctx, info, bytes.NewReader(p.base), bytes.NewReader(patch), &proof{progress: p.progress}, nil)
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
