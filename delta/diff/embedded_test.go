// SPDX-License-Identifier: Apache-2.0

package diff_test

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/delta"
	"github.com/waybill-project/waybill/delta/diff"
	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// linked is an ELF program of functions that call each other. A function more is
// put into the middle for each of more.
func linked(seed byte, functions, more int) []byte {
	r := rand.New(rand.NewChaCha8([32]byte{seed}))
	const head = 64 + 56
	type function struct {
		body  []byte
		calls []int
	}
	all := make([]function, functions)
	for i := range all {
		all[i].body = make([]byte, 8+r.IntN(24))
		for k := range all[i].body {
			all[i].body[k] = 0x50 + byte(r.IntN(8)) // push
		}
		for range 2 {
			all[i].calls = append(all[i].calls, r.IntN(functions))
		}
	}
	starts := make([]int, functions)
	at := head
	for i, f := range all {
		if i == functions/2 {
			at += 40 * more
		}
		starts[i] = at
		at += len(f.body) + 5*len(f.calls)
	}
	out := make([]byte, at)
	for i, f := range all {
		p := starts[i] + copy(out[starts[i]:], f.body)
		for _, to := range f.calls {
			out[p] = 0xe8
			binary.LittleEndian.PutUint32(out[p+1:], uint32(starts[to]-p-5))
			p += 5
		}
	}
	for i := range 40 * more {
		out[starts[functions/2]-1-i] = 0x90
	}
	le := binary.LittleEndian
	copy(out, "\x7fELF\x02\x01\x01")
	le.PutUint16(out[16:], 3)
	le.PutUint16(out[18:], 62)
	le.PutUint64(out[32:], 64)
	le.PutUint16(out[54:], 56)
	le.PutUint16(out[56:], 1)
	le.PutUint32(out[64:], 1)
	le.PutUint32(out[68:], 5)
	le.PutUint64(out[96:], uint64(len(out)))
	le.PutUint64(out[104:], uint64(len(out)))
	return out
}

