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

	"github.com/waybill-project/waybill/delta/diff/internal/cover"
	"github.com/waybill-project/waybill/delta/diff/internal/suffix"
	"github.com/waybill-project/waybill/delta/internal/deflate"
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
	old, new := w.base, w.result
	image := openImages(old, new)
	if image != nil {
		rough, err := cover.Covers(ctx, old, new, cover.NewTable(old, 24, 4), cover.Near)
		if err != nil {
			return nil, err
		}
		w.header.Images = []waybill1.Region{{OldLength: image.OldLength, New: image.New}}
		old, new = image.alike(old, new, waybill1.NewOffsets(rough, int64(len(old))))
	}
	finder, err := w.finder(ctx, old)
	if err != nil {
		return nil, err
	}
	covers, err := cover.Covers(ctx, old, new, finder, w.better(image))
	if err != nil {
		return nil, err
	}
	if image != nil && image.New.Hashes != nil {
		h := image.New.Hashes
		covers = cover.Without(covers, h.At, h.At+int64(h.Count)*sha256.Size)
	}
	if limit := w.header.MaxCovers(); len(covers) > limit {
		covers = cover.Longest(covers, limit)
	}
	w.progress.set(int64(len(w.result)))
	return waybill1.Write(ctx, w.header, bytes.NewReader(w.base), int64(len(w.base)), w.result, covers)
}

func (w *writing) better(image *image) int {
	if image == nil && w.header.Views == 0 {
		return cover.Far
	}
	return cover.Near
}

func (w *writing) finder(ctx context.Context, old []byte) (cover.Finder, error) {
	switch w.level {
	case Fast:
		return cover.NewTable(old, 24, 4), nil
	case Best:
		array, err := suffix.New(ctx, old)
		return cover.Sorted{Array: array}, err
	}
	return cover.NewTable(old, 12, 1), nil
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
