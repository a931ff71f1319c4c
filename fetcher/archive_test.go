// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/repo/layout"
)

type entry struct {
	name, data string
	kind       byte // of tar; 0 is a file
	method     uint16
	mode       fs.FileMode
}

func tarOf(t testing.TB, entries ...entry) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: 0o644, Size: int64(len(e.data))}
		if e.kind == tar.TypeSymlink || e.kind == tar.TypeLink {
			h.Linkname = "/etc/passwd"
		}
		if e.kind == 0 {
			h.Typeflag = tar.TypeReg
		}
		if e.kind == tar.TypeXGlobalHeader {
			h = &tar.Header{Typeflag: e.kind, PAXRecords: map[string]string{"comment": "x"}}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func zipOf(t testing.TB, entries ...entry) []byte {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: e.method}
		h.SetMode(0o644 | e.mode)
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(e.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.SetComment("carried on a stick"); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// entries are the objects of the repository as files of an archive.
func (s *sim) entries(prefix string) []entry {
	var out []entry
	for _, name := range slices.Sorted(maps.Keys(s.objects)) {
		out = append(out, entry{name: prefix + plainName(name), data: string(s.objects[name])})
	}
	return out
}

func archive(t testing.TB, data []byte) (*ArchiveSource, error) {
	path := filepath.Join(t.TempDir(), "bundle")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	src, err := NewArchiveSource(path)
	if err == nil {
		t.Cleanup(func() { src.Close() })
	}
	return src, err
}

func TestArchiveSource(t *testing.T) {
	s := newSim(t)
	content := pattern(300 << 10)
	long := strings.Repeat("long/", 60) + "a b?"
	s.add("targets", "file", content)
	s.add("targets", long, []byte("far down"))
	s.release("targets")
	folders := []entry{{name: "./", kind: tar.TypeDir}, {kind: tar.TypeXGlobalHeader}}
	for name, data := range map[string][]byte{
		"tar":                 tarOf(t, s.entries("")...),
		"tar with ./":         tarOf(t, append(folders, s.entries("./")...)...),
		"tar of a folder":     tarOf(t, s.entries("bundle/")...),
		"zip":                 zipOf(t, s.entries("")...),
		"zip of a folder":     zipOf(t, append([]entry{{name: "a/repo/"}, {name: "README"}}, s.entries("a/repo/")...)...),
		"tar with other file": tarOf(t, append(s.entries(""), entry{name: "publisher/lease.json"})...),
	} {
		t.Run(name, func(t *testing.T) {
			src, err := archive(t, data)
			if err != nil {
				t.Fatal(err)
			}
			c := s.endpoint().over(src)
			for name, want := range map[string][]byte{"file": content, long: []byte("far down")} {
				target, err := c.Target(context.Background(), name)
				if err != nil {
					t.Fatal(err)
				}
				if got, err := c.Bytes(context.Background(), target, 1<<20); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %d bytes, %v", name, len(got), err)
				}
			}
			resp, err := src.Open(context.Background(), layout.Target("file", sum256(content)), Request{Offset: 299 << 10})
			if err != nil {
				t.Fatal(err)
			}
			if got, _ := io.ReadAll(resp.Body); !bytes.Equal(got, content[299<<10:]) {
				t.Error("another end of the file")
			}
			for _, name := range []string{"metadata/9.root.json", "publisher/lease.json", "README", "../x", "targets/%2e%2e/metadata/timestamp.json"} {
				if _, err := src.Open(context.Background(), name, Request{}); err == nil {
					t.Errorf("%s opened", name)
				}
			}
			if _, err := src.Open(context.Background(), "metadata/9.root.json", Request{}); !errors.Is(err, fs.ErrNotExist) {
				t.Error(err)
			}
			src.Close()
			if err := s.endpoint().over(src).Refresh(context.Background()); Class(err) != "network" {
				t.Errorf("the stick is gone: %v", err)
			}
		})
	}
}

func TestHostileArchives(t *testing.T) {
	stamp := entry{name: layout.Timestamp, data: "{}"}
	many := make([]entry, maxEntries+1)
	for i := range many {
		many[i] = entry{name: fmt.Sprint("targets/", i)}
	}
	zipped := zipOf(t, stamp)
	at := bytes.LastIndex(zipped, []byte(zipEndSignature))
	edit := func(offset int, b ...byte) []byte {
		out := bytes.Clone(zipped)
		copy(out[at+offset:], b)
		return out
	}
	central := bytes.Index(zipped, []byte(zipEntrySignature)) - at
	for name, data := range map[string][]byte{
		"empty": {}, "text": []byte("hello"), "zeros": make([]byte, 4096), "gzip": {0x1f, 0x8b, 8, 0}, "zstd": []byte("\x28\xb5\x2f\xfd"),
		"no repository":      tarOf(t, entry{name: "x"}),
		"two repositories":   tarOf(t, stamp, entry{name: "b/" + layout.Timestamp}),
		"twice":              tarOf(t, stamp, stamp),
		"twice, otherwise":   tarOf(t, stamp, entry{name: "./" + layout.Timestamp}),
		"parent":             tarOf(t, stamp, entry{name: "../x"}),
		"parent within":      tarOf(t, stamp, entry{name: "targets/../../x"}),
		"absolute":           tarOf(t, stamp, entry{name: "/etc/x"}),
		"backslash":          tarOf(t, stamp, entry{name: `targets\x`}),
		"doubled slash":      tarOf(t, stamp, entry{name: "targets//x"}),
		"symbolic link":      tarOf(t, stamp, entry{name: "targets/x", kind: tar.TypeSymlink}),
		"hard link":          tarOf(t, stamp, entry{name: "targets/x", kind: tar.TypeLink}),
		"pipe":               tarOf(t, stamp, entry{name: "targets/x", kind: tar.TypeFifo}),
		"device":             tarOf(t, stamp, entry{name: "targets/x", kind: tar.TypeBlock}),
		"many":               tarOf(t, append(many, stamp)...),
		"cut off":            tarOf(t, stamp, entry{name: "targets/x", data: strings.Repeat("x", 5000)})[:2000],
		"zip twice":          zipOf(t, stamp, stamp),
		"zip parent":         zipOf(t, stamp, entry{name: "../x"}),
		"zip deflated":       zipOf(t, entry{name: layout.Timestamp, data: strings.Repeat("x", 5000), method: zip.Deflate}),
		"zip symbolic link":  zipOf(t, stamp, entry{name: "targets/x", data: "/etc/passwd", mode: fs.ModeSymlink}),
		"zip cut off":        zipped[:len(zipped)-1],
		"zip with a tail":    append(bytes.Clone(zipped), 'x'),
		"zip without end":    zipped[:at],
		"zip of parts":       edit(4, 1),
		"zip, more entries":  edit(8, 2, 0, 2, 0),
		"zip, fewer entries": edit(8, 0, 0, 0, 0),
		"zip, far directory": edit(16, 0xff, 0xff, 0xff, 0x7f),
		"zip, long entry":    edit(central+20, 0xff, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff, 0x7f),
		"zip, far entry":     edit(central+42, 0xff, 0xff, 0xff, 0x7f),
		"zip, encrypted":     edit(central+8, 1),
	} {
		if _, err := archive(t, data); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "absent")} {
		if _, err := NewArchiveSource(path); Class(err) != "local" {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// A sparse file takes no room on the stick and any amount when read.
func TestSparseTarIsRefused(t *testing.T) {
	data := tarOf(t, entry{name: layout.Timestamp, data: "{}"}, entry{name: "targets/x", data: "y"})
	header := data[1024:1536]
	header[156] = tar.TypeGNUSparse
	copy(header[257:], "ustar  \x00")
	copy(header[148:], "        ")
	sum := 0
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:], fmt.Sprintf("%06o\x00 ", sum))
	if _, err := archive(t, data); !errors.Is(err, ErrMalformed) {
		t.Error(err)
	}
}

func FuzzArchive(f *testing.F) {
	stamp := entry{name: layout.Timestamp, data: "{}"}
	f.Add(tarOf(f, stamp, entry{name: "targets/a", data: "abc"}))
	f.Add(zipOf(f, stamp, entry{name: "targets/a", data: "abc"}))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, data []byte) {
		index, err := readIndex(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		for name, at := range index {
			if !strings.HasPrefix(name, "metadata/") && !strings.HasPrefix(name, "targets/") || strings.Contains(name, "..") && filepath.Clean(name) != name {
				t.Errorf("name %q", name)
			}
			if at.offset < 0 || at.length < 0 || at.offset+at.length > int64(len(data)) {
				t.Errorf("%s at %+v of %d", name, at, len(data))
			}
			if at.header {
				if from, err := zipContent(bytes.NewReader(data), at.offset); err == nil && from < at.offset {
					t.Errorf("%s at %d", name, from)
				}
			}
		}
	})
}

