// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// canonical returns the canonical form (OLPC) of a JSON text as a lenient reader
// sees it: of doubled members the last, numbers as they are written.
func canonical(raw []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(fmt.Sprintf("%v in %.200q", err, raw))
	}
	return appendCanonical(nil, v)
}

func appendCanonical(dst []byte, v any) []byte {
	switch v := v.(type) {
	case string:
		return append(append(append(dst, '"'), strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v)...), '"')
	case list:
		return appendList(dst, v)
	case object:
		return appendObject(dst, v)
	}
	return fmt.Append(dst, word(v))
}

func word(v any) any {
	if v == nil {
		return "null"
	}
	return v
}

func appendList(dst []byte, v list) []byte {
	dst = append(dst, '[')
	for i, e := range v {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendCanonical(dst, e)
	}
	return append(dst, ']')
}

func appendObject(dst []byte, v object) []byte {
	dst = append(dst, '{')
	for i, name := range slices.Sorted(maps.Keys(v)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendCanonical(append(appendCanonical(dst, name), ':'), v[name])
	}
	return append(dst, '}')
}

type (
	object = map[string]any
	list   = []any
)

// marshal writes v as compact JSON.
func marshal(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

// indent makes a JSON text readable, one member a line; it changes nothing else.
func indent(raw []byte) []byte {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", " "); err != nil {
		panic(fmt.Sprintf("%v in %.200q", err, raw))
	}
	return append(b.Bytes(), '\n')
}

type rawJSON = json.RawMessage
