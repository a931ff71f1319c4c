// SPDX-License-Identifier: Apache-2.0

package deflate

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"io"
	"slices"
)

const (
	kindZip  = 1
	kindGzip = 2

	localHeader     = 0x04034b50
	centralHeader   = 0x02014b50
	endOfDirectory  = 0x06054b50
	endOfDirectory6 = 0x06064b50
	locator6        = 0x07064b50
	descriptor      = 0x08074b50

	localSize   = 30
	centralSize = 46
	endSize     = 22
	end6Size    = 56
	locatorSize = 20
	maxComment  = 1<<16 - 1
	methodFlate = 8
)

// A candidate is where a stream may lie: it starts at from and ends before limit.
type candidate struct{ from, limit int64 }

// A container is what a file is, and the streams it says it has, in their order
// and apart from each other. Gzip's are found one behind the other, while they
// are read.
type container struct {
	kind      byte
	streams   []candidate
	directory candidate // of a zip
}

// identify looks what the file is; hostile files have fewer streams, and errors
// are those of r.
func identify(r io.ReaderAt, size int64) (*container, error) {
	from, ok, err := gzipMember(r, 0, size)
	if err != nil {
		return nil, err
	}
	if ok {
		return &container{kind: kindGzip, streams: []candidate{{from, size}}}, nil
	}
	dir, shift, ok, err := findDirectory(r, size)
	if err != nil || !ok {
		return nil, err
	}
	c := &container{kind: kindZip, directory: dir}
	members, err := readDirectory(r, dir, shift)
	if err != nil {
		return nil, err
	}
	c.streams, err = locate(r, members, dir.from)
	return c, err
}

// read fills p from off; false means that the file ends before.
func read(r io.ReaderAt, p []byte, off, size int64) (bool, error) {
	if off < 0 || off > size || int64(len(p)) > size-off {
		return false, nil
	}
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return true, nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return false, err
}

// gzipMember reports where the deflate stream of a gzip member at off starts
// (RFC 1952, section 2.3).
func gzipMember(r io.ReaderAt, off, size int64) (from int64, ok bool, err error) {
	var p [12]byte
	if ok, err := read(r, p[:10], off, size); !ok || p[0] != 0x1f || p[1] != 0x8b || p[2] != 8 || p[3]&0xe0 != 0 {
		return 0, false, err
	}
	at, flags := off+10, p[3]
	if flags&4 != 0 {
		if ok, err := read(r, p[10:], at, size); !ok {
			return 0, false, err
		}
		at += 2 + int64(binary.LittleEndian.Uint16(p[10:]))
	}
	for _, flag := range []byte{8, 16} {
		if flags&flag != 0 {
			if at, ok, err = skipString(r, at, size); !ok {
				return 0, false, err
			}
		}
	}
	if flags&2 != 0 {
		at += 2
	}
	return at, at < size, nil
}

// skipString finds the end of a name or comment, of at most 64 KiB.
func skipString(r io.ReaderAt, at, size int64) (int64, bool, error) {
	var p [256]byte
	for range 256 {
		q := p[:max(0, min(int64(len(p)), size-at))]
		if ok, err := read(r, q, at, size); !ok || len(q) == 0 {
			return 0, false, err
		}
		if i := bytes.IndexByte(q, 0); i >= 0 {
			return at + int64(i) + 1, true, nil
		}
		at += int64(len(q))
	}
	return 0, false, nil
}

// findDirectory looks for a zip's directory. What lies before the archive in the
// file shifts all its offsets.
func findDirectory(r io.ReaderAt, size int64) (dir candidate, shift int64, ok bool, err error) {
	p := make([]byte, min(size, endSize+maxComment))
	start := size - int64(len(p))
	if ok, err := read(r, p, start, size); !ok {
		return dir, 0, false, err
	}
	i := len(p) - endSize
	for i >= 0 && (binary.LittleEndian.Uint32(p[i:]) != endOfDirectory ||
		int(binary.LittleEndian.Uint16(p[i+20:])) > len(p)-i-endSize) {
		i--
	}
	if i < 0 {
		return dir, 0, false, nil
	}
	end := start + int64(i)
	length, offset := int64(binary.LittleEndian.Uint32(p[i+12:])), int64(binary.LittleEndian.Uint32(p[i+16:]))
	if length == 1<<32-1 || offset == 1<<32-1 {
		if end, length, offset, ok, err = findDirectory64(r, end, size); !ok {
			return dir, 0, false, err
		}
	}
	from := end - length
	if length < 0 || length > maxDirectory || offset < 0 || from < offset {
		return dir, 0, false, nil
	}
	return candidate{from, end}, from - offset, true, nil
}

