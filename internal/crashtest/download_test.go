// SPDX-License-Identifier: Apache-2.0

//go:build unix

package crashtest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/waybill-project/waybill/internal/crashfs"
	"github.com/waybill-project/waybill/internal/durable"
)

// downloads: a file that was not there, one that replaces another, one of which a broken transfer left the half, and
// one that goes to another file system.
func downloads(t testing.TB) []*scenario {
	return []*scenario{
		downloading(t, "download/first", false, false, false),
		downloading(t, "download/over another", true, false, false),
		downloading(t, "download/resume", true, true, false),
		downloading(t, "download/to another file system", true, true, true),
	}
}

func downloading(t testing.TB, name string, over, resume, elsewhere bool) *scenario {
	wrap := asIs
	if elsewhere {
		wrap = apart
	}
	r := repository(t)
	old, fresh := program("1.0.0"), program("1.1.0")
	r.Add("file", old, nil)
	before := publish(t, r)
	r.Add("file", fresh, nil)
	x := newTrust(t, before, publish(t, r))
	dest := filepath.Join(bin, "app")
	fetchAt := func(fsys durable.FS, s *server, at time.Time) error {
		client, err := x.clientAt(wrap(fsys), s, at)
		if err != nil {
			return err
		}
		target, err := client.Target(ctx, "file")
		if err != nil {
			return err
		}
		return client.Download(ctx, target, dest)
	}
	fetch := func(fsys durable.FS, s *server) error { return fetchAt(fsys, s, now) }
	image := emptyMachine(t)
	x.locks(t, image)
	if over {
		must(t, fetch(image, before))
	} else {
		old = nil
	}
	x.settle(t, image)
	half := x.now.with(nil)
	half.breaks = half.find(t, sum(fresh)+".file")
	is := func(f *crashfs.FS, want ...[]byte) error {
		have, err := f.ReadFile(dest)
		if errors.Is(err, fs.ErrNotExist) && want[0] == nil {
			return nil
		}
		info, _ := f.Stat(dest)
		for _, data := range want {
			if err == nil && bytes.Equal(have, data) && info.Mode() == 0o644 {
				return nil
			}
		}
		return fmt.Errorf("the file has %d bytes and is %v, %w", len(have), info, err)
	}
	again := func(fsys durable.FS) error { return fetch(fsys, x.now) }
	later := func(fsys durable.FS) error { return fetchAt(fsys, x.now, aDayLater) }
	if elsewhere {
		again = later // a copy that is cut off lies in a folder where others may be at work
	}
	return &scenario{
		name: name, every: 3, image: image,
		run: func(fsys durable.FS, promise promising) error {
			if resume {
				if err := fetch(fsys, half); err == nil {
					return errors.New("a broken transfer is no error")
				}
			}
			return fetch(fsys, x.promises(x.now, promise))
		},
		always: func(f *crashfs.FS) error { return errors.Join(is(f, old, fresh), x.always(f), outsideState(f)) },
		kept:   func(f *crashfs.FS) error { return errors.Join(is(f, fresh), x.arrived(f)) },
		again:  again,
		later:  later,
		done:   func(f *crashfs.FS) error { return errors.Join(is(f, fresh), x.arrived(f), noTemps(f), x.noWayBack(f)) },
	}
}
