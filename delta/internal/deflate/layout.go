// SPDX-License-Identifier: Apache-2.0

package deflate

import (
	"encoding/binary"
	"slices"
)

const (
	magic      = "wbvu"
	version    = 1
	headSize   = 28
	recordSize = 10
	maxFront   = headSize + MaxStreams*recordSize + 4 + maxRecipes
	maxRecipes = MaxStreams * 6
)

// appendFront writes what a view starts with: head, table and recipes.
func appendFront(p []byte, kind byte, streams []stream, tail, directory int64) []byte {
	p = append(p, magic...)
	p = append(p, version, kind, 0, 0)
	p = binary.LittleEndian.AppendUint32(p, uint32(len(streams)))
	p = binary.LittleEndian.AppendUint64(p, uint64(tail))
	p = binary.LittleEndian.AppendUint64(p, uint64(directory))
	end := int64(0)
	for i := range streams {
		s := &streams[i]
		p = append5(append5(p, s.offset-end), s.length)
		end = s.end()
	}
	recipes := appendRecipes(nil, streams)
	p = binary.LittleEndian.AppendUint32(p, uint32(len(recipes)))
	return append(p, recipes...)
}

func append5(p []byte, v int64) []byte {
	return append(p, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32))
}

func get5(p []byte) int64 {
	return int64(binary.LittleEndian.Uint32(p)) | int64(p[4])<<32
}

func appendRecipes(p []byte, streams []stream) []byte {
	if len(streams) == 0 || streams[0].recipe == 0 {
		return p
	}
	for i := 0; i < len(streams); {
		n := 1
		for i+n < len(streams) && streams[i+n].recipe == streams[i].recipe {
			n++
		}
		p = binary.AppendUvarint(p, uint64(n))
		p = append(p, byte(streams[i].recipe))
		if streams[i].recipe&corrected != 0 {
			for _, s := range streams[i : i+n] {
				p = binary.AppendUvarint(p, uint64(len(s.fix)))
			}
		}
		i += n
	}
	return p
}

// parseRecipes gives the streams their recipes, and in at the length of their
// corrections.
func parseRecipes(p []byte, streams []stream) bool {
	for len(streams) > 0 {
		n, ok := number(&p, int64(len(streams)))
		if !ok || n == 0 || len(p) == 0 {
			return false
		}
		r := recipe(p[0])
		p = p[1:]
		if !(r &^ corrected).valid() {
			return false
		}
		for i := range streams[:n] {
			streams[i].recipe = r
			if r&corrected != 0 {
				if streams[i].at, ok = number(&p, maxCorrections); !ok {
					return false
				}
			}
		}
		streams = streams[n:]
	}
	return len(p) == 0
}

// trailerSize is how many bytes behind a stream may hold numbers that follow from
// it, if there are so many raw bytes.
func trailerSize(kind byte) int {
	if kind == kindGzip {
		return 8
	}
	return 16
}

// adjust changes the numbers of a trailer by those expected, times sign.
func (s *stream) adjust(kind byte, p []byte, sign uint32) {
	if kind == kindZip {
		if binary.LittleEndian.Uint32(p) != descriptor {
			return
		}
		p = p[4:]
		change(p[8:], sign*uint32(s.length))
		change(p[4:], sign*uint32(s.deflated))
	} else {
		change(p[4:], sign*uint32(s.length))
	}
	change(p, sign*s.sum)
}

func change(p []byte, by uint32) {
	binary.LittleEndian.PutUint32(p, binary.LittleEndian.Uint32(p)+by)
}

// A directory turns the numbers of a zip's directory into what they differ from
// the expected by, or back. It sees the directory from its start, in pieces.
type directory struct {
	streams []stream
	back    bool
	p       [centralSize]byte
	have    int
	skip    int
	done    bool
	next    uint32 // where the next member is expected
}

// feed appends the changed bytes to out.
func (d *directory) feed(out, p []byte) []byte {
	for len(p) > 0 {
		if d.done {
			return append(out, p...)
		}
		if d.skip > 0 {
			n := min(d.skip, len(p))
			out, p, d.skip = append(out, p[:n]...), p[n:], d.skip-n
			continue
		}
		n := copy(d.p[d.have:], p)
		p = p[n:]
		if d.have += n; d.have == centralSize {
			out = d.entry(out)
		}
	}
	return out
}

// untouched reports whether it has seen nothing yet.
func (d *directory) untouched() bool { return d.have == 0 && d.skip == 0 && !d.done && d.next == 0 }

// rest returns what is held back of an entry that is not complete.
func (d *directory) rest(out []byte) []byte {
	out = append(out, d.p[:d.have]...)
	d.have = 0
	return out
}

func (d *directory) entry(out []byte) []byte {
	p := &d.p
	if binary.LittleEndian.Uint32(p[:]) != centralHeader {
		d.done = true
		return d.rest(out)
	}
	sign := ^uint32(0)
	if d.back {
		sign = 1
		change(p[42:], d.next)
	}
	offset := binary.LittleEndian.Uint32(p[42:])
	if !d.back {
		change(p[42:], -d.next)
	}
	m, extra := entryOf(p)
	deflated := uint32(m.deflated)
	if s := d.find(int64(offset)+localSize+int64(m.name), m.method); s != nil {
		change(p[16:], sign*s.sum)
		change(p[20:], sign*uint32(s.deflated))
		change(p[24:], sign*uint32(s.length))
		deflated = uint32(s.deflated)
	}
	d.next = offset + localSize + uint32(m.name) + deflated
	d.skip = m.name + extra + m.comment
	return d.rest(out)
}

// find is the stream of a member whose local header ends at or soon after off.
func (d *directory) find(off int64, method int) *stream {
	i, _ := slices.BinarySearchFunc(d.streams, off, func(s stream, off int64) int {
		if s.offset < off {
			return -1
		}
		return 1
	})
	if method != methodFlate || i == len(d.streams) || d.streams[i].offset-off > maxComment {
		return nil
	}
	return &d.streams[i]
}
