// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"bytes"
	"math"

	"github.com/waybill-project/waybill/conformance"
)

// waybill1Changes is a recipe that changes an honest patch.
func waybill1Changes(honest map[string][]byte, name string, change func(c *coded)) func(m *patchMaker) {
	return func(m *patchMaker) {
		honestWaybill1(honest, name)(m)
		change(m.waybill1)
	}
}

// waybill1Damages is a recipe that damages what is coded of an honest patch.
func waybill1Damages(honest map[string][]byte, name string, damage func(rest []byte) []byte) func(m *patchMaker) {
	return waybill1Changes(honest, name, func(c *coded) { c.rest = damage(bytes.Clone(c.rest)) })
}

func waybill1Headers(honest map[string][]byte) []patchRecipe {
	text := func(change func(c *coded)) func(m *patchMaker) { return waybill1Changes(honest, "text", change) }
	packed := func(change func(c *coded)) func(m *patchMaker) { return waybill1Changes(honest, "gzip_result", change) }
	number := func(i int, n uint64) func(m *patchMaker) { return text(func(c *coded) { c.numbers[i] = n }) }
	primer := func(at, length uint64) func(m *patchMaker) {
		return waybill1Changes(honest, "primed", func(c *coded) { c.primer = []uint64{at, length} })
	}
	return []patchRecipe{
		{"magic_other", "Another version of the format is refused.", badOrUnread, text(func(c *coded) { c.magic = "WBL2" })},
		{"views_unknown", "Unknown views are refused.", badOrUnread, text(func(c *coded) { c.views = 8 })},
		{"views_all_bits", "Unknown views are refused.", badOrUnread, text(func(c *coded) { c.views = 255 })},
		{"base_claimed_longer", "A base length other than signed is refused.", badPatch, text(func(c *coded) { c.numbers[0]++ })},
		{"base_claimed_2_62", "A base length other than signed is refused.", badPatch, number(0, 1<<62)},
		{"result_claimed_longer", "A result length other than signed is refused.", badPatch, text(func(c *coded) { c.numbers[1]++ })},
		{"result_claimed_4_gib", "A result length other than signed allocates nothing.", badPatch, number(1, math.MaxUint32)},
		{"result_claimed_2_62", "A length beyond the format is refused.", badPatch, number(1, 1<<62)},
		{"result_signed_4_gib", "A result of 4 GiB that is signed, and that nothing fills, is refused without allocating it.", badPatch, func(m *patchMaker) {
			number(1, math.MaxUint32)(m)
			m.sign = func(f *conformance.Facts) { f.ResultLength = math.MaxUint32 }
		}},
		{"number_longer_than_needed", "A number is in its shortest form.", badPatch, text(func(c *coded) { c.long = true })},
		{"primer_of_nothing", "A primer has a length.", badPatch, primer(0, 0)},
		{"primer_past_base", "A primer lies within the base.", badPatch, primer(2, uint64(len(lines("seven")))-1)},
		{"primer_far_past_base", "A primer lies within the base.", badPatch, primer(math.MaxUint32, 1)},
		{"primer_past_base_unread", "A primer lies within the base, also if no literal needs it.", badPatch, waybill1Changes(honest, "same", func(c *coded) {
			c.views, c.primer = primed, []uint64{c.numbers[0], 1}
		})},
		{"primer_4_gib", "A primer has a bound.", badPatch, primer(0, math.MaxUint32)},
		{"primer_overflowing", "A number beyond the format is refused.", badPatch, primer(math.MaxUint64, 1)},
		{"primer_shorter", "Another primer predicts something else.", badOrOther, primer(0, 100)},
		{"number_endless", "A number of more than 10 bytes is refused.", badPatch, text(func(c *coded) {
			c.magic += "\x00" + string(bytes.Repeat([]byte{0x80}, 12))
		})},
		{"sum_of_base_other", "A patch from another base is refused.", conformance.BaseMismatch + "|" + badPatch, text(func(c *coded) {
			c.sums = bytes.Clone(c.sums)
			c.sums[0] ^= 1
		})},
		{"sum_of_result_other", "A patch to another result is refused.", conformance.ResultMismatch + "|" + badPatch, text(func(c *coded) {
			c.sums = bytes.Clone(c.sums)
			c.sums[sumsLength-1] ^= 1
		})},
		{"view_length_without_view", "A view's length without a view is refused.", badPatch, number(2, 100)},
		{"view_length_zero", "A view has a length.", badPatch, packed(func(c *coded) { c.numbers[2] = 0 })},
		{"view_length_less", "A view that ends early is refused.", badPatch, packed(func(c *coded) { c.numbers[2]-- })},
		{"view_length_more", "A view that goes on behind its end is refused.", badPatch, packed(func(c *coded) { c.numbers[2]++ })},
		{"view_length_4_gib", "A view is not out of proportion to its file.", badPatch, packed(func(c *coded) { c.numbers[2] = math.MaxUint32 })},
		{"view_of_plain_base", "A base with nothing packed has no view.", badPatch, packed(func(c *coded) { c.views |= viewBase })},
		{"view_of_plain_result", "What is no view is refused.", badPatch, text(func(c *coded) { c.views, c.numbers[2] = viewResult, c.numbers[1] })},
		{"view_makes_less", "A view that makes less than the result is refused.", badPatch, func(m *patchMaker) {
			packed(func(c *coded) { c.numbers[1]++ })(m)
			m.sign = func(f *conformance.Facts) { f.ResultLength++ }
		}},
		{"view_makes_more", "A view that makes more than the result writes no more than signed.", badPatch, func(m *patchMaker) {
			packed(func(c *coded) { c.numbers[1]-- })(m)
			m.sign = func(f *conformance.Facts) { f.ResultLength-- }
		}},
		{"stored_past_start", "Stored bytes do not reach into the header.", badPatch, text(func(c *coded) { c.numbers[3] = uint64(len(c.rest)) + 1 })},
		{"stored_4_gib", "Stored bytes do not reach past the patch.", badPatch, number(3, math.MaxUint32)},
		{"stored_not_used", "Stored bytes that nothing uses are refused.", badPatch, text(func(c *coded) { c.numbers[3], c.trailing = 3, []byte("abc") })},
		{"stored_too_few", "Stored bytes that end early are refused.", badPatch, waybill1Changes(honest, "random", func(c *coded) { c.numbers[3]-- })},
		{"stored_too_many", "Stored bytes that are left over are refused.", badPatch + "|" + conformance.ResultMismatch, waybill1Changes(honest, "random", func(c *coded) { c.numbers[3]++ })},
		{"stored_other", "A changed stored byte makes something else.", conformance.ResultMismatch, waybill1Damages(honest, "random", func(rest []byte) []byte {
			rest[len(rest)-7] ^= 1
			return rest
		})},
	}
}

