// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"io"
)

// Source hands out the objects of a repository. Names are those of
// repo/layout: slash-separated, each segment percent-escaped, starting with
// "metadata/" or "targets/". A Source is not trusted: every byte is checked.
//
// Open returns an error that wraps fs.ErrNotExist if there is no such object.
// Other errors are operational and reported as *SourceError.
type Source interface {
	Open(ctx context.Context, name string, req Request) (*Response, error)
}

// Request narrows what Open returns. The zero value asks for the whole object.
// A Source may ignore any of it and answer with the whole object.
type Request struct {
	Offset int64  // first byte wanted
	Length int64  // how many, 0 for all that follow
	ETag   string // answer NotModified if the object still has this tag
}

// Response is an open object. Body starts at Offset of an object of Size bytes
// (-1 if unknown) and is never nil unless NotModified.
type Response struct {
	Body        io.ReadCloser
	Offset      int64
	Size        int64
	ETag        string
	NotModified bool
}
