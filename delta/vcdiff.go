// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"context"
	"fmt"
	"hash/adler32"
	"io"
	"slices"
	"strings"
)

// VCDIFF is the format of RFC 3284, as xdelta3 -S none writes it:
//
//	header   D6 C3 C4 00, indicator, [application header]
//	window   indicator, [source length, source position], length of the rest,
//	         target length, 00, lengths of data, instructions and addresses,
//	         [checksum], data, instructions, addresses
//
// and as many windows as it takes. Numbers have 7 bits a byte, the highest
// first; at most 9 bytes are read. The bits of a window's indicator are 1,
// copies from a segment of the base, and 4, an extension of xdelta3: the
// Adler-32 checksum of the target window, 4 bytes, the highest first. Bit 4 of
// the header's indicator, its other extension, announces an application header
// of at most 64 KiB, which is skipped.
//
// Refused by name, as ErrUnsupported: secondary compression, code tables of the
// patch's own, segments of the target (bit 2 of a window), the variants of
// open-vcdiff (version "S"), and patches between files that xdelta3 unpacked,
// which its application header tells. As ErrMemory: target windows of more
// than 16 MiB, the most that xdelta3 writes.
//
// Stricter than the RFC: sections are used to their ends, windows make exactly
// the signed length, there are at most 64 windows more than one for each KiB of
// it, and instructions of length zero are at most 64 more than the others of
// their window.
const VCDIFF = "vcdiff"

const (
	vcdiffMagic     = "\xd6\xc3\xc4"
	vcdiffMaxWindow = 16 << 20
	vcdiffMaxHeader = 64 << 10 // bytes of an application header

	spareWindows   = 64
	bytesPerWindow = 1 << 10

	// The view of the base, the readers of the four parts, the code table, the
	// address cache and an application header.
	vcdiffFixed = 512 << 10

	// Bits of the header's indicator.
	vcdiffCompressed  = 1
	vcdiffCodeTable   = 2
	vcdiffApplication = 4

	// Bits of a window's indicator.
	vcdiffSource   = 1
	vcdiffTarget   = 2
	vcdiffChecksum = 4
)

// vcdiffMemory is what the greatest window of a result needs.
func vcdiffMemory(info Info) int64 {
	return vcdiffFixed + min(max(info.ResultLength, 0), vcdiffMaxWindow)
}

// vcdiff is the state of one application.
type vcdiff struct {
	ctx     context.Context
	info    Info
	head    *cursor // headers of the patch and of windows
	out     io.Writer
	target  []byte // room for the greatest window
	window  *vcdiffWindow
	windows int64
	written int64
}

func newVCDIFF(ctx context.Context, info Info, base, patch io.ReaderAt, out io.Writer) *vcdiff {
	v := &vcdiff{ctx: ctx, info: info, out: out}
	v.head = newCursor(ctx, "header", patch, 64)
	v.head.seek(0, info.PatchLength)
	v.window = newVCDIFFWindow(ctx, newWindow(base, info.BaseLength), patch)
	return v
}

func applyVCDIFF(ctx context.Context, info Info, base, patch io.ReaderAt, out io.Writer) error {
	v := newVCDIFF(ctx, info, base, patch, out)
	defer v.window.base.close()
	if err := v.header(); err != nil {
		return err
	}
	for v.head.left() > 0 {
		if err := v.next(); err != nil {
			return fmt.Errorf("window for byte %d: %w", v.written, err)
		}
	}
	if v.written != info.ResultLength {
		return fmt.Errorf("%w: its windows make %d bytes, %d signed", ErrCorrupt, v.written, info.ResultLength)
	}
	return nil
}

func (v *vcdiff) header() error {
	var start [5]byte
	if err := v.head.fill(start[:]); err != nil {
		return err
	}
	indicator := start[4]
	switch {
	case string(start[:3]) != vcdiffMagic:
		return fmt.Errorf("%w: no VCDIFF magic", ErrCorrupt)
	case start[3] == 'S':
		return fmt.Errorf("%w: VCDIFF in the SDCH variant of open-vcdiff", ErrUnsupported)
	case start[3] != 0:
		return fmt.Errorf("%w: VCDIFF version %d", ErrUnsupported, start[3])
	case indicator > 7:
		return fmt.Errorf("%w: header indicator %#x", ErrCorrupt, indicator)
	case indicator&vcdiffCompressed != 0:
		return fmt.Errorf("%w: VCDIFF with secondary compression", ErrUnsupported)
	case indicator&vcdiffCodeTable != 0:
		return fmt.Errorf("%w: VCDIFF with a code table of its own", ErrUnsupported)
	case indicator&vcdiffApplication != 0:
		return v.application()
	}
	return nil
}

// application reads the header in which xdelta3 keeps names and, if it diffed
// the contents of compressed files, how to pack the result again.
func (v *vcdiff) application() error {
	n, err := v.head.number()
	if err != nil {
		return err
	}
	if n > vcdiffMaxHeader || n > v.head.left() {
		return fmt.Errorf("%w: application header of %d bytes", ErrCorrupt, n)
	}
	text := make([]byte, n)
	if err := v.head.fill(text); err != nil {
		return err
	}
	names := strings.Split(string(text), "/")
	for i := 1; i < len(names) && len(names) <= 4 && len(names)%2 == 0; i += 2 {
		if len(names[i]) == 1 && strings.Contains("BCGX", names[i]) {
			return fmt.Errorf("%w: VCDIFF between the contents of files that xdelta3 unpacked (%q)", ErrUnsupported, text)
		}
	}
	return nil
}

// next reads one window and writes its target.
func (v *vcdiff) next() error {
	w := v.window
	if v.windows++; v.windows > spareWindows+v.info.ResultLength/bytesPerWindow {
		return fmt.Errorf("%w: too many windows for the result", ErrCorrupt)
	}
	if err := w.header(v.head, v.info.BaseLength); err != nil {
		return err
	}
	switch rest := v.info.ResultLength - v.written; {
	case w.length > rest:
		return fmt.Errorf("%w: %d bytes, of which %d are left to make", ErrCorrupt, w.length, rest)
	case w.length > vcdiffMaxWindow:
		return fmt.Errorf("%w: a window of %d bytes, at most %d", ErrMemory, w.length, vcdiffMaxWindow)
	case v.target == nil:
		v.target = make([]byte, min(v.info.ResultLength, vcdiffMaxWindow))
	}
	w.target = v.target[:w.length]
	if err := w.run(); err != nil {
		return err
	}
	if w.indicator&vcdiffChecksum != 0 && adler32.Checksum(w.target) != w.checksum {
		return fmt.Errorf("%w: checksum of the window", ErrCorrupt)
	}
	v.head.seek(w.end, v.info.PatchLength)
	return v.write(w.target)
}

func (v *vcdiff) write(target []byte) error {
	for p := range slices.Chunk(target, chunk) {
		if err := v.ctx.Err(); err != nil {
			return err
		}
		if _, err := v.out.Write(p); err != nil {
			return fmt.Errorf("write result: %w", err)
		}
		v.written += int64(len(p))
	}
	return nil
}
