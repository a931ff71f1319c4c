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
	count := func(want error, limits *delta.Limits) int64 {
		src := &readings{ReaderAt: bytes.NewReader(base)}
		info := describe(base, result, patch)
		if want != nil {
			info.ResultSHA256 = [32]byte{}
		}
		err := delta.Apply(context.Background(), info, src, bytes.NewReader(patch), io.Discard, limits)
		if !errors.Is(err, want) {
			t.Fatal(err)
		}
		return src.n
	}
	once := count(nil, &delta.Limits{BaseChecked: true})
	for _, c := range []struct {
		name   string
		want   error
		limits *delta.Limits
		hashed int64
	}{
		{"unchecked", nil, nil, 1},
		{"unchecked, of unknown result", delta.ErrResultMismatch, &delta.Limits{ResultUnknown: true}, 1},
		{"checked, of another result", delta.ErrResultMismatch, &delta.Limits{BaseChecked: true}, 1},
		{"checked, of unknown result", delta.ErrResultMismatch, &delta.Limits{BaseChecked: true, ResultUnknown: true}, 0},
	} {
		if n := count(c.want, c.limits); n-once != c.hashed*int64(len(base)) {
			t.Errorf("%s: %d bytes read of %d, %d without hashing them", c.name, n, len(base), once)
		}
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
