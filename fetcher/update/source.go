// SPDX-License-Identifier: Apache-2.0

package update

import (
	"context"
	"io"
	"strings"
	"sync/atomic"

	"github.com/waybill-project/waybill/fetcher"
)

// counting is a source that counts what was read of the metadata.
type counting struct {
	source   fetcher.Source
	metadata atomic.Int64
}

func (c *counting) reset() { c.metadata.Store(0) }

func (c *counting) Open(ctx context.Context, name string, req fetcher.Request) (*fetcher.Response, error) {
	r, err := c.source.Open(ctx, name, req)
	if err != nil || r.Body == nil || !strings.HasPrefix(name, "metadata/") {
		return r, err
	}
	counted := *r
	counted.Body = &countedBody{r.Body, &c.metadata}
	return &counted, nil
}

type countedBody struct {
	io.ReadCloser
	n *atomic.Int64
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}
