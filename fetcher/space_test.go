// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/internal/durable"
)

// narrow is a disk that says how little room there is below some folders.
type narrow struct {
	durable.FS
	free map[string]int64
}

func (n narrow) Free(dir string) (int64, error) {
	for below, free := range n.free {
		if strings.HasPrefix(dir, below) {
			return free, nil
		}
	}
	return 1 << 40, nil
}

func wantFull(t *testing.T, err error) {
	t.Helper()
	var disk *LocalError
	if !errors.Is(err, ErrSpace) || !errors.As(err, &disk) || Class(err) != "local" {
		t.Errorf("got %v", err)
	}
}

func TestFullDiskIsNoticedBeforeTheDownload(t *testing.T) {
	content := pattern(100 << 10)
	for _, c := range []struct {
		name         string
		state, place int64
		open, full   bool
	}{
		{"room in both", 100 << 10, 100 << 10, false, false},
		{"none in the state folder", 100<<10 - 1, 1 << 40, false, true},
		{"none beside the file", 1 << 40, 100<<10 - 1, false, true},
		{"opened, none in the state folder", 100<<10 - 1, 1 << 40, true, true},
		{"opened, room there only", 100 << 10, 0, true, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, e := downloadSim(t, content)
			place := t.TempDir()
			e.opts.FS = narrow{quick{durable.OS()}, map[string]int64{filepath.Join(e.dir, partialDir): c.state, place: c.place}}
			client := e.client()
			target, err := client.Target(context.Background(), "file")
			if err != nil {
				t.Fatal(err)
			}
			s.asked()
			if c.open {
				var f *File
				if f, err = client.OpenVerified(context.Background(), target); err == nil {
					defer f.Close()
				}
			} else {
				err = client.Download(context.Background(), target, filepath.Join(place, "file"))
			}
			if asked := s.asked(); c.full {
				wantFull(t, err)
				if len(asked) > 0 {
					t.Errorf("asked for %q", asked)
				}
			} else if err != nil || len(asked) != 1 {
				t.Errorf("%v; asked for %q", err, asked)
			}
			if left, _ := filepath.Glob(filepath.Join(e.dir, partialDir, "*"+unverified)); len(left) > 0 {
				t.Errorf("left %q", left)
			}
		})
	}
}

// What lies there already needs no room, and is kept while there is none for the rest.
func TestFullDiskKeepsWhatCame(t *testing.T) {
	content := pattern(100 << 10)
	s, e := downloadSim(t, content)
	partial := filepath.Join(e.dir, partialDir)
	if err := errors.Join(os.Mkdir(partial, 0o700), os.WriteFile(filepath.Join(partial, sum256(content)+unverified), content[:60<<10], 0o600)); err != nil {
		t.Fatal(err)
	}
	dest := filepath.Join(t.TempDir(), "file")
	e.opts.FS = narrow{quick{durable.OS()}, map[string]int64{partial: 39 << 10}}
	wantFull(t, e.download("file", dest))
	e.opts.FS = narrow{quick{durable.OS()}, map[string]int64{partial: 40 << 10}}
	var offset int64
	s.open = func(name string, req Request) (*Response, error) {
		if strings.HasPrefix(name, "targets/") {
			offset = req.Offset
		}
		return nil, nil
	}
	if err := e.download("file", dest); err != nil || offset != 60<<10 {
		t.Errorf("%v, from %d on", err, offset)
	}
}

// A patch needs room for itself and for what it makes.
func TestFullDiskIsNoticedBeforeThePatch(t *testing.T) {
	s := newShop(t)
	need := s.channel.Releases[1].Deltas[0].Length + 50_000
	for room, asked := range map[int64]bool{need - 1: false, need: true} {
		s.e.opts.FS = narrow{quick{durable.OS()}, map[string]int64{s.e.dir: room}}
		s.dest = filepath.Join(t.TempDir(), "app.new")
		if _, err := s.update(); err != nil {
			t.Fatal(err)
		}
		patches := slices.ContainsFunc(s.asked(), func(name string) bool { return strings.Contains(name, "/deltas/") })
		if patches != asked {
			t.Errorf("with room for %d: asked for patches: %v", room, patches)
		}
	}
}
