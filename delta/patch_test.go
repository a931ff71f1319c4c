// SPDX-License-Identifier: Apache-2.0

package delta_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/dsnet/compress/bzip2"

	"github.com/waybill-project/waybill/delta"
)

// parts is a bsdiff4 patch before it is put together. What is nil in the
// second group follows from the first.
type parts struct {
	control     []int64
	diff, extra []byte

	magic                                  string
	controlLength, diffLength, newLength   *int64
	packedControl, packedDiff, packedExtra []byte
	rawControl                             []byte
	trailing                               []byte
	resultLength                           int64
}

func (p parts) patch(t testing.TB) []byte {
	t.Helper()
	raw := p.rawControl
	if raw == nil {
		for _, n := range p.control {
			raw = append(raw, number(n)...)
		}
	}
	control := packed(t, p.packedControl, raw)
	diff := packed(t, p.packedDiff, p.diff)
	extra := packed(t, p.packedExtra, p.extra)
	magic := p.magic
	if magic == "" {
		magic = "BSDIFF40"
	}
	return bytes.Join([][]byte{
		[]byte(magic),
		number(or(p.controlLength, int64(len(control)))),
		number(or(p.diffLength, int64(len(diff)))),
		number(or(p.newLength, p.resultLength)),
		control, diff, extra, p.trailing,
	}, nil)
}

func or(n *int64, otherwise int64) int64 {
	if n != nil {
		return *n
	}
	return otherwise
}

func packed(t testing.TB, given, data []byte) []byte {
	if given != nil {
		return given
	}
	return pack(t, data)
}

func pack(t testing.TB, data []byte) []byte {
	t.Helper()
	return packLevel(t, data, bzip2.BestSpeed)
}

func packLevel(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := bzip2.NewWriter(&b, &bzip2.WriterConfig{Level: level})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// number is sign and magnitude, little-endian; the least int64 stands for
// what two's complement has no other word for, a negative zero.
func number(n int64) []byte {
	u := uint64(n)
	if n < 0 {
		u = uint64(-n) | 1<<63
	}
	return binary.LittleEndian.AppendUint64(nil, u)
}

func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func describe(base, result, patch []byte) delta.Info {
	return delta.Info{
		Format:       delta.BSDiff4,
		BaseLength:   int64(len(base)),
		BaseSHA256:   sha256.Sum256(base),
		ResultLength: int64(len(result)),
		ResultSHA256: sha256.Sum256(result),
		PatchLength:  int64(len(patch)),
	}
}

// apply also checks that no more than the signed length came out.
func apply(t testing.TB, info delta.Info, base, patch []byte) ([]byte, error) {
	t.Helper()
	var out bytes.Buffer
	err := delta.Apply(context.Background(), info, bytes.NewReader(base), bytes.NewReader(patch), &out, nil)
	if int64(out.Len()) > max(0, info.ResultLength) {
		t.Fatalf("wrote %d bytes, at most %d signed", out.Len(), info.ResultLength)
	}
	return out.Bytes(), err
}
