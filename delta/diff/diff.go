// SPDX-License-Identifier: Apache-2.0

// Package diff makes the patches that package delta applies.
//
// [Make] is the function that you need; a program that makes several patches
// uses one [Maker] for all. The patch is an ordinary one of the named format,
// whichever engine made it, so engines may change; the formats do not.
//
// VCDIFF patches come from an encoder of this package, in linear time. Two
// engines make bsdiff4 patches, and the smaller patch is kept. go-bsdiff
// follows the original closely, but it cannot be cancelled, takes quadratic
// time on long runs (minutes for 2 MiB of zeros) and about 24 bytes of memory
// per byte of an executable. It therefore runs only on inputs without such
// runs, within the memory budget, and is left behind at the deadline. The
// block matcher of this package runs first, in linear time, so that such an
// input still gets a patch: a zero-filled section costs a few bytes rather
// than the delta. At level Fast it works alone. Every patch is applied before
// it is handed out.
package diff

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
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
	Time   time.Duration // until an engine is left; the final check comes on top
}

// Maker makes one patch at a time. At most one run of go-bsdiff that missed
// its deadline can linger behind a Maker; until it ends, no other is started.
type Maker struct {
	turn   chan struct{}
	search func(base, result []byte) ([]byte, error)
	behind <-chan outcome
}

// NewMaker returns a Maker.
func NewMaker() *Maker {
	return &Maker{turn: make(chan struct{}, 1), search: bsdiffBytes}
}

// Make is Maker.Make for a program that makes a single patch.
func Make(ctx context.Context, format string, base, result io.ReaderAt, baseLen, resultLen int64, out io.Writer, opts *Options) error {
	return NewMaker().Make(ctx, format, base, result, baseLen, resultLen, out, opts)
}

// Make writes to out a patch that leads from base to result. Lengths are in
// bytes; base may be nil if baseLen is 0. Nothing is written on an error:
// ErrBudget, delta.ErrUnsupported, the end of ctx, or trouble with the readers.
func (m *Maker) Make(ctx context.Context, format string, base, result io.ReaderAt, baseLen, resultLen int64, out io.Writer, opts *Options) error {
	if !slices.Contains(delta.Formats(), format) {
		return fmt.Errorf("make patch: %w %q", delta.ErrUnsupported, format)
	}
	if opts == nil {
		opts = &Options{}
	}
	if !opts.Level.known() {
		return fmt.Errorf("make %s patch: unknown level %v", format, opts.Level)
	}
	select {
	case m.turn <- struct{}{}:
		defer func() { <-m.turn }()
	case <-ctx.Done():
		return fmt.Errorf("make %s patch: %w", format, ctx.Err())
	}
	patch, err := m.make(ctx, format, base, result, baseLen, resultLen, opts)
	if err != nil {
		return fmt.Errorf("make %s patch: %w", format, err)
	}
	if _, err := out.Write(patch); err != nil {
		return fmt.Errorf("write %s patch: %w", format, err)
	}
	return nil
}

func (m *Maker) make(ctx context.Context, format string, base, result io.ReaderAt, baseLen, resultLen int64, opts *Options) ([]byte, error) {
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
		return m.bsdiff4(ctx, timed, p, opts)
	case delta.VCDIFF:
		patch, err = encodeVCDIFF(timed, p.base, p.result, vcdiffDefaults())
	default:
		patch, err = p.waybill1(timed, opts.Level)
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

// memory is what making a patch takes, in bytes, inputs included.
func memory(format string, level Level, baseLen, resultLen int64) int64 {
	switch format {
	case delta.BSDiff4:
		return blocksMemory(baseLen, resultLen)
	case delta.VCDIFF:
		return vcdiffMemory(baseLen, resultLen)
	}
	return waybill1Memory(level, baseLen, resultLen)
}

// bsdiff4 returns the smaller of the two engines' patches.
func (m *Maker) bsdiff4(ctx, timed context.Context, p pair, opts *Options) ([]byte, error) {
	plain, err := matchBlocks(timed, p.base, p.result, p.progress)
	if err != nil {
		return nil, err
	}
	if opts.Level == Fast {
		return p.finish(ctx, plain)
	}
	patch, err := m.bsdiff(timed, p)
	if err == nil && len(patch) < len(plain) {
		if patch, err = p.finish(ctx, patch); err == nil {
			return patch, nil
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil && opts.Logger != nil {
		opts.Logger.InfoContext(ctx, "patch made by block matching only", "reason", err)
	}
	return p.finish(ctx, plain)
}

// pair is a base and a result in memory.
type pair struct {
	base, result []byte
	limit        Budget
	progress     *progress
}

// finish makes a patch as cheap to apply as it can be, and proves it.
func (p pair) finish(ctx context.Context, patch []byte) ([]byte, error) {
	patch, err := lowerLevels(patch)
	if err != nil {
		return nil, fmt.Errorf("streams of the new patch: %w", err)
	}
	return patch, p.check(ctx, delta.BSDiff4, patch)
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
