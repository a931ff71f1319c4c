// SPDX-License-Identifier: Apache-2.0

package delta_test

import (
	"bytes"
	"errors"
	"math"
	"runtime"
	"testing"

	"github.com/waybill-project/waybill/delta"
)

var base = noise(1, 1000)

// sample leads from base to a result of 1,000 bytes in three triples.
func sample() (parts, []byte) {
	diff := noise(2, 700)
	extra := noise(3, 300)
	p := parts{
		control: []int64{400, 200, -100, 200, 100, 300, 100, 0, 0},
		diff:    diff, extra: extra, resultLength: 1000,
	}
	sum := func(diff, base []byte) []byte {
		out := bytes.Clone(diff)
		for i := range out {
			out[i] += base[i]
		}
		return out
	}
	return p, bytes.Join([][]byte{
		sum(diff[:400], base), extra[:200], sum(diff[400:600], base[300:]), extra[200:], sum(diff[600:], base[800:]),
	}, nil)
}

func TestApply(t *testing.T) {
	p, result := sample()
	patch := p.patch(t)
	got, err := apply(t, describe(base, result, patch), base, patch)
	if err != nil || !bytes.Equal(got, result) {
		t.Fatalf("wrong result or error: %v", err)
	}
}

// TestApplyShapes holds patches that look odd and are valid.
func TestApplyShapes(t *testing.T) {
	zeros := func(n int) []byte { return make([]byte, n) }
	cases := []struct {
		name         string
		base, result []byte
		parts        parts
	}{
		{"empty to empty", nil, nil, parts{}},
		{"empty result", base, nil, parts{}},
		{"empty base", nil, []byte("new"), parts{control: []int64{0, 3, 0}, extra: []byte("new")}},
		{"one byte added", []byte{1}, []byte{3}, parts{control: []int64{1, 0, 0}, diff: []byte{2}}},
		{"one byte copied", []byte{1}, []byte{3}, parts{control: []int64{0, 1, 0}, extra: []byte{3}}},
		{"addition wraps", []byte{200}, []byte{44}, parts{control: []int64{1, 0, 0}, diff: []byte{100}}},
		{"begins with a seek", base, base[500:510], parts{control: []int64{0, 0, 500, 10, 0, 0}, diff: zeros(10)}},
		{"last seek far outside", base, base[:10], parts{control: []int64{10, 0, math.MaxInt64 - 10}, diff: zeros(10)}},
		{"last seek far before", base, base[:10], parts{control: []int64{10, 0, -math.MaxInt64}, diff: zeros(10)}},
		{"base read from before its start", base, append(zeros(5), base[:5]...),
			parts{control: []int64{0, 0, -5, 10, 0, 0}, diff: zeros(10)}},
		{"base read past its end", base, append(bytes.Clone(base[995:]), 0, 0, 0, 0, 0),
			parts{control: []int64{0, 0, 995, 10, 0, 0}, diff: zeros(10)}},
		{"base read wholly before", base, []byte("abc"), parts{control: []int64{0, 0, -100, 3, 0, 0}, diff: []byte("abc")}},
		{"base read wholly past", base, []byte("abc"), parts{control: []int64{0, 0, 1 << 40, 3, 0, 0}, diff: []byte("abc")}},
		{"negative zero", base, []byte("ab"), parts{control: []int64{0, 2, math.MinInt64}, extra: []byte("ab")}},
		{"idle triples within the allowance", base, []byte("ab"),
			parts{control: append(make([]int64, 3*60), 0, 2, 0), extra: []byte("ab")}},
		{"two bzip2 streams in one section", base, []byte("abcd"),
			parts{control: []int64{0, 4, 0}, packedExtra: append(pack(t, []byte("ab")), pack(t, []byte("cd"))...)}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			c.parts.resultLength = int64(len(c.result))
			patch := c.parts.patch(t)
			got, ok := checkApply(t, c.base, patch, int64(len(c.result)))
			if !ok || !bytes.Equal(got, c.result) {
				t.Fatalf("got %x, accepted: %v; want %x", got, ok, c.result)
			}
		})
	}
}

// change is an edit of the patch and one of what is signed about it.
type change struct {
	patch func(*parts)
	info  func(*delta.Info)
}

