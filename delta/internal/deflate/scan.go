// SPDX-License-Identifier: Apache-2.0

package deflate

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"slices"
)

// A stream is a deflate stream of the file and what Open learns of it.
type stream struct {
	offset, deflated int64
	length           int64 // inflated
	sum              uint32
	trailer          uint8 // bytes behind it whose numbers follow from it
	recipe           recipe
	fix              []byte
	at               int64 // in the view: where the raw bytes before it start
}

func (s *stream) end() int64 { return s.offset + s.deflated }

// A checkpoint is a state of the inflater to go on from.
type checkpoint struct {
	stream      int
	position    int64 // in the contents
	bit, header int64
	stored      int
	window      []byte
}

// A scan inflates the streams of a file, each once.
type scan struct {
	r       io.ReaderAt
	size    int64
	d       *inflater
	streams []stream
	points  []checkpoint
	spacing int64
	budget  int64 // contents that may still be inflated
}

// run looks at the streams of the container, as far as the budget goes; those that
// are none are left out.
func (s *scan) run(ctx context.Context, c *container) error {
	s.d, s.spacing = newInflater(), checkpointSpacing
	s.budget = inflationFree + s.size*inflationFactor
	for i := 0; i < len(c.streams) && len(s.streams) < MaxStreams && s.budget >= 0; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		end, err := s.inflate(c.streams[i])
		if err != nil && !errors.Is(err, errStream) {
			return err
		}
		if err == nil && c.kind == kindGzip {
			from, ok, err := gzipMember(s.r, end+8, s.size)
			if err != nil {
				return err
			}
			if ok {
				c.streams = append(c.streams, candidate{from, s.size})
			}
		}
	}
	return nil
}

func (s *scan) inflate(c candidate) (end int64, err error) {
	x := stream{offset: c.from}
	defer func() {
		if err != nil {
			s.points = slices.DeleteFunc(s.points, func(p checkpoint) bool { return p.stream == len(s.streams) })
		}
	}()
	if err := s.d.reset(s.r, c.from, c.limit); err != nil {
		return 0, err
	}
	for next := s.spacing; ; {
		p, err := s.d.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return 0, err
		}
		x.sum = crc32.Update(x.sum, crc32.IEEETable, p)
		x.length += int64(len(p))
		if s.budget -= int64(len(p)); s.budget < 0 {
			return 0, errStream
		}
		if x.length >= next {
			s.mark()
			next = x.length + s.spacing
		}
	}
	end, ok := s.d.done()
	if !ok || s.d.bits.align() != nil || x.length == 0 {
		return 0, errStream
	}
	x.deflated = end - x.offset
	s.streams = append(s.streams, x)
	return end, nil
}

// mark keeps a checkpoint; if there are too many, every other one goes.
func (s *scan) mark() {
	if len(s.points) == maxCheckpoints {
		n := 0
		for i := 1; i < len(s.points); i += 2 {
			s.points[n] = s.points[i]
			n++
		}
		clear(s.points[n:])
		s.points = s.points[:n]
		s.spacing *= 2
	}
	s.points = append(s.points, s.d.checkpoint(len(s.streams)))
}

func (d *inflater) checkpoint(stream int) checkpoint {
	c := checkpoint{stream: stream, position: d.produced, bit: d.bits.at(), header: -1, stored: d.stored}
	if d.inBlock {
		c.header = d.header
	}
	c.window = slices.Clone(d.out[max(0, d.op-windowSize):d.op])
	return c
}

// resume goes on from a checkpoint of a stream that ends before limit.
func (d *inflater) resume(src io.ReaderAt, c *checkpoint, limit int64) error {
	d.last, d.inBlock = false, false
	if c.header >= 0 {
		if err := d.bits.seek(src, c.header, limit); err != nil {
			return err
		}
		if err := d.open(); err != nil {
			return err
		}
	}
	d.stored, d.produced = c.stored, c.position
	d.op = copy(d.out, c.window)
	return d.bits.seek(src, c.bit, limit)
}
