// SPDX-License-Identifier: Apache-2.0

package deflate

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Describe is like Open for a file that shall be made again from its view: it
// finds for each stream a recipe, and corrections where it needs them, from which
// a Writer makes the same bytes. That is tried out; streams without a recipe stay
// raw. It uses all cores; the result does not depend on how many there are.
func Describe(ctx context.Context, r io.ReaderAt, size int64) (*View, error) {
	v, err := scanned(ctx, during{ctx, r}, size)
	if err != nil {
		return nil, err
	}
	work, err := v.describe(ctx)
	if err != nil {
		return nil, err
	}
	v.keepAffordable(work)
	v.keepDescribed()
	v.r = r
	return v, v.arrange()
}

// during reads as long as ctx lasts, so that one long stream does not outlast it.
type during struct {
	ctx context.Context
	r   io.ReaderAt
}

func (d during) ReadAt(p []byte, off int64) (int, error) {
	if err := d.ctx.Err(); err != nil {
		return 0, err
	}
	return d.r.ReadAt(p, off)
}

// describe finds recipes, and tells what each stream takes.
func (v *View) describe(ctx context.Context) (work []int64, err error) {
	workers := min(runtime.GOMAXPROCS(0), len(v.streams))
	errs := make([]error, workers)
	work = make([]int64, len(v.streams))
	var next atomic.Int64
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			d := newDescriber(v.r, v.fileSize)
			for errs[k] == nil {
				i := int(next.Add(1)) - 1
				if i >= len(v.streams) {
					return
				}
				if errs[k] = ctx.Err(); errs[k] == nil {
					errs[k] = d.describe(&v.streams[i])
					work[i] = d.encoder.m.work
				}
			}
		})
	}
	wg.Wait()
	return work, errors.Join(errs...)
}

// keepAffordable takes the recipes away from those streams that take most, as long
// as all together take more than a reader may do.
func (v *View) keepAffordable(work []int64) {
	left := mostWork(v.fileSize)
	var order []int
	for i, s := range v.streams {
		if s.recipe != 0 {
			order = append(order, i)
			left -= work[i]
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(work[b], work[a]) })
	for ; left < 0; order = order[1:] {
		left += work[order[0]]
		v.streams[order[0]].recipe = 0
	}
}

// keepDescribed drops the streams that no recipe was found for, with their
// checkpoints.
func (v *View) keepDescribed() {
	place := make([]int, len(v.streams))
	kept := v.streams[:0]
	for i, s := range v.streams {
		place[i] = -1
		if s.recipe != 0 {
			place[i] = len(kept)
			kept = append(kept, s)
		}
	}
	v.streams = kept
	v.points = slices.DeleteFunc(v.points, func(p checkpoint) bool { return place[p.stream] < 0 })
	for i := range v.points {
		v.points[i].stream = place[v.points[i].stream]
	}
}

// A describer finds recipes.
type describer struct {
	r        io.ReaderAt
	contents *inflater
	encoder  *encoder
	record   *recorder
	sample   sample
	same     sameWriter
}

func newDescriber(r io.ReaderAt, size int64) *describer {
	d := &describer{r: r, contents: newInflater()}
	d.encoder = newEncoder(&d.same, size)
	d.record = newRecorder(r, d.contents, d.encoder)
	d.same.r = r
	d.same.buf = make([]byte, 1<<16)
	return d
}

var errDiffers = errors.New("differs")

// sameWriter compares what is written with a file.
type sameWriter struct {
	r       io.ReaderAt
	off     int64
	limit   int64
	buf     []byte
	readErr error
}

func (s *sameWriter) Write(p []byte) (n int, err error) {
	for n < len(p) {
		q := s.buf[:min(len(s.buf), len(p)-n)]
		if int64(len(q)) > s.limit-s.off {
			return n, errDiffers
		}
		if ok, err := read(s.r, q, s.off, s.limit); err != nil || !ok {
			s.readErr = err
			return n, errors.Join(err, errDiffers)
		}
		if !bytes.Equal(q, p[n:n+len(q)]) {
			return n, errDiffers
		}
		n += len(q)
		s.off += int64(len(q))
	}
	return n, nil
}

// describe finds the recipe of a stream, if it has one: the commonest, then any
// that predicts its first tokens, then the best of them with corrections.
func (d *describer) describe(s *stream) error {
	if ok, err := d.settle(s, newRecipe(Zlib, 6), nil); err != nil || ok {
		return err
	}
	if err := d.sample.read(d.r, s); err != nil {
		return err
	}
	best, wrong, tried := newRecipe(Zlib, 6), sampleTokens, 0
	for _, r := range candidates() {
		n := d.sample.wrong(d.encoder.m, r, wrong)
		if n < wrong {
			best, wrong = r, n
		}
		if n > 0 || tried == maxTried {
			continue
		}
		tried++
		if ok, err := d.settle(s, r, nil); err != nil || ok {
			return err
		}
	}
	fix, err := d.record.record(s, best)
	if err == errDiffers {
		return nil
	}
	if err == nil {
		_, err = d.settle(s, best, fix)
	}
	return err
}

// settle gives the stream a recipe if that reproduces it.
func (d *describer) settle(s *stream, r recipe, fix []byte) (bool, error) {
	ok, err := d.reproduces(s, r, fix)
	if ok {
		s.recipe, s.fix = r, fix
		if len(fix) > 0 {
			s.recipe |= corrected
		}
	}
	return ok, err
}

// maxTried bounds how many recipes are tried out that predict the sample.
const maxTried = 18

// candidates are all recipes, the commoner first.
func candidates() (all []recipe) {
	for _, level := range []int{6, 9, 1, 5, 7, 8, 4, 3, 2} {
		for _, f := range []Family{Zlib, Chromium, Gzip, ZlibLarge, ChromiumLarge, Castagnoli} {
			all = append(all, newRecipe(f, level))
		}
	}
	return all
}

// reproduces tries a recipe.
func (d *describer) reproduces(s *stream, r recipe, fix []byte) (bool, error) {
	d.same.off, d.same.limit = s.offset, s.end()
	if err := d.contents.reset(d.r, s.offset, s.end()); err != nil {
		return false, err
	}
	d.encoder.m.work = 0
	err := d.encoder.reset(r, fix, s.length)
	for err == nil && !d.encoder.done {
		var p []byte
		if p, err = d.contents.next(); err != nil {
			return false, changed(err)
		}
		err = d.encoder.write(p)
	}
	if d.same.readErr != nil {
		return false, d.same.readErr
	}
	return err == nil && d.same.off == d.same.limit, nil
}
