// SPDX-License-Identifier: Apache-2.0

// Package waybill1 is the patch format of that name: how a patch is laid out,
// and how its prediction of a result from a base works.
//
// [Write] makes the patch for covers that somebody chose, [Apply] carries a
// patch out. Both run the same steps, so that neither can predict what the
// other does not. What the bytes of a patch mean never changes.
package waybill1

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/waybill-project/waybill/delta/internal/entropy"
	"github.com/waybill-project/waybill/delta/internal/executable"
)

// Magic is how every patch starts.
const Magic = "WBL1"

// Limits of the format.
const (
	MaxLength = 1<<32 - 1 // of base and result, in bytes
	MaxImages = 64

	maxCovers     = 1 << 20
	spareCovers   = 64
	bytesPerCover = 4

	viewFactor = 40
	spareView  = 64 << 10

	maxHeader = 64 << 10
)

// ErrCorrupt: the patch breaks its format.
var ErrCorrupt = errors.New("corrupt patch")

// Header is what a patch says in front.
type Header struct {
	BaseLength, ResultLength int64   // of the files
	BaseSum, ResultSum       [4]byte // the first bytes of their SHA-256
	Views                    byte    // BaseView, ResultView
	Primer                   Primer
	ViewLength               int64 // of the result's view, with ResultView
	Stored                   int64 // length of the literals at the end that are not coded
	Images                   []Region
}

// A file with deflate streams may be seen as a view of package deflate.
const (
	BaseView   = 1
	ResultView = 2

	primed = 4 // next to them: there is a primer
)

// Primer is what of the base literals are like, at most PrimerMost bytes; none if
// Length is 0.
type Primer struct{ At, Length int64 }

// to is the length of what covers and literals make.
func (h *Header) to() int64 {
	if h.Views&ResultView != 0 {
		return h.ViewLength
	}
	return h.ResultLength
}

// MaxView is the longest view of a result of so many bytes.
func MaxView(resultLength int64) int64 { return min(resultLength*viewFactor+spareView, MaxLength) }

// Region is an executable within the base that became one in the result.
type Region struct {
	OldAt, OldLength int64
	NewAt            int64
	New              *executable.Layout
}

func (h *Header) append(b []byte) []byte {
	b = append(b, Magic...)
	b = append(b, h.Views)
	numbers := []int64{h.BaseLength, h.ResultLength, h.ViewLength, h.Stored}
	if h.Primer.Length > 0 {
		b[len(b)-1] |= primed
		numbers = append(numbers, h.Primer.At, h.Primer.Length)
	}
	for _, n := range numbers {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = append(b, h.BaseSum[:]...)
	b = append(b, h.ResultSum[:]...)
	b = binary.AppendUvarint(b, uint64(len(h.Images)))
	for _, r := range h.Images {
		for _, n := range []int64{r.OldAt, r.OldLength, r.NewAt} {
			b = binary.AppendUvarint(b, uint64(n))
		}
		b = r.New.Append(b)
	}
	return b
}

// ReadHeader reads a patch's header and returns where it ends.
func ReadHeader(patch io.ReaderAt, length int64) (*Header, int64, error) {
	buf := make([]byte, max(0, min(length, maxHeader)))
	if err := readPatch(patch, buf, 0); err != nil {
		return nil, 0, err
	}
	h, rest, err := parseHeader(buf)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: header: %w", ErrCorrupt, err)
	}
	end := int64(len(buf) - len(rest))
	if h.Stored > length-end {
		return nil, 0, fmt.Errorf("%w: %d stored bytes in %d", ErrCorrupt, h.Stored, length)
	}
	return h, end, nil
}

// readPatch fills p from a patch.
func readPatch(patch io.ReaderAt, p []byte, off int64) error {
	n, err := patch.ReadAt(p, off)
	switch {
	case n == len(p):
		return nil
	case err == nil || err == io.EOF:
		return fmt.Errorf("%w: it ends at byte %d", ErrCorrupt, off+int64(n))
	}
	return fmt.Errorf("read patch: %w", err)
}

