// SPDX-License-Identifier: Apache-2.0

package delta_test

import (
	"bytes"
	"context"
	"errors"
	"hash/adler32"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/conformance"
	"github.com/waybill-project/waybill/delta"
)

// vcdiffPart is a window before it is put together.
type vcdiffPart struct {
	source, from, length          int
	data, instructions, addresses []byte
	sum                           bool
	target                        []byte // for the sum
}

func vcdiffNumber(out []byte, n int) []byte {
	var digits []byte
	for digits = append(digits, byte(n&0x7f)); n >= 0x80; digits = append(digits, byte(n&0x7f)|0x80) {
		n >>= 7
	}
	for i := len(digits) - 1; i >= 0; i-- {
		out = append(out, digits[i])
	}
	return out
}

func vcdiffPatch(windows ...vcdiffPart) []byte {
	out := []byte{0xd6, 0xc3, 0xc4, 0, 0}
	for _, w := range windows {
		indicator := byte(0)
		rest := append(vcdiffNumber(nil, w.length), 0)
		for _, section := range [][]byte{w.data, w.instructions, w.addresses} {
			rest = vcdiffNumber(rest, len(section))
		}
		if w.sum {
			indicator |= 4
			sum := adler32.Checksum(w.target)
			rest = append(rest, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum))
		}
		rest = bytes.Join([][]byte{rest, w.data, w.instructions, w.addresses}, nil)
		if w.source > 0 {
			out = vcdiffNumber(vcdiffNumber(append(out, indicator|1), w.source), w.from)
		} else {
			out = append(out, indicator)
		}
		out = append(vcdiffNumber(out, len(rest)), rest...)
	}
	return out
}

func describeVCDIFF(base, result, patch []byte) delta.Info {
	info := describe(base, result, patch)
	info.Format = delta.VCDIFF
	return info
}

// letters is the example of RFC 3284, section 3.
func letters() (base, result, patch []byte) {
	base, result = []byte("abcdefghijklmnop"), []byte("abcdwxyzefghefghefghefghzzzz")
	return base, result, vcdiffPatch(vcdiffPart{
		source: 16, length: 28,
		data:         []byte("wxyzz"),
		instructions: []byte{20, 5, 20, 28, 0, 4}, // COPY 4, ADD 4, COPY 4, COPY 12, RUN 4
		addresses:    []byte{0, 4, 24},
	})
}

func TestVCDIFFShapes(t *testing.T) {
	base, result, patch := letters()
	cases := []struct {
		name         string
		base, result string
		patch        []byte
	}{
		{"example of the RFC", string(base), string(result), patch},
		{"no window", "abc", "", vcdiffPatch()},
		{"empty window", "abc", "", vcdiffPatch(vcdiffPart{source: 3})},
		{"xdelta3 from nothing", "", "aaaaaaaa", vcdiffPatch(vcdiffPart{length: 8, data: []byte("a"), instructions: []byte{0, 8}, sum: true, target: []byte("aaaaaaaa")})},
		{"copy over the end of the segment", "abcd", "cdcdcd", vcdiffPatch(vcdiffPart{source: 4, length: 6, instructions: []byte{22}, addresses: []byte{2}})},
		{"two windows", "abcdefgh", "efghabcd", vcdiffPatch(
			vcdiffPart{source: 4, from: 4, length: 4, instructions: []byte{20}, addresses: []byte{0}},
			vcdiffPart{source: 8, length: 4, instructions: []byte{20}, addresses: []byte{0}, sum: true, target: []byte("abcd")})},
		{"near and same", "abcdefgh", "bcdebcdecdef", vcdiffPatch(vcdiffPart{source: 8, length: 12, instructions: []byte{20, 116, 52}, addresses: []byte{1, 1, 1}})},
		{"pairs", "abcdefgh", "xabcdefghy", vcdiffPatch(vcdiffPart{source: 8, length: 10, data: []byte("xy"), instructions: []byte{163, 248}, addresses: []byte{0, 9}})},
		{"long numbers", "", "ab", []byte{0xd6, 0xc3, 0xc4, 0, 0, 0, 10, 0x80, 2, 0, 2, 0x80, 1, 0, 'a', 'b', 3}},
		{"instructions of length zero", "", "ab", vcdiffPatch(vcdiffPart{length: 2, data: []byte("ab"), instructions: append(bytes.Repeat([]byte{1, 0}, 60), 3)})},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := apply(t, describeVCDIFF([]byte(c.base), []byte(c.result), c.patch), []byte(c.base), c.patch)
			if err != nil || string(got) != c.result {
				t.Fatalf("%q, %v", got, err)
			}
		})
	}
}

