// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/store"
)

// bucketSource reads a bucket directly, without the CDN before it.
type bucketSource struct{ store *store.Store }

func (s bucketSource) Open(ctx context.Context, name string, req fetcher.Request) (*fetcher.Response, error) {
	length := req.Length
	if length == 0 {
		length = -1
	}
	body, attrs, err := s.store.Reader(ctx, name, req.Offset, length)
	if err != nil {
		return nil, err
	}
	return &fetcher.Response{Body: body, Offset: req.Offset, Size: attrs.Size}, nil
}

// overlay shows a bucket as it would be with some objects added. Metadata that
// was read once is kept, since many clients are replayed over it.
type overlay struct {
	base   fetcher.Source
	staged map[string][]byte
	hidden string            // an object to be taken for absent
	cache  map[string][]byte // nil value: absent
}

func newOverlay(base fetcher.Source) *overlay {
	return &overlay{base: base, staged: map[string][]byte{}, cache: map[string][]byte{}}
}

// with shows the same bucket with other objects added.
func (o *overlay) with(staged map[string][]byte) *overlay {
	return &overlay{base: o.base, staged: staged, cache: o.cache}
}

func (o *overlay) Open(ctx context.Context, name string, req fetcher.Request) (*fetcher.Response, error) {
	data, ok := o.staged[name]
	if !ok {
		if kind, _, _ := layout.ParseVersioned(name); kind == "" && name != layout.Timestamp {
			return o.base.Open(ctx, name, req)
		}
		var err error
		if data, err = o.cached(ctx, name); err != nil {
			return nil, err
		}
	}
	if req.Offset > int64(len(data)) {
		return nil, fmt.Errorf("%s: offset %d is past its end", name, req.Offset)
	}
	return &fetcher.Response{Body: io.NopCloser(bytes.NewReader(data[req.Offset:])), Offset: req.Offset, Size: int64(len(data))}, nil
}

func (o *overlay) cached(ctx context.Context, name string) ([]byte, error) {
	data, ok := o.cache[name]
	if !ok {
		var err error
		data, err = readSource(ctx, o.base, name, layout.MaxMetadata)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		o.cache[name] = data
	}
	if data == nil || name == o.hidden {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return data, nil
}

func readSource(ctx context.Context, s fetcher.Source, name string, max int64) ([]byte, error) {
	resp, err := s.Open(ctx, name, fetcher.Request{})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > max {
		return nil, fmt.Errorf("%s: more than %d bytes", name, max)
	}
	return data, nil
}
