// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"io"
)

// watch ends transfers that stand still or crawl.
func (s *HTTPSource) watch(p *patience, body io.ReadCloser, cancel context.CancelCauseFunc) io.ReadCloser {
	return &watched{body: body, patience: p, cancel: cancel, opts: &s.opts}
}

type watched struct {
	body     io.ReadCloser
	patience *patience
	cancel   context.CancelCauseFunc
	opts     *HTTPOptions
}

func (w *watched) Read(p []byte) (int, error) {
	came := w.patience.wait(w.opts, w.opts.StallTimeout, w.cancel)
	n, err := w.body.Read(p)
	if slow := came(n); slow != nil && err != io.EOF {
		return n, slow
	}
	return n, err
}

func (w *watched) Close() error {
	err := w.body.Close()
	w.cancel(nil)
	return err
}
