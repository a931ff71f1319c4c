// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/waybill-project/waybill/conformance"
)

// Honest patches of waybill1 are files, since what is behind their header is
// coded: they stay readable for ever, whatever makes them today. Recipes take one
// and change it.

// Pair is a base and a result that an honest patch leads from and to.
type Pair struct{ Base, Result []byte }

// Waybill1Pairs are the pairs of the honest patches by name.
func Waybill1Pairs() map[string]Pair {
	text, edited := lines("seven"), lines("nine")
	story, streams := prose(7, 150_000), ramp(6, 8000)
	return map[string]Pair{
		"text":        {text, edited},
		"primed":      {text, []byte("A small line of a file, packed and odd:\n" + string(text))},
		"same":        {text, text},
		"nothing":     {nil, nil},
		"empty_base":  {nil, text},
		"empty_end":   {text, nil},
		"one_byte":    {[]byte{1}, []byte{2}},
		"random":      {ramp(1, 100), ramp(2, 1500)},
		"random_text": {text, append(ramp(3, 1500), edited...)},
		"zeros":       {nil, make([]byte, 5000)},
		"grown":       {text, bytes.Repeat(text, 5)},
		"turned":      {append(ramp(4, 900), ramp(5, 900)...), append(ramp(5, 900), ramp(4, 900)...)},
		"primed_part": {story, slices.Concat(story[:140_000], prose(8, 200), story[140_000:])},
		"prose":       {nil, prose(9, 70_000)},
		"detours":     {streams, interleaved(streams)},
		"elf":         {smallELF(0), smallELF(16)},
		"macho":       {smallMachO(0), smallMachO(1)},
		"gzip":        {gzipped(packedText, text), gzipped(packedEdited, edited)},
		"gzip_result": {text, gzipped(packedEdited, edited)},
		"gzip_base":   {gzipped(packedText, text), edited},
	}
}

func lines(odd string) []byte {
	var out []byte
	for i := range 60 {
		word := "a small file"
		if i%20 == 7 {
			word = odd
		}
		out = append(out, "line "+string(rune('0'+i/10))+string(rune('0'+i%10))+" of "+word+" that is packed\n"...)
	}
	return out
}

// prose is n bytes of some two hundred words.
func prose(seed byte, n int) []byte {
	words := ramp(0, 2048)
	var out []byte
	for _, b := range ramp(seed, n) {
		at := int(b) * 7
		for _, c := range words[at : at+3+int(words[at])%6] {
			out = append(out, 'a'+c%26)
		}
		out = append(out, ' ')
	}
	return out[:n]
}

// interleaved takes turns among eight parts of p, 40 bytes at a time, in an order
// that lets none be long gone.
func interleaved(p []byte) (out []byte) {
	part := len(p) / 8
	next := [8]int{}
	for _, b := range ramp(10, 150) {
		i := int(b) % 8
		at := i*part + next[i]
		out = append(out, p[at:at+40]...)
		next[i] += 40 + int(b)/8%4
	}
	return out
}

// coded is a patch of waybill1 before it is put together: the honest one, whose
// header is in parts.
type coded struct {
	magic    string
	views    byte
	numbers  [4]uint64 // lengths of base, result, the result's view, and what is stored
	long     bool      // the first number has a byte more than it needs
	primer   []uint64  // offset and length in the base, or none
	sums     []byte
	count    uint64
	regions  []region
	rest     []byte // coded and stored
	trailing []byte
}

// region is an executable: where it was, and its new layout.
type region struct {
	numbers [3]uint64 // old offset and length, new offset
	layout  []byte
}

const (
	magicLength = 4
	sumsLength  = 8
	viewBase    = 1
	viewResult  = 2
	primed      = 4
)

// honestWaybill1 is the honest patch of that name.
func honestWaybill1(honest map[string][]byte, name string) func(m *patchMaker) {
	return func(m *patchMaker) {
		p, ok := Waybill1Pairs()[name]
		if !ok {
			panic("no pair is called " + name)
		}
		m.base, m.result, m.waybill1 = p.Base, p.Result, parseCoded(honest[name])
	}
}