func waybill1Images(honest map[string][]byte) []patchRecipe {
	in := func(name string, change func(c *coded)) func(m *patchMaker) {
		return waybill1Changes(honest, name, change)
	}
	elf := func(i int, n uint64) func(m *patchMaker) {
		return in("elf", func(c *coded) { c.regions[0].numbers[i] = n })
	}
	layout := func(name string, at int, b byte) func(m *patchMaker) {
		return waybill1Damages(honest, name, func(rest []byte) []byte {
			rest[at] = b
			return rest
		})
	}
	return []patchRecipe{
		{"image_not_counted", "An image without its count is read as something else.", badOrOther, in("elf", func(c *coded) { c.count = 0 })},
		{"images_too_many", "A number of images beyond the format allocates nothing.", badPatch, in("elf", func(c *coded) { c.count = math.MaxUint32 })},
		{"image_in_text", "An image is an executable.", badPatch, in("text", func(c *coded) {
			elf := parseCoded(honest["elf"])
			c.count, c.regions = 1, []region{{[3]uint64{0, c.numbers[0], 0}, elf.rest[:30]}}
		})},
		{"image_past_base", "An image lies within the base.", badPatch, elf(0, 1)},
		{"image_far_past_base", "An image lies within the base.", badPatch, elf(0, math.MaxUint32)},
		{"image_overflowing", "A number beyond the format is refused.", badPatch, elf(0, math.MaxUint64)},
		{"image_empty", "An image has a length.", badPatch, elf(1, 0)},
		{"image_4_gib", "An image is not longer than the base.", badPatch, elf(1, math.MaxUint32)},
		{"image_shorter", "An image that is cut predicts as much as it can.", conformance.OK + "|" + badOrOther, in("elf", func(c *coded) { c.regions[0].numbers[1] -= 100 })},
		{"image_past_result", "An image lies within the result.", badPatch, elf(2, 1)},
		{"image_far_past_result", "An image lies within the result.", badPatch, elf(2, math.MaxUint32)},
		{"layout_container_unknown", "An unknown kind of executable is refused.", badOrUnread, layout("elf", 0, 0xf1)},
		{"layout_machine_unknown", "An unknown machine is refused.", badOrUnread, layout("elf", 0, 0x1f)},
		{"layout_machine_other", "Another machine predicts something else, where it matters.", conformance.OK + "|" + badOrOther, layout("elf", 0, 0x12)},
		{"layout_larger", "An image is not larger than the result.", badPatch, layout("elf", 2, 0x7f)},
		{"layout_without_segments", "An image has segments.", badPatch, layout("elf", 3, 0)},
		{"layout_many_segments", "A number of segments beyond the format allocates nothing.", badPatch, layout("elf", 3, 0xff)},
		{"layout_cut", "A patch that ends in a layout is refused.", badPatch, waybill1Damages(honest, "elf", func(rest []byte) []byte { return rest[:5] })},
	}
}

