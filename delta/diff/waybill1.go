// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"

	"github.com/waybill-project/waybill/delta/diff/internal/cover"
	"github.com/waybill-project/waybill/delta/internal/deflate"
	"github.com/waybill-project/waybill/delta/internal/executable"
	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// waybill1Memory is the need of each level for n bytes of base and result
// together: both, copies with references made alike, and what finds matches.
func waybill1Memory(level Level, baseLen, resultLen int64) int64 {
	if baseLen < 0 || resultLen < 0 || baseLen > waybill1.MaxLength || resultLen > waybill1.MaxLength {
		return -1
	}
	perByte := int64(6)
	if level == Best {
		perByte = 8
	}
	return fixedMemory + perByte*(baseLen+resultLen)
}

const fixedMemory = 48 << 20

// waybill1 makes a patch in the project's own format.
func (p pair) waybill1(ctx context.Context, opts *Options) ([]byte, error) {
	w := p.plainly(opts.Level)
	seen, err := p.views(ctx, w, opts.Logger)
	if err != nil {
		return nil, err
	}
	if seen == nil {
		return w.make(ctx)
	}
	patch, err := seen.make(ctx)
	if err != nil || len(patch) < len(p.result)/worthwhile {
		return patch, err
	}
	other, err := w.make(ctx)
	if err != nil || len(other) < len(patch) {
		return other, err
	}
	return patch, nil
}

// worthwhile: a patch that is a smaller part of its result than this needs no
// second try.
const worthwhile = 8

// writing is a patch to be made between two files or their views.
type writing struct {
	header       waybill1.Header
	base, result []byte
	long         []span   // of a base that is a view: contents of long streams
	room         []uint32 // of tables
	level        Level
	progress     *progress
}

func (p pair) plainly(level Level) *writing {
	w := &writing{base: p.base, result: p.result, level: level, progress: p.progress}
	w.header.BaseLength, w.header.ResultLength = int64(len(p.base)), int64(len(p.result))
	both(func() {
		sum := sha256.Sum256(p.base)
		copy(w.header.BaseSum[:], sum[:])
	}, func() {
		sum := sha256.Sum256(p.result)
		copy(w.header.ResultSum[:], sum[:])
	})
	return w
}

