// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/waybill-project/waybill/conformance"
)

// patchRecipe is a patch before it is made. The recipe starts from the honest patch of
// its format, with base and result, and changes what it is about.
type patchRecipe struct {
	name, shows, expect string
	make                func(m *patchMaker)
}

// patchFormat has a file with its recipes; to add a format, add one to patchFormats.
type patchFormat struct {
	name, source string
	honest       func(m *patchMaker)
	recipes      []patchRecipe
}

func patchFormats(honest map[string][]byte) []patchFormat {
	return []patchFormat{bsdiff4Patches(), vcdiffPatches(), waybill1Patches(honest)}
}

// patchMaker makes one patch. What sign changes is signed in place of the truth.
type patchMaker struct {
	base, result, patch []byte
	source              string // in place of the format's
	memory              int64
	beyond              bool
	sign                func(f *conformance.Facts)

	bsdiff4  bsdiff4
	vcdiff   vcdiff
	waybill1 *coded
}

// Patches returns every file of the corpus of patches by its path. Honest are the
// patches that lead from base to result of Waybill1Pairs.
func Patches(honest map[string][]byte) map[string][]byte {
	out := map[string][]byte{}
	for _, f := range patchFormats(honest) {
		for _, r := range f.recipes {
			dir := "patches/" + f.name + "/" + r.name + "/"
			if out[dir+"patch"] != nil {
				panic("two patches are called " + r.name)
			}
			m := &patchMaker{source: f.source}
			f.honest(m)
			r.make(m)
			out[dir+"base"], out[dir+"patch"], out[dir+"manifest.json"] = append([]byte{}, m.base...), m.bytes(), m.manifest(f.name, r)
		}
	}
	return out
}

// bytes is the patch, put together unless the recipe gave it.
func (m *patchMaker) bytes() []byte {
	switch {
	case m.patch != nil:
		return m.patch
	case m.vcdiff.windows != nil:
		return m.vcdiff.bytes()
	case m.waybill1 != nil:
		return m.waybill1.bytes()
	}
	return m.bsdiff4.bytes(len(m.result))
}

func (m *patchMaker) manifest(format string, r patchRecipe) []byte {
	base, result := sha256.Sum256(m.base), sha256.Sum256(m.result)
	p := conformance.Patch{
		Name: r.name, Format: format, Shows: r.shows, Source: m.source, Expect: r.expect, Memory: m.memory, Beyond: m.beyond,
		Signed: conformance.Facts{
			BaseLength: int64(len(m.base)), BaseSHA256: hex.EncodeToString(base[:]),
			ResultLength: int64(len(m.result)), ResultSHA256: hex.EncodeToString(result[:]),
			PatchLength: int64(len(m.bytes())),
		},
	}
	if m.sign != nil {
		m.sign(&p.Signed)
	}
	data, err := json.MarshalIndent(p, "", " ")
	if err != nil {
		panic(err)
	}
	return append(data, '\n')
}

// signs is a recipe that signs something else.
func signs(change func(f *conformance.Facts)) func(m *patchMaker) {
	return func(m *patchMaker) { m.sign = change }
}

// damaged signs the honest patch and serves what change makes of it.
func (m *patchMaker) damaged(change func(patch []byte) []byte) {
	m.patch = change(m.bytes())
}

// anyFormatPatches are the recipes that make sense in every format.
func anyFormatPatches() []patchRecipe {
	const (
		corrupt  = conformance.Corrupt
		mismatch = conformance.BaseMismatch
		other    = conformance.ResultMismatch
	)
	flip := func(sum string) string {
		if sum[0] == '0' {
			return "1" + sum[1:]
		}
		return "0" + sum[1:]
	}
	return []patchRecipe{
		{"patch_honest", "An ordinary patch is applied.", conformance.OK, func(*patchMaker) {}},
		{"base_other", "A base with another hash is refused before anything is made.", mismatch, func(m *patchMaker) {
			m.base = append([]byte{}, m.base...)
			honest := sha256.Sum256(m.base)
			m.base[7] ^= 1
			m.sign = func(f *conformance.Facts) { f.BaseSHA256 = hex.EncodeToString(honest[:]) }
		}},
		{"base_longer", "A base that is longer than signed is refused.", mismatch, signs(func(f *conformance.Facts) { f.BaseLength-- })},
		{"base_shorter", "A base that is shorter than signed is refused.", mismatch, signs(func(f *conformance.Facts) { f.BaseLength++ })},
		{"base_absurd", "A base that is signed as 2^62 bytes long costs nothing.", mismatch, signs(func(f *conformance.Facts) { f.BaseLength = 1 << 62 })},
		{"base_negative", "A negative length is refused.", corrupt + "|" + mismatch, signs(func(f *conformance.Facts) { f.BaseLength = -1 })},
		{"result_other", "A well-formed patch that makes something else than signed is refused.", other, signs(func(f *conformance.Facts) { f.ResultSHA256 = flip(f.ResultSHA256) })},
		{"result_longer", "A patch that makes less than signed is refused.", corrupt, signs(func(f *conformance.Facts) { f.ResultLength++ })},
		{"result_shorter", "A patch that makes more than signed writes no more than signed.", corrupt, signs(func(f *conformance.Facts) { f.ResultLength-- })},
		{"result_negative", "A negative length is refused.", corrupt, signs(func(f *conformance.Facts) { f.ResultLength = -1 })},
		{"result_absurd", "A result that is signed as 2^62 bytes long allocates nothing of it.", corrupt, signs(func(f *conformance.Facts) { f.ResultLength = 1 << 62 })},
		{"patch_longer", "A byte that follows the signed patch is refused.", corrupt, signs(func(f *conformance.Facts) { f.PatchLength-- })},
		{"patch_shorter", "A patch that is shorter than signed is refused.", corrupt, signs(func(f *conformance.Facts) { f.PatchLength++ })},
		{"patch_empty", "Nothing is no patch.", corrupt, func(m *patchMaker) { m.patch = []byte{} }},
		{"patch_zeros", "Zeros are no patch.", corrupt, func(m *patchMaker) { m.patch = make([]byte, 100) }},
		{"patch_cut_header", "A patch that ends in its header is refused.", corrupt, func(m *patchMaker) { m.damaged(func(p []byte) []byte { return p[:4] }) }},
		{"patch_cut_half", "A patch that ends in the middle is refused.", corrupt, func(m *patchMaker) { m.damaged(func(p []byte) []byte { return p[:len(p)/2] }) }},
		{"patch_cut_end", "A patch that lacks its last byte is refused.", corrupt, func(m *patchMaker) { m.damaged(func(p []byte) []byte { return p[:len(p)-1] }) }},
		{"patch_trailing_zero", "A zero that follows the patch, signed with it, is refused.", corrupt, func(m *patchMaker) {
			m.beyond = true
			m.damaged(func(p []byte) []byte { return append(p, 0) })
		}},
		{"patch_twice", "A second patch behind the first, signed with it, is refused.", corrupt, func(m *patchMaker) { m.damaged(func(p []byte) []byte { return append(p, p...) }) }},
		{"memory_scarce", "A reader that may use 1 KiB says that it needs more, or manages.", conformance.OK + "|" + conformance.Memory, func(m *patchMaker) { m.memory = 1 << 10 }},
	}
}

// ramp is n bytes of a fixed sequence without structure.
func ramp(seed byte, n int) []byte {
	out := []byte{}
	for sum := sha256.Sum256([]byte{seed}); len(out) < n; sum = sha256.Sum256(sum[:]) {
		out = append(out, sum[:]...)
	}
	return out[:n]
}
