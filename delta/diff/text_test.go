// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"slices"
	"testing"
)

func TestIsText(t *testing.T) {
	lines := bytes.Repeat([]byte("func main() {\r\n\tprintln(\"\u00e9t\u00e9\")\n}\n"), 1000)
	for _, c := range []struct {
		name string
		data []byte
		want bool
	}{
		{"nothing", nil, true},
		{"a line", []byte("one\n"), true},
		{"source", lines, true},
		{"source with a few zeros", slices.Concat(lines[:10000], make([]byte, 100), lines[10000:]), true},
		{"a short name with a zero", []byte("name\x00"), false},
		{"zeros", make([]byte, 1000), false},
		{"code", bytes.Repeat([]byte{0x48, 0x8b, 0x05, 0x10, 0x20, 0, 0, 0xe8, 0x7f, 0x45, 1, 0}, 9999), false},
	} {
		if isText(c.data) != c.want {
			t.Errorf("%s: not %v", c.name, c.want)
		}
	}
}
