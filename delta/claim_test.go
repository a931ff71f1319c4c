// SPDX-License-Identifier: Apache-2.0

package delta_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"testing"

	"github.com/waybill-project/waybill/delta"
)

func TestInspect(t *testing.T) {
	p, _ := sample()
	bsdiff4 := p.patch(t)
	control := int64(bsdiff4[8])
	difference := int64(bsdiff4[16]) + int64(bsdiff4[17])<<8
	_, _, vcdiff := letters()
	two := append(bytes.Clone(vcdiff), vcdiff[5:]...)
	for _, c := range []struct {
		name  string
		patch []byte
		want  *delta.Claim
		err   error
	}{
		{"bsdiff4", bsdiff4, &delta.Claim{Format: "bsdiff4", ResultLength: 1000, Sections: []delta.Part{
			{Name: "control", Length: control}, {Name: "difference", Length: difference}, {Name: "extra", Length: int64(len(bsdiff4)) - 32 - control - difference}}}, nil},
		{"vcdiff", two, &delta.Claim{Format: "vcdiff", ResultLength: 56, Sections: []delta.Part{
			{Name: "data", Length: 10}, {Name: "instructions", Length: 12}, {Name: "addresses", Length: 6}}}, nil},
		{"bsdiff4 cut", bsdiff4[:31], nil, delta.ErrCorrupt},
		{"bsdiff4 with a negative length", parts{newLength: new(int64(-1))}.patch(t), nil, delta.ErrCorrupt},
		{"vcdiff cut", vcdiff[:20], nil, delta.ErrCorrupt},
		{"vcdiff of open-vcdiff", []byte("\xd6\xc3\xc4S\x00"), nil, delta.ErrUnsupported},
		{"vcdiff of endless windows", vcdiffPatch(vcdiffPart{length: 1 << 62}, vcdiffPart{length: 1 << 62}), nil, delta.ErrCorrupt},
		{"unknown", []byte("GDIFF"), nil, delta.ErrUnsupported},
		{"empty", nil, nil, delta.ErrUnsupported},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := delta.Inspect(context.Background(), bytes.NewReader(c.patch), int64(len(c.patch)))
			if !errors.Is(err, c.err) || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("%+v, %v", got, err)
			}
		})
	}
	if _, err := delta.Inspect(context.Background(), failing{vcdiff, 20}, int64(len(vcdiff))); !errors.Is(err, errDevice) {
		t.Fatal(err)
	}
}
