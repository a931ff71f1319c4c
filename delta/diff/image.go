// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"encoding/binary"

	"github.com/waybill-project/waybill/delta/internal/executable"
	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// image is an executable and the next version of it.
type image struct {
	waybill1.Image
	newFile *executable.File
}

// openImages returns nil if base and result are not executables for one machine.
func openImages(base, result []byte) *image {
	var i image
	var oldErr, newErr error
	both(func() { i.Old, oldErr = executable.Open(bytes.NewReader(base), int64(len(base))) },
		func() { i.newFile, newErr = executable.Open(bytes.NewReader(result), int64(len(result))) })
	if oldErr != nil || newErr != nil || i.Old.Machine != i.newFile.Machine {
		return nil
	}
	i.New, i.OldLength, i.NewLength = &i.newFile.Layout, int64(len(base)), int64(len(result))
	return &i
}

// alike returns copies of base and result in which every reference is written
// as its target in the result, so that code that only moved is equal.
func (i *image) alike(base, result []byte, offsets *waybill1.Offsets) (old, new []byte) {
	both(func() {
		old = i.normalised(base, i.Old, func(a uint64) uint64 { return i.Target(a, offsets) })
	}, func() {
		new = i.normalised(result, i.newFile, func(a uint64) uint64 { return a })
	})
	return old, new
}

const (
	scanStep = 1 << 20
	scanEdge = executable.Before
)

func (i *image) normalised(data []byte, file *executable.File, target func(uint64) uint64) []byte {
	out := bytes.Clone(data)
	var refs []executable.Reference
	low := i.New.Segments[0].Address
	for from := 0; from < len(data); {
		to := min(from+scanStep, len(data))
		start, end := max(from-scanEdge, 0), min(to+scanEdge, len(data))
		var next int
		refs, next = file.Scan(refs[:0], data[start:end], int64(start), from-start, to-start)
		for _, r := range refs {
			field := out[r.Offset:][:r.Kind.Width()]
			if to := target(r.Target); !normalise(field, r.Kind, uint32(to-low)) {
				i.New.Put(r.Kind, field, 0, to)
			}
		}
		from = max(start+next, to)
	}
	return out
}

// normalise writes a target into a field in a form that is the same wherever
// the field is; bits that differ little are where their field has its bytes. It
// does not know short fields, which say little about where they are.
func normalise(field []byte, k executable.Kind, target uint32) bool {
	le := binary.LittleEndian
	switch k {
	case executable.Branch26:
		le.PutUint32(field, le.Uint32(field)&0xFC000000|target>>2&0x3FFFFFF)
	case executable.Page21:
		le.PutUint32(field, le.Uint32(field)&0x9F00001F|target*0x9E3779B1>>8&0x60FFFFE0)
	case executable.Low12, executable.Page12, executable.Uleb2, executable.Uleb3, executable.Uleb4:
		return false
	default:
		binary.BigEndian.PutUint32(field, target)
	}
	return true
}
