// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"strconv"
	"strings"

	"github.com/waybill-project/waybill/delta/internal/executable"
)

// embedded is an executable within a file.
type embedded struct {
	executable.Extent
	at int64
}

func (e embedded) end() int64 { return e.at + e.Length }

// larger orders executables, the largest first.
func (e embedded) larger(other embedded) int {
	return cmp.Or(cmp.Compare(other.Length, e.Length), cmp.Compare(e.at, other.at))
}

func (e embedded) sameKind(other embedded) bool {
	return e.Machine == other.Machine && e.Container == other.Container
}

// A mark is a string by which executables are found.
type mark struct {
	text   string
	behind int // where it is at most, from the start of the executable
}

// marks are rare elsewhere; that of PE is its second header.
func marks() []mark {
	return []mark{
		{"\x7fELF\x02\x01\x01", 0},
		{"\xcf\xfa\xed\xfe", 0},
		{"PE\x00\x00\x64\x86", maxStub},
		{"PE\x00\x00\x64\xaa", maxStub},
	}
}

const (
	maxStub = 4 << 10
	// maxMarks bounds the time that a file full of marks takes.
	maxMarks = 1 << 14
	// maxEmbedded is how many executables are looked at, the largest ones.
	maxEmbedded = 1 << 10
)

// wholly reports whether a file is one executable, with little behind it.
func wholly(file []byte) bool {
	extent, ok := executable.Measure(file)
	return ok && extent.Length >= int64(len(file))-int64(len(file))/16
}

// findExecutables lists the executables in data by where they start. What is
// within another one is left out.
func findExecutables(data []byte) []embedded {
	var found []embedded
	for _, start := range starts(data) {
		if n := len(found); n > 0 && start < found[n-1].end() {
			continue
		}
		rest := data[start:]
		if n, ok := tarMember(data[:start]); ok {
			rest = rest[:min(n, int64(len(rest)))]
		}
		if extent, ok := executable.Measure(rest); ok {
			found = append(found, embedded{extent, start})
		}
	}
	if len(found) > maxEmbedded {
		slices.SortFunc(found, embedded.larger)
		found = found[:maxEmbedded]
		slices.SortFunc(found, func(a, b embedded) int { return cmp.Compare(a.at, b.at) })
	}
	return found
}

// starts lists where executables may start, in order.
func starts(data []byte) []int64 {
	var all []int64
	for _, m := range marks() {
		at := 0
		for range maxMarks {
			n := bytes.Index(data[at:], []byte(m.text))
			if n < 0 {
				break
			}
			at += n + 1
			if start := m.start(data[:at-1]); start >= 0 {
				all = append(all, start)
			}
		}
	}
	slices.SortFunc(all, func(a, b int64) int { return cmp.Compare(a, b) })
	return slices.Compact(all)
}

// start is where the executable starts whose mark is behind before, -1 if
// nowhere.
func (m mark) start(before []byte) int64 {
	at := len(before)
	if m.behind == 0 {
		return int64(at)
	}
	for start := at - 64; start >= max(at-m.behind, 0); start-- {
		if before[start] == 'M' && before[start+1] == 'Z' && binary.LittleEndian.Uint32(before[start+60:]) == uint32(at-start) {
			return int64(start)
		}
	}
	return -1
}

// tarMember returns the length of the member of a tar whose header is the last
// of before.
func tarMember(before []byte) (int64, bool) {
	const block = 512
	if len(before) < block {
		return 0, false
	}
	h := before[len(before)-block:]
	if string(h[257:262]) != "ustar" {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.Trim(string(h[124:136]), " \x00"), 8, 64)
	return n, err == nil && n >= 0
}
