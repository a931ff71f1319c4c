// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/waybill-project/waybill/delta/internal/executable"
	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// image is an executable and the next version of it.
type image struct {
	waybill1.Image
	newFile *executable.File
}

// openImage returns nil if old and new are not executables for one machine.
func openImage(old, new []byte) *image {
	var i image
	var oldErr, newErr error
	both(func() { i.Old, oldErr = executable.Open(bytes.NewReader(old), int64(len(old))) },
		func() { i.newFile, newErr = executable.Open(bytes.NewReader(new), int64(len(new))) })
	if oldErr != nil || newErr != nil || i.Old.Machine != i.newFile.Machine {
		return nil
	}
	i.New, i.OldLength, i.NewLength = &i.newFile.Layout, int64(len(old)), int64(len(new))
	return &i
}

func (i *image) region() waybill1.Region {
	layout := i.newFile.Layout // alone, without the tables of the file
	return waybill1.Region{OldAt: i.OldAt, OldLength: i.OldLength, NewAt: i.NewAt, New: &layout}
}

func (i *image) hashes() int {
	if i.newFile.Hashes == nil {
		return 0
	}
	return i.newFile.Hashes.Count
}

// regions lists images for a header: first the one with the most page hashes,
// since a reader computes those of one image, and only tells its hashes.
func regions(images []*image) []waybill1.Region {
	images = slices.Clone(images)
	slices.SortStableFunc(images, func(a, b *image) int { return cmp.Compare(b.hashes(), a.hashes()) })
	var all []waybill1.Region
	for n, i := range images {
		r := i.region()
		if n > 0 {
			r.New.Hashes = nil
		}
		all = append(all, r)
	}
	return all
}

// own returns the parts of covers that lead from the old image to the new one,
// and how many bytes they are.
func (i *image) own(covers []waybill1.Cover) (own []waybill1.Cover, n int64) {
	for _, c := range covers {
		move := int64(c.Old) - int64(c.New)
		from := max(int64(c.New), i.NewAt, i.OldAt-move)
		to := min(int64(c.New)+int64(c.Length), i.NewAt+i.NewLength, i.OldAt+i.OldLength-move)
		if from < to {
			own = append(own, waybill1.Cover{New: uint32(from), Old: uint32(from + move), Length: uint32(to - from)})
			n += to - from
		}
	}
	return own, n
}

// normalised returns copies of base and result in which every reference of an image
// is written as its target in the result, so that code that only moved is equal.
func normalised(images []*image, base, result []byte, offsets *waybill1.Offsets) (old, new []byte) {
	both(func() {
		old = bytes.Clone(base)
		for _, i := range images {
			i.normalise(old[i.OldAt:][:i.OldLength], base[i.OldAt:][:i.OldLength], i.Old,
				func(a uint64) uint64 { return i.Target(a, offsets) })
		}
	}, func() {
		new = bytes.Clone(result)
		for _, i := range images {
			i.normalise(new[i.NewAt:][:i.NewLength], result[i.NewAt:][:i.NewLength], i.newFile,
				func(a uint64) uint64 { return a })
		}
	})
	return old, new
}

const (
	scanStep = 1 << 20
	scanEdge = executable.Before

	perReference = 8 // bytes, where they are dense
)

// normalise writes the references of data, an executable, into its copy out.
func (i *image) normalise(out, data []byte, file *executable.File, target func(uint64) uint64) {
	refs := make([]executable.Reference, 0, min(len(data), scanStep)/perReference)
	low := i.New.Segments[0].Address
	for from := 0; from < len(data); {
		to := min(from+scanStep, len(data))
		start, end := max(from-scanEdge, 0), min(to+scanEdge, len(data))
		var next int
		refs, next = file.Scan(refs[:0], data[start:end], int64(start), from-start, to-start)
		for _, r := range refs {
			field := out[r.Offset:][:r.Kind.Width()]
			if to := target(r.Target); !writeAlike(field, r.Kind, uint32(to-low)) {
				i.New.Put(r.Kind, field, 0, to)
			}
		}
		from = max(start+next, to)
	}
}

// writeAlike writes a target into a field in a form that is the same wherever
// the field is; bits that differ little are where their field has its bytes. It
// does not know short fields, which say little about where they are.
func writeAlike(field []byte, k executable.Kind, target uint32) bool {
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
