// SPDX-License-Identifier: Apache-2.0

package deflate

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"
)

// sequence is a fixed sequence of numbers, so that contents need no files.
type sequence uint64

func (s *sequence) next() uint32 {
	*s = *s*6364136223846793005 + 1442695040888963407
	return uint32(*s >> 33)
}

// mixed is text of a small vocabulary, bytes that do not compress, zeros, and
// text again: every kind of block and several slides of the window.
func mixed() []byte {
	s := sequence(7)
	words := make([]string, 600)
	for i := range words {
		for range 2 + s.next()%8 {
			words[i] += string('a' + rune(s.next()%26))
		}
	}
	var b bytes.Buffer
	text := func(n int) {
		for end := b.Len() + n; b.Len() < end; {
			fmt.Fprint(&b, words[s.next()%600*(s.next()%600)/600], [4]string{" ", " ", ", ", "\n"}[s.next()%4])
		}
	}
	text(150_000)
	for range 120_000 {
		b.WriteByte(byte(s.next() >> 8))
	}
	b.Write(make([]byte, 20_000))
	text(110_000)
	return b.Bytes()
}

// exact holds the SHA-256 of what the encoders themselves make of mixed, its first
// four bytes: zlib 1.2.13, Node.js 20 (zlib 1.3.1-e00f703), and gzip 1.12.
var exact = map[Family][10]string{
	Zlib:          {"", "e6236e7d", "2f076f98", "8336dd52", "ed2a8b83", "83987b78", "2983820d", "971db869", "971db869", "971db869"},
	ZlibLarge:     {"", "7dbe75b6", "3d7e264f", "b07b7ef9", "65d7769f", "a37fbd17", "512e567b", "af37afaf", "af37afaf", "af37afaf"},
	Chromium:      {"", "e8e5c6f4", "c6e02c8a", "8dba0de5", "653749b4", "b6185edb", "cc03c6cf", "55c4c24c", "55c4c24c", "55c4c24c"},
	ChromiumLarge: {"", "e31ad3a6", "230b8655", "d43538e1", "fcf672d5", "4d03bb92", "ac2edbaa", "e3d54855", "e3d54855", "e3d54855"},
	Gzip:          {"", "f39b91ec", "c2946898", "c2c1171a", "21516d9c", "e0f96de2", "f03fb9e6", "429b6acc", "429b6acc", "429b6acc"},
}

func encoded(t *testing.T, r recipe, fix, contents []byte, piece int) []byte {
	t.Helper()
	stream, _ := worked(t, r, fix, contents, piece)
	return stream
}

// worked returns the stream, and the work that it took.
func worked(t *testing.T, r recipe, fix, contents []byte, piece int) ([]byte, int64) {
	t.Helper()
	var b bytes.Buffer
	e := newEncoder(&b, maxOffset)
	if err := e.reset(r, fix, int64(len(contents))); err != nil {
		t.Fatal(err)
	}
	for len(contents) > 0 {
		n := min(piece, len(contents))
		if err := e.write(contents[:n]); err != nil {
			t.Fatal(err)
		}
		contents = contents[n:]
	}
	return b.Bytes(), e.m.work
}

func TestEncodersAreExact(t *testing.T) {
	contents := mixed()
	for family, sums := range exact {
		for level := 1; level <= 9; level++ {
			r := newRecipe(family, level)
			t.Run(r.String(), func(t *testing.T) {
				sum := sha256.Sum256(encoded(t, r, nil, contents, len(contents)))
				if got := hex.EncodeToString(sum[:4]); got != sums[level] {
					t.Errorf("got %s, want %s", got, sums[level])
				}
			})
		}
	}
}

// TestEncodersDoNotSeeThePieces also holds that the inflater reads what they write.
func TestEncodersDoNotSeeThePieces(t *testing.T) {
	contents := mixed()
	for _, r := range candidates() {
		whole := encoded(t, r, nil, contents, len(contents))
		for _, piece := range []int{301, 65_537} {
			if !bytes.Equal(encoded(t, r, nil, contents, piece), whole) {
				t.Errorf("%v: pieces of %d change the stream", r, piece)
			}
		}
		got, end, err := inflateAll(whole)
		if err != nil || end != int64(len(whole)) || !bytes.Equal(got, contents) {
			t.Errorf("%v: inflates to %d bytes, ends at %d: %v", r, len(got), end, err)
		}
	}
}

// TestEncoderAfterEncoder: what came before must not show, also for short streams
// and at the end of the window.
func TestEncoderAfterEncoder(t *testing.T) {
	contents := mixed()
	s := sequence(3)
	var used bytes.Buffer
	e := newEncoder(&used, maxOffset)
	for range 400 {
		n := 1 + int(s.next()%20_000)
		from := int(s.next()) % (len(contents) - n)
		r := newRecipe(Family(s.next()%uint32(families)), 1+int(s.next()%9))
		used.Reset()
		if err := e.reset(r, nil, int64(n)); err != nil {
			t.Fatal(err)
		}
		if err := e.write(contents[from : from+n]); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(used.Bytes(), encoded(t, r, nil, contents[from:from+n], n)) {
			t.Fatalf("%v: %d bytes from %d differ in a used encoder", r, n, from)
		}
	}
}
