// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// vcdiffWindow makes one target window after the other.
type vcdiffWindow struct {
	base               *window
	data, instructions *cursor
	addresses          *cursor
	codes              [256][2]vcdiffCode
	cache              vcdiffCache

	indicator    byte
	source, from int64 // length and position of the segment of the base
	length       int64 // of the target
	checksum     uint32
	end          int64 // of the window in the patch

	target []byte
	at     int // bytes made
	idle   int // instructions of length zero net of others
}

func newVCDIFFWindow(ctx context.Context, base *window, patch io.ReaderAt) *vcdiffWindow {
	return &vcdiffWindow{
		base:         base,
		data:         newCursor(ctx, "data", patch, chunk),
		instructions: newCursor(ctx, "instruction", patch, chunk/4),
		addresses:    newCursor(ctx, "address", patch, chunk/4),
		codes:        vcdiffCodes(),
	}
}

// header reads a window up to its sections, which it lays out.
func (w *vcdiffWindow) header(head *cursor, baseLength int64) (err error) {
	if w.indicator, err = head.byte(); err != nil {
		return err
	}
	if err := w.segment(head, baseLength); err != nil {
		return err
	}
	length, err := head.number()
	if err != nil {
		return err
	}
	if length > head.left() {
		return fmt.Errorf("%w: %d bytes with %d left of the patch", ErrCorrupt, length, head.left())
	}
	w.end = head.offset() + length
	if w.length, err = head.number(); err != nil {
		return err
	}
	switch compressed, err := head.byte(); {
	case err != nil:
		return err
	case compressed > 7:
		return fmt.Errorf("%w: delta indicator %#x", ErrCorrupt, compressed)
	case compressed != 0:
		return fmt.Errorf("%w: VCDIFF with compressed sections", ErrUnsupported)
	}
	return w.sections(head)
}

// segment reads what part of the base the window copies from.
func (w *vcdiffWindow) segment(head *cursor, baseLength int64) (err error) {
	switch {
	case w.indicator > 7:
		return fmt.Errorf("%w: window indicator %#x", ErrCorrupt, w.indicator)
	case w.indicator&vcdiffTarget != 0:
		return fmt.Errorf("%w: VCDIFF window that copies from earlier target windows", ErrUnsupported)
	}
	w.source, w.from = 0, 0
	if w.indicator&vcdiffSource == 0 {
		return nil
	}
	if w.source, err = head.number(); err != nil {
		return err
	}
	if w.from, err = head.number(); err != nil {
		return err
	}
	if w.source > baseLength || w.from > baseLength-w.source {
		return fmt.Errorf("%w: segment of %d bytes at %d in a base of %d", ErrCorrupt, w.source, w.from, baseLength)
	}
	return nil
}

// sections reads the lengths of the three sections, which must fill the window.
func (w *vcdiffWindow) sections(head *cursor) error {
	parts := []*cursor{w.data, w.instructions, w.addresses}
	var lengths [3]int64
	for i := range parts {
		var err error
		if lengths[i], err = head.number(); err != nil {
			return err
		}
	}
	if w.indicator&vcdiffChecksum != 0 {
		var sum [4]byte
		if err := head.fill(sum[:]); err != nil {
			return err
		}
		w.checksum = binary.BigEndian.Uint32(sum[:])
	}
	off := head.offset()
	for i, part := range parts {
		if lengths[i] > w.end-off {
			return fmt.Errorf("%w: %s section longer than its window", ErrCorrupt, part.name)
		}
		part.seek(off, off+lengths[i])
		off += lengths[i]
	}
	if off != w.end {
		return fmt.Errorf("%w: sections of another length than their window", ErrCorrupt)
	}
	return nil
}

// run carries out the instructions of a window.
func (w *vcdiffWindow) run() error {
	w.at, w.idle = 0, 0
	w.cache = vcdiffCache{}
	for w.instructions.left() > 0 {
		code, err := w.instructions.byte()
		if err != nil {
			return err
		}
		for _, c := range w.codes[code] {
			if err := w.step(c); err != nil {
				return err
			}
		}
	}
	for _, c := range []*cursor{w.data, w.addresses} {
		if c.left() != 0 {
			return fmt.Errorf("%w: %s section is longer than its use", ErrCorrupt, c.name)
		}
	}
	if w.at != len(w.target) {
		return fmt.Errorf("%w: instructions make %d of %d bytes", ErrCorrupt, w.at, len(w.target))
	}
	return nil
}

// step carries out one half of an instruction.
func (w *vcdiffWindow) step(c vcdiffCode) error {
	if c.kind == vcdiffNoop {
		return nil
	}
	size := int64(c.size)
	if size == 0 {
		var err error
		if size, err = w.instructions.number(); err != nil {
			return err
		}
	}
	if size > int64(len(w.target)-w.at) {
		return fmt.Errorf("%w: instruction for %d bytes with %d left", ErrCorrupt, size, len(w.target)-w.at)
	}
	if err := w.admit(size); err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	to := w.target[w.at : w.at+int(size)]
	switch c.kind {
	case vcdiffAdd:
		w.at += len(to)
		return w.data.fill(to)
	case vcdiffRun:
		return w.repeat(to)
	}
	return w.copy(to, c.mode)
}

func (w *vcdiffWindow) admit(size int64) error {
	if size > 0 {
		w.idle--
		return nil
	}
	if w.idle++; w.idle > spareTriples {
		return errors.New("too many instructions of length zero")
	}
	return nil
}

func (w *vcdiffWindow) repeat(to []byte) error {
	b, err := w.data.byte()
	if err != nil {
		return err
	}
	for i := range to {
		to[i] = b
	}
	w.at += len(to)
	return nil
}

// copy fills to from the segment of the base and the target, laid end to end.
// What it reads of the target it may have written a moment before.
func (w *vcdiffWindow) copy(to []byte, mode byte) error {
	addr, err := w.cache.address(w.addresses, mode, w.source+int64(w.at))
	if err != nil {
		return err
	}
	for len(to) > 0 && addr < w.source {
		part, err := w.base.at(w.from+addr, int(min(int64(len(to)), w.source-addr)))
		if err != nil {
			return err
		}
		n := copy(to, part)
		to, addr, w.at = to[n:], addr+int64(n), w.at+n
	}
	for len(to) > 0 {
		n := copy(to, w.target[addr-w.source:w.at])
		to, w.at = to[n:], w.at+n
	}
	return nil
}
