// SPDX-License-Identifier: Apache-2.0

package executable

import (
	"encoding/binary"
	"io"
)

// PageHashes tells where a Mach-O code signature keeps the SHA-256 of each page
// of the file, so that who writes the file can compute them.
type PageHashes struct {
	At       int64 // file offset of the first hash, 32 bytes each
	Count    int
	PageSize int   // 4096 or 16384
	Limit    int64 // bytes of the file that are hashed; the last page may be short
}

const (
	hashLength = 32
	hashSHA256 = 2
)

func (h *PageHashes) check(size int64) bool {
	return (h.PageSize == 4096 || h.PageSize == 16384) && h.Limit > 0 && h.Limit <= h.At && h.At <= size &&
		int64(h.Count) == h.pages() && int64(h.Count)*hashLength <= size-h.At
}

func (h *PageHashes) pages() int64 { return (h.Limit + int64(h.PageSize) - 1) / int64(h.PageSize) }

func (h *PageHashes) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(h.Limit)<<1|flag(h.PageSize == 16384))
	return binary.AppendUvarint(b, uint64(h.At-h.Limit))
}

func (d *decoder) hashes() *PageHashes {
	v := d.uint()
	if v>>1 > MaxSize {
		d.bad = true
		return nil
	}
	h := &PageHashes{PageSize: 4096 << (v & 1 * 2), Limit: int64(v >> 1)}
	h.At = h.Limit + d.length()
	h.Count = int(h.pages())
	return h
}

// FindPageHashes finds the page hashes of the code signature of a Mach-O file:
// those of its first code directory with SHA-256. Which are right is not
// checked.
func FindPageHashes(r io.ReaderAt, size int64) (*PageHashes, bool) {
	if size < 64 || size > MaxSize {
		return nil, false
	}
	w := newWindow(r, size, wide)
	_, commands, ok := machLoad(w)
	if !ok {
		return nil, false
	}
	h := signatureHashes(w, commands)
	return h, h != nil && w.err == nil
}

func signatureHashes(w *window, commands []machCommand) *PageHashes {
	for _, c := range commands {
		if c.kind == machSignature && len(c.b) >= 16 {
			return superBlob(w, int64(binary.LittleEndian.Uint32(c.b[8:])))
		}
	}
	return nil
}

// superBlob looks through the signature at off (xnu's cs_blobs.h; big-endian).
func superBlob(w *window, off int64) *PageHashes {
	be := binary.BigEndian
	h := w.at(off, 12)
	if h == nil || be.Uint32(h) != 0xfade0cc0 {
		return nil
	}
	n := min(int64(be.Uint32(h[8:])), 64)
	for i := range n {
		e := w.at(off+12+8*i, 8)
		if e == nil {
			return nil
		}
		if hashes := codeDirectory(w, off+int64(be.Uint32(e[4:]))); hashes != nil {
			return hashes
		}
	}
	return nil
}

func codeDirectory(w *window, off int64) *PageHashes {
	be := binary.BigEndian
	d := w.at(off, 44)
	if d == nil || be.Uint32(d) != 0xfade0c02 || d[36] != hashLength || d[37] != hashSHA256 || d[39] != 12 && d[39] != 14 {
		return nil
	}
	h := &PageHashes{At: off + int64(be.Uint32(d[16:])), Count: int(be.Uint32(d[28:])), Limit: int64(be.Uint32(d[32:])), PageSize: 1 << d[39]}
	if !h.check(w.size) {
		return nil
	}
	return h
}