const badOrOther = badPatch + "|" + conformance.ResultMismatch

// waybill1Coded are recipes for what is coded: any value is one, so a reader cannot
// tell more than that it ends early or late, or makes something else.
func waybill1Coded(honest map[string][]byte) []patchRecipe {
	damage := func(name string, f func(rest []byte) []byte) func(m *patchMaker) {
		return waybill1Damages(honest, name, f)
	}
	flip := func(name string, part, of int) func(m *patchMaker) {
		return damage(name, func(rest []byte) []byte {
			rest[(len(rest)-1)*part/of] ^= 0x10
			return rest
		})
	}
	fill := func(b byte, n int) func(m *patchMaker) {
		return damage("text", func([]byte) []byte { return bytes.Repeat([]byte{b}, n) })
	}
	out := []patchRecipe{
		{"coded_nothing", "A patch that is all header is refused.", badPatch, fill(0, 0)},
		{"coded_zeros", "Zeros in place of what is coded end or go on for ever, and are refused.", badOrOther, fill(0, 1000)},
		{"coded_ones", "Ones in place of what is coded are refused.", badOrOther, fill(255, 1000)},
		{"coded_one_byte", "One byte in place of what is coded is refused.", badOrOther, fill(0x55, 1)},
		{"coded_noise", "Noise in place of what is coded is refused.", badOrOther, damage("text", func([]byte) []byte { return ramp(9, 1000) })},
		{"coded_first_byte_lost", "A patch that lacks its first coded byte is refused.", badOrOther, damage("text", func(rest []byte) []byte { return rest[1:] })},
		{"coded_last_byte_lost", "A patch that lacks its last coded byte is refused.", badOrOther, damage("text", func(rest []byte) []byte { return rest[:len(rest)-1] })},
		{"coded_byte_more", "A zero behind what is coded is refused.", badPatch, damage("text", func(rest []byte) []byte { return append(rest, 0) })},
		{"coded_kib_more", "Zeros behind what is coded are refused.", badPatch, damage("text", func(rest []byte) []byte { return append(rest, make([]byte, 1024)...) })},
		{"coded_of_another", "What is coded of another patch is refused.", badOrOther, damage("text", func([]byte) []byte { return parseCoded(honest["grown"]).rest })},
	}
	for _, f := range []struct {
		suffix   string
		part, of int
	}{{"first", 0, 1}, {"middle", 1, 2}, {"late", 9, 10}, {"last", 1, 1}} {
		for _, name := range []string{"text", "random_text", "gzip"} {
			out = append(out, patchRecipe{"flip_" + name + "_" + f.suffix, "A changed bit makes something else or breaks the patch.", badOrOther, flip(name, f.part, f.of)})
		}
	}
	return out
}
