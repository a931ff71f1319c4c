// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"context"
	"encoding/binary"
	"runtime"
	"sync"

	"github.com/waybill-project/waybill/delta/diff/internal/bzip2"
)

// match says that base[old:old+n] and result[new:new+n] are nearly the same.
type match struct{ old, new, n int }

// blocksAtOnce is for how many bzip2 blocks the declared memory suffices.
const blocksAtOnce = 3

// writeBSDiff4 makes the patch of matches in ascending order of new that do
// not overlap there; delta.BSDiff4 describes the format.
func writeBSDiff4(ctx context.Context, base, result []byte, matches []match) ([]byte, error) {
	matches = thin(matches)
	w := &bsdiff4{ctx: ctx, base: base, result: result, matches: matches}
	workers := bzip2.NewWorkers(min(blocksAtOnce, runtime.GOMAXPROCS(0)))
	var streams [3][]byte
	var errs [3]error
	var all sync.WaitGroup
	for i, write := range []func(e *bzip2.Encoder) error{w.control, w.difference, w.extra} {
		all.Go(func() {
			e := bzip2.NewEncoder(ctx, workers)
			if errs[i] = write(e); errs[i] == nil {
				streams[i], errs[i] = e.Close()
			}
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	header := make([]byte, 32)
	copy(header, "BSDIFF40")
	putInt(header[8:], len(streams[0]))
	putInt(header[16:], len(streams[1]))
	putInt(header[24:], len(result))
	return bytes.Join([][]byte{header, streams[0], streams[1], streams[2]}, nil), nil
}

// thin drops matches shorter than a triple is worth, so that readers' limit on
// the number of triples holds for any input.
func thin(matches []match) []match {
	const least = 4
	var kept []match
	for _, m := range matches {
		if m.n >= least {
			kept = append(kept, m)
		}
	}
	return kept
}

// bsdiff4 writes the streams of a patch.
type bsdiff4 struct {
	ctx          context.Context
	base, result []byte
	matches      []match
}

// next returns the match behind number i, of which the last has no bytes.
func (w *bsdiff4) next(i int, m match) match {
	if i+1 < len(w.matches) {
		return w.matches[i+1]
	}
	return match{m.old + m.n, len(w.result), 0}
}

// control writes a triple for each match. One for what comes before the first
// has no difference.
func (w *bsdiff4) control(e *bzip2.Encoder) error {
	var last match
	for i := -1; i < len(w.matches); i++ {
		next := w.next(i, last)
		if last.n > 0 || last.old != next.old || last.new != next.new {
			var t [24]byte
			putInt(t[:], last.n)
			putInt(t[8:], next.new-last.new-last.n)
			putInt(t[16:], next.old-last.old-last.n)
			if _, err := e.Write(t[:]); err != nil {
				return err
			}
		}
		last = next
	}
	return nil
}

func (w *bsdiff4) difference(e *bzip2.Encoder) error {
	buf := make([]byte, 64<<10)
	for _, m := range w.matches {
		old, new := w.base[m.old:m.old+m.n], w.result[m.new:m.new+m.n]
		for len(new) > 0 {
			n := min(len(new), len(buf))
			for i := range n {
				buf[i] = new[i] - old[i]
			}
			if _, err := e.Write(buf[:n]); err != nil {
				return err
			}
			old, new = old[n:], new[n:]
		}
		if w.ctx.Err() != nil {
			return context.Cause(w.ctx)
		}
	}
	return nil
}

func (w *bsdiff4) extra(e *bzip2.Encoder) error {
	var last match
	for i := -1; i < len(w.matches); i++ {
		next := w.next(i, last)
		if _, err := e.Write(w.result[last.new+last.n : next.new]); err != nil {
			return err
		}
		last = next
	}
	return nil
}

// putInt writes sign and magnitude, little-endian.
func putInt(b []byte, n int) {
	u := uint64(n)
	if n < 0 {
		u = uint64(-n) | 1<<63
	}
	binary.LittleEndian.PutUint64(b, u)
}
