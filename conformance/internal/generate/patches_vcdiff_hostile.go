// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"bytes"

	"github.com/waybill-project/waybill/conformance"
)

const (
	badPatch    = conformance.Corrupt
	unread      = conformance.Unsupported
	badOrUnread = conformance.Corrupt + "|" + conformance.Unsupported
)

func vcdiffHeaders() []patchRecipe {
	return []patchRecipe{
		{"magic_other", "Another magic is refused.", badOrUnread, header("\xd6\xc3\xc5\x00\x00")},
		{"version_sdch", "The variant of open-vcdiff with version S is refused by name.", badOrUnread, header("\xd6\xc3\xc4S\x00")},
		{"version_1", "Another version is refused.", badOrUnread, header("\xd6\xc3\xc4\x01\x00")},
		{"header_bits_unknown", "Unknown bits of the header are refused.", badOrUnread, header("\xd6\xc3\xc4\x00\x08")},
		{"compressor_declared", "Secondary compression is refused by name, or undone.", conformance.OK + "|" + unread, header("\xd6\xc3\xc4\x00\x01\x02")},
		{"code_table_declared", "A code table of the patch's own that is none is refused.", badOrUnread, header("\xd6\xc3\xc4\x00\x02\x05\x04\x03abc")},
		{"application_header_past_end", "An application header does not reach past the patch.", badPatch, header("\xd6\xc3\xc4\x00\x04\x8f\x7f")},
		{"application_header_absurd", "An application header of 2^62 bytes allocates nothing.", badPatch, header("\xd6\xc3\xc4\x00\x04\xc0\x80\x80\x80\x80\x80\x80\x80\x00")},
		{"application_header_unpacked", "A patch between what xdelta3 unpacked is refused by name, or made as it stands.", conformance.OK + "|" + unread,
			header("\xd6\xc3\xc4\x00\x04\x11new.gz/G/old.gz/G")},
		{"number_endless", "A number of more than 9 bytes is refused.", badPatch, header("\xd6\xc3\xc4\x00\x04" + "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00")},
	}
}

func vcdiffWindows() []patchRecipe {
	bits := func(b byte) func(m *patchMaker) { return window(func(w *vcdiffWindow) { w.indicator = &b }) }
	segment := func(n ...uint64) func(m *patchMaker) { return window(func(w *vcdiffWindow) { w.segment = n }) }
	length := func(n uint64) func(m *patchMaker) { return window(func(w *vcdiffWindow) { w.length = &n }) }
	return []patchRecipe{
		{"window_bits_unknown", "Unknown bits of a window are refused.", badPatch, bits(0x0d)},
		{"window_bits_both", "A window does not copy from base and target at once.", badOrUnread, bits(0x07)},
		{"segment_past_base", "A segment does not reach past the base.", badPatch, segment(200, 1)},
		{"segment_longer_than_base", "A segment is not longer than the base.", badPatch, segment(201, 0)},
		{"segment_far", "A position of 2^62 is refused.", badPatch, segment(200, 1<<62)},
		{"segment_overflow", "A segment whose end overflows is refused.", badPatch, segment(1<<63-1, 1<<63-1)},
		{"target_one_less", "A window that makes more than it says is refused.", badPatch, length(99)},
		{"target_one_more", "A window that is longer than the result is refused.", badPatch, length(101)},
		{"target_zero", "A window that says that it makes nothing is refused.", badPatch, length(0)},
		{"target_2_40", "A window of 2^40 bytes allocates nothing.", badPatch, length(1 << 40)},
		{"target_2_62", "A window of 2^62 bytes allocates nothing.", badPatch, length(1 << 62)},
		{"target_2_36_signed", "A window of 64 GiB that is signed, and that nothing fills, allocates at most what is allowed.", badPatch + "|" + conformance.Memory, func(m *patchMaker) {
			m.vcdiff.windows[0].length = ptr(uint64(64 << 30))
			m.sign = func(f *conformance.Facts) { f.ResultLength = 64 << 30 }
		}},
		{"sections_compressed", "Compressed sections are refused by name.", badOrUnread, window(func(w *vcdiffWindow) { w.compressed = ptr(byte(7)) })},
		{"sections_bits_unknown", "Unknown bits of the sections are refused.", badOrUnread, window(func(w *vcdiffWindow) { w.compressed = ptr(byte(8)) })},
		{"checksum_other", "A wrong checksum is refused.", badPatch, window(func(w *vcdiffWindow) { w.sum = []byte{1, 2, 3, 4} })},
		{"checksum_cut", "A checksum of three bytes is refused.", badPatch, window(func(w *vcdiffWindow) { w.sum = []byte{1, 2, 3} })},
		{"window_missing", "A patch that lacks its last window is refused.", badPatch, func(m *patchMaker) {
			m.result = append(m.result, 'y')
		}},
		{"window_more", "A window behind the whole result is refused.", badPatch, func(m *patchMaker) {
			m.vcdiff.windows = append(m.vcdiff.windows, vcdiffWindow{target: []byte("y"), data: []byte("y"), instructions: []byte{2}})
		}},
	}
}

