// SPDX-License-Identifier: Apache-2.0

//go:build unix

package fetcher

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/waybill-project/waybill/internal/durable"
)

// swapping runs an attack just before a file loses its name.
type swapping struct {
	durable.FS
	attack func(name string)
}

func (s *swapping) Remove(name string) error {
	if attack := s.attack; attack != nil && filepath.Ext(name) == unverified {
		s.attack = nil
		attack(name)
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
		"gone": func(t *testing.T, name string) {
			if err := os.Remove(name); err != nil {
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
		t.Run(name, func(t *testing.T) {
			_, e := downloadSim(t, content)
			e.opts.FS = &swapping{FS: quick{durable.OS()}, attack: func(name string) { attack(t, name) }}
			c := e.client()
			target, err := c.Target(context.Background(), "file")
			if err != nil {
				t.Fatal(err)
			}
			f, err := c.OpenVerified(context.Background(), target)
			if harmless := name == "link" || name == "gone"; harmless {
				if err != nil {
					t.Fatal(err)
				}
				defer f.Close()
				if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, content) {
					t.Errorf("other content: %v", err)
				}
				return
			}
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
