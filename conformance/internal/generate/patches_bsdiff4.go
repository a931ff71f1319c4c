// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/dsnet/compress/bzip2"

	"github.com/waybill-project/waybill/conformance"
)

// bsdiff4 is a patch before it is put together. What is nil in the second group
// follows from the first.
type bsdiff4 struct {
	control     []int64
	diff, extra []byte

	magic                                  string
	controlLength, diffLength, claimed     *int64
	packedControl, packedDiff, packedExtra []byte
	rawControl                             []byte
}

func (b *bsdiff4) bytes(resultLength int) []byte {
	control := or(b.packedControl, func() []byte { return pack(or(b.rawControl, b.triples)) })
	diff := or(b.packedDiff, func() []byte { return pack(b.diff) })
	extra := or(b.packedExtra, func() []byte { return pack(b.extra) })
	magic := b.magic
	if magic == "" {
		magic = "BSDIFF40"
	}
	length := func(given *int64, n int) []byte {
		if given != nil {
			return offt(*given)
		}
		return offt(int64(n))
	}
	return bytes.Join([][]byte{
		[]byte(magic), length(b.controlLength, len(control)), length(b.diffLength, len(diff)), length(b.claimed, resultLength), control, diff, extra,
	}, nil)
}

func (b *bsdiff4) triples() []byte {
	var raw []byte
	for _, n := range b.control {
		raw = append(raw, offt(n)...)
	}
	return raw
}

func or(given []byte, otherwise func() []byte) []byte {
	if given != nil {
		return given
	}
	return otherwise()
}

// offt is a number as bsdiff writes it: magnitude, little-endian, and a sign bit. The
// least int64 stands for a negative zero.
func offt(n int64) []byte {
	u := uint64(n)
	if n < 0 {
		u = uint64(-n) | 1<<63
	}
	return binary.LittleEndian.AppendUint64(nil, u)
}

func pack(data []byte) []byte {
	var b bytes.Buffer
	w, err := bzip2.NewWriter(&b, &bzip2.WriterConfig{Level: bzip2.BestSpeed})
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err)
	}
	return b.Bytes()
}

// honestBSDiff4 leads from 200 bytes to 100 in three triples.
func honestBSDiff4(m *patchMaker) {
	m.base = ramp(1, 200)
	diff, extra := ramp(2, 70), ramp(3, 30)
	m.bsdiff4 = bsdiff4{control: []int64{40, 20, -10, 20, 10, 30, 10, 0, 0}, diff: diff, extra: extra}
	add := func(diff, base []byte) []byte {
		out := bytes.Clone(diff)
		for i := range out {
			out[i] += base[i]
		}
		return out
	}
	m.result = bytes.Join([][]byte{add(diff[:40], m.base), extra[:20], add(diff[40:60], m.base[30:]), extra[20:], add(diff[60:], m.base[80:])}, nil)
}

// patchOf is an honest patch of its own.
func patchOf(base, result []byte, b bsdiff4) func(m *patchMaker) {
	return func(m *patchMaker) { m.base, m.result, m.bsdiff4 = base, result, b }
}

func bsdiff4Patches() patchFormat {
	f := patchFormat{name: "bsdiff4", source: "bsdiff 4.3: bspatch.c", honest: honestBSDiff4}
	f.recipes = append(anyFormatPatches(), bsdiff4Shapes()...)
	f.recipes = append(f.recipes, bsdiff4Headers()...)
	f.recipes = append(f.recipes, bsdiff4Controls()...)
	f.recipes = append(f.recipes, bsdiff4Streams()...)
	return f
}

func bsdiff4Shapes() []patchRecipe {
	const ok = conformance.OK
	base := ramp(1, 200)
	return []patchRecipe{
		{"result_empty", "A result of no bytes is made.", ok, patchOf(base, nil, bsdiff4{})},
		{"base_empty", "A base of no bytes is a base.", ok, patchOf(nil, []byte("new"), bsdiff4{control: []int64{0, 3, 0}, extra: []byte("new")})},
		{"addition_wraps", "Bytes are added modulo 256.", ok, patchOf([]byte{200}, []byte{44}, bsdiff4{control: []int64{1, 0, 0}, diff: []byte{100}})},
		{"base_before_start", "The base has zeros before its start.", ok,
			patchOf(base, append(make([]byte, 5), base[:5]...), bsdiff4{control: []int64{0, 0, -5, 10, 0, 0}, diff: make([]byte, 10)})},
		{"base_past_end", "The base has zeros past its end.", ok,
			patchOf(base, append(bytes.Clone(base[195:]), make([]byte, 5)...), bsdiff4{control: []int64{0, 0, 195, 10, 0, 0}, diff: make([]byte, 10)})},
		{"seek_last_far", "Where the last triple leads does not matter.", ok,
			patchOf(base, base[:10], bsdiff4{control: []int64{10, 0, 1 << 40}, diff: make([]byte, 10)})},
		{"zero_negative", "A negative zero is a zero.", ok, patchOf(base, []byte("ab"), bsdiff4{control: []int64{0, 2, math.MinInt64}, extra: []byte("ab")})},
	}
}