var errHeader = errors.New("malformed")

func parseHeader(b []byte) (*Header, []byte, error) {
	if len(b) < len(Magic) || string(b[:len(Magic)]) != Magic {
		return nil, nil, errors.New("no " + Magic)
	}
	f := &fieldReader{b: b[len(Magic):]}
	h := &Header{}
	if views := f.bytes(1); len(views) == 1 {
		h.Views = views[0]
	}
	h.BaseLength, h.ResultLength, h.ViewLength, h.Stored = f.number(), f.number(), f.number(), f.number()
	if h.Views&primed != 0 {
		h.Views &^= primed
		h.Primer = Primer{At: f.number(), Length: f.number()}
		f.bad = f.bad || h.Primer.Length < 1 || h.Primer.Length > PrimerMost
	}
	copy(h.BaseSum[:], f.bytes(len(h.BaseSum)))
	copy(h.ResultSum[:], f.bytes(len(h.ResultSum)))
	count := f.number()
	if f.bad || count > MaxImages || h.Views > BaseView|ResultView || !h.viewFits() {
		return nil, nil, errHeader
	}
	for range count {
		r, err := f.region(h)
		if err != nil {
			return nil, nil, err
		}
		h.Images = append(h.Images, r)
	}
	if h.room() < 0 {
		return nil, nil, errHeader
	}
	return h, f.b, nil
}

func (h *Header) viewFits() bool {
	if h.Views&ResultView == 0 {
		return h.ViewLength == 0
	}
	return h.ViewLength > 0 && h.ViewLength <= MaxView(h.ResultLength)
}

type fieldReader struct {
	b   []byte
	bad bool
}

// number is a varint in its shortest form.
func (f *fieldReader) number() int64 {
	v, n := binary.Uvarint(f.b)
	if n <= 0 || v > MaxLength || n > 1 && f.b[n-1] == 0 {
		f.bad = true
		return 0
	}
	f.b = f.b[n:]
	return int64(v)
}

func (f *fieldReader) bytes(n int) []byte {
	if len(f.b) < n {
		f.bad = true
		return nil
	}
	b := f.b[:n]
	f.b = f.b[n:]
	return b
}

func (f *fieldReader) region(h *Header) (Region, error) {
	r := Region{OldAt: f.number(), OldLength: f.number(), NewAt: f.number()}
	if f.bad {
		return r, errHeader
	}
	var err error
	if r.New, f.b, err = executable.ParseLayout(f.b); err != nil {
		return r, err
	}
	if r.OldLength < 1 || r.New.Size > h.to()-r.NewAt {
		return r, errHeader
	}
	return r, nil
}

// open finds the images of a header in the base or its view, in which the primer
// must lie too.
func (h *Header) open(base io.ReaderAt, length int64) ([]Image, error) {
	if h.Primer.Length > length-h.Primer.At {
		return nil, fmt.Errorf("primer beyond the base: %w", errHeader)
	}
	var images []Image
	for _, r := range h.Images {
		if r.OldLength > length-r.OldAt {
			return nil, fmt.Errorf("executable beyond the base: %w", errHeader)
		}
		old, err := executable.Open(io.NewSectionReader(base, r.OldAt, r.OldLength), r.OldLength)
		if err != nil {
			return nil, fmt.Errorf("executable in the base: %w", err)
		}
		images = append(images, Image{OldAt: r.OldAt, OldLength: r.OldLength, NewAt: r.NewAt, NewLength: r.New.Size, Old: old, New: r.New})
	}
	return images, nil
}

func newMachine(ctx context.Context, c *entropy.Coder, base io.ReaderAt, baseLength int64, images []Image) *machine {
	return &machine{
		ctx: ctx, c: c, base: base, baseLength: baseLength, images: images,
		old:    make([]byte, pieceRoom),
		pages:  newPages(images),
		stored: c.Memory.NewFlags(1, 1, 1),
	}
}