type hostileCase struct {
	name string
	change
	want error
}

func hostile(t testing.TB) []hostileCase {
	ptr := func(n int64) *int64 { return &n }
	edit := func(f func(*parts)) change { return change{f, func(*delta.Info) {}} }
	signed := func(f func(*delta.Info)) change { return change{func(*parts) {}, f} }
	control := func(n ...int64) change { return edit(func(p *parts) { p.control = n }) }
	cut := func(data []byte) []byte { return append([]byte{}, data[:len(data)-1]...) }
	badSum := func(data []byte) []byte {
		b := pack(t, data)
		b[12] ^= 1
		return b
	}
	valid, _ := sample()
	all := func() []byte {
		var raw []byte
		for _, n := range valid.control {
			raw = append(raw, number(n)...)
		}
		return raw
	}()
	C := delta.ErrCorrupt
	return []hostileCase{
		{"other magic", edit(func(p *parts) { p.magic = "BSDIFF41" }), C},
		{"endsley magic", edit(func(p *parts) { p.magic = "ENDSLEY/" }), C},
		{"no magic", edit(func(p *parts) { p.magic = "\x00\x00\x00\x00\x00\x00\x00\x00" }), C},
		{"negative control length", edit(func(p *parts) { p.controlLength = ptr(-1) }), C},
		{"negative difference length", edit(func(p *parts) { p.diffLength = ptr(-1) }), C},
		{"negative result length", edit(func(p *parts) { p.newLength = ptr(-1000) }), C},
		{"control length past the patch", edit(func(p *parts) { p.controlLength = ptr(1 << 20) }), C},
		{"difference length past the patch", edit(func(p *parts) { p.diffLength = ptr(1 << 20) }), C},
		{"greatest control length", edit(func(p *parts) { p.controlLength = ptr(math.MaxInt64) }), C},
		{"greatest difference length", edit(func(p *parts) { p.diffLength = ptr(math.MaxInt64) }), C},
		{"lengths overflow together", edit(func(p *parts) { p.controlLength, p.diffLength = ptr(math.MaxInt64-10), ptr(math.MaxInt64-10) }), C},
		{"lengths cancel out", edit(func(p *parts) { p.controlLength, p.diffLength = ptr(500), ptr(-400) }), C},
		{"control length one short", edit(func(p *parts) { p.controlLength = ptr(int64(len(pack(t, all)) - 1)) }), C},
		{"control length one long", edit(func(p *parts) { p.controlLength = ptr(int64(len(pack(t, all)) + 1)) }), C},
		{"control length zero", edit(func(p *parts) { p.controlLength = ptr(0) }), C},
		{"difference length one short", edit(func(p *parts) { p.diffLength = ptr(int64(len(pack(t, p.diff)) - 1)) }), C},
		{"difference length one long", edit(func(p *parts) { p.diffLength = ptr(int64(len(pack(t, p.diff)) + 1)) }), C},
		{"difference length zero", edit(func(p *parts) { p.diffLength = ptr(0) }), C},
		{"result length 64 GiB", edit(func(p *parts) { p.newLength = ptr(64 << 30) }), C},
		{"result length 2^62", edit(func(p *parts) { p.newLength = ptr(1 << 62) }), C},
		{"greatest result length", edit(func(p *parts) { p.newLength = ptr(math.MaxInt64) }), C},
		{"result length one less", edit(func(p *parts) { p.newLength = ptr(999) }), C},
		{"result length one more", edit(func(p *parts) { p.newLength = ptr(1001) }), C},
		{"result length zero", edit(func(p *parts) { p.newLength = ptr(0) }), C},
		{"signed result shorter", signed(func(i *delta.Info) { i.ResultLength = 999 }), C},
		{"signed result longer", signed(func(i *delta.Info) { i.ResultLength = 1001 }), C},
		{"signed result negative", signed(func(i *delta.Info) { i.ResultLength = -1 }), C},
		{"signed and claimed result 64 GiB", change{func(p *parts) { p.newLength = ptr(64 << 30) }, func(i *delta.Info) { i.ResultLength = 64 << 30 }}, C},
		{"signed patch shorter", signed(func(i *delta.Info) { i.PatchLength-- }), C},
		{"signed patch longer", signed(func(i *delta.Info) { i.PatchLength++ }), C},
		{"signed patch negative", signed(func(i *delta.Info) { i.PatchLength = -1 }), C},
		{"signed patch 2^62", signed(func(i *delta.Info) { i.PatchLength = 1 << 62 }), C},
		{"signed patch no header", signed(func(i *delta.Info) { i.PatchLength = 31 }), C},
		{"bytes after the last stream", edit(func(p *parts) { p.trailing = []byte("tail") }), C},
		{"one byte after the last stream", edit(func(p *parts) { p.trailing = []byte{0} }), C},
		{"cut stream after the last stream", edit(func(p *parts) { p.trailing = []byte("BZh") }), C},
		{"negative add", control(-1, 1001, 0), C},
		{"negative copy", control(1001, -1, 0), C},
		{"least add", control(-math.MaxInt64, 0, 0), C},
		{"greatest add", control(math.MaxInt64, 0, 0), C},
		{"greatest copy", control(0, math.MaxInt64, 0), C},
		{"add and copy overflow", control(math.MaxInt64, math.MaxInt64, 0), C},
		{"add past the result", control(1001, 0, 0), C},
		{"copy past the result", control(700, 301, 0), C},
		{"copy past the result in the second triple", control(400, 200, 0, 300, 101, 0), C},
		{"seek overflows", control(400, 200, math.MaxInt64, 300, 100, 0), C},
		{"seek overflows at the very end", control(700, 300, math.MaxInt64), C},
		{"seeks underflow", control(0, 0, -math.MaxInt64, 0, 0, -math.MaxInt64, 700, 300, 0), C},
		{"add overflows the position", control(0, 0, math.MaxInt64, 700, 300, 0), C},
		{"control ends early", control(400, 200, -100), C},
		{"control of no triple", control(), C},
		{"control of a part of a triple", edit(func(p *parts) { p.rawControl = all[:len(all)-8] }), C},
		{"control one byte short", edit(func(p *parts) { p.rawControl = cut(all) }), C},
		{"control one byte long", edit(func(p *parts) { p.rawControl = append(all[:len(all):len(all)], 0) }), C},
		{"control of one idle triple more", edit(func(p *parts) { p.control = append(p.control, 0, 0, 0) }), C},
		{"difference one byte short", edit(func(p *parts) { p.diff = cut(p.diff) }), C},
		{"difference one byte long", edit(func(p *parts) { p.diff = append(p.diff, 0) }), C},
		{"difference empty", edit(func(p *parts) { p.diff = nil }), C},
		{"extra one byte short", edit(func(p *parts) { p.extra = cut(p.extra) }), C},
		{"extra one byte long", edit(func(p *parts) { p.extra = append(p.extra, 0) }), C},
		{"extra empty", edit(func(p *parts) { p.extra = nil }), C},
		{"extra missing", edit(func(p *parts) { p.packedExtra = []byte{} }), C},
		{"control not bzip2", edit(func(p *parts) { p.packedControl = all }), C},
		{"difference not bzip2", edit(func(p *parts) { p.packedDiff = p.diff }), C},
		{"extra not bzip2", edit(func(p *parts) { p.packedExtra = p.extra }), C},
		{"control checksum", edit(func(p *parts) { p.packedControl = badSum(all) }), C},
		{"difference checksum", edit(func(p *parts) { p.packedDiff = badSum(p.diff) }), C},
		{"extra checksum", edit(func(p *parts) { p.packedExtra = badSum(p.extra) }), C},
		{"control cut by one", edit(func(p *parts) { p.packedControl = cut(pack(t, all)) }), C},
		{"difference cut by one", edit(func(p *parts) { p.packedDiff = cut(pack(t, p.diff)) }), C},
		{"extra cut by one", edit(func(p *parts) { p.packedExtra = cut(pack(t, p.extra)) }), C},
		{"bzip2 level 0", edit(func(p *parts) { p.packedExtra = append([]byte("BZh0"), pack(t, p.extra)[4:]...) }), C},
		{"bomb of idle triples", edit(func(p *parts) { p.rawControl = make([]byte, 24<<18) }), C},
		{"bomb of one-byte triples", edit(func(p *parts) {
			p.control = nil
			for range 1000 {
				p.control = append(p.control, 0, 1, 0)
			}
			p.extra = make([]byte, 1000)
		}), C},
		{"bomb in the difference", edit(func(p *parts) { p.diff = make([]byte, 8<<20) }), C},
		{"bomb in the extra", edit(func(p *parts) { p.extra = make([]byte, 8<<20) }), C},
		{"bomb behind the control", edit(func(p *parts) { p.rawControl = append(bytes.Clone(all), make([]byte, 8<<20)...) }), C},
		{"wrong base", signed(func(i *delta.Info) { i.BaseSHA256[0] ^= 1 }), delta.ErrBaseMismatch},
		{"base shorter than signed", signed(func(i *delta.Info) { i.BaseLength++ }), delta.ErrBaseMismatch},
		{"base longer than signed", signed(func(i *delta.Info) { i.BaseLength-- }), delta.ErrBaseMismatch},
		{"base signed as empty", signed(func(i *delta.Info) { i.BaseLength = 0 }), delta.ErrBaseMismatch},
		{"base signed as 2^62", signed(func(i *delta.Info) { i.BaseLength = 1 << 62 }), delta.ErrBaseMismatch},
		{"base signed as negative", signed(func(i *delta.Info) { i.BaseLength = -1 }), C},
		{"other result signed", signed(func(i *delta.Info) { i.ResultSHA256[0] ^= 1 }), delta.ErrResultMismatch},
		{"one byte of the difference", edit(func(p *parts) { p.diff[0] ^= 1 }), delta.ErrResultMismatch},
		{"one byte of the extra", edit(func(p *parts) { p.extra[0] ^= 1 }), delta.ErrResultMismatch},
		{"other seek", control(400, 200, -99, 200, 100, 300, 100, 0, 0), delta.ErrResultMismatch},
		{"seek outside", control(400, 200, 1<<50, 200, 100, -1<<51, 100, 0, 0), delta.ErrResultMismatch},
		{"unknown format", signed(func(i *delta.Info) { i.Format = "bsdiff5" }), delta.ErrUnsupported},
		{"empty format", signed(func(i *delta.Info) { i.Format = "" }), delta.ErrUnsupported},
	}
}

