// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"crypto/sha256"
	"sync"

	"github.com/waybill-project/waybill/delta/internal/entropy"
	"github.com/waybill-project/waybill/delta/internal/executable"
)

// Memory is the most that a reader holds at once, in bytes. What views, images
// and page hashes take of it is not there for covers.
const Memory = 64 << 20

// What the parts of a reader hold at most, in bytes.
const (
	modelMemory      = 8 << 20
	baseViewMemory   = 20 << 20
	resultViewMemory = 14 << 20
	primerMemory     = 18 << 20
	coverMemory      = 12
	mapMemory        = 12 // of a cover, while a map is made of them for images
)

// maxHashes bounds the page hashes of an executable; with more they are not
// computed.
const maxHashes = 1 << 17

func hashable(h *executable.PageHashes) bool { return h != nil && h.Count <= maxHashes }

// imageMemory is what the tables of an executable of n bytes take.
func imageMemory(n int64) int64 { return min(n/8+64<<10, n/16+4<<20, 12<<20) }

// room is what is left for covers, negative if there is none.
func (h *Header) room() int64 {
	left := int64(Memory - modelMemory)
	if h.Views&BaseView != 0 {
		left -= baseViewMemory
	}
	if h.Views&ResultView != 0 {
		left -= resultViewMemory
	}
	if h.Primer.Length > 0 {
		left -= primerMemory
	}
	hashes := int64(0)
	for _, r := range h.Images {
		left -= imageMemory(r.OldLength)
		if hashable(r.New.Hashes) {
			hashes = max(hashes, int64(r.New.Hashes.Count)*sha256.Size)
		}
	}
	return left - hashes
}

// MaxCovers is how many covers a patch with this header may have.
func (h *Header) MaxCovers() int {
	each := int64(coverMemory)
	if len(h.Images) > 0 {
		each += mapMemory
	}
	return int(max(0, min(maxCovers, spareCovers+h.to()/bytesPerCover, h.room()/each)))
}

// memories keeps the models' memory from one Apply to the next.
var memories = sync.Pool{New: func() any { return new(entropy.Memory) }}

func takeMemory() *entropy.Memory {
	m := memories.Get().(*entropy.Memory)
	m.Reuse()
	return m
}
