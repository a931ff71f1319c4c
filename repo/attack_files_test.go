// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"bytes"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/waybill-project/waybill/delta"
)

func TestAttackerNamesAFileWithoutAnEndAndItIsNotRead(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	good := w.drafted(r, func(d *Draft) error { return d.Add(ctx, artifact("1.0.0", w.program("1.0.0"))) })
	before := objects(t, w.bucket)
	for _, path := range []string{"/dev/zero", t.TempDir(), filepath.Join(t.TempDir(), "none"), ""} {
		c := w.copyOf(good)
		for i := range c.Files {
			if c.Files[i].Content == nil {
				c.Files[i].Path = path
			}
		}
		if _, err := r.Publish(ctx, c, w.sign, nil); err == nil || objects(t, w.bucket) != before {
			t.Errorf("%q: %v", path, err)
		}
	}
	if _, err := ReadChange("/dev/zero"); err == nil {
		t.Error("a change without an end was read")
	}
}

func TestAttackerSpoilsAPatchInTheWorkingFolderAndItIsMadeAnew(t *testing.T) {
	spoil := map[string]func(w *world, path string){
		"junk":  func(w *world, path string) { w.must(os.WriteFile(path, []byte("not a patch"), 0o600)) },
		"empty": func(w *world, path string) { w.must(os.WriteFile(path, nil, 0o600)) },
		"cut short": func(w *world, path string) {
			good, err := os.ReadFile(path)
			w.must(err)
			w.must(os.WriteFile(path, good[:len(good)-1], 0o600))
		},
		"a link to a secret": func(w *world, path string) {
			secret := filepath.Join(w.t.TempDir(), "secret")
			w.must(os.WriteFile(secret, []byte("secret"), 0o600))
			w.must(os.Remove(path))
			w.must(os.Symlink(secret, path))
		},
	}
	for name, run := range spoil {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.initialise()
			w.release(r, "1.0.0", "stable")
			w.drafted(r, func(d *Draft) error {
				if err := d.Add(ctx, artifact("1.1.0", w.program("1.1.0"))); err != nil {
					return err
				}
				return d.Deltas(ctx) // leaves the patch in the working folder
			})
			patches, err := filepath.Glob(filepath.Join(w.work, "patches", "*"))
			if err != nil || len(patches) != 1 {
				t.Fatalf("%q %v", patches, err)
			}
			run(w, patches[0])
			w.release(r, "1.1.0", "stable")
			w.checkPatch(t)
		})
	}
}

// checkPatch makes 1.1.0 of 1.0.0 with the patch that is published.
func (w *world) checkPatch(t *testing.T) {
	t.Helper()
	client := w.client()
	ch, err := client.Channel(ctx, "app", "stable", "linux-amd64")
	w.must(err)
	from, to := ch.Find("1.0.0"), ch.Find("1.1.0")
	if len(to.Deltas) != 1 {
		t.Fatalf("deltas: %+v", to.Deltas)
	}
	target, err := client.Target(ctx, to.Deltas[0].Target)
	w.must(err)
	patch, err := client.Bytes(ctx, target, 1<<20)
	w.must(err)
	info := delta.Info{Format: to.Deltas[0].Format, BaseLength: from.Artifact.Length, ResultLength: to.Artifact.Length, PatchLength: target.Length}
	hex.Decode(info.BaseSHA256[:], []byte(from.Artifact.SHA256))
	hex.Decode(info.ResultSHA256[:], []byte(to.Artifact.SHA256))
	base, err := os.ReadFile(w.program("1.0.0"))
	w.must(err)
	w.must(delta.Apply(ctx, info, bytes.NewReader(base), bytes.NewReader(patch), io.Discard, nil))
}
