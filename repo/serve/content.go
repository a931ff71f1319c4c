// SPDX-License-Identifier: Apache-2.0

package serve

import (
	"context"
	"errors"
	"io"

	"github.com/waybill-project/waybill/repo/store"
)

// content is what http.ServeContent sends.
type content struct {
	io.ReadSeeker
	etag   string
	object *object // nil if the content is in memory
}

// close frees the content and tells what went wrong after the headers.
func (c *content) close() error {
	if c.object == nil {
		return nil
	}
	c.object.close()
	return c.object.err
}

// object reads one version of a stored object, from where it was sought to,
// and opens it no earlier than needed.
type object struct {
	ctx    context.Context
	store  *store.Store
	name   string
	attrs  store.Attributes
	at     int64
	reader io.ReadCloser
	err    error
}

func (o *object) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += o.at
	case io.SeekEnd:
		offset += o.attrs.Size
	}
	if offset < 0 {
		return 0, errors.New("seek before the beginning")
	}
	if offset != o.at {
		o.close()
	}
	o.at = offset
	return offset, nil
}

func (o *object) Read(p []byte) (int, error) {
	if o.at >= o.attrs.Size {
		return 0, io.EOF
	}
	if o.reader == nil {
		if o.err = o.open(); o.err != nil {
			return 0, o.err
		}
	}
	n, err := o.reader.Read(p)
	o.at += int64(n)
	if err != nil && err != io.EOF {
		o.err = err
	}
	return n, err
}

func (o *object) open() error {
	r, attrs, err := o.store.Reader(o.ctx, o.name, o.at, -1)
	if err != nil {
		return err
	}
	if attrs.ETag != o.attrs.ETag {
		r.Close()
		return errors.New("object was replaced while it was sent")
	}
	o.reader = r
	return nil
}

func (o *object) close() {
	if o.reader != nil {
		o.reader.Close()
		o.reader = nil
	}
}