// claims is a recipe that changes the patch before it is put together.
func claims(change func(b *bsdiff4)) func(m *patchMaker) {
	return func(m *patchMaker) { change(&m.bsdiff4) }
}

func bsdiff4Headers() []patchRecipe {
	const corrupt = conformance.Corrupt
	ptr := func(n int64) *int64 { return &n }
	return []patchRecipe{
		{"magic_other", "Another version of the format is refused.", corrupt + "|" + conformance.Unsupported, claims(func(b *bsdiff4) { b.magic = "BSDIFF41" })},
		{"magic_endsley", "The variant with one stream is refused.", corrupt + "|" + conformance.Unsupported, claims(func(b *bsdiff4) { b.magic = "ENDSLEY/" })},
		{"control_length_negative", "A negative section length is refused.", corrupt, claims(func(b *bsdiff4) { b.controlLength = ptr(-1) })},
		{"control_length_greatest", "A section does not reach past the patch.", corrupt, claims(func(b *bsdiff4) { b.controlLength = ptr(math.MaxInt64) })},
		{"control_length_zero", "An empty section is no compressed stream.", corrupt, claims(func(b *bsdiff4) { b.controlLength = ptr(0) })},
		{"difference_length_negative", "A negative section length is refused.", corrupt, claims(func(b *bsdiff4) { b.diffLength = ptr(-1) })},
		{"difference_length_greatest", "A section does not reach past the patch.", corrupt, claims(func(b *bsdiff4) { b.diffLength = ptr(math.MaxInt64) })},
		{"lengths_overflow", "Section lengths whose sum overflows are refused.", corrupt, claims(func(b *bsdiff4) {
			b.controlLength, b.diffLength = ptr(math.MaxInt64-10), ptr(math.MaxInt64-10)
		})},
		{"lengths_cancel", "A negative section length does not make room for another.", corrupt, claims(func(b *bsdiff4) { b.controlLength, b.diffLength = ptr(500), ptr(-400) })},
		{"claim_negative", "A negative result length is refused.", corrupt, claims(func(b *bsdiff4) { b.claimed = ptr(-100) })},
		{"claim_64_gib", "A result length other than signed allocates nothing.", corrupt, claims(func(b *bsdiff4) { b.claimed = ptr(64 << 30) })},
		{"claim_2_62", "A result length other than signed allocates nothing.", corrupt, claims(func(b *bsdiff4) { b.claimed = ptr(1 << 62) })},
		{"claim_64_gib_signed", "A result length that the patch does not fill is refused without allocating it.", corrupt, func(m *patchMaker) {
			m.bsdiff4.claimed = ptr(64 << 30)
			m.sign = func(f *conformance.Facts) { f.ResultLength = 64 << 30 }
		}},
	}
}