// findDirectory64 reads the end record of zip64, which lies before the one at end.
func findDirectory64(r io.ReaderAt, end, size int64) (at, length, offset int64, ok bool, err error) {
	var p [end6Size]byte
	if ok, err := read(r, p[:locatorSize], end-locatorSize, size); !ok || binary.LittleEndian.Uint32(p[:]) != locator6 {
		return 0, 0, 0, false, err
	}
	at = int64(binary.LittleEndian.Uint64(p[8:]))
	if ok, err := read(r, p[:], at, size); !ok || binary.LittleEndian.Uint32(p[:]) != endOfDirectory6 {
		return 0, 0, 0, false, err
	}
	return at, int64(binary.LittleEndian.Uint64(p[40:])), int64(binary.LittleEndian.Uint64(p[48:])), true, nil
}

// readDirectory lists the deflated members: where their local header starts, and
// how long they are at most.
func readDirectory(r io.ReaderAt, dir candidate, shift int64) (members []candidate, err error) {
	b := bufio.NewReaderSize(io.NewSectionReader(r, dir.from, dir.limit-dir.from), 1<<16)
	var p [centralSize]byte
	for len(members) < MaxStreams {
		if _, err := io.ReadFull(b, p[:]); err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		} else if err != nil {
			return nil, err
		}
		if binary.LittleEndian.Uint32(p[:]) != centralHeader {
			break
		}
		m, extra := entryOf(&p)
		if _, err := b.Discard(m.name); err != nil {
			break
		}
		q := make([]byte, extra)
		if _, err := io.ReadFull(b, q); err != nil {
			break
		}
		m.widen(q)
		if _, err := b.Discard(m.comment); err != nil {
			break
		}
		if m.method == methodFlate && m.flags&1 == 0 && m.offset >= 0 && m.deflated > 0 {
			members = append(members, candidate{m.offset + shift, m.deflated})
		}
	}
	return members, nil
}

// A directoryEntry is a member as a zip's directory has it.
type directoryEntry struct {
	method, flags              int
	name, comment              int
	deflated, inflated, offset int64
}

func entryOf(p *[centralSize]byte) (m directoryEntry, extra int) {
	u16 := func(i int) int { return int(binary.LittleEndian.Uint16(p[i:])) }
	u32 := func(i int) int64 { return int64(binary.LittleEndian.Uint32(p[i:])) }
	return directoryEntry{flags: u16(8), method: u16(10), deflated: u32(20), inflated: u32(24),
		name: u16(28), comment: u16(32), offset: u32(42)}, u16(30)
}

// widen takes the numbers that do not fit 32 bits from zip64's extra field.
func (m *directoryEntry) widen(extra []byte) {
	for len(extra) >= 4 {
		id, n := binary.LittleEndian.Uint16(extra), int(binary.LittleEndian.Uint16(extra[2:]))
		extra = extra[4:]
		if n > len(extra) {
			return
		}
		if p := extra[:n]; id == 1 {
			for _, v := range []*int64{&m.inflated, &m.deflated, &m.offset} {
				if *v == 1<<32-1 && len(p) >= 8 {
					*v = int64(binary.LittleEndian.Uint64(p))
					p = p[8:]
				}
			}
			return
		}
		extra = extra[n:]
	}
}

// locate finds the streams behind their local headers, in order, without overlap.
func locate(r io.ReaderAt, members []candidate, limit int64) (streams []candidate, err error) {
	slices.SortFunc(members, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.limit, b.limit))
	})
	end := int64(0)
	for _, m := range members {
		var p [localSize]byte
		ok, err := read(r, p[:], m.from, limit)
		if err != nil {
			return nil, err
		}
		if !ok || m.from < end || binary.LittleEndian.Uint32(p[:]) != localHeader {
			continue
		}
		from := m.from + localSize + int64(binary.LittleEndian.Uint16(p[26:])) + int64(binary.LittleEndian.Uint16(p[28:]))
		if from >= limit || m.limit > limit-from {
			continue
		}
		end = from + m.limit
		streams = append(streams, candidate{from, end})
	}
	return streams, nil
}
