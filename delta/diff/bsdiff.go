// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/gabstv/go-bsdiff/pkg/bsdiff"
)

// maxRun is the longest run in bytes that go-bsdiff is given.
const maxRun = 1 << 20

var (
	errRun    = errors.New("go-bsdiff left out: the input has a long run")
	errBehind = errors.New("go-bsdiff left out: an earlier run has not ended")
)

// outcome is what a run of go-bsdiff ends with.
type outcome struct {
	patch []byte
	err   error
}

// bsdiffBytes turns the engine's panics into errors.
func bsdiffBytes(base, result []byte) (patch []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("go-bsdiff: panic: %v", r)
		}
	}()
	return bsdiff.Bytes(base, result)
}

// bsdiff runs go-bsdiff until the context ends; the run itself goes on then.
func (m *Maker) bsdiff(ctx context.Context, p pair) ([]byte, error) {
	if err := m.admit(p); err != nil {
		return nil, err
	}
	done := make(chan outcome, 1)
	go func() {
		patch, err := m.search(p.base, p.result)
		done <- outcome{patch, err}
	}()
	select {
	case o := <-done:
		return o.patch, o.err
	case <-ctx.Done():
		m.behind = done
		return nil, fmt.Errorf("go-bsdiff left behind: %w", context.Cause(ctx))
	}
}

func (m *Maker) admit(p pair) error {
	select {
	case <-m.behind:
		m.behind = nil
	default:
	}
	if m.behind != nil {
		return errBehind
	}
	if err := p.limit.admit("go-bsdiff", bsdiffMemory(int64(len(p.base)), int64(len(p.result)))); err != nil {
		return err
	}
	if max(longestRun(p.base), longestRun(p.result)) > maxRun {
		return errRun
	}
	return nil
}

// bsdiffMemory is the need of go-bsdiff in bytes: two arrays of 8 bytes per
// byte of the base, two buffers of the result's size, both inputs and the
// patch while it grows. Measured peaks of whole processes lie 5 to 20 % below
// (11.6 bytes per byte of base and result for two executables of 11 MB).
func bsdiffMemory(baseLen, resultLen int64) int64 {
	return need(baseLen, 18, resultLen, 6)
}

// blocksMemory is the need of the block matcher: the inputs, at most 2 bytes
// of table per byte of the base, and the patch while it grows.
func blocksMemory(baseLen, resultLen int64) int64 {
	return need(baseLen, 3, resultLen, 5)
}

// need is -1 for lengths that are out of range.
func need(baseLen, perBase, resultLen, perResult int64) int64 {
	const fixed, most = 48 << 20, math.MaxInt / 64
	if baseLen < 0 || resultLen < 0 || baseLen > most || resultLen > most {
		return -1
	}
	return baseLen*perBase + resultLen*perResult + fixed
}
