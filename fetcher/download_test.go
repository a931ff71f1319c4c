// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/internal/durable"
)

// pattern is content that differs everywhere.
func pattern(n int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < n; i++ {
		fmt.Fprintf(&b, "%08d", i)
	}
	return b.Bytes()[:n]
}

// cut is a body that breaks off.
type cut struct{ io.Reader }

func (c cut) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if err == io.EOF {
		err = errors.New("connection reset")
	}
	return n, err
}

func downloadSim(t *testing.T, content []byte) (*sim, *endpoint) {
	s := newSim(t)
	s.add("targets", "file", content)
	s.release("targets")
	return s, s.endpoint()
}

func TestResume(t *testing.T) {
	content := pattern(300 << 10)
	s, e := downloadSim(t, content)
	dest := filepath.Join(t.TempDir(), "file")
	var offsets []int64
	piece := 100 << 10
	s.open = func(name string, req Request) (*Response, error) {
		if !strings.HasPrefix(name, "targets/") {
			return nil, nil
		}
		offsets = append(offsets, req.Offset)
		if len(offsets)%2 == 0 {
			return nil, errors.New("line is dead")
		}
		end := min(int(req.Offset)+piece, len(content))
		return &Response{Body: io.NopCloser(cut{bytes.NewReader(content[req.Offset:end])}), Offset: req.Offset, Size: int64(len(content))}, nil
	}
	for range 2 {
		if err := e.download("file", dest); Class(err) != "network" {
			t.Fatalf("error %v", err)
		}
		if _, err := os.Stat(dest); err == nil {
			t.Fatal("an unfinished file got its final name")
		}
	}
	if err := e.download("file", dest); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(dest); !bytes.Equal(got, content) {
		t.Error("content differs")
	}
	if want := []int64{0, 100 << 10, 100 << 10, 200 << 10, 200 << 10}; fmt.Sprint(offsets) != fmt.Sprint(want) {
		t.Errorf("offsets %v, want %v", offsets, want)
	}
	if left, _ := filepath.Glob(filepath.Join(e.dir, "partial", "*"+unverified)); len(left) != 0 {
		t.Errorf("left %q", left)
	}
	if info, err := os.Stat(dest); err != nil || info.Mode().Perm() != 0o644 && os.PathSeparator == '/' {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// A partial file that is not what we left is no way in.
func TestHijackedPartialFile(t *testing.T) {
	content := pattern(1000)
	for name, plant := range map[string]func(path, other string) error{
		"other content": func(path, _ string) error { return os.WriteFile(path, bytes.Repeat([]byte("x"), 500), 0o600) },
		"whole but bad": func(path, _ string) error { return os.WriteFile(path, bytes.Repeat([]byte("x"), 1000), 0o600) },
		"too long":      func(path, _ string) error { return os.WriteFile(path, bytes.Repeat([]byte("x"), 2000), 0o600) },
		"symlink":       func(path, other string) error { return os.Symlink(other, path) },
		"hard link":     func(path, other string) error { return os.Link(other, path) },
	} {
		t.Run(name, func(t *testing.T) {
			s, e := downloadSim(t, content)
			other := filepath.Join(t.TempDir(), "other")
			if err := os.WriteFile(other, []byte("precious"), 0o600); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(e.dir, "partial", sum256(content)+unverified)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := plant(path, other); err != nil {
				t.Fatal(err)
			}
			s.open = ranges(content)
			dest := filepath.Join(t.TempDir(), "file")
			if err := e.download("file", dest); err != nil {
				t.Fatal(err)
			}
			if got, _ := os.ReadFile(dest); !bytes.Equal(got, content) {
				t.Error("content differs")
			}
			if got, _ := os.ReadFile(other); string(got) != "precious" {
				t.Error("another file was changed")
			}
		})
	}
}

// ranges serves content from any offset.
func ranges(content []byte) func(string, Request) (*Response, error) {
	return func(name string, req Request) (*Response, error) {
		if !strings.HasPrefix(name, "targets/") {
			return nil, nil
		}
		return &Response{Body: wholeBody(content[req.Offset:]), Offset: req.Offset, Size: int64(len(content))}, nil
	}
}

func TestResumeHostile(t *testing.T) {
	content := pattern(200 << 10)
	half := len(content) / 2
	status := func(code int, header string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", header)
			w.WriteHeader(code)
			_, _ = w.Write(content[half:])
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc // to a range request; nil to ignore the range
		ok     bool
	}{
		"range ignored":        {nil, true},
		"no Content-Range":     {status(206, ""), true},
		"range from elsewhere": {status(206, fmt.Sprintf("bytes 5-%d/%d", len(content)-1, len(content))), true},
		"bad Content-Range":    {status(206, "bytes a-b/c"), true},
		"other total":          {status(206, fmt.Sprintf("bytes %d-%d/%d", half, len(content), len(content)+1)), true},
		"416":                  {status(416, fmt.Sprintf("bytes */%d", len(content))), true},
		"other bytes": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", half, len(content)-1, len(content)))
			w.WriteHeader(206)
			_, _ = w.Write(content[:half])
		}, true},
		"right":            {status(206, fmt.Sprintf("bytes %d-%d/%d", half, len(content)-1, len(content))), true},
		"unknown total":    {status(206, fmt.Sprintf("bytes %d-%d/*", half, len(content)-1)), true},
		"404 from then on": {status(404, ""), false},
		"304 from then on": {status(304, ""), false},
		"204 from then on": {status(204, ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			s, e := downloadSim(t, content)
			w := newWeb(t, s)
			broken := false
			w.hook = func(rw http.ResponseWriter, r *http.Request) bool {
				switch {
				case !strings.Contains(r.URL.Path, "/targets/"):
					return false
				case !broken:
					broken = true
					rw.Header().Set("Content-Length", fmt.Sprint(len(content)))
					_, _ = rw.Write(content[:half])
					return true
				case r.Header.Get("Range") != "" && c.answer != nil:
					c.answer(rw, r)
					return true
				}
				_, _ = rw.Write(content)
				return true
			}
			client := e.over(w.source(t, HTTPOptions{}))
			target, err := client.Target(context.Background(), "file")
			if err != nil {
				t.Fatal(err)
			}
			dest := filepath.Join(t.TempDir(), "file")
			err = client.Download(context.Background(), target, dest)
			got, _ := os.ReadFile(dest)
			if (err == nil) != c.ok || c.ok && !bytes.Equal(got, content) || !c.ok && got != nil {
				t.Errorf("error %v, %d bytes", err, len(got))
			}
			if n := len(w.asked()); n > 4+6 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestDownloadStopsAtSignedLength(t *testing.T) {
	content := pattern(1000)
	s, e := downloadSim(t, content)
	read := 0
	s.open = func(name string, _ Request) (*Response, error) {
		if !strings.HasPrefix(name, "targets/") {
			return nil, nil
		}
		return &Response{Body: io.NopCloser(endless{&read}), Size: -1}, nil
	}
	dest := filepath.Join(t.TempDir(), "file")
	wantRule(t, e.download("file", dest), ErrTooLarge)
	if read > 2*chunk {
		t.Errorf("read %d bytes", read)
	}
	if left, _ := filepath.Glob(filepath.Join(e.dir, "partial", "*"+unverified)); len(left) != 0 {
		t.Errorf("left %q", left)
	}
}

type endless struct{ n *int }

func (e endless) Read(p []byte) (int, error) { *e.n += len(p); return len(p), nil }

func TestHostileTargetNames(t *testing.T) {
	s := newSim(t)
	names := []string{"../x", "/x", "a//b", "a/../b", ".", "a/.", "//host/x", "a\x00b", "a\\b", ""}
	for _, name := range names {
		s.md["targets"]["targets"].(map[string]any)[name] = map[string]any{"length": 1, "hashes": map[string]any{"sha256": sum256([]byte("x"))}}
	}
	s.release("targets")
	e := s.endpoint()
	for _, name := range names {
		wantRule(t, e.download(name, filepath.Join(t.TempDir(), "x")), ErrMalformed)
	}
	for _, r := range s.asked() {
		if strings.HasPrefix(r, "targets/") {
			t.Errorf("asked for %q", r)
		}
	}
}

func TestHostileHashes(t *testing.T) {
	s := newSim(t)
	for i, hash := range []string{"../../x", "", "00", strings.Repeat("g", 64)} {
		s.md["targets"]["targets"].(map[string]any)[fmt.Sprint(i)] = map[string]any{"length": 1, "hashes": map[string]any{"sha256": hash + "/"}}
	}
	s.release("targets")
	e := s.endpoint()
	for i := range 4 {
		wantRule(t, e.download(fmt.Sprint(i), filepath.Join(t.TempDir(), "x")), ErrMalformed)
	}
}

func TestBytes(t *testing.T) {
	s, e := downloadSim(t, []byte("content"))
	c := e.client()
	target, err := c.Target(context.Background(), "file")
	if err != nil {
		t.Fatal(err)
	}
	s.asked()
	for range 2 {
		if got, err := c.Bytes(context.Background(), target, 7); err != nil || string(got) != "content" {
			t.Fatalf("%q, %v", got, err)
		}
	}
	if n := len(s.asked()); n != 1 {
		t.Errorf("%d requests", n)
	}
	_, err = c.Bytes(context.Background(), target, 6)
	wantRule(t, err, ErrTooLarge)
	blob := filepath.Join(e.dir, "blobs", target.Hashes["sha256"])
	if err := os.WriteFile(blob, []byte("c0ntent"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Bytes(context.Background(), target, 7); err != nil || string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
	if err := os.Remove(blob); err != nil {
		t.Fatal(err)
	}
	s.open = func(string, Request) (*Response, error) { return response200([]byte("c0ntent")), nil }
	_, err = c.Bytes(context.Background(), target, 7)
	wantRule(t, err, ErrMismatch)
}

func TestEmptyTarget(t *testing.T) {
	_, e := downloadSim(t, nil)
	dest := filepath.Join(t.TempDir(), "file")
	if err := e.download("file", dest); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dest); err != nil || info.Size() != 0 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestUnwritableDestination(t *testing.T) {
	_, e := downloadSim(t, []byte("content"))
	if err := e.download("file", filepath.Join(t.TempDir(), "missing", "file")); Class(err) != "local" {
		t.Errorf("error %v", err)
	}
}

// apart refuses to rename from one folder to another, as if a file system ended there.
type apart struct{ durable.FS }

func (a apart) Rename(from, to string) error {
	if filepath.Dir(from) != filepath.Dir(to) {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: notSameDevice}
	}
	return a.FS.Rename(from, to)
}

func TestDestinationOnAnotherFileSystem(t *testing.T) {
	content := pattern(200 << 10)
	_, e := downloadSim(t, content)
	e.opts.FS = apart{quick{durable.OS()}}
	dir := t.TempDir()
	dest := filepath.Join(dir, "file")
	if err := os.WriteFile(dest, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.download("file", dest); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(dest); !bytes.Equal(got, content) {
		t.Error("content differs")
	}
	left, _ := filepath.Glob(filepath.Join(e.dir, "partial", "*"+unverified))
	entries, _ := os.ReadDir(dir)
	if len(left) != 0 || len(entries) != 1 {
		t.Errorf("left %q, %v", left, entries)
	}
}

func TestBlobsAreFew(t *testing.T) {
	s := newSim(t)
	for i := range maxBlobs + 10 {
		s.add("targets", fmt.Sprint(i), fmt.Append(nil, i))
	}
	s.release("targets")
	e := s.endpoint()
	c := e.client()
	for i := range maxBlobs + 10 {
		target, err := c.Target(context.Background(), fmt.Sprint(i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Bytes(context.Background(), target, 10); err != nil {
			t.Fatal(err)
		}
	}
	if entries, _ := os.ReadDir(filepath.Join(e.dir, "blobs")); len(entries) != maxBlobs {
		t.Errorf("%d blobs", len(entries))
	}
}

func TestProgress(t *testing.T) {
	content := pattern(200 << 10)
	_, e := downloadSim(t, content)
	var last Progress
	e.opts.Progress = func(p Progress) {
		if p.Done < last.Done {
			t.Error("went back")
		}
		last = p
	}
	if err := e.download("file", filepath.Join(t.TempDir(), "file")); err != nil {
		t.Fatal(err)
	}
	if last != (Progress{"file", int64(len(content)), int64(len(content))}) {
		t.Errorf("last %+v", last)
	}
}