// views is plain with the deflate streams of base and result inflated; nil if
// the result has none that could be made again, or if memory does not suffice.
func (p pair) views(ctx context.Context, plain *writing, log *slog.Logger) (*writing, error) {
	result, err := deflate.Describe(ctx, bytes.NewReader(p.result), int64(len(p.result)))
	if errors.Is(err, deflate.ErrNone) || err == nil && result.Size() > waybill1.MaxView(int64(len(p.result))) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	base, err := deflate.Open(bytes.NewReader(p.base), int64(len(p.base)))
	if errors.Is(err, deflate.ErrNone) || err == nil && base.Size() > waybill1.MaxLength {
		base, err = nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := p.limit.admit("the contents of an archive", p.viewsMemory(plain.level, base, result)); err != nil {
		if log != nil {
			log.InfoContext(ctx, "archives compared as plain bytes", "reason", err)
		}
		return nil, nil
	}
	w := new(*plain)
	w.header.Views, w.header.ViewLength = waybill1.ResultView, result.Size()
	if w.result, err = whole(result); err != nil || base == nil {
		return w, err
	}
	w.header.Views |= waybill1.BaseView
	for _, s := range base.Long(longStream) {
		w.long = append(w.long, span{s[0], s[1]})
	}
	w.base, err = whole(base)
	return w, err
}

// viewsMemory is the need for views, next to the files; base may be nil.
func (p pair) viewsMemory(level Level, base, result *deflate.View) int64 {
	baseLen := int64(len(p.base))
	if base != nil {
		baseLen = base.Size()
	}
	n := waybill1Memory(level, baseLen, result.Size())
	if n < 0 {
		return n
	}
	return n + int64(len(p.base)) + int64(len(p.result))
}

func whole(v *deflate.View) ([]byte, error) {
	data := make([]byte, v.Size())
	if _, err := v.ReadAt(data, 0); err != nil && err != io.EOF {
		return nil, fmt.Errorf("read contents: %w", err)
	}
	return data, nil
}

// make finds the covers and writes the patch.
func (w *writing) make(ctx context.Context) ([]byte, error) {
	old, new, err := w.alike(ctx)
	if err != nil {
		return nil, err
	}
	covers, err := w.covers(ctx, old, new)
	if err != nil {
		return nil, err
	}
	w.forgetTables()
	covers = w.worthReading(covers)
	if h, at := w.pageHashes(); h != nil {
		covers = cover.Without(covers, at, at+int64(h.Count)*sha256.Size)
	}
	covers = w.prime(covers)
	if limit := w.header.MaxCovers(); len(covers) > limit {
		covers = cover.Longest(covers, limit)
	}
	w.progress.set(int64(len(w.result)))
	return waybill1.Write(ctx, w.header, bytes.NewReader(w.base), int64(len(w.base)), w.result, covers)
}

// forgetTables gives back what was searched in before the patch is coded. As
// much garbage as that would else be twice as much by the time it is collected.
func (w *writing) forgetTables() {
	w.room = nil
	if len(w.base)+len(w.result) > collectFrom {
		runtime.GC()
	}
}

// collectFrom is how large files are, in bytes, whose tables are worth it.
const collectFrom = 1 << 20

// pageHashes are those that a reader computes, and where they begin.
func (w *writing) pageHashes() (h *executable.PageHashes, at int64) {
	if len(w.header.Images) == 0 {
		return nil, 0
	}
	first := w.header.Images[0]
	if h = first.New.Hashes; h != nil {
		at = first.NewAt + h.At
	}
	return h, at
}

// alike returns what covers are searched in: base and result, or copies of them
// with images, which it puts into the header, made alike. What did not change
// needs none.
func (w *writing) alike(ctx context.Context) (old, new []byte, err error) {
	if bytes.Equal(w.base, w.result) {
		return w.base, w.result, nil
	}
	images, rough, err := w.images(ctx)
	if err != nil || len(images) == 0 {
		return w.base, w.result, err
	}
	w.header.Images = regions(images)
	old, new = normalised(images, w.base, w.result, waybill1.NewOffsets(rough, int64(len(w.base))))
	return old, new, nil
}

// images finds the executables that base and result have in common, and rough
// covers of them.
func (w *writing) images(ctx context.Context) ([]*image, []waybill1.Cover, error) {
	var old, new []embedded
	if !wholly(w.base) || !wholly(w.result) {
		both(func() { old = findExecutables(w.base) }, func() { new = findExecutables(w.result) })
	}
	if len(old) < 2 && len(new) < 2 {
		if whole := openImage(w.base, w.result); whole != nil {
			rough, err := w.rough(ctx, w.base, w.result)
			return []*image{whole}, rough, err
		}
	}
	if len(old) == 0 || len(new) == 0 {
		return nil, nil, nil
	}
	rough, err := w.rough(ctx, w.base, w.result)
	if err != nil {
		return nil, nil, err
	}
	return w.own(ctx, w.openImages(pairUp(old, new, rough), len(rough)), rough)
}

// own keeps of rough covers what images have of what they were. It searches
// anew where that is little because another executable had the same, and drops
// the images that have next to nothing.
func (w *writing) own(ctx context.Context, images []*image, rough []waybill1.Cover) (kept []*image, all []waybill1.Cover, err error) {
	for _, i := range images {
		covers, n := i.own(rough)
		if n < i.NewLength-i.NewLength/8 {
			covers, err = w.rough(ctx, w.base[i.OldAt:][:i.OldLength], w.result[i.NewAt:][:i.NewLength])
			if err != nil {
				return nil, nil, err
			}
			n = 0
			for k := range covers {
				n += int64(covers[k].Length)
				covers[k].Old += uint32(i.OldAt)
				covers[k].New += uint32(i.NewAt)
			}
		}
		if n > i.NewLength/leastShare {
			kept, all = append(kept, i), append(all, covers...)
		}
	}
	return kept, all, nil
}

func (w *writing) rough(ctx context.Context, base, result []byte) ([]waybill1.Cover, error) {
	w.reserve(len(w.base), shapes(w.level))
	return cover.Covers(ctx, base, result, w.tables(base, shapes(Fast)...), cover.Near)
}

// both runs two functions at once.
func both(f, g func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	g()
	<-done
}
