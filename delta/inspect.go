// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"context"
	"fmt"
	"io"
	"math"

	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// Description is what a patch says of itself. Nothing of it is verified.
// Lengths are in bytes, -1 where the patch does not say.
type Description struct {
	Format       string
	ResultLength int64
	BaseLength   int64
	ResultSum    []byte // how the SHA-256 of the result begins; nil where it does not say
	Sections     []Section
}

// Section is a part of a patch, as long as it is in the file. Names are unique
// within a patch, in lower case without spaces.
type Section struct {
	Name   string
	Length int64
}

// inspector reads the headers of one format.
type inspector struct {
	magic   string
	inspect func(patch io.ReaderAt, length int64) (Description, error)
}

// maxMagic is the length in bytes of the longest magic.
const maxMagic = 8

func inspectors() []inspector {
	return []inspector{{waybill1.Magic, inspectWaybill1}, {bsdiff4Magic, inspectBSDiff4}, {vcdiffMagic, inspectVCDIFF}}
}

// Inspect tells the format of a patch of length bytes by its first bytes, and
// what its headers say. It refuses what no reader would take so far:
// ErrUnsupported for an unknown magic, ErrCorrupt for lengths that cannot be.
// Any other error is trouble with the reader.
func Inspect(patch io.ReaderAt, length int64) (Description, error) {
	var start [maxMagic]byte
	n, err := patch.ReadAt(start[:max(0, min(maxMagic, length))], 0)
	if err != nil && err != io.EOF {
		return Description{}, fmt.Errorf("read patch: %w", err)
	}
	for _, i := range inspectors() {
		if n < len(i.magic) || string(start[:len(i.magic)]) != i.magic {
			continue
		}
		return i.inspect(patch, length)
	}
	return Description{}, fmt.Errorf("%w: it begins with %q", ErrUnsupported, start[:n])
}

func inspectBSDiff4(patch io.ReaderAt, length int64) (Description, error) {
	var field [8]byte
	if n, err := patch.ReadAt(field[:], bsdiff4Header-int64(len(field))); n < len(field) && err != io.EOF {
		return Description{}, fmt.Errorf("read patch: %w", err)
	}
	result := bsdiff4Int(field[:])
	if result < 0 {
		return Description{}, fmt.Errorf("%w: header claims a result of %d bytes", ErrCorrupt, result)
	}
	control, diff, err := bsdiff4Lengths(Info{PatchLength: length, ResultLength: result}, patch)
	if err != nil {
		return Description{}, err
	}
	return Description{
		Format:       BSDiff4,
		ResultLength: result,
		BaseLength:   -1,
		Sections: []Section{
			{"control", control}, {"difference", diff}, {"extra", length - bsdiff4Header - control - diff},
		},
	}, nil
}

// inspectVCDIFF adds up the sections of all windows.
func inspectVCDIFF(patch io.ReaderAt, length int64) (Description, error) {
	v := newVCDIFF(context.Background(), Info{BaseLength: math.MaxInt64, PatchLength: length}, nil, patch, nil)
	defer v.window.base.close()
	if err := v.header(); err != nil {
		return Description{}, err
	}
	w := v.window
	sections := []*cursor{w.data, w.instructions, w.addresses}
	d := Description{Format: VCDIFF, BaseLength: -1, Sections: []Section{{Name: "data"}, {Name: "instructions"}, {Name: "addresses"}}}
	for v.head.left() > 0 {
		if err := w.header(v.head, math.MaxInt64); err != nil {
			return Description{}, err
		}
		var ok bool
		if d.ResultLength, ok = sum(d.ResultLength, w.length); !ok && w.length > 0 {
			return Description{}, fmt.Errorf("%w: its windows overflow", ErrCorrupt)
		}
		for i, s := range sections {
			d.Sections[i].Length += s.left()
		}
		v.head.seek(w.end, length)
	}
	return d, nil
}
