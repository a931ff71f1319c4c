// SPDX-License-Identifier: Apache-2.0

package waybill1

import (
	"crypto/sha256"
	"hash"
)

// pages computes the page hashes that the code signature of an executable ends
// with from the pages before it.
type pages struct {
	at     int64 // of the first hash, in the result
	sums   []byte
	start  int64 // of the first page
	limit  int64 // bytes that are hashed
	size   int64 // of a page
	done   int64
	seen   int64 // of the result
	page   hash.Hash
	hashed int
}

func (p *pages) end() int64 { return p.at + int64(len(p.sums)) }

// newPages is for the first image that has page hashes, and not too many.
func newPages(images []Image) *pages {
	for _, g := range images {
		if h := g.New.Hashes; hashable(h) {
			return &pages{
				at: g.NewAt + h.At, sums: make([]byte, h.Count*sha256.Size),
				start: g.NewAt, limit: h.Limit, size: int64(h.PageSize), page: sha256.New(),
			}
		}
	}
	return nil
}

// hash takes the next bytes of the result.
func (m *machine) hash(b []byte) {
	if m.pages != nil {
		m.pages.write(b)
	}
}

func (p *pages) write(b []byte) {
	if skip := p.start - p.seen; skip > 0 {
		n := min(skip, int64(len(b)))
		p.seen += n
		b = b[n:]
	}
	p.seen += int64(len(b))
	for len(b) > 0 && p.done < p.limit {
		n := min(int64(len(b)), p.size-p.done%p.size, p.limit-p.done)
		p.page.Write(b[:n])
		b = b[n:]
		if p.done += n; p.done%p.size == 0 || p.done == p.limit {
			copy(p.sums[p.hashed*sha256.Size:], p.page.Sum(nil))
			p.hashed++
			p.page.Reset()
		}
	}
}