func bsdiff4Controls() []patchRecipe {
	const corrupt = conformance.Corrupt
	control := func(n ...int64) func(m *patchMaker) { return claims(func(b *bsdiff4) { b.control = n }) }
	bomb := func(change func(b *bsdiff4)) func(m *patchMaker) {
		return func(m *patchMaker) {
			m.beyond = true
			change(&m.bsdiff4)
		}
	}
	return []patchRecipe{
		{"add_negative", "A negative number of bytes is refused.", corrupt, control(-1, 101, 0)},
		{"copy_negative", "A negative number of bytes is refused.", corrupt, control(101, -1, 0)},
		{"add_greatest", "More than the result holds is refused.", corrupt, control(math.MaxInt64, 0, 0)},
		{"copy_greatest", "More than the result holds is refused.", corrupt, control(0, math.MaxInt64, 0)},
		{"add_and_copy_overflow", "Lengths whose sum overflows are refused.", corrupt, control(math.MaxInt64, math.MaxInt64, 0)},
		{"copy_past_result", "A triple does not write past the result.", corrupt, control(40, 20, 0, 30, 11, 0)},
		{"seek_overflow", "A position that overflows is refused.", corrupt, control(40, 20, math.MaxInt64, 30, 10, 0)},
		{"seek_underflow", "A position that underflows is refused.", corrupt, control(0, 0, -math.MaxInt64, 0, 0, -math.MaxInt64, 70, 30, 0)},
		{"seek_outside", "Positions outside the base are no access to memory.", conformance.ResultMismatch, control(40, 20, 1<<50, 20, 10, -1<<51, 10, 0, 0)},
		{"control_ends_early", "A control stream that ends before the result is refused.", corrupt, control(40, 20, -10)},
		{"control_none", "A control stream without triples is refused.", corrupt, control()},
		{"control_cut_triple", "A part of a triple is none.", corrupt, claims(func(b *bsdiff4) { b.rawControl = b.triples()[:64] })},
		{"control_longer", "What follows the last triple is refused.", corrupt, bomb(func(b *bsdiff4) { b.rawControl = append(b.triples(), 0) })},
		{"bomb_idle_triples", "Triples that write nothing are bounded: 262,144 of them take 40 bytes.", corrupt, bomb(func(b *bsdiff4) {
			b.rawControl = append(make([]byte, 24<<18), b.triples()...)
		})},
		{"bomb_behind_control", "8 MiB behind the control are not unpacked.", corrupt, bomb(func(b *bsdiff4) { b.rawControl = append(b.triples(), make([]byte, 8<<20)...) })},
	}
}

func bsdiff4Streams() []patchRecipe {
	const corrupt = conformance.Corrupt
	checksum := func(data []byte) []byte {
		p := pack(data)
		p[12] ^= 1
		return p
	}
	cut := func(data []byte) []byte { return data[:len(data)-1] }
	beyond := func(change func(b *bsdiff4)) func(m *patchMaker) {
		return func(m *patchMaker) {
			m.beyond = true
			change(&m.bsdiff4)
		}
	}
	return []patchRecipe{
		{"difference_short", "A difference stream that ends early is refused.", corrupt, claims(func(b *bsdiff4) { b.diff = cut(b.diff) })},
		{"difference_long", "A difference stream that is not used up is refused.", corrupt, beyond(func(b *bsdiff4) { b.diff = append(b.diff, 0) })},
		{"extra_short", "An extra stream that ends early is refused.", corrupt, claims(func(b *bsdiff4) { b.extra = cut(b.extra) })},
		{"extra_long", "An extra stream that is not used up is refused.", corrupt, beyond(func(b *bsdiff4) { b.extra = append(b.extra, 0) })},
		{"extra_missing", "A section of no bytes is no compressed stream.", corrupt, claims(func(b *bsdiff4) { b.packedExtra = []byte{} })},
		{"control_raw", "A section that is not compressed is refused.", corrupt, claims(func(b *bsdiff4) { b.packedControl = b.triples() })},
		{"control_checksum", "A wrong checksum is refused.", corrupt, claims(func(b *bsdiff4) { b.packedControl = checksum(b.triples()) })},
		{"difference_checksum", "A wrong checksum is refused.", corrupt, claims(func(b *bsdiff4) { b.packedDiff = checksum(b.diff) })},
		{"extra_checksum", "A wrong checksum is refused.", corrupt, claims(func(b *bsdiff4) { b.packedExtra = checksum(b.extra) })},
		{"extra_level_0", "A compressed stream of no block size is refused.", corrupt, claims(func(b *bsdiff4) { b.packedExtra = append([]byte("BZh0"), pack(b.extra)[4:]...) })},
		{"difference_changed", "A changed byte with a right checksum shows in the result's hash.", conformance.ResultMismatch, claims(func(b *bsdiff4) { b.diff[0] ^= 1 })},
		{"bomb_in_difference", "8 MiB in the difference are not unpacked.", corrupt, beyond(func(b *bsdiff4) { b.diff = make([]byte, 8<<20) })},
		{"bomb_in_extra", "8 MiB in the extra are not unpacked.", corrupt, beyond(func(b *bsdiff4) { b.extra = make([]byte, 8<<20) })},
	}
}
