// SPDX-License-Identifier: Apache-2.0

package delta_test

import (
	"bytes"
	"compress/bzip2"
	"errors"
	"io"
	"math"
	"testing"

	"github.com/gabstv/go-bsdiff/pkg/bspatch"

	"github.com/waybill-project/waybill/delta"
)

// FuzzApply feeds whole patches. What is accepted must be made again when its
// hash is signed, and go-bsdiff must make the same of it.
func FuzzApply(f *testing.F) {
	p, _ := sample()
	f.Add(base, p.patch(f), int64(1000))
	f.Add([]byte{}, parts{}.patch(f), int64(0))
	for _, c := range hostile(f) {
		p, _ := sample()
		if c.patch(&p); len(p.diff)+len(p.extra)+len(p.rawControl) < 4<<10 {
			f.Add(base, p.patch(f), int64(1000))
		}
	}
	f.Fuzz(func(t *testing.T, base, patch []byte, length int64) {
		if length > 1<<20 {
			return
		}
		checkApply(t, base, patch, length)
	})
}

// FuzzApplyControl feeds what the streams hold, so that the fuzzer need not
// invent bzip2, and compares the verdict with a model of the format.
func FuzzApplyControl(f *testing.F) {
	p, _ := sample()
	control := unpack(f, p.patch(f)[32:])
	f.Add(base, control, p.diff, p.extra, uint16(1000))
	f.Add([]byte{1}, make([]byte, 240), []byte{}, []byte{}, uint16(1))
	f.Fuzz(func(t *testing.T, base, control, diff, extra []byte, length uint16) {
		if len(control)+len(diff)+len(extra) > 64<<10 {
			return
		}
		p := parts{rawControl: append([]byte{}, control...), diff: diff, extra: extra, resultLength: int64(length)}
		got, ok := checkApply(t, base, p.patch(t), int64(length))
		want, valid := model(base, control, diff, extra, int(length))
		if ok && (!valid || !bytes.Equal(got, want)) {
			t.Fatalf("accepted as %x, the model says %x, %v", got, want, valid)
		}
		if !ok && valid && len(control)/24 <= 64 {
			t.Fatal("refused, the model accepts")
		}
	})
}

func checkApply(t *testing.T, base, patch []byte, length int64) ([]byte, bool) {
	info := describe(base, nil, patch)
	info.ResultLength = length
	first, err := apply(t, info, base, patch)
	if errors.Is(err, delta.ErrCorrupt) {
		return nil, false
	}
	if err != nil && !errors.Is(err, delta.ErrResultMismatch) {
		t.Fatalf("unexpected class: %v", err)
	}
	if int64(len(first)) != length {
		t.Fatalf("%d bytes passed for %d", len(first), length)
	}
	again, err := apply(t, describe(base, first, patch), base, patch)
	if err != nil || !bytes.Equal(first, again) {
		t.Fatalf("second application differs: %v", err)
	}
	theirs, err := bspatch.Bytes(base, patch)
	if err == nil && !bytes.Equal(first, theirs) {
		t.Fatal("go-bsdiff makes another result")
	}
	return first, true
}

func unpack(t testing.TB, stream []byte) []byte {
	t.Helper()
	data, _ := io.ReadAll(bzip2.NewReader(bytes.NewReader(stream)))
	if len(data) == 0 {
		t.Fatal("nothing to unpack")
	}
	return data
}

// model follows the format's text on slices, without regard to cost.
func model(base, control, diff, extra []byte, length int) ([]byte, bool) {
	var out []byte
	pos := int64(0)
	for len(out) < length {
		if len(control) < 24 {
			return nil, false
		}
		add, copied, seek := value(control), value(control[8:]), value(control[16:])
		control = control[24:]
		left := int64(length - len(out))
		if add < 0 || copied < 0 || add > left || copied > left-add ||
			add > int64(len(diff)) || copied > int64(len(extra)) || pos+add < pos {
			return nil, false
		}
		for i, b := range diff[:add] {
			if at := pos + int64(i); at >= 0 && at < int64(len(base)) {
				b += base[at]
			}
			out = append(out, b)
		}
		out = append(out, extra[:copied]...)
		diff, extra = diff[add:], extra[copied:]
		pos += add
		if seek > 0 && pos > math.MaxInt64-seek || seek < 0 && pos < math.MinInt64-seek {
			return nil, false
		}
		pos += seek
	}
	return out, len(control)+len(diff)+len(extra) == 0
}

func value(b []byte) int64 {
	var n int64
	for i := 7; i >= 0; i-- {
		n = n<<8 | int64(b[i])
	}
	if n < 0 {
		return -(n & (1<<63 - 1))
	}
	return n
}

func BenchmarkApply(b *testing.B) {
	const size = 8 << 20
	old := noise(6, size)
	diff := make([]byte, size-1<<20)
	for i := 0; i < len(diff); i += 97 {
		diff[i] = byte(i)
	}
	var control []int64
	const step = 4096
	for at := 0; at < len(diff); at += step {
		control = append(control, step, 0, 0)
	}
	control = append(control, 0, 1<<20, 0)
	p := parts{control: control, packedDiff: packLevel(b, diff, 9), packedExtra: packLevel(b, noise(7, 1<<20), 9), resultLength: size}
	patch := p.patch(b)
	info := describe(old, make([]byte, size), patch)
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := apply(b, info, old, patch); !errors.Is(err, delta.ErrResultMismatch) {
			b.Fatal(err)
		}
	}
}
