// SPDX-License-Identifier: Apache-2.0

package delta

import (
	"fmt"
	"io"
	"math"
	"sort"
)

// Part is one of several files that stand for a single one.
type Part struct {
	io.ReaderAt
	Length int64 // bytes; what the reader has beyond them is left out
}

// concat holds for each part where it begins, and at last where all ends.
type concat struct {
	parts  []Part
	starts []int64
}

// Concat lays files end to end, so that a patch can have many files as its base
// or its result; Size tells their length together. Readers are used as they
// are: if they allow parallel calls of ReadAt, so does the result. It fails for
// lengths that are negative or too many for an int64. A file that is shorter
// than its Length ends a ReadAt with io.EOF, as a single one does.
func Concat(parts ...Part) (*io.SectionReader, error) {
	c := &concat{starts: make([]int64, 1, len(parts)+1)}
	end := int64(0)
	for i, p := range parts {
		if p.Length < 0 || p.Length > math.MaxInt64-end {
			return nil, fmt.Errorf("part %d of %d bytes after %d bytes: length out of range", i, p.Length, end)
		}
		if p.Length == 0 {
			continue
		}
		end += p.Length
		c.parts = append(c.parts, p)
		c.starts = append(c.starts, end)
	}
	return io.NewSectionReader(c, 0, end), nil
}

// ReadAt needs an offset of 0 or more; the section reader around it sees to it.
func (c *concat) ReadAt(p []byte, off int64) (n int, err error) {
	i := sort.Search(len(c.parts), func(i int) bool { return c.starts[i+1] > off })
	for ; i < len(c.parts) && n < len(p); i++ {
		at := off + int64(n) - c.starts[i]
		want := int(min(int64(len(p)-n), c.parts[i].Length-at))
		got, err := c.parts[i].ReadAt(p[n:n+want], at)
		n += got
		if got < want {
			return n, err
		}
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