// A file of nothing but extended headers has no entry to count, and holds as much to read as the stick
// can pretend to.
func TestArchiveOfHeadersOnly(t *testing.T) {
	header := func(kind byte, size int) []byte {
		h := make([]byte, 512)
		copy(h, "x")
		copy(h[100:], "0000644\x000000000\x000000000\x00")
		copy(h[124:], fmt.Sprintf("%011o\x0000000000000\x00", size))
		copy(h[148:], "        ")
		h[156] = kind
		copy(h[257:], "ustar\x0000")
		sum := 0
		for _, b := range h {
			sum += int(b)
		}
		copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
		return h
	}
	record := make([]byte, 1<<20-1<<10)
	copy(record, fmt.Sprintf("%d comment=", len(record)))
	record[len(record)-1] = '\n'
	block := append(header(tar.TypeXHeader, len(record)), record...)
	huge := &repeating{unit: block}
	if _, err := readIndex(huge, 1<<50); !errors.Is(err, ErrMalformed) || huge.read > 2*maxIndexBytes {
		t.Errorf("%v, %d bytes read", err, huge.read)
	}
}

// repeating is a file without an end; it gives up where the test would run for ever.
type repeating struct {
	unit []byte
	read int64
}

func (r *repeating) ReadAt(p []byte, offset int64) (int, error) {
	for n := 0; n < len(p); {
		n += copy(p[n:], r.unit[(offset+int64(n))%int64(len(r.unit)):])
	}
	if r.read += int64(len(p)); r.read > 4<<30 {
		return 0, errors.New("read for ever")
	}
	return len(p), nil
}

