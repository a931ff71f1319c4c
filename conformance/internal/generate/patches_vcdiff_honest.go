// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"github.com/waybill-project/waybill/conformance"
)

const letters = "abcdefghijklmnop"

func vcdiffShapes() []patchRecipe {
	const ok = conformance.OK
	whole := func(result string, w vcdiffWindow) func(m *patchMaker) {
		w.target = []byte(result)
		return windows(letters, result, w)
	}
	segment := []uint64{16, 0}
	return []patchRecipe{
		{"example_of_rfc", "The example of section 3.", ok, whole("abcdwxyzefghefghefghefghzzzz",
			vcdiffWindow{segment: segment, data: []byte("wxyzz"), instructions: []byte{20, 5, 20, 28, 0, 4}, addresses: []byte{0, 4, 24}})},
		{"result_empty", "A window of no bytes is one.", ok, whole("", vcdiffWindow{segment: segment})},
		{"window_none", "A patch without windows makes nothing.", ok, func(m *patchMaker) {
			m.result, m.patch = nil, []byte("\xd6\xc3\xc4\x00\x00")
		}},
		{"segment_none", "A window need not copy from the base.", ok, whole("abab", vcdiffWindow{data: []byte("ab"), instructions: []byte{3, 19, 2}, addresses: []byte{0}})},
		{"segment_inside", "Addresses count from the start of the segment.", ok, whole("efgh", vcdiffWindow{segment: []uint64{4, 4}, instructions: []byte{20}, addresses: []byte{0}})},
		{"windows_two", "Windows have segments of their own and begin with empty caches.", ok, windows(letters, "ijklabcdabcd",
			vcdiffWindow{segment: []uint64{8, 8}, length: ptr(uint64(4)), checksum: true, instructions: []byte{20}, addresses: []byte{0}},
			vcdiffWindow{segment: segment, length: ptr(uint64(4)), instructions: []byte{52}, addresses: []byte{0}},
			vcdiffWindow{segment: segment, length: ptr(uint64(4)), instructions: []byte{116}, addresses: []byte{0}})},
		{"copy_of_itself", "A copy may read what it has just written.", ok, whole("abcabcabcabc", vcdiffWindow{data: []byte("abc"), instructions: []byte{4, 41}, addresses: []byte{3}})},
		{"copy_over_border", "A copy may begin in the segment and go on in the target.", ok, whole("opopopop", vcdiffWindow{segment: segment, instructions: []byte{24}, addresses: []byte{14}})},
		{"modes_near", "The last four addresses are near, in the order of use.", ok, whole("abcdbcdecdefdefgefghfghi",
			vcdiffWindow{segment: segment, instructions: []byte{20, 20, 20, 20, 52, 68}, addresses: []byte{0, 1, 2, 3, 4, 4}})},
		{"mode_same", "An address that was used before is one byte.", ok, whole("efghefghefghi", vcdiffWindow{segment: segment, instructions: []byte{20, 116, 117}, addresses: []byte{4, 4, 4}})},
		{"mode_same_unset", "Caches begin with zeros.", ok, whole("abcdabcd", vcdiffWindow{segment: segment, instructions: []byte{116, 148}, addresses: []byte{9, 200}})},
		{"codes_paired", "One code may hold two instructions.", ok, whole("xabcdefghyefghzz", vcdiffWindow{segment: segment, data: []byte("xyzz"),
			instructions: []byte{163, 20, 2, 247, 2}, addresses: []byte{0, 4, 4}})},
		{"numbers_padded", "A number may begin with zeros.", ok, func(m *patchMaker) {
			m.base, m.result = nil, []byte("ab")
			m.patch = []byte("\xd6\xc3\xc4\x00\x00\x00\x0a\x80\x02\x00\x02\x80\x01\x00ab\x03")
		}},
		{"application_header", "The header in which xdelta3 keeps names is skipped.", ok, header("\xd6\xc3\xc4\x00\x04\x09new//old/")},
		{"application_header_free", "An application header may hold anything.", ok, header("\xd6\xc3\xc4\x00\x04\x08\x00\xff/a/\x01//")},
		{"checksum_none", "A window need not have a checksum.", ok, window(func(w *vcdiffWindow) { w.checksum = false })},
		{"window_16_mib", "The greatest window that xdelta3 writes, as a run.", ok, func(m *patchMaker) { m.zeros(16 << 20) }},
		{"window_over_16_mib", "A longer window needs memory: refused or made.", ok + "|" + conformance.Memory, func(m *patchMaker) { m.zeros(16<<20 + 1) }},
		{"segment_of_target", "A window that copies from earlier windows is refused by name, or made.", ok + "|" + conformance.Unsupported, windows(letters, "abcdabcd",
			vcdiffWindow{segment: segment, length: ptr(uint64(4)), instructions: []byte{20}, addresses: []byte{0}},
			vcdiffWindow{segment: []uint64{4, 0}, indicator: ptr(byte(2)), length: ptr(uint64(4)), instructions: []byte{20}, addresses: []byte{0}})},
	}
}

// zeros makes the patch one window with a run of n zeros.
func (m *patchMaker) zeros(n int) {
	m.base, m.result = nil, make([]byte, n)
	m.vcdiff.windows = []vcdiffWindow{{target: m.result, data: []byte{0}, instructions: append([]byte{0}, digits(uint64(n))...), checksum: true}}
}
