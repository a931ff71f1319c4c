// SPDX-License-Identifier: Apache-2.0

package executable

import (
	"bytes"
	"reflect"
	"testing"
)

func TestLayoutRoundTrip(t *testing.T) {
	for name, file := range map[string]fixture{"elf": smallELF(), "macho": smallMachO(), "pe": smallPE()} {
		f := open(t, file)
		b := f.Append(nil)
		if len(b) > 100 {
			t.Errorf("%s: %d bytes", name, len(b))
		}
		l, rest, err := ParseLayout(append(bytes.Clone(b), "rest"...))
		if err != nil || string(rest) != "rest" {
			t.Fatalf("%s: %v, rest %q", name, err, rest)
		}
		if !reflect.DeepEqual(*l, f.Layout) {
			t.Errorf("%s: got %+v, want %+v", name, *l, f.Layout)
		}
		for n := range b {
			if _, _, err := ParseLayout(b[:n]); err == nil {
				t.Errorf("%s: accepted %d of %d bytes", name, n, len(b))
			}
		}
	}
}

func TestLayoutRefuses(t *testing.T) {
	good := open(t, smallELF()).Append(nil)
	for name, edit := range map[string]func(b []byte) []byte{
		"container":    func(b []byte) []byte { b[0] = 0x41; return b },
		"machine":      func(b []byte) []byte { b[0] = 0x13; return b },
		"no segments":  func(b []byte) []byte { b[3] = 0; return b },
		"long varint":  func(b []byte) []byte { return append([]byte{b[0], b[1], b[2] | 0x80, 0}, b[3:]...) },
		"size 0":       func(b []byte) []byte { return append([]byte{b[0], 0}, b[3:]...) },
		"too many":     func(b []byte) []byte { b[3] = 0x7f; return b },
		"out of range": func(b []byte) []byte { b[2] = 1; return b },
	} {
		if l, _, err := ParseLayout(edit(bytes.Clone(good))); err == nil {
			t.Errorf("%s: accepted %+v", name, l)
		}
	}
}

func TestAddressOffset(t *testing.T) {
	f := open(t, smallELF())
	for _, c := range []struct {
		off  int64
		addr uint64
	}{{0, 0}, {0x1234, 0x1234}, {0x2fff, 0x2fff}, {0x3000, 0x4000}, {0x30ff, 0x40ff}, {0x3100, Unmapped + 0x3100}, {0x37ff, Unmapped + 0x37ff}} {
		if addr, ok := f.Address(c.off); !ok || addr != c.addr {
			t.Errorf("address of %#x: %#x, %v", c.off, addr, ok)
		}
		if off, ok := f.Offset(c.addr); !ok || off != c.off {
			t.Errorf("offset of %#x: %#x, %v", c.addr, off, ok)
		}
	}
	for _, addr := range []uint64{0x3000, 0x4100, 0x42ff, 0x4300, Unmapped - 1, Unmapped + 0x3800, 1<<64 - 1} {
		if off, ok := f.Offset(addr); ok {
			t.Errorf("offset of %#x: %#x", addr, off)
		}
	}
	for _, off := range []int64{-1, 0x3800, 1 << 62} {
		if addr, ok := f.Address(off); ok {
			t.Errorf("address of %#x: %#x", off, addr)
		}
	}
	if end, i, ok := f.End(0x4200); !ok || i != 2 || end != 0x4100 {
		t.Errorf("end: %#x, %d, %v", end, i, ok)
	}
}

func TestSettle(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []Segment
		want []Segment // nil: refused
	}{
		{"order", []Segment{{0x100, 0x100, 0x5000, 0x100, false, false}, {0, 0x100, 0x1000, 0x100, true, false}},
			[]Segment{{0, 0x100, 0x1000, 0x100, true, false}, {0x100, 0x100, 0x5000, 0x100, false, false}}},
		{"shared file bytes", []Segment{{0, 0x110, 0x1000, 0x110, true, false}, {0x100, 0x100, 0x2100, 0x100, false, false}},
			[]Segment{{0, 0x110, 0x1000, 0x110, true, false}, {0x110, 0xf0, 0x2110, 0xf0, false, false}}},
		{"memory overlaps", []Segment{{0, 0x100, 0x1000, 0x2000, true, false}, {0x100, 0x100, 0x2000, 0x100, false, false}},
			[]Segment{{0, 0x100, 0x1000, 0x1000, true, false}, {0x100, 0x100, 0x2000, 0x100, false, false}}},
		{"file order differs", []Segment{{0x100, 0x100, 0x1000, 0x100, true, false}, {0, 0x100, 0x2000, 0x100, false, false}}, nil},
		{"behind the file", []Segment{{0x3ff, 2, 0x1000, 2, true, false}}, nil},
		{"less memory than bytes", []Segment{{0, 2, 0x1000, 1, true, false}}, nil},
		{"end of addresses", []Segment{{0, 2, 1<<64 - 4096, 4096, true, false}}, nil},
		{"none", nil, nil},
	} {
		l := Layout{Size: 0x400, Segments: c.in}
		if ok := l.settle(); ok != (c.want != nil) || ok && !reflect.DeepEqual(l.Segments, c.want) {
			t.Errorf("%s: %v, %+v", c.name, ok, l.Segments)
		}
	}
}
