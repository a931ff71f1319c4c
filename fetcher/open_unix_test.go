// SPDX-License-Identifier: Apache-2.0

//go:build unix

package fetcher

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/waybill-project/waybill/internal/durable"
)

// swapping runs an attack just before a file is opened for reading, or loses its name.
type swapping struct {
	durable.FS
	open, remove func(name string)
}

func (s *swapping) OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error) {
	if s.open != nil && flag&(os.O_WRONLY|os.O_RDWR) == 0 && filepath.Ext(name) == unverified {
		s.open(name)
	}
	return s.FS.OpenFile(name, flag, perm)
}

func (s *swapping) Remove(name string) error {
	if s.remove != nil && filepath.Ext(name) == unverified {
		s.remove(name)
	}
	return s.FS.Remove(name)
}

func TestOpenVerifiedCannotBeSwapped(t *testing.T) {
	content := pattern(100 << 10)
	false1 := bytes.Repeat([]byte("x"), len(content))
	attacks := map[string]func(t *testing.T, name string){
		"other file": func(t *testing.T, name string) {
			if err := errors.Join(os.Rename(name, name+".old"), os.WriteFile(name, false1, 0o600)); err != nil {
				t.Error(err)
			}
		},
		"link": func(t *testing.T, name string) {
			other := name + ".other"
			if err := errors.Join(os.WriteFile(other, false1, 0o600), os.Remove(name), os.Symlink(other, name)); err != nil {
				t.Error(err)
			}
		},
		"written over": func(t *testing.T, name string) {
			if err := os.WriteFile(name, false1, 0o600); err != nil {
				t.Error(err)
			}
		},
		"longer": func(t *testing.T, name string) {
			if err := os.WriteFile(name, append(bytes.Clone(content), 'x'), 0o600); err != nil {
				t.Error(err)
			}
		},
		"second name": func(t *testing.T, name string) {
			if err := os.Link(name, name+".second"); err != nil {
				t.Error(err)
			}
		},
	}
	for name, attack := range attacks {
		for _, at := range []string{"open", "remove"} {
			if at == "remove" && (name == "other file" || name == "link") {
				continue // the descriptor is that of the verified file by then
			}
			t.Run(name+" before "+at, func(t *testing.T) {
				_, e := downloadSim(t, content)
				files := &swapping{FS: quick{durable.OS()}}
				e.opts.files = files
				c := e.client()
				target, err := c.Target(context.Background(), "file")
				if err != nil {
					t.Fatal(err)
				}
				done := false
				hook := func(name string) {
					if !done {
						done = true
						attack(t, name)
					}
				}
				if at == "open" {
					files.open = hook
				} else {
					files.remove = hook
				}
				f, err := c.OpenVerified(context.Background(), target)
				if err == nil {
					f.Close()
					t.Fatal("opened")
				}
				if Class(err) != "local" {
					t.Error(err)
				}
			})
		}
	}
}
