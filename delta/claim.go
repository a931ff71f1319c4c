// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"context"
	"fmt"
	"io"
	"math"
)

// Claim is what a patch says of itself. Whoever made the patch can make it say
// anything; Apply believes an Info instead.
type Claim struct {
	Format       string
	ResultLength int64  // bytes
	Sections     []Part // in order; for VCDIFF, those of all windows together
}

// Part is a part of a patch.
type Part struct {
	Name   string
	Length int64 // bytes
}

// Inspect recognises the format of a patch of length bytes and reads its headers. It
// returns ErrUnsupported for formats that it does not know and for parts of formats
// that are not read, ErrCorrupt, or the trouble that the reader has.
func Inspect(ctx context.Context, patch io.ReaderAt, length int64) (*Claim, error) {
	var start [bsdiff4Header]byte
	n, err := patch.ReadAt(start[:min(max(length, 0), bsdiff4Header)], 0)
	if err != nil && err != io.EOF {
		return nil, fmt.Errorf("read patch: %w", err)
	}
	switch {
	case n >= 8 && string(start[:8]) == bsdiff4Magic:
		return inspectBSDiff4(start[:n], patch, length)
	case n >= 3 && string(start[:3]) == vcdiffMagic:
		return inspectVCDIFF(ctx, patch, length)
	}
	return nil, fmt.Errorf("%w: none that begins like this", ErrUnsupported)
}

func inspectBSDiff4(start []byte, patch io.ReaderAt, length int64) (*Claim, error) {
	if len(start) < bsdiff4Header {
		return nil, fmt.Errorf("%w: shorter than its header", ErrCorrupt)
	}
	c := &Claim{Format: BSDiff4, ResultLength: bsdiff4Int(start[24:])}
	if c.ResultLength < 0 {
		return nil, fmt.Errorf("%w: result of %d bytes", ErrCorrupt, c.ResultLength)
	}
	control, diff, err := bsdiff4Lengths(Info{ResultLength: c.ResultLength, PatchLength: length}, patch)
	if err != nil {
		return nil, err
	}
	c.Sections = []Part{{"control", control}, {"difference", diff}, {"extra", length - bsdiff4Header - control - diff}}
	return c, nil
}

func inspectVCDIFF(ctx context.Context, patch io.ReaderAt, length int64) (*Claim, error) {
	v := newVCDIFF(ctx, Info{BaseLength: math.MaxInt64, PatchLength: length}, nil, patch, nil)
	if err := v.header(); err != nil {
		return nil, err
	}
	w := v.window
	sections := []*cursor{w.data, w.instructions, w.addresses}
	c := &Claim{Format: VCDIFF, Sections: []Part{{Name: "data"}, {Name: "instructions"}, {Name: "addresses"}}}
	for v.head.left() > 0 {
		if err := w.header(v.head, math.MaxInt64); err != nil {
			return nil, err
		}
		var ok bool
		if c.ResultLength, ok = sum(c.ResultLength, w.length); !ok && w.length > 0 {
			return nil, fmt.Errorf("%w: its windows overflow", ErrCorrupt)
		}
		for i, s := range sections {
			c.Sections[i].Length += s.left()
		}
		v.head.seek(w.end, length)
	}
	return c, nil
}