func TestVCDIFFDamaged(t *testing.T) {
	base, result, patch := letters()
	info := describeVCDIFF(base, result, patch)
	for n := range patch {
		if _, err := apply(t, info, base, patch[:n]); !errors.Is(err, delta.ErrCorrupt) {
			t.Fatalf("%d bytes read: %v", n, err)
		}
		short := info
		short.PatchLength = int64(n)
		if _, err := apply(t, short, base, patch[:n]); !errors.Is(err, delta.ErrCorrupt) {
			t.Fatalf("%d bytes signed: %v", n, err)
		}
	}
	for bit := range len(patch) * 8 {
		flipped := bytes.Clone(patch)
		flipped[bit/8] ^= 1 << (bit % 8)
		switch got, err := apply(t, info, base, flipped); {
		case err == nil && !bytes.Equal(got, result):
			t.Fatalf("bit %d: wrong result, no error", bit)
		case err != nil && !errors.Is(err, delta.ErrCorrupt) && !errors.Is(err, delta.ErrResultMismatch) && !errors.Is(err, delta.ErrUnsupported):
			t.Fatalf("bit %d: %v", bit, err)
		}
	}
}

func TestVCDIFFBlamesTheRightParty(t *testing.T) {
	base, result, patch := letters()
	good, src := bytes.NewReader(patch), bytes.NewReader(base)
	second := func(fn func([]byte, int64) (int, error)) io.ReaderAt {
		return once{data: base, seen: new(int), fn: fn}
	}
	for _, c := range []struct {
		name        string
		base, patch io.ReaderAt
		out         io.Writer
		want        error
	}{
		{"base after hashing", second(func([]byte, int64) (int, error) { return 0, errDevice }), good, io.Discard, errDevice},
		{"base became shorter", second(func([]byte, int64) (int, error) { return 0, io.EOF }), good, io.Discard, delta.ErrBaseMismatch},
		{"base reader panics", second(func([]byte, int64) (int, error) { panic("bug") }), good, io.Discard, delta.ErrCorrupt},
		{"patch at once", src, failing{patch, 0}, io.Discard, errDevice},
		{"patch in a section", src, failing{patch, 20}, io.Discard, errDevice},
		{"output", src, good, failingWriter{}, errDevice},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := delta.Apply(context.Background(), describeVCDIFF(base, result, patch), c.base, c.patch, c.out, nil)
			if !errors.Is(err, c.want) || c.want == errDevice && errors.Is(err, delta.ErrCorrupt) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	out := &cancelling{cancel: cancel, left: 2}
	zeros := make([]byte, 1<<20)
	run := vcdiffPatch(vcdiffPart{length: len(zeros), data: []byte{0}, instructions: vcdiffNumber([]byte{0}, len(zeros))})
	err := delta.Apply(ctx, describeVCDIFF(nil, zeros, run), nil, bytes.NewReader(run), out, nil)
	if !errors.Is(err, context.Canceled) || out.left < 0 {
		t.Fatalf("%v with %d writes left", err, out.left)
	}
}

// The result is long, its windows as great as they may be.
func TestVCDIFFMemory(t *testing.T) {
	const window, windows = 16 << 20, 3
	var parts []vcdiffPart
	for i := range windows {
		parts = append(parts, vcdiffPart{length: window, data: []byte{byte(i)}, instructions: vcdiffNumber([]byte{0}, window)})
	}
	patch := vcdiffPatch(parts...)
	result := bytes.Join([][]byte{bytes.Repeat([]byte{0}, window), bytes.Repeat([]byte{1}, window), bytes.Repeat([]byte{2}, window)}, nil)
	info := describeVCDIFF(nil, result, patch)
	result = nil
	need, err := delta.Memory(info)
	if err != nil || need > window+1<<20 {
		t.Fatal(need, err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if err := delta.Apply(context.Background(), info, nil, bytes.NewReader(patch), io.Discard, nil); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	if used := int64(after.TotalAlloc - before.TotalAlloc); used > need {
		t.Fatalf("allocated %d bytes, %d declared", used, need)
	}
	err = delta.Apply(context.Background(), info, nil, bytes.NewReader(patch), io.Discard, &delta.Limits{Memory: need - 1})
	if !errors.Is(err, delta.ErrMemory) {
		t.Fatal(err)
	}
	less := describeVCDIFF(nil, []byte("x"), patch)
	if n, err := delta.Memory(less); err != nil || n > 1<<20 {
		t.Fatal(n, err)
	}
}

// FuzzApplyVCDIFF compares the verdict with a model of the RFC.
func FuzzApplyVCDIFF(f *testing.F) {
	old, result, patch := letters()
	f.Add(old, patch, uint16(len(result)))
	f.Add([]byte("abcdefgh"), vcdiffPatch(vcdiffPart{source: 8, length: 10, data: []byte("xy"), instructions: []byte{163, 248}, addresses: []byte{0, 9}}), uint16(10))
	f.Add([]byte("abcdefgh"), vcdiffPatch(vcdiffPart{source: 8, length: 12, instructions: []byte{20, 116, 52}, addresses: []byte{1, 1, 1}, sum: true, target: []byte("bcdebcdecdef")}), uint16(12))
	f.Add([]byte{}, []byte("\xd6\xc3\xc4\x00\x04\x02a/\x041/\x00$\x03\x01\xb5\x97\x11\x8fabcdefghijklmnopqrstuvwxyz0123456789\x01$\x1b\x00"), uint16(47))
	patches, err := conformance.Patches()
	if err != nil {
		f.Fatal(err)
	}
	for _, p := range patches {
		if p.Format == delta.VCDIFF && len(p.Patch) < 1<<10 {
			f.Add(p.Base, p.Patch, uint16(p.Signed.ResultLength))
		}
	}
	f.Fuzz(func(t *testing.T, base, patch []byte, length uint16) {
		info := describeVCDIFF(base, nil, patch)
		info.ResultLength = int64(length)
		got, err := apply(t, info, base, patch)
		want, valid := vcdiffModel(base, patch)
		valid = valid && len(want) == int(length)
		switch {
		case errors.Is(err, delta.ErrResultMismatch) || err == nil:
			if !valid || !bytes.Equal(got, want) {
				t.Fatalf("accepted as %x, the model says %x, %v", got, want, valid)
			}
			if _, err := apply(t, describeVCDIFF(base, got, patch), base, patch); err != nil {
				t.Fatal(err)
			}
			if c, err := delta.Inspect(bytes.NewReader(patch), int64(len(patch))); err != nil || c.ResultLength != int64(length) {
				t.Fatalf("claims %+v, %v", c, err)
			}
		case errors.Is(err, delta.ErrCorrupt):
			if valid && !strings.Contains(err.Error(), "too many") {
				t.Fatalf("refused, the model accepts: %v", err)
			}
		case !errors.Is(err, delta.ErrUnsupported) && !errors.Is(err, delta.ErrMemory):
			t.Fatal(err)
		}
	})
}