func parseCoded(p []byte) *coded {
	c := &coded{magic: string(p[:magicLength]), views: p[magicLength]}
	p = p[magicLength+1:]
	number := func() uint64 {
		v, n := binary.Uvarint(p)
		p = p[n:]
		return v
	}
	for i := range c.numbers {
		c.numbers[i] = number()
	}
	if c.views&primed != 0 {
		c.primer = []uint64{number(), number()}
	}
	c.sums, p = p[:sumsLength], p[sumsLength:]
	c.count = number()
	if c.count == 1 { // what is behind the numbers stays in one piece
		c.regions = []region{{numbers: [3]uint64{number(), number(), number()}}}
	}
	c.rest = p
	return c
}

func (c *coded) bytes() []byte {
	out := append([]byte(c.magic), c.views)
	for i, n := range append(c.numbers[:], c.primer...) {
		out = binary.AppendUvarint(out, n)
		if c.long && i == 0 {
			out[len(out)-1] |= 0x80
			out = append(out, 0)
		}
	}
	out = binary.AppendUvarint(append(out, c.sums...), c.count)
	for _, r := range c.regions {
		for _, n := range r.numbers {
			out = binary.AppendUvarint(out, n)
		}
		out = append(out, r.layout...)
	}
	return bytes.Join([][]byte{out, c.rest, c.trailing}, nil)
}

func waybill1Patches(honest map[string][]byte) patchFormat {
	f := patchFormat{name: "waybill1", source: "docs/delta.md", honest: honestWaybill1(honest, "text")}
	f.recipes = append(anyCodedPatches(), waybill1Shapes(honest)...)
	f.recipes = append(f.recipes, waybill1Headers(honest)...)
	f.recipes = append(f.recipes, waybill1Images(honest)...)
	f.recipes = append(f.recipes, waybill1Coded(honest)...)
	return f
}

// anyCodedPatches are those of any format. What is left of coded bytes may be a
// patch, for something else.
func anyCodedPatches() []patchRecipe {
	list := anyFormatPatches()
	for i := range list {
		switch list[i].name {
		case "patch_cut_half", "patch_cut_end", "patch_twice":
			list[i].expect = badOrOther
		}
	}
	return list
}

func waybill1Shapes(honest map[string][]byte) []patchRecipe {
	var out []patchRecipe
	for _, r := range [][3]string{
		{"same_file", "same", "A result that is the base is made."},
		{"nothing_at_all", "nothing", "Nothing is made of nothing."},
		{"base_empty", "empty_base", "A base of no bytes is a base."},
		{"result_empty", "empty_end", "A result of no bytes is made."},
		{"one_byte", "one_byte", "One byte is made of another."},
		{"literals_stored", "random", "Bytes that do not compress are stored."},
		{"literals_mixed", "random_text", "Stored and coded bytes follow each other."},
		{"zeros_coded", "zeros", "Many bytes need few."},
		{"covers_repeated", "grown", "Pieces of the base are used several times."},
		{"covers_turned", "turned", "Pieces of the base are used in another order."},
		{"literals_primed", "primed", "Literals go on as the base does."},
		{"literals_primed_by_a_part", "primed_part", "Some of a part of the base is learned."},
		{"literals_long", "prose", "Literals go on over several chunks."},
		{"covers_by_turns", "detours", "Covers go on where earlier ones ended."},
		{"image_elf", "elf", "References of an ELF file are predicted."},
		{"image_macho", "macho", "References of a Mach-O file are predicted, and the hashes of its pages computed."},
		{"views_both", "gzip", "Both files are seen by what is packed in them, and the result is packed again to the byte."},
		{"view_of_result", "gzip_result", "The result is seen by what is packed in it."},
		{"view_of_base", "gzip_base", "The base is seen as it is, or by what is packed in it."},
	} {
		out = append(out, patchRecipe{r[0], r[2], conformance.OK, honestWaybill1(honest, r[1])})
	}
	return out
}
