// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// part is what a request asks for of a file of size bytes.
type part struct {
	status             int
	from, length, size int64
}

func wholeOf(size int64) part { return part{http.StatusOK, 0, size, size} }

// rangeOf reads a Range header (RFC 9110, 14.2): one range of bytes. Several, other units and what
// is malformed stand for the whole, as they may.
func rangeOf(header string, size int64) part {
	whole := wholeOf(size)
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || !dash {
		return whole
	}
	from, fromOK := digits(first)
	to, toOK := digits(last)
	switch {
	case first == "" && toOK:
		from, to = max(0, size-to), size-1
		if last == "0" || from > to {
			return part{status: http.StatusRequestedRangeNotSatisfiable, size: size}
		}
	case !fromOK || last != "" && (!toOK || to < from):
		return whole
	case from >= size:
		return part{status: http.StatusRequestedRangeNotSatisfiable, size: size}
	case last == "" || to >= size:
		to = size - 1
	}
	return part{http.StatusPartialContent, from, to - from + 1, size}
}

func digits(s string) (int64, bool) {
	if s == "" || strings.Trim(s, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// String is the value of Content-Range.
func (p part) String() string {
	if p.length == 0 {
		return fmt.Sprintf("bytes */%d", p.size)
	}
	return fmt.Sprintf("bytes %d-%d/%d", p.from, p.from+p.length-1, p.size)
}

// holds tells whether an If-None-Match header lists a tag.
func holds(header, tag string) bool {
	for each := range strings.SplitSeq(header, ",") {
		each = strings.TrimPrefix(strings.TrimSpace(each), "W/")
		if each == tag || each == "*" {
			return true
		}
	}
	return false
}