func TestApplyHostile(t *testing.T) {
	for _, c := range hostile(t) {
		t.Run(c.name, func(t *testing.T) {
			p, result := sample()
			c.patch(&p)
			patch := p.patch(t)
			info := describe(base, result, patch)
			c.info(&info)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := apply(t, info, base, patch)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
				t.Fatalf("allocated %d bytes", used)
			}
		})
	}
}

func TestApplyTruncated(t *testing.T) {
	p, result := sample()
	patch := p.patch(t)
	for n := range patch {
		info := describe(base, result, patch)
		if _, err := apply(t, info, base, patch[:n]); !errors.Is(err, delta.ErrCorrupt) {
			t.Fatalf("%d bytes read: %v", n, err)
		}
		info.PatchLength = int64(n)
		if _, err := apply(t, info, base, patch[:n]); !errors.Is(err, delta.ErrCorrupt) {
			t.Fatalf("%d bytes signed: %v", n, err)
		}
	}
}

func TestApplyBitFlips(t *testing.T) {
	p := parts{control: []int64{20, 10, 5, 10, 0, 0}, diff: noise(4, 30), extra: noise(5, 10), resultLength: 40}
	patch := p.patch(t)
	info := describe(base, make([]byte, 40), patch)
	result, err := apply(t, info, base, patch)
	if !errors.Is(err, delta.ErrResultMismatch) {
		t.Fatal(err)
	}
	info = describe(base, result, patch)
	for bit := range len(patch) * 8 {
		flipped := bytes.Clone(patch)
		flipped[bit/8] ^= 1 << (bit % 8)
		got, err := apply(t, info, base, flipped)
		switch {
		case err == nil && !bytes.Equal(got, result):
			t.Fatalf("bit %d: wrong result, no error", bit)
		case err != nil && !errors.Is(err, delta.ErrCorrupt):
			t.Fatalf("bit %d passed the checksums: %v", bit, err)
		}
	}
}