func vcdiffSections() []patchRecipe {
	recipe := func(name, shows string, change func(w *vcdiffWindow)) patchRecipe {
		return patchRecipe{name, shows, badPatch, window(change)}
	}
	return []patchRecipe{
		recipe("total_one_less", "Sections that are longer than their window are refused.", func(w *vcdiffWindow) { w.total = ptr(uint64(44)) }),
		recipe("total_one_more", "Sections that are shorter than their window are refused.", func(w *vcdiffWindow) { w.total = ptr(uint64(46)) }),
		recipe("total_zero", "A window of no bytes is refused.", func(w *vcdiffWindow) { w.total = ptr(uint64(0)) }),
		recipe("total_2_62", "A window does not reach past the patch.", func(w *vcdiffWindow) { w.total = ptr(uint64(1 << 62)) }),
		recipe("data_length_2_62", "A section does not reach past its window.", func(w *vcdiffWindow) { w.dataLength = ptr(uint64(1 << 62)) }),
		recipe("instructions_length_2_62", "A section does not reach past its window.", func(w *vcdiffWindow) { w.instructionsLength = ptr(uint64(1 << 62)) }),
		recipe("addresses_length_2_62", "A section does not reach past its window.", func(w *vcdiffWindow) { w.addressesLength = ptr(uint64(1 << 62)) }),
		recipe("lengths_overflow", "Lengths whose sum overflows are refused.", func(w *vcdiffWindow) {
			w.dataLength, w.instructionsLength = ptr(uint64(1<<63-1)), ptr(uint64(1<<63-1))
		}),
		recipe("data_short", "A data section that ends early is refused.", func(w *vcdiffWindow) { w.data = w.data[:20] }),
		recipe("data_long", "A data section that is not used up is refused.", func(w *vcdiffWindow) { w.data = append(w.data, 0) }),
		recipe("addresses_short", "An address section that ends early is refused.", func(w *vcdiffWindow) { w.addresses = w.addresses[:2] }),
		recipe("addresses_long", "An address section that is not used up is refused.", func(w *vcdiffWindow) { w.addresses = append(w.addresses, 0) }),
		recipe("addresses_none", "A copy without an address is refused.", func(w *vcdiffWindow) { w.addresses = nil }),
		recipe("instructions_none", "A window without instructions makes nothing.", func(w *vcdiffWindow) { w.instructions = nil }),
		recipe("instructions_cut", "An instruction without its size is refused.", func(w *vcdiffWindow) { w.instructions = append(w.instructions[:8], 19) }),
		recipe("instructions_long", "An instruction behind the full target is refused.", func(w *vcdiffWindow) { w.instructions, w.data = append(w.instructions, 2), append(w.data, 0) }),
	}
}

