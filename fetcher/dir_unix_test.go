// SPDX-License-Identifier: Apache-2.0

//go:build unix

package fetcher

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/waybill-project/waybill/internal/durable"
)

// A named pipe without a writer holds whoever opens it as usual for ever. It may lie there from the start, or
// take the place of a file that was just looked at.
func TestPipeHoldsNobody(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "targets", "pipe")
	if err := errors.Join(os.Mkdir(filepath.Dir(pipe), 0o755), syscall.Mkfifo(pipe, 0o600)); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, open := range map[string]func() (any, error){
		"folder": func() (any, error) { return NewDirSource(dir).Open(context.Background(), "targets/pipe", Request{}) },
		"folder, swapped": func() (any, error) {
			f, _, err := openRegular("targets/pipe", root.OpenFile)
			return f, err
		},
		"archive": func() (any, error) { return NewArchiveSource(pipe) },
		"archive, swapped": func() (any, error) {
			f, _, err := openRegular(pipe, os.OpenFile)
			return f, err
		},
	} {
		if got, err := open(); !errors.Is(err, errNotRegular) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

// swapped says once of a file that it is what it was.
type swapped struct {
	durable.FS
	path string
	was  fs.FileInfo
}

func (s *swapped) Stat(name string) (fs.FileInfo, error) {
	if name == s.path && s.was != nil {
		was := s.was
		s.was = nil
		return was, nil
	}
	return s.FS.Stat(name)
}

func TestPipeInPlaceOfTheProgram(t *testing.T) {
	s := newSim(t)
	s.add("targets", "file", []byte("content"))
	s.release("targets")
	e := s.endpoint()
	dest := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dest, []byte("CONTENT"), 0o600); err != nil {
		t.Fatal(err)
	}
	was, err := os.Stat(dest)
	if err := errors.Join(err, os.Remove(dest), syscall.Mkfifo(dest, 0o600)); err != nil {
		t.Fatal(err)
	}
	e.opts.FS = &swapped{quick{durable.OS()}, dest, was}
	c := e.client()
	target, err := c.Target(context.Background(), "file")
	if err != nil {
		t.Fatal(err)
	}
	if report, err := c.Build(context.Background(), target, nil, dest, dest); err != nil || report.Way != "full" {
		t.Errorf("%+v, %v", report, err)
	}
	if got, err := os.ReadFile(dest); string(got) != "content" {
		t.Errorf("%q, %v", got, err)
	}
}
