// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"fmt"
	"strconv"
)

// appendCanonical writes n as canonical JSON, the form that TUF signs: members
// sorted by name, no white space, only quote and backslash escaped, whole
// numbers of any size as they are. Other numbers have no canonical form.
func appendCanonical(dst []byte, n *node) ([]byte, error) {
	switch n.kind {
	case null:
		return append(dst, "null"...), nil
	case boolean:
		return append(dst, n.str...), nil
	case number:
		if !whole(n.str) {
			return nil, fmt.Errorf("%w: number %.40s has no canonical form", ErrMalformed, n.str)
		}
		return append(dst, n.str...), nil
	case text:
		return appendText(dst, n.str), nil
	}
	return appendMembers(dst, n)
}

func appendMembers(dst []byte, n *node) (_ []byte, err error) {
	begin, end := byte('['), byte(']')
	if n.kind == object {
		begin, end = '{', '}'
	}
	dst = append(dst, begin)
	for i := range n.members {
		m := &n.members[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		if n.kind == object {
			dst = append(appendText(dst, m.name), ':')
		}
		if dst, err = appendCanonical(dst, &m.node); err != nil {
			return nil, err
		}
	}
	return append(dst, end), nil
}

func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		if s[i] == '"' || s[i] == '\\' {
			dst = append(append(dst, s[start:i]...), '\\')
			start = i
		}
	}
	return append(append(dst, s[start:]...), '"')
}

// whole tells whether a JSON number literal is an integer. "-0" is not: readers
// disagree on it.
func whole(s string) bool {
	for i := 0; i < len(s); i++ {
		if (s[i] < '0' || s[i] > '9') && (s[i] != '-' || i > 0) {
			return false
		}
	}
	return s != "-0"
}

// maxInt is the largest integer that every JSON reader takes exactly.
const maxInt = 1<<53 - 1

func integer(n *node) (int64, error) {
	if n.kind != number || !whole(n.str) {
		return 0, fmt.Errorf("%w: not an integer", ErrMalformed)
	}
	v, err := strconv.ParseInt(n.str, 10, 64)
	if err != nil || v > maxInt || v < -maxInt {
		return 0, fmt.Errorf("%w: number out of range", ErrMalformed)
	}
	return v, nil
}
