// SPDX-License-Identifier: Apache-2.0

package bzip2

import (
	"bytes"
	stdbzip2 "compress/bzip2"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
)

func noise(seed byte, n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func skewed(seed byte, n int) []byte {
	b := noise(seed, n)
	for i, v := range b {
		b[i] = byte(int(v) * int(v) * int(v) >> 18)
	}
	return b
}

func compress(t testing.TB, data []byte, piece int) []byte {
	t.Helper()
	return compressBy(t, NewWorkers(2), data, piece)
}

func compressBy(t testing.TB, workers Workers, data []byte, piece int) []byte {
	t.Helper()
	e := NewEncoder(context.Background(), workers)
	for from := 0; from < len(data); from += piece {
		if _, err := e.Write(data[from:min(from+piece, len(data))]); err != nil {
			t.Fatal(err)
		}
	}
	out, err := e.Close()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func check(t testing.TB, data []byte, piece int) []byte {
	t.Helper()
	stream := compress(t, data, piece)
	got, err := io.ReadAll(stdbzip2.NewReader(bytes.NewReader(stream)))
	if err != nil || !bytes.Equal(got, data) {
		t.Fatalf("%d bytes of %d, error %v", len(got), len(data), err)
	}
	return stream
}

func TestRoundTrip(t *testing.T) {
	for _, c := range []struct {
		name  string
		data  []byte
		level byte
		most  int
	}{
		{"empty", nil, '1', 14},
		{"one byte", []byte{7}, '1', 40},
		{"three alike", []byte{7, 7, 7}, '1', 40},
		{"four alike", []byte{7, 7, 7, 7}, '1', 45},
		{"a full run", make([]byte, 255), '1', 45},
		{"a full run and one", make([]byte, 256), '1', 45},
		{"a full run and four", make([]byte, 259), '1', 45},
		{"text", []byte("the quick brown fox jumps over the lazy dog"), '1', 90},
		{"period", bytes.Repeat([]byte("abc"), 10_000), '1', 60},
		{"period of itself", bytes.Repeat([]byte("aab"), 2), '1', 60},
		{"zeros", make([]byte, 4<<20), '1', 80},
		{"runs of four", bytes.Repeat([]byte("aaaabbbb"), 15_000), '2', 90},
		{"just one small block", noise(1, levelUnit-2500), '1', levelUnit},
		{"over one small block", noise(1, levelUnit), '2', 101_000},
		{"skewed", skewed(1, 400_000), '5', 340_000},
		{"noise", noise(1, 1_000_000), '9', 1_006_000},
		{"text and noise", append(bytes.Repeat([]byte("text"), 1000), noise(1, 50_000)...), '1', 52_000},
		{"all bytes rising", rising(1 << 16), '1', 2000},
	} {
		t.Run(c.name, func(t *testing.T) {
			stream := check(t, c.data, 64<<10)
			if stream[3] != c.level {
				t.Errorf("level %c, want %c", stream[3], c.level)
			}
			if len(stream) > c.most {
				t.Errorf("%d bytes, want at most %d", len(stream), c.most)
			}
			if !bytes.Equal(stream, compress(t, c.data, 1+len(c.data)/13)) {
				t.Error("another stream if written in other pieces")
			}
		})
	}
}

func rising(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func TestAnyNumberOfWorkers(t *testing.T) {
	data := append(skewed(1, 2_000_000), noise(2, 1_000_000)...)
	want := compressBy(t, NewWorkers(1), data, len(data))
	for _, n := range []int{2, 3, 16} {
		if !bytes.Equal(compressBy(t, NewWorkers(n), data, 1<<20), want) {
			t.Errorf("another stream by %d workers", n)
		}
	}
	check(t, data, len(data))
}

func TestEncodersShareWorkers(t *testing.T) {
	workers := NewWorkers(2)
	var group sync.WaitGroup
	for i := range 3 {
		group.Go(func() {
			data := skewed(byte(i), 1_500_000)
			if !bytes.Equal(compressBy(t, workers, data, 1<<16), compress(t, data, 1<<20)) {
				t.Error("another stream")
			}
		})
	}
	group.Wait()
}

func TestEncoderStops(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	e := NewEncoder(ctx, NewWorkers(1))
	cause := errors.New("cause")
	cancel(cause)
	if _, err := e.Write(noise(1, 2<<20)); !errors.Is(err, cause) {
		t.Errorf("Write: %v", err)
	}
	if _, err := e.Close(); !errors.Is(err, cause) {
		t.Errorf("Close: %v", err)
	}
}

func TestCodeLengths(t *testing.T) {
	fibonacci := []int{1, 1}
	for len(fibonacci) < 40 {
		fibonacci = append(fibonacci, fibonacci[len(fibonacci)-1]+fibonacci[len(fibonacci)-2])
	}
	for _, counts := range [][]int{{0, 0, 0}, {1, 2, 3}, {5, 0, 9, 1, 1}, make([]int, 258), fibonacci} {
		space := 0
		for _, n := range codeLengths(counts) {
			if n < 1 || n > codeMost {
				t.Fatalf("%v: length %d", counts, n)
			}
			space += 1 << (codeMost - n)
		}
		if space != 1<<codeMost {
			t.Errorf("%v: no complete code", counts)
		}
	}
}

func FuzzEncoder(f *testing.F) {
	f.Add([]byte("banana"), uint16(3), uint16(1))
	f.Add([]byte("aaaa"), uint16(300), uint16(100))
	f.Add(noise(1, 300), uint16(2), uint16(7))
	f.Add(rising(256), uint16(9), uint16(1000))
	f.Fuzz(func(t *testing.T, data []byte, times, piece uint16) {
		if len(data)*int(times) > 1<<18 {
			return
		}
		check(t, bytes.Repeat(data, int(times)), int(piece)+1)
	})
}