// The bytes that are verified are those that are used, whatever happens to the stick meanwhile.
func TestArchiveThatChanges(t *testing.T) {
	content := pattern(300 << 10)
	s := newSim(t)
	s.add("targets", "file", content)
	s.release("targets")
	for kind, data := range map[string][]byte{"tar": tarOf(t, s.entries("")...), "zip": zipOf(t, s.entries("")...)} {
		at := bytes.Index(data, content)
		for name, change := range map[string]func(f *os.File) error{
			"content": func(f *os.File) error { _, err := f.WriteAt([]byte("x"), int64(at+200<<10)); return err },
			"cut off": func(f *os.File) error { return f.Truncate(int64(at + 200<<10)) },
			"headers": func(f *os.File) error { _, err := f.WriteAt(make([]byte, 30), int64(at-100)); return err },
			"emptied": func(f *os.File) error { return f.Truncate(0) },
		} {
			path := filepath.Join(t.TempDir(), "bundle")
			if err := os.WriteFile(path, data, 0o600); err != nil {
				t.Fatal(err)
			}
			src, err := NewArchiveSource(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			e := s.endpoint()
			changed := false
			e.opts.Progress = func(p Progress) {
				if !changed && p.Done < 200<<10 {
					changed = true
					if err := change(f); err != nil {
						t.Error(err)
					}
				}
			}
			dest := filepath.Join(e.dir, "out")
			err = e.over(src).get1(dest)
			got, _ := os.ReadFile(dest)
			if err == nil != bytes.Equal(got, content) || err != nil && (got != nil || Class(err) != "verification" && Class(err) != "network") {
				t.Errorf("%s, %s: %v, %d bytes", kind, name, err, len(got))
			}
			f.Close()
			src.Close()
		}
	}
}

// Entries that lie over one another, or whose local header says something else, change nothing: what
// is read is signed or refused.
func TestZipLocalHeadersThatLie(t *testing.T) {
	s := newSim(t)
	s.add("targets", "file", []byte("the content"))
	s.release("targets")
	data := zipOf(t, s.entries("")...)
	failed := false
	for at := range len(data) - 4 {
		if string(data[at:at+4]) != zipLocalSignature {
			continue
		}
		for _, field := range []int{26, 28} { // lengths of name and extra field
			bad := bytes.Clone(data)
			bad[at+field], bad[at+field+1] = 0xff, 0xff
			src, err := archive(t, bad)
			if err != nil {
				t.Error(err)
				continue
			}
			e := s.endpoint()
			dest := filepath.Join(e.dir, "out")
			err = e.over(src).get1(dest)
			got, _ := os.ReadFile(dest)
			if err == nil && string(got) != "the content" || err != nil && (got != nil || Class(err) != "verification" && Class(err) != "network") {
				t.Errorf("header at %d: %v, %q", at, err, got)
			}
			failed = failed || err != nil // not for an object that nobody needs
		}
	}
	if !failed {
		t.Error("nothing was changed")
	}
}

// folders is a zip file that holds the same folder again and again, each time with a comment as long as can be.
type folders struct {
	entry []byte
	count int
	read  int64
}

func (z *folders) size() int64 { return int64(z.count*len(z.entry)) + zipEndLength }

func (z *folders) ReadAt(p []byte, at int64) (n int, err error) {
	end := make([]byte, zipEndLength)
	copy(end, zipEndSignature)
	binary.LittleEndian.PutUint16(end[8:], uint16(z.count))
	binary.LittleEndian.PutUint16(end[10:], uint16(z.count))
	binary.LittleEndian.PutUint32(end[12:], uint32(z.size()-zipEndLength))
	for n < len(p) && at < z.size() {
		from := end
		if rest := z.size() - zipEndLength - at; rest > 0 {
			from = z.entry[at%int64(len(z.entry)):]
		} else {
			from = end[-rest:]
		}
		copied := copy(p[n:], from)
		n, at = n+copied, at+int64(copied)
	}
	z.read += int64(n)
	if n < len(p) {
		err = io.EOF
	}
	return n, err
}

// The table of contents of a zip file may be as long as the file, and says little by that.
func TestLongZipTableIsNotRead(t *testing.T) {
	z := &folders{entry: make([]byte, zipEntryLength+2+1<<16-1), count: 5000}
	copy(z.entry, zipEntrySignature)
	z.entry[28] = 2
	binary.LittleEndian.PutUint16(z.entry[32:], 1<<16-1)
	copy(z.entry[zipEntryLength:], "d/")
	c := &contents{spans: map[string]span{}}
	if err := c.readZip(z, z.size()); !errors.Is(err, ErrMalformed) || z.read > 1<<20 {
		t.Errorf("%v after %d bytes", err, z.read)
	}
	z.count, z.read = 50, 0
	if err := c.readZip(z, z.size()); err != nil {
		t.Error(err)
	}
}
