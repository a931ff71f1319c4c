// SPDX-License-Identifier: Apache-2.0

package delta_test

import (
	"bytes"
	"errors"
	"io"
	"math"
	"reflect"
	"testing"

	"github.com/waybill-project/waybill/delta"
)

func TestInspect(t *testing.T) {
	p, _ := sample()
	patch := p.patch(t)
	got, err := delta.Inspect(bytes.NewReader(patch), int64(len(patch)))
	if err != nil {
		t.Fatal(err)
	}
	diff, extra := int64(len(pack(t, p.diff))), int64(len(pack(t, p.extra)))
	want := delta.Description{Format: "bsdiff4", ResultLength: 1000, BaseLength: -1, Sections: []delta.Section{
		{Name: "control", Length: int64(len(patch)) - 32 - diff - extra}, {Name: "difference", Length: diff}, {Name: "extra", Length: extra},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%+v, want %+v", got, want)
	}
}

// What Inspect refuses, Apply refuses; and it refuses the patches whose header
// alone gives them away.
func TestInspectRefuses(t *testing.T) {
	edit := func(f func(*parts)) []byte {
		p, _ := sample()
		f(&p)
		return p.patch(t)
	}
	ptr := func(n int64) *int64 { return &n }
	valid := edit(func(*parts) {})
	for _, c := range []struct {
		name  string
		patch []byte
		want  error
	}{
		{"nothing", nil, delta.ErrUnsupported},
		{"cut magic", valid[:7], delta.ErrUnsupported},
		{"other magic", edit(func(p *parts) { p.magic = "BSDIFF41" }), delta.ErrUnsupported},
		{"magic alone", valid[:8], delta.ErrCorrupt},
		{"cut header", valid[:31], delta.ErrCorrupt},
		{"cut streams", valid[:40], delta.ErrCorrupt},
		{"negative result", edit(func(p *parts) { p.newLength = ptr(-1) }), delta.ErrCorrupt},
		{"negative control", edit(func(p *parts) { p.controlLength = ptr(-1) }), delta.ErrCorrupt},
		{"negative difference", edit(func(p *parts) { p.diffLength = ptr(-1) }), delta.ErrCorrupt},
		{"long control", edit(func(p *parts) { p.controlLength = ptr(math.MaxInt64) }), delta.ErrCorrupt},
		{"long difference", edit(func(p *parts) { p.diffLength = ptr(math.MaxInt64) }), delta.ErrCorrupt},
	} {
		t.Run(c.name, func(t *testing.T) {
			if d, err := delta.Inspect(bytes.NewReader(c.patch), int64(len(c.patch))); !errors.Is(err, c.want) {
				t.Fatalf("%+v, %v", d, err)
			}
			if _, err := apply(t, describe(base, make([]byte, 1000), c.patch), base, c.patch); !errors.Is(err, delta.ErrCorrupt) {
				t.Fatalf("Apply: %v", err)
			}
		})
	}
	for from := range int64(40) {
		_, err := delta.Inspect(failing{valid, from}, int64(len(valid)))
		if from < 32 && (!errors.Is(err, errDevice) || errors.Is(err, delta.ErrCorrupt)) {
			t.Fatalf("device trouble at byte %d: %v", from, err)
		}
	}
	if _, err := delta.Inspect(bytes.NewReader(valid), -1); !errors.Is(err, delta.ErrUnsupported) {
		t.Fatal(err)
	}
}

// FuzzInspect: what it takes adds up, and it takes whatever Apply can.
func FuzzInspect(f *testing.F) {
	p, _ := sample()
	f.Add(p.patch(f))
	for _, c := range hostile(f) {
		p, _ := sample()
		if c.patch(&p); len(p.diff)+len(p.extra)+len(p.rawControl) < 4<<10 {
			f.Add(p.patch(f))
		}
	}
	f.Fuzz(func(t *testing.T, patch []byte) {
		d, err := delta.Inspect(bytes.NewReader(patch), int64(len(patch)))
		if err != nil {
			if !errors.Is(err, delta.ErrCorrupt) && !errors.Is(err, delta.ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		rest := int64(len(patch))
		for _, s := range d.Sections {
			if s.Length < 0 || s.Length > rest {
				t.Fatalf("%+v of %d bytes", d, len(patch))
			}
			rest -= s.Length
		}
		if _, err := delta.Memory(delta.Info{Format: d.Format}); err != nil || d.ResultLength < -1 || d.BaseLength < -1 {
			t.Fatalf("%+v, %v", d, err)
		}
	})
}

// A reader may give io.EOF with the last bytes, or after them.
func TestInspectAtTheEnd(t *testing.T) {
	patch := parts{}.patch(t)
	src := io.NewSectionReader(bytes.NewReader(patch), 0, int64(len(patch)))
	if _, err := delta.Inspect(src, src.Size()); err != nil {
		t.Fatal(err)
	}
}
