// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"bufio"
	"context"
	"fmt"
	"io"
)

const (
	vcdiffNoop = iota
	vcdiffAdd
	vcdiffRun
	vcdiffCopy
)

// vcdiffCode is one half of an entry of the code table. Size 0 means that the
// size follows the instruction.
type vcdiffCode struct{ kind, size, mode byte }

// vcdiffCodes is the default code table (RFC 3284, 5.6).
func vcdiffCodes() (codes [256][2]vcdiffCode) {
	next := 0
	set := func(first, second vcdiffCode) {
		codes[next] = [2]vcdiffCode{first, second}
		next++
	}
	set(vcdiffCode{kind: vcdiffRun}, vcdiffCode{})
	for size := range byte(18) {
		set(vcdiffCode{vcdiffAdd, size, 0}, vcdiffCode{})
	}
	for mode := range byte(9) {
		set(vcdiffCode{vcdiffCopy, 0, mode}, vcdiffCode{})
		for size := byte(4); size <= 18; size++ {
			set(vcdiffCode{vcdiffCopy, size, mode}, vcdiffCode{})
		}
	}
	for mode := range byte(9) {
		longest := byte(6)
		if mode >= vcdiffFirstSame {
			longest = 4
		}
		for add := byte(1); add <= 4; add++ {
			for size := byte(4); size <= longest; size++ {
				set(vcdiffCode{vcdiffAdd, add, 0}, vcdiffCode{vcdiffCopy, size, mode})
			}
		}
	}
	for mode := range byte(9) {
		set(vcdiffCode{vcdiffCopy, 4, mode}, vcdiffCode{vcdiffAdd, 1, 0})
	}
	return codes
}

// Address modes (RFC 3284, 5.3): the address itself, its distance from here,
// its distance from one of the last four, or one that was used before.
const (
	vcdiffSelf = iota
	vcdiffHere
	vcdiffFirstNear
	vcdiffFirstSame = vcdiffFirstNear + 4
)

// vcdiffCache holds the addresses of earlier copies of a window.
type vcdiffCache struct {
	near [4]int64
	next int
	same [3 * 256]int64
}

// address reads an address, which is below here.
func (c *vcdiffCache) address(from *cursor, mode byte, here int64) (int64, error) {
	addr, err := c.read(from, mode, here)
	if err != nil {
		return 0, err
	}
	if addr < 0 || addr >= here {
		return 0, fmt.Errorf("%w: copy from address %d at %d", ErrCorrupt, addr, here)
	}
	c.near[c.next] = addr
	c.next = (c.next + 1) % len(c.near)
	c.same[addr%int64(len(c.same))] = addr
	return addr, nil
}

func (c *vcdiffCache) read(from *cursor, mode byte, here int64) (int64, error) {
	if mode >= vcdiffFirstSame {
		b, err := from.byte()
		return c.same[int(mode-vcdiffFirstSame)*256+int(b)], err
	}
	n, err := from.number()
	switch mode {
	case vcdiffSelf:
		return n, err
	case vcdiffHere:
		return here - n, err
	}
	// Both are at most 2^63-1, so an overflow is negative.
	return c.near[mode-vcdiffFirstNear] + n, err
}

// cursor reads a part of a patch in order.
type cursor struct {
	name string
	src  section
	in   *bufio.Reader
}

func newCursor(ctx context.Context, name string, patch io.ReaderAt, buffer int) *cursor {
	c := &cursor{name: name, src: section{ctx: ctx, r: patch}}
	c.in = bufio.NewReaderSize(&c.src, buffer)
	return c
}

// seek goes to the part [off, end).
func (c *cursor) seek(off, end int64) {
	c.src.off, c.src.end = off, end
	c.in.Reset(&c.src)
}

func (c *cursor) offset() int64 { return c.src.off - int64(c.in.Buffered()) }

func (c *cursor) left() int64 { return c.src.end - c.offset() }

func (c *cursor) byte() (byte, error) {
	b, err := c.in.ReadByte()
	return b, c.fault(err)
}

func (c *cursor) fill(p []byte) error {
	_, err := io.ReadFull(c.in, p)
	return c.fault(err)
}

// number reads at most 9 bytes of 7 bits, so that it fits 63 bits.
func (c *cursor) number() (int64, error) {
	var n int64
	for range 9 {
		b, err := c.in.ReadByte()
		if err != nil {
			return 0, c.fault(err)
		}
		n = n<<7 | int64(b&0x7f)
		if b < 0x80 {
			return n, nil
		}
	}
	return 0, fmt.Errorf("%w: number of more than 9 bytes in the %s section", ErrCorrupt, c.name)
}

func (c *cursor) fault(err error) error {
	switch {
	case err == nil:
		return nil
	case c.src.err != nil:
		return fmt.Errorf("read patch: %w", c.src.err)
	}
	return fmt.Errorf("%w: %s section ends early", ErrCorrupt, c.name)
}
