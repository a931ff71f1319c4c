// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"fmt"
	"io"
	"time"
)

// watch ends transfers that stand still or crawl. Only time spent waiting for the
// server counts.
func (s *HTTPSource) watch(body io.ReadCloser, cancel context.CancelCauseFunc) io.ReadCloser {
	return &watched{body: body, cancel: cancel, opts: &s.opts}
}

type watched struct {
	body   io.ReadCloser
	cancel context.CancelCauseFunc
	opts   *HTTPOptions
	waited time.Duration // in the present window
	got    int64
}

func (w *watched) Read(p []byte) (int, error) {
	slow := fmt.Errorf("%w: nothing for %s", ErrTooSlow, w.opts.StallTimeout)
	timer := time.AfterFunc(w.opts.StallTimeout, func() { w.cancel(slow) })
	start := w.opts.now()
	n, err := w.body.Read(p)
	w.waited += w.opts.now().Sub(start)
	if !timer.Stop() && err != nil && err != io.EOF {
		return n, slow
	}
	w.got += int64(n)
	if err == nil && w.waited >= w.opts.SlowWindow {
		if float64(w.got) < w.waited.Seconds()*float64(w.opts.MinRate) {
			err = fmt.Errorf("%w: %d bytes in %s", ErrTooSlow, w.got, w.waited.Round(time.Second))
			w.cancel(err)
		}
		w.waited, w.got = 0, 0
	}
	return n, err
}

func (w *watched) Close() error {
	err := w.body.Close()
	w.cancel(nil)
	return err
}
