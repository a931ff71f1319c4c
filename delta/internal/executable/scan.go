// SPDX-License-Identifier: Apache-2.0

package executable

import "encoding/binary"

// Before and After are how much of the file around p[from:to] Scan looks at.
const (
	Before = 64
	After  = 32
)

// Scan appends the references whose field starts in p[from:to], in order of
// Offset and not overlapping; p holds the file's bytes from offset off on. The
// returned index is where the next call has to go on: at least to, more if a
// field crosses it. Fields that p cuts off are left out.
//
// The result depends on p[from-Before : to+After] and on where from and to are
// in the file, nothing else. Maker and reader must cut at the same places and
// both give that much context where the file has it: x86-64 code is decoded
// from Before bytes ahead, and another start may, rarely, fall into step later.
// Without context a few references at each cut are missed.
func (f *File) Scan(refs []Reference, p []byte, off int64, from, to int) ([]Reference, int) {
	from, to = max(from, 0), min(to, len(p))
	next := max(from, to)
	if off < 0 || from >= to {
		return refs, next
	}
	p = p[:min(len(p), to+After)]
	for i := f.span(off + int64(from)); i < len(f.areas); i++ {
		a := &f.areas[i]
		if a.start >= off+int64(to) {
			break
		}
		s := scan{f: f, a: a, p: p, off: off}
		s.low = int(max(int64(from-Before), 0, a.start-off))
		s.from = int(max(int64(from), a.start-off))
		s.to = int(min(int64(to), a.end-off))
		s.p = p[:int(min(int64(len(p)), a.end-off))]
		refs = s.run(refs)
		from = max(s.from, s.to)
		next = max(next, s.from)
	}
	return refs, next
}

// scan is the state of Scan in one area. Fields before from are taken.
type scan struct {
	f             *File
	a             *area
	p             []byte // ends with the area
	off           int64
	low, from, to int
}

func (s *scan) run(refs []Reference) []Reference {
	switch {
	case s.a.rule == 0:
		return refs
	case s.a.rule&ruleAMD64 != 0:
		return s.amd64(refs)
	case s.a.rule&ruleARM64 != 0:
		return s.arm64(refs)
	case s.a.rule&ruleTable != 0:
		return s.records(refs)
	case s.a.rule&ruleRelocs != 0:
		return s.relocs(refs)
	case s.a.rule&ruleRebase != 0:
		return s.rebases(refs)
	case s.a.rule&ruleMarks != 0:
		return s.marks(refs)
	}
	return s.words(refs)
}

// inside tells whether target is an address of the image, or of the file.
func (l *Layout) inside(target uint64) bool {
	return target-l.low < l.high-l.low || target-Unmapped < uint64(l.Size)
}

// field appends the reference at index i if what it refers to is plausible.
func (s *scan) field(refs []Reference, i int, k Kind) []Reference {
	n := k.Width()
	if i < s.from || i >= s.to || i+n > len(s.p) {
		return refs
	}
	field := s.p[i : i+n]
	target, ok := s.f.Target(k, field, s.a.addr+uint64(s.off-s.a.start+int64(i)))
	if !ok || !s.f.inside(target) || !plausible(k, field, target-s.f.low) {
		return refs
	}
	s.from = i + n
	return append(refs, Reference{Offset: s.off + int64(i), Target: target, Kind: k})
}

// plausible rules out numbers that are rarely references.
func plausible(k Kind, field []byte, distance uint64) bool {
	if k >= Base32 {
		v := binary.LittleEndian.Uint32(field)
		return v != 0 && v != 1<<32-1
	}
	return k != Abs64 && k != Place64 || distance >= 4096
}

// records scans a table.
func (s *scan) records(refs []Reference) []Reference {
	t := s.a.table
	first := (s.off + int64(s.from) - s.a.start) / t.stride
	for base := s.a.start + first*t.stride - s.off; base < int64(s.to); base += t.stride {
		for _, c := range t.columns {
			i := int(base + c.at)
			if i >= s.from && i < s.to && s.passes(c.test, i) {
				refs = s.field(refs, i, c.kind)
			}
		}
	}
	return refs
}

func (s *scan) passes(t test, i int) bool {
	if t == always {
		return true
	}
	if i < 8 || i+8 > len(s.p) {
		return false
	}
	before := binary.LittleEndian.Uint64(s.p[i-8:])
	switch t {
	case relative:
		switch uint32(before) {
		case 8, 37: // R_X86_64_RELATIVE, R_X86_64_IRELATIVE
			return s.f.Machine == AMD64
		case 1027, 1032: // R_AARCH64_RELATIVE, R_AARCH64_IRELATIVE
			return s.f.Machine == ARM64
		}
		return false
	case pointerTag:
		return dynamicPointer(before)
	case plainUnwind:
		return s.p[i]&3 == 0
	}
	return false
}

