// SPDX-License-Identifier: Apache-2.0

package executable

import (
	"bytes"
	"reflect"
	"testing"
)

func FuzzOpen(f *testing.F) {
	f.Add([]byte(smallELF()))
	f.Add([]byte(smallMachO()))
	f.Add([]byte(smallPE()))
	f.Add([]byte(smallGo()))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Open(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		if file.budget < 0 {
			t.Fatal("too much memory for marks")
		}
		checkIdentity(t, file, data, scanAll(file, data, 1000))
		l, rest, err := ParseLayout(file.Append(nil))
		if err != nil || len(rest) > 0 || !reflect.DeepEqual(*l, file.Layout) {
			t.Fatalf("layout %+v became %+v, %v", file.Layout, l, err)
		}
	})
}

func FuzzParseLayout(f *testing.F) {
	for _, file := range []fixture{smallELF(), smallMachO(), smallPE()} {
		f.Add(open(f, file).Append(nil))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l, rest, err := ParseLayout(data)
		if err != nil {
			return
		}
		if b := l.Append(nil); !bytes.Equal(append(b, rest...), data) {
			t.Fatalf("% x became % x", data, b)
		}
		var field [8]byte
		for k := range Kinds {
			l.Put(k, field[:k.Width()], 0x1000, l.high-1)
			l.Target(k, field[:k.Width()], 1<<63)
		}
	})
}

func FuzzScan(f *testing.F) {
	f.Add([]byte(smallELF()[0x1000:0x1040]), uint8(0), uint16(0), uint16(64))
	f.Add([]byte(smallMachO()[0x1000:0x1040]), uint8(1), uint16(3), uint16(20))
	f.Fuzz(func(t *testing.T, data []byte, how uint8, from, to uint16) {
		if len(data) == 0 {
			return
		}
		file := codeFile(1+Machine(how&1), data, 0x400000)
		file.small = how&2 != 0
		file.data, file.dataEnd = file.code, file.codeEnd
		if how >= 16 {
			file.areas[0].rule = rule(how >> 2 & 31 << 2)
		}
		if file.areas[0].rule&(ruleTable|ruleMarks) != 0 {
			file.areas[0].rule = ruleWords | ruleJumps
		}
		refs, next := file.Scan(nil, data, 0, int(from), int(to))
		if next < min(int(to), len(data)) {
			t.Fatalf("next is %d", next)
		}
		checkIdentity(t, file, data, refs)
	})
}
