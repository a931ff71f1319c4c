// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// attempts is how often a transfer that breaks off is tried.
const attempts = 4

// wanted is an object of metadata, or a small target, and what is signed about it.
type wanted struct {
	name  string
	role  string
	limit int64 // bytes
	meta  fileMeta
}

// get reads an object from the first mirror whose copy accept takes. A copy that
// has the signed hash is the only one there can be: what accept says of it is final.
func (c *Client) get(ctx context.Context, w wanted, accept func(data []byte) error) error {
	return c.each(ctx, w.meta.length, func(m *Mirrors, x *mirror, h *haste) (final bool, err error) {
		start := m.now()
		data, _, err := c.fetchFrom(ctx, m, x, h, w, Request{}, func(data []byte, _ string) error { return accept(data) })
		if err != nil {
			return data != nil && w.only(data), err
		}
		m.worked(x, int64(len(data)), m.now().Sub(start))
		return true, nil
	})
}

// only tells whether no other copy can be better.
func (w wanted) only(data []byte) bool {
	return w.meta.hashes != nil && w.meta.check(data, w.role) == nil
}

// fetchFrom returns what a mirror has if accept takes it, and what accept did not take
// beside its error. The data is nil if the object still has the tag in req. With haste it
// gives up with errSlower where another mirror may be quicker; nil is none.
func (c *Client) fetchFrom(
	ctx context.Context, m *Mirrors, x *mirror, h *haste, w wanted, req Request, accept func(data []byte, tag string) error,
) (data []byte, tag string, err error) {
	walk := allowanceOf(ctx, x)
	signed := max(w.meta.length, 0)
	ctx = patiently(ctx, &patience{walk: walk, buys: signed})
	refused := refusals{left: m.refusals()}
	for range tries(m) {
		data, tag, err = c.fetchOnce(ctx, m, x, h, w, req)
		if err == nil && refused.before(data) {
			return data, tag, refused.err
		}
		if err == nil {
			err = accept(data, tag)
		}
		if err == nil {
			walk.verified(max(int64(len(data))-signed, 0))
			return data, tag, nil
		}
		switch {
		case data != nil && w.only(data):
			return data, tag, err
		case !broken(ctx, err) && !refused.again(ctx, err, data):
			return data, tag, err
		}
		c.debug("asking once more", "object", w.name, "error", err)
	}
	return data, tag, err
}

// refusals are bad copies of one object from one mirror.
type refusals struct {
	left int    // how often to ask for another copy
	sum  string // of the last one
	err  error  // what was wrong with it
}

// maxRefusals is how many bad copies are put down to the way to a lone mirror, where there is nobody
// else to ask: caches and networks do spoil bytes.
const maxRefusals = 2

func (m *Mirrors) refusals() int {
	if len(m.mirrors) > 1 {
		return 0
	}
	return maxRefusals
}

// before tells whether this copy is the one that was refused last.
func (r *refusals) before(data []byte) bool { return r.err != nil && sum256(data) == r.sum }

// again notes a refusal, and tells whether to ask for another copy.
func (r *refusals) again(ctx context.Context, err error, data []byte) bool {
	if ctx.Err() != nil || Class(err) != "verification" && !errors.Is(err, errRange) {
		return false
	}
	if r.err, r.sum = nil, ""; data != nil {
		r.err, r.sum = err, sum256(data)
	}
	r.left--
	return r.left >= 0
}

func (c *Client) fetchOnce(ctx context.Context, m *Mirrors, x *mirror, h *haste, w wanted, req Request) ([]byte, string, error) {
	name, limit := w.name, w.limit
	resp, err := c.open(ctx, m, x, name, req)
	if err != nil {
		return nil, "", err
	}
	if resp.NotModified {
		return nil, "", nil
	}
	defer resp.Body.Close()
	tooLarge := &VerifyError{Role: w.role, Err: fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)}
	if resp.Size > limit {
		return nil, "", tooLarge
	}
	total := limit
	if resp.Size >= 0 {
		total = resp.Size
	}
	data, err := io.ReadAll(h.reader(io.LimitReader(resp.Body, limit+1), m, x, total))
	switch {
	case errors.Is(err, errSlower):
		return nil, "", err
	case int64(len(data)) > limit:
		return nil, "", tooLarge
	case err != nil:
		return nil, "", brokenError(ctx, name, err)
	case int64(len(data)) < resp.Size:
		return nil, "", &interrupted{SourceError{name, io.ErrUnexpectedEOF}}
	}
	return data, resp.ETag, nil
}

// open asks a mirror and makes its answer one that can be relied on.
func (c *Client) open(ctx context.Context, m *Mirrors, x *mirror, name string, req Request) (*Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	start := m.now()
	resp, err := x.Open(ctx, name, req)
	if err != nil {
		return nil, sourceError(ctx, name, err)
	}
	m.answered(x, m.now().Sub(start))
	if resp != nil && resp.NotModified && resp.Body != nil {
		resp.Body.Close()
	}
	switch {
	case resp == nil || resp.NotModified && req.ETag == "" || !resp.NotModified && resp.Body == nil:
		return nil, &SourceError{name, errors.New("no answer")}
	case resp.NotModified:
	case resp.Offset != 0 && resp.Offset != req.Offset:
		resp.Body.Close()
		return nil, &SourceError{name, fmt.Errorf("answer starts at byte %d, not %d", resp.Offset, req.Offset)}
	}
	return resp, nil
}

// interrupted is a transfer that began and then broke: worth another try.
type interrupted struct{ SourceError }

func (e *interrupted) Unwrap() error { return &e.SourceError }

func brokenError(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var source *SourceError
	if errors.As(err, &source) && notOurs(err) == err || errors.Is(err, ErrTooSlow) {
		return sourceError(ctx, name, err)
	}
	return &interrupted{SourceError{name, notOurs(err)}}
}

// notOurs keeps a source from saying that the caller canceled, which would end everything.
func notOurs(err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("given up by the source: %v", err)
	}
	return err
}

func broken(ctx context.Context, err error) bool {
	var i *interrupted
	return ctx.Err() == nil && errors.As(err, &i)
}

func sourceError(ctx context.Context, name string, err error) error {
	var source *SourceError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &source) && notOurs(err) == err:
		return err
	}
	return &SourceError{name, notOurs(err)}
}

func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }
