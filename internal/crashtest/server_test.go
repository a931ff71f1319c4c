// SPDX-License-Identifier: Apache-2.0

//go:build unix

package crashtest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/internal/testrepo"
)

// piece is how many bytes come at a time, so that a download is several writes.
const piece = 1500

// server is a repository as it was at some moment. before is called for every request.
type server struct {
	objects map[string][]byte
	before  func(name string)
	breaks  string // the object of which only the first half comes
}

// publish writes the repository and takes a copy.
func publish(t testing.TB, r *testrepo.Repo) *server {
	must(t, r.Publish())
	s := &server{objects: map[string][]byte{}}
	must(t, filepath.WalkDir(r.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(r.Dir, path)
		if err == nil {
			s.objects[filepath.ToSlash(name)], err = os.ReadFile(path)
		}
		return err
	}))
	return s
}

func (s *server) with(before func(name string)) *server {
	return &server{objects: s.objects, before: before, breaks: s.breaks}
}

// find is the name of the one object that ends so.
func (s *server) find(t testing.TB, suffix string) string {
	for name := range maps.Keys(s.objects) {
		if strings.HasSuffix(name, suffix) {
			return name
		}
	}
	t.Fatalf("there is no object *%s", suffix)
	return ""
}

func (s *server) Open(_ context.Context, name string, req fetcher.Request) (*fetcher.Response, error) {
	if s.before != nil {
		s.before(name)
	}
	data, ok := s.objects[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	tag := `"` + sum(data)[:16] + `"`
	if req.ETag == tag {
		return &fetcher.Response{NotModified: true, ETag: tag, Body: io.NopCloser(bytes.NewReader(nil))}, nil
	}
	offset := min(req.Offset, int64(len(data)))
	var body io.Reader = &slow{bytes.NewReader(data[offset:])}
	if name == s.breaks && offset < int64(len(data)/2) {
		body = io.MultiReader(io.LimitReader(body, int64(len(data)/2)-offset), broken{})
	} else if name == s.breaks {
		body = broken{}
	}
	return &fetcher.Response{Body: io.NopCloser(body), Offset: offset, Size: int64(len(data)), ETag: tag}, nil
}

type slow struct{ r io.Reader }

func (s *slow) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), piece)]) }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, errors.New("the line is cut") }
