// SPDX-License-Identifier: Apache-2.0

package delta_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"

	"github.com/waybill-project/waybill/delta"
)

// readings counts the bytes that are read of a base.
type readings struct {
	io.ReaderAt
	n int64
}

func (r *readings) ReadAt(p []byte, off int64) (int, error) {
	n, err := r.ReaderAt.ReadAt(p, off)
	r.n += int64(n)
	return n, err
}

func TestApplyToACheckedBase(t *testing.T) {
	p, result := sample()
	patch := p.patch(t)
	other := bytes.Clone(base)
	other[0] ^= 1
	spoilt := bytes.Clone(patch)
	spoilt[40] ^= 1
	limits := &delta.Limits{BaseChecked: true}
	cases := []struct {
		name        string
		base, patch []byte
		want        error
	}{
		{"as checked", base, patch, nil},
		{"changed since", other, patch, delta.ErrBaseMismatch},
		{"shorter since", base[:10], patch, delta.ErrBaseMismatch},
		{"a bad patch", base, spoilt, delta.ErrCorrupt},
		{"both", other, spoilt, delta.ErrBaseMismatch},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			info := describe(base, result, patch)
			if err := delta.CheckBase(context.Background(), info, bytes.NewReader(base)); err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			err := delta.Apply(context.Background(), info, bytes.NewReader(c.base), bytes.NewReader(c.patch), &out, limits)
			if !errors.Is(err, c.want) || err == nil && !bytes.Equal(out.Bytes(), result) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestCheckedBaseIsReadOnce(t *testing.T) {
	p, result := sample()
	patch := p.patch(t)
	count := func(limits *delta.Limits) int64 {
		src := &readings{ReaderAt: bytes.NewReader(base)}
		err := delta.Apply(context.Background(), describe(base, result, patch), src, bytes.NewReader(patch), io.Discard, limits)
		if err != nil {
			t.Fatal(err)
		}
		return src.n
	}
	unchecked, checked := count(nil), count(&delta.Limits{BaseChecked: true})
	if unchecked-checked != int64(len(base)) {
		t.Errorf("%d bytes read of a checked base, %d of another, which has %d", checked, unchecked, len(base))
	}
}

func TestCheckBase(t *testing.T) {
	info := describe(base, nil, nil)
	for _, c := range []struct {
		name string
		src  io.ReaderAt
		want error
	}{
		{"the base", bytes.NewReader(base), nil},
		{"nothing", nil, delta.ErrBaseMismatch},
		{"longer", bytes.NewReader(append(bytes.Clone(base), 0)), delta.ErrBaseMismatch},
		{"unreadable", failing{base, 0}, errDevice},
	} {
		if err := delta.CheckBase(context.Background(), info, c.src); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