// marks scans what Open marked, and words where nothing is marked.
func (s *scan) marks(refs []Reference) []Reference {
	a := s.a
	i := int(max((s.off+int64(s.from)-a.start)&^7+a.start-s.off-8, a.start-s.off))
	for ; i < s.to; i += 8 {
		m := a.marks[(s.off+int64(i)-a.start)>>3]
		if m == 0 {
			refs = s.word(refs, i)
			continue
		}
		for w, code := range [2]byte{m & 15, m >> 4} {
			if code != 0 {
				e := &a.palette[code]
				refs = s.field(refs, i+4*w+int(e.shift), e.kind)
			} else if i+4*w >= s.from && i+4*w < s.to {
				refs = s.half(refs, i+4*w)
			}
		}
	}
	return refs
}

// words scans data without marks.
func (s *scan) words(refs []Reference) []Reference {
	addr := s.a.addr + uint64(s.off-s.a.start+int64(s.from))
	i := s.from - int(addr&7)
	if i < s.from && s.from-i > 4 {
		i += 8
	}
	switch s.a.rule {
	case ruleWords:
		return s.addresses(refs, i)
	case ruleJumps:
		return s.distances(refs, i, s.f.code, s.f.codeEnd)
	case ruleExcept:
		return s.distances(refs, i, s.f.data, s.f.dataEnd)
	}
	for ; i < s.to; i += 8 {
		refs = s.word(refs, i)
	}
	return refs
}

// addresses is words for areas that only hold 64-bit addresses.
func (s *scan) addresses(refs []Reference, i int) []Reference {
	if i < s.from {
		i += 8
	}
	low, span := s.f.low+4096, s.f.high-s.f.low-4096
	if s.f.high-s.f.low < 4096 {
		return refs
	}
	end := min(s.to, len(s.p)-7)
	for ; i < end; i += 8 {
		v := binary.LittleEndian.Uint64(s.p[i:])
		if v-low < span && s.f.Find(v) >= 0 {
			s.from = i + 8
			refs = append(refs, Reference{Offset: s.off + int64(i), Target: v, Kind: Abs64})
		}
	}
	return refs
}

// distances is words for areas that only hold 32-bit distances, to addresses in
// [low, high).
func (s *scan) distances(refs []Reference, i int, low, high uint64) []Reference {
	if i < s.from {
		i += 4
	}
	at := s.a.addr + uint64(s.off-s.a.start) - low
	end := min(s.to, len(s.p)-3)
	for ; i < end; i += 4 {
		v := uint64(int64(int32(binary.LittleEndian.Uint32(s.p[i:]))))
		if at+uint64(i)+v < high-low {
			refs = s.half(refs, i)
		}
	}
	return refs
}

// word looks at the 8 bytes at index i, which are aligned.
func (s *scan) word(refs []Reference, i int) []Reference {
	if i >= s.from && i+8 <= len(s.p) {
		v := binary.LittleEndian.Uint64(s.p[i:])
		if v == 0 {
			return refs
		}
		if s.a.rule&ruleChain != 0 {
			return s.chain(refs, i, v)
		}
		if s.a.rule&ruleWords != 0 && v-s.f.low < s.f.high-s.f.low && s.f.Find(v) >= 0 {
			return s.field(refs, i, Abs64)
		}
	}
	if s.a.rule&(ruleJumps|ruleExcept) == 0 {
		return refs
	}
	for w := i; w <= i+4; w += 4 {
		if w >= s.from && w < s.to {
			refs = s.half(refs, w)
		}
	}
	return refs
}

// chain takes a chained fixup that is no import and has no tag.
func (s *scan) chain(refs []Reference, i int, v uint64) []Reference {
	if v>>63 != 0 || v>>36&0x7fff != 0 {
		return refs
	}
	target := v & low36
	if s.f.pointers == ChainBase36 {
		target += s.f.Bases[BaseImage]
	}
	if target-s.f.low < 4096 || s.f.Find(target) < 0 {
		return refs
	}
	return s.field(refs, i, s.f.pointers)
}

// beside tells whether the 4 bytes at index i are like v: jump tables list
// places near each other.
func (s *scan) beside(i int, v int32) bool {
	if i < s.low || i+4 > len(s.p) {
		return false
	}
	d := int64(int32(binary.LittleEndian.Uint32(s.p[i:]))) - int64(v)
	return d > -1<<14 && d < 1<<14
}

// narrow16 tells whether v rather holds four small numbers or two that are alike.
func narrow16(v uint32) bool { return v&0xe0e0e0e0 == 0 || v>>16-v&0xffff+0xff < 0x1ff }

// half looks at the 4 bytes at index i, which are aligned.
func (s *scan) half(refs []Reference, i int) []Reference {
	if s.a.rule&(ruleJumps|ruleExcept) == 0 || i+4 > len(s.p) {
		return refs
	}
	v := int32(binary.LittleEndian.Uint32(s.p[i:]))
	if v > -256 && v < 256 || v > 0 && narrow16(uint32(v)) {
		return refs
	}
	target := s.a.addr + uint64(s.off-s.a.start+int64(i)) + uint64(int64(v))
	if s.a.rule&ruleJumps != 0 && target-s.f.code < s.f.codeEnd-s.f.code && (s.beside(i-4, v) || s.beside(i+4, v)) {
		return s.field(refs, i, PC32)
	}
	if s.a.rule&ruleExcept != 0 && target&7 == 0 && target-s.f.data < s.f.dataEnd-s.f.data {
		return s.field(refs, i, PC32)
	}
	return refs
}