func vcdiffInstructions() []patchRecipe {
	huge := digits(1 << 62)
	codes := func(codes ...byte) func(m *patchMaker) {
		return window(func(w *vcdiffWindow) { w.instructions = codes })
	}
	with := func(first byte, size []byte) func(m *patchMaker) { return codes(append([]byte{first}, size...)...) }
	address := func(code byte, addresses ...byte) func(m *patchMaker) {
		return window(func(w *vcdiffWindow) {
			w.data, w.instructions, w.addresses = nil, []byte{code, 100}, addresses
		})
	}
	return []patchRecipe{
		{"add_past_target", "ADD does not write past the target.", badPatch, codes(1, 101)},
		{"add_2_62", "ADD of 2^62 bytes allocates nothing.", badPatch, with(1, huge)},
		{"run_past_target", "RUN does not write past the target.", badPatch, codes(0, 101)},
		{"run_2_62", "RUN of 2^62 bytes takes no time.", badPatch, with(0, huge)},
		{"copy_past_target", "COPY does not write past the target.", badPatch, codes(19, 101)},
		{"copy_2_62", "COPY of 2^62 bytes takes no time.", badPatch, with(19, huge)},
		{"address_here", "A copy does not begin at what it writes first.", badPatch, address(19, 0x81, 0x48)},
		{"address_beyond", "A copy does not begin behind what was written.", badPatch, address(19, 0x81, 0x49)},
		{"address_2_62", "An address of 2^62 is refused.", badPatch, address(19, huge...)},
		{"here_zero", "A distance of zero is refused.", badPatch, address(35, 0)},
		{"here_before_segment", "A distance that leads before the segment is refused.", badPatch, address(35, 0x81, 0x49)},
		{"here_2_62", "A distance of 2^62 is refused.", badPatch, address(35, huge...)},
		{"near_overflow", "A near address that overflows is refused.", badPatch, window(func(w *vcdiffWindow) {
			w.data, w.instructions, w.addresses = nil, []byte{19, 50, 51, 50}, append([]byte{100}, digits(1<<63-1)...)
		})},
		{"near_beyond", "A near address does not lead behind what was written.", badPatch, address(51, 0x81, 0x48)},
		{"address_endless", "An address of more than 9 bytes is refused.", badPatch, address(19, bytes.Repeat([]byte{0x80}, 12)...)},
		{"size_endless", "A size of more than 9 bytes is refused.", badPatch, with(1, append(bytes.Repeat([]byte{0x80}, 20), 1))},
		{"add_other_data", "A changed byte without a checksum shows in the result's hash.", conformance.ResultMismatch, window(func(w *vcdiffWindow) { w.checksum, w.data[0] = false, w.data[0]^1 })},
	}
}

func vcdiffBombs() []patchRecipe {
	bomb := func(change func(m *patchMaker)) func(m *patchMaker) {
		return func(m *patchMaker) {
			m.beyond = true
			change(m)
		}
	}
	idle := func(code ...byte) func(m *patchMaker) {
		return bomb(window(func(w *vcdiffWindow) { w.instructions = append(bytes.Repeat(code, 2000), w.instructions...) }))
	}
	return []patchRecipe{
		{"bomb_idle_adds", "Instructions that write nothing are bounded.", badPatch, idle(1, 0)},
		{"bomb_idle_copies", "Copies that write nothing are bounded.", badPatch, bomb(window(func(w *vcdiffWindow) {
			w.instructions, w.addresses = append(bytes.Repeat([]byte{19, 0}, 2000), w.instructions...), append(make([]byte, 2000), w.addresses...)
		}))},
		{"bomb_empty_windows", "Windows that make nothing are bounded.", badPatch, bomb(func(m *patchMaker) {
			m.vcdiff.windows = append(make([]vcdiffWindow, 1000), m.vcdiff.windows...)
		})},
		{"bomb_tiny_windows", "Windows of a byte each are bounded.", badPatch, bomb(func(m *patchMaker) {
			m.result, m.vcdiff.windows = nil, nil
			for i := range 1000 {
				b := []byte{byte(i)}
				m.result = append(m.result, b...)
				m.vcdiff.windows = append(m.vcdiff.windows, vcdiffWindow{target: b, data: b, instructions: []byte{2}})
			}
		})},
		{"bomb_windows_of_runs", "Windows of 16 MiB stop at the signed length.", badPatch, func(m *patchMaker) {
			m.zeros(16 << 20)
			m.vcdiff.windows = append(m.vcdiff.windows, m.vcdiff.windows[0], m.vcdiff.windows[0], m.vcdiff.windows[0])
		}},
	}
}