func tarred(members ...[]byte) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for i, m := range members {
		if err := w.WriteHeader(&tar.Header{Name: fmt.Sprint("member", i), Size: int64(len(m)), Mode: 0o755, Format: tar.FormatUSTAR}); err != nil {
			panic(err)
		}
		if _, err := w.Write(m); err != nil {
			panic(err)
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func crowd(n, more int) []byte {
	var all [][]byte
	for i := range n {
		all = append(all, linked(byte(i), 60, more))
	}
	return bytes.Join(all, []byte("between"))
}

type embeddedSample struct {
	files
	images int
}

func embeddedSamples() []embeddedSample {
	text := []byte("MZ is how a program starts, \x7fELF\x02\x01\x01 another one, and PE\x00\x00\x64\x86 is within.")
	a, a2 := linked(1, 3000, 0), linked(1, 3000, 3)
	b, b2 := linked(2, 2000, 0), linked(2, 2000, 5)
	outer, outer2 := join(a, b), join(a2, b2)
	for _, p := range [][]byte{outer, outer2} {
		binary.LittleEndian.PutUint64(p[96:], uint64(len(p)))
		binary.LittleEndian.PutUint64(p[104:], uint64(len(p)))
	}
	within := func(p []byte) []byte { return join(text, p, text) }
	const most, recompressed = 1500, 8000
	return []embeddedSample{
		{files{"behind text", within(a), within(a2), most}, 1},
		{files{"tar", tarred(text, a, b), tarred(text, a2, b2), most}, 2},
		{files{"tar in another order", tarred(text, a, b), tarred(b2, text, a2), most}, 2},
		{files{"tar of the program itself", a, tarred(text, a2), most}, 1},
		{files{"program out of a tar", tarred(text, a), a2, most}, 1},
		{files{"tgz", packed(tarred(text, a, b)), packed(tarred(text, a2, b2)), recompressed}, 2},
		{files{"gzip", packed(a), packed(a2), recompressed}, 1},
		{files{"zip", zipped(text, a, b), zipped(text, a2, b2), recompressed}, 2},
		{files{"end to end", join(a, b), join(a2, b2), most}, 2},
		{files{"end to end in another order", join(a, b), join(b2, a2), most}, 2},
		{files{"one more in front", a, join(b2, a2), 30 << 10}, 1},
		{files{"alone", a, a2, most}, 1},
		{files{"with a tail", join(a, text), join(a2, text), most}, 1},
		{files{"one within another", within(outer), within(outer2), most}, 1},
		{files{"no other machine", within(a), within(otherMachine(a2)), 40 << 10}, 0},
		{files{"one that did not change", tarred(a, b), tarred(a, b2), most}, 1},
		{files{"twice the same", tarred(a, a), tarred(a2, a2), most}, 2},
		{files{"one that was two", tarred(a, b), tarred(a2), most}, 1},
		{files{"one that took in another", tarred(a, b), tarred(outer2), 20 << 10}, 1},
		{files{"a stub before the rest", tarred(a[:4000], a), tarred(a2[:4000], a2), most}, 1},
		{files{"cut at the end", within(a)[:len(a)/2], within(a2)[:len(a2)/2], 40 << 10}, 0},
		{files{"only text", join(text, text), join(text, text[:40], text), 300}, 0},
		{files{"more than images", crowd(100, 0), crowd(100, 1), 40 << 10}, waybill1.MaxImages},
	}
}

func otherMachine(p []byte) []byte {
	p = bytes.Clone(p)
	p[18] = 183
	return p
}

func TestMakeWaybill1Embedded(t *testing.T) {
	for _, s := range embeddedSamples() {
		t.Run(s.name, func(t *testing.T) {
			for _, l := range levels() {
				patch := mustMakeFormat(t, delta.Waybill1, s.old, s.new, level(l))
				if err := applyFormat(delta.Waybill1, s.old, s.new, patch); err != nil {
					t.Fatal(l, err)
				}
				h, _, err := waybill1.ReadHeader(bytes.NewReader(patch), int64(len(patch)))
				if err != nil || len(h.Images) != s.images {
					t.Errorf("%v: %d images, %v; want %d", l, len(h.Images), err, s.images)
				}
				if len(patch) > s.patchMost {
					t.Errorf("%v: patch of %d bytes, expected at most %d", l, len(patch), s.patchMost)
				}
			}
		})
	}
}

func TestMakeWaybill1EmbeddedDeterminism(t *testing.T) {
	for _, s := range embeddedSamples() {
		var patches [2][]byte
		for i, n := range []int{1, 4} {
			before := runtime.GOMAXPROCS(n)
			patches[i] = mustMakeFormat(t, delta.Waybill1, s.old, s.new, level(diff.Default))
			runtime.GOMAXPROCS(before)
		}
		if !bytes.Equal(patches[0], patches[1]) {
			t.Errorf("%s: patches differ", s.name)
		}
	}
}

// Files that are full of what looks like executables take no longer than others.
func TestMakeWaybill1Hostile(t *testing.T) {
	head := linked(1, 10, 0)[:120]
	program := linked(1, 100, 0)
	for name, old := range map[string][]byte{
		"marks of ELF":    repeat([]byte("\x7fELF\x02\x01\x01"), 1<<20),
		"marks of PE":     repeat([]byte("PE\x00\x00\x64\x86"), 1<<20),
		"marks of Mach-O": repeat([]byte("\xcf\xfa\xed\xfe\x07\x00\x00\x01"), 1<<20),
		"stubs":           repeat([]byte(strings.Repeat("MZ", 40)+"PE\x00\x00\x64\x86"), 1<<20),
		"headers":         repeat(head, 1<<20),
		"programs":        repeat(program, 1<<20),
	} {
		new := bytes.Clone(old)
		for i := 1000; i < len(new); i += 5000 {
			new[i]++
		}
		var out bytes.Buffer
		opts := &diff.Options{Budget: diff.Budget{Time: time.Minute}}
		err := diff.Make(t.Context(), delta.Waybill1, bytes.NewReader(old), bytes.NewReader(new), int64(len(old)), int64(len(new)), &out, opts)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
