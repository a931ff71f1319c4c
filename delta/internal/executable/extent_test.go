// SPDX-License-Identifier: Apache-2.0

package executable

import (
	"bytes"
	"slices"
	"testing"
)

func TestMeasure(t *testing.T) {
	withSymbols := append(smallPE(), make(fixture, 100)...)
	withSymbols.u32(64+8, 0xc00, 2) // symbols, then 40 bytes of names
	withSymbols.u32(0xc00+36, 40)
	signed := append(smallPE(), make(fixture, 64)...)
	signed.u32(88+112+8*peCertificates, 0xc00, 64)
	bare := smallELF()
	bare.u64(40, 1<<60) // no sections
	for name, c := range map[string]struct {
		file fixture
		want Extent
	}{
		"ELF":                     {smallELF(), Extent{ELF, AMD64, 0x3400 + 10*64}},
		"ELF without sections":    {bare, Extent{ELF, AMD64, 0x3100}},
		"Mach-O":                  {smallMachO(), Extent{MachO, ARM64, 0x3400}},
		"PE":                      {smallPE(), Extent{PE, AMD64, 0xc00}},
		"PE with symbols":         {withSymbols, Extent{PE, AMD64, 0xc00 + 36 + 40}},
		"PE with a certificate":   {signed, Extent{PE, AMD64, 0xc40}},
		"Go":                      {smallGo(), Extent{ELF, AMD64, 0x3500}},
		"text":                    {fixture(bytes.Repeat([]byte("MZ is no magic. "), 100)), Extent{}},
		"nothing":                 {nil, Extent{}},
		"header of an ELF":        {smallELF()[:100], Extent{}},
		"ELF cut in a segment":    {smallELF()[:0x2800], Extent{}},
		"Mach-O cut in a segment": {smallMachO()[:0x2800], Extent{}},
		"PE cut in a section":     {smallPE()[:0x800], Extent{}},
	} {
		for _, behind := range []int{0, 1, 5000} {
			if behind > 0 && c.want == (Extent{}) {
				continue
			}
			data := slices.Concat(c.file, bytes.Repeat([]byte{0xff}, behind))
			got, ok := Measure(data)
			if ok != (c.want != Extent{}) || ok && got != c.want {
				t.Errorf("%s with %d bytes behind: %+v, %v; want %+v", name, behind, got, ok, c.want)
			}
			if _, err := Open(bytes.NewReader(data), got.Length); ok && err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func FuzzMeasure(f *testing.F) {
	for _, file := range []fixture{smallELF(), smallMachO(), smallPE(), smallGo()} {
		f.Add([]byte(file))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, ok := Measure(data)
		if ok && (e.Length < 64 || e.Length > int64(len(data))) {
			t.Fatalf("%+v of %d bytes", e, len(data))
		}
		if file, err := Open(bytes.NewReader(data), int64(len(data))); ok && err == nil && (file.Container != e.Container || file.Machine != e.Machine) {
			t.Fatalf("%+v for %v, %v", e, file.Container, file.Machine)
		}
	})
}
