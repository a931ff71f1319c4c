// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"bytes"
	"hash/adler32"
)

// vcdiff is a patch before it is put together.
type vcdiff struct {
	header   []byte // in place of magic, version and indicator
	windows  []vcdiffWindow
	trailing []byte
}

// vcdiffWindow is a window before it is put together. What is nil in the second group
// follows from the first.
type vcdiffWindow struct {
	segment                       []uint64 // length and position
	target                        []byte   // what it makes, for length and checksum
	checksum                      bool
	data, instructions, addresses []byte

	indicator, compressed *byte
	length                *uint64 // of the target
	total                 *uint64
	dataLength            *uint64
	instructionsLength    *uint64
	addressesLength       *uint64
	sum                   []byte
}

func (v *vcdiff) bytes() []byte {
	out := v.header
	if out == nil {
		out = []byte("\xd6\xc3\xc4\x00\x00")
	}
	for i := range v.windows {
		out = append(out, v.windows[i].bytes()...)
	}
	return append(out, v.trailing...)
}

func (w *vcdiffWindow) bytes() []byte {
	indicator, compressed := byte(0), byte(0)
	if w.segment != nil {
		indicator |= 1
	}
	if w.checksum {
		indicator |= 4
	}
	if w.indicator != nil {
		indicator = *w.indicator
	}
	if w.compressed != nil {
		compressed = *w.compressed
	}
	rest := append(digits(choose(w.length, len(w.target))), compressed)
	rest = append(rest, digits(choose(w.dataLength, len(w.data)))...)
	rest = append(rest, digits(choose(w.instructionsLength, len(w.instructions)))...)
	rest = append(rest, digits(choose(w.addressesLength, len(w.addresses)))...)
	if w.checksum {
		sum := adler32.Checksum(w.target)
		rest = append(rest, or(w.sum, func() []byte { return []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)} })...)
	}
	rest = bytes.Join([][]byte{rest, w.data, w.instructions, w.addresses}, nil)
	out := []byte{indicator}
	for _, n := range w.segment {
		out = append(out, digits(n)...)
	}
	return append(append(out, digits(choose(w.total, len(rest)))...), rest...)
}

func choose(given *uint64, n int) uint64 {
	if given != nil {
		return *given
	}
	return uint64(n)
}

// digits is a number of 7 bits a byte, the highest first.
func digits(n uint64) []byte {
	out := []byte{byte(n & 0x7f)}
	for n >>= 7; n > 0; n >>= 7 {
		out = append([]byte{byte(n&0x7f) | 0x80}, out...)
	}
	return out
}

// honestVCDIFF leads from 200 bytes to 100 in one window: COPY 40 from 0, ADD 20, COPY
// 20 from 30, RUN 10, and COPY 10 of what ADD made.
func honestVCDIFF(m *patchMaker) {
	m.base = ramp(1, 200)
	added := ramp(4, 20)
	m.result = bytes.Join([][]byte{m.base[:40], added, m.base[30:50], bytes.Repeat([]byte("x"), 10), added[:10]}, nil)
	m.vcdiff.windows = []vcdiffWindow{{
		segment: []uint64{200, 0}, target: m.result, checksum: true,
		data:         append(bytes.Clone(added), 'x'),
		instructions: []byte{19, 40, 1, 20, 19, 20, 0, 10, 42},
		addresses:    []byte{0, 30, 50},
	}}
}

// window is a recipe that changes the honest patch's window.
func window(change func(w *vcdiffWindow)) func(m *patchMaker) {
	return func(m *patchMaker) { change(&m.vcdiff.windows[0]) }
}

// header is a recipe that puts other bytes before the windows.
func header(bytes string) func(m *patchMaker) {
	return func(m *patchMaker) { m.vcdiff.header = []byte(bytes) }
}

// windows is a recipe of a patch of its own.
func windows(base, result string, list ...vcdiffWindow) func(m *patchMaker) {
	return func(m *patchMaker) {
		m.base, m.result, m.vcdiff.windows = []byte(base), []byte(result), list
		at := 0
		for i := range list {
			if w := &list[i]; w.target == nil && w.length != nil {
				w.target = m.result[at : at+int(*w.length)]
			}
			at += len(list[i].target)
		}
	}
}

func ptr[T any](v T) *T { return &v }

func vcdiffPatches() patchFormat {
	f := patchFormat{name: "vcdiff", source: "RFC 3284", honest: honestVCDIFF}
	f.recipes = append(anyFormatPatches(), vcdiffShapes()...)
	f.recipes = append(f.recipes, vcdiffHeaders()...)
	f.recipes = append(f.recipes, vcdiffWindows()...)
	f.recipes = append(f.recipes, vcdiffSections()...)
	f.recipes = append(f.recipes, vcdiffInstructions()...)
	f.recipes = append(f.recipes, vcdiffBombs()...)
	return f
}
