// SPDX-License-Identifier: Apache-2.0

package executable

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestCorpus reports on the executables of the folder named by WAYBILL_CORPUS
// (PAIR/old and PAIR/new), and checks that each reference writes itself.
func TestCorpus(t *testing.T) {
	dir := os.Getenv("WAYBILL_CORPUS")
	if dir == "" {
		return
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*", os.Getenv("WAYBILL_FILE")+"*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(filepath.Dir(path))+"/"+filepath.Base(path), func(t *testing.T) { survey(t, path) })
	}
}

func survey(t *testing.T, path string) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	f, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Log(err)
		return
	}
	opened := time.Since(began)
	began = time.Now()
	refs := scanAll(f, data, 256<<10)
	scanned := time.Since(began)
	var counts [Kinds]int
	for _, r := range refs {
		counts[r.Kind]++
	}
	var line bytes.Buffer
	for k, n := range counts {
		if n > 0 {
			fmt.Fprintf(&line, " %s=%d", kindName(Kind(k)), n)
		}
	}
	t.Logf("%d bytes, open %v, scan %v (%.0f MB/s), marks %d, layout %d, %d references:%s", len(data), opened.Round(time.Millisecond),
		scanned.Round(time.Millisecond), float64(len(data))/scanned.Seconds()/1e6, maxMarks(f.Size)-f.budget, len(f.Append(nil)), len(refs), line.String())
	for i := range f.areas {
		a := &f.areas[i]
		n := 0
		lo, _ := slices.BinarySearchFunc(refs, a.start, func(r Reference, o int64) int { return int(r.Offset - o) })
		for _, r := range refs[lo:] {
			if r.Offset >= a.end {
				break
			}
			n++
		}
		if testing.Verbose() && os.Getenv("WAYBILL_AREAS") != "" {
			t.Logf("  area %#x..%#x (%d) addr %#x rule %#x marks %d: %d references", a.start, a.end, a.end-a.start, a.addr, a.rule, len(a.marks), n)
		}
	}
	checkIdentity(t, f, data, refs)
	checkHashes(t, f.Hashes, data)
}

func checkHashes(t *testing.T, h *PageHashes, data []byte) {
	if h == nil {
		return
	}
	for i := range h.Count {
		page := data[i*h.PageSize : min((i+1)*h.PageSize, int(h.Limit))]
		if sum := sha256.Sum256(page); !bytes.Equal(sum[:], data[int(h.At)+32*i:][:32]) {
			t.Fatalf("page %d of %+v has another hash", i, *h)
		}
	}
	t.Logf("page hashes %+v", *h)
}

func scanAll(f *File, data []byte, step int) []Reference {
	var refs []Reference
	for from := 0; from < len(data); {
		low := max(0, from-Before)
		high := min(len(data), from+step+After)
		var next int
		refs, next = f.Scan(refs, data[low:high], int64(low), from-low, min(from+step, len(data))-low)
		from = low + next
	}
	return refs
}

func checkIdentity(t *testing.T, f *File, data []byte, refs []Reference) {
	t.Helper()
	var end int64
	for _, r := range refs {
		n := r.Kind.Width()
		if r.Offset < end || r.Offset+int64(n) > int64(len(data)) {
			t.Fatalf("reference at %#x overlaps or leaves the file", r.Offset)
		}
		end = r.Offset + int64(n)
		field := bytes.Clone(data[r.Offset:end])
		at, ok := f.Address(r.Offset)
		if !ok {
			t.Fatalf("no address at %#x", r.Offset)
		}
		f.Put(r.Kind, field, at, r.Target)
		if !bytes.Equal(field, data[r.Offset:end]) {
			t.Fatalf("%s at %#x: % x became % x", kindName(r.Kind), r.Offset, data[r.Offset:end], field)
		}
		if target, ok := f.Target(r.Kind, field, at); ok && target != r.Target && r.Kind != Page21 {
			t.Fatalf("%s at %#x: target %#x, not %#x", kindName(r.Kind), r.Offset, target, r.Target)
		}
	}
}

func kindName(k Kind) string {
	names := []string{"none", "rel32", "rel32imm1", "rel32imm2", "rel32imm4", "branch26", "page21", "low12", "abs64", "place64", "abs32", "pc32",
		"neg32", "chain36", "chainbase36", "page12", "uleb2", "uleb3", "uleb4"}
	bases := []string{"image", "names", "symnames", "unwind", "text", "types", "rodata", "funcdata", "funcnames", "units", "files", "pcs", "functions", "index"}
	if k < Base32 {
		return names[k]
	}
	return "base:" + bases[k-Base32]
}
