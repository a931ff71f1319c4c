// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/store"
)

// object reads an object of the bucket; nil if it is not there.
func (w *world) object(name string) []byte {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.bucket, filepath.FromSlash(name)))
	if !errors.Is(err, fs.ErrNotExist) {
		w.must(err)
	}
	return data
}

func TestAttackerLeavesJunkUnderNumbersAndTheNextFreeOnesAreTaken(t *testing.T) {
	roles := []string{"timestamp", "snapshot", "targets", "channels", "deltas"}
	for _, ahead := range []int64{1, 2, layout.MaxVersion - 1, layout.MaxVersion} {
		t.Run(fmt.Sprint(ahead), func(t *testing.T) {
			w := newWorld(t)
			r := w.initialise()
			w.release(r, "1.0.0", "stable")
			was, taken := w.live(r), map[string]int64{}
			for _, role := range roles {
				taken[role] = min(was.version(role)+ahead, layout.MaxVersion)
				w.put(layout.Versioned(role, taken[role]), []byte("junk"))
			}
			for i, version := range []string{"1.1.0", "1.2.0"} {
				w.release(r, version, "stable")
				now := w.live(r)
				for _, role := range roles {
					want := was.version(role) + int64(i) + 1
					if want >= taken[role] {
						want++
					}
					if got := now.version(role); got != want {
						t.Errorf("%s: %s %d, want %d", version, role, got, want)
					}
				}
			}
			doc, err := w.client().Channel(ctx, "app", "stable", "linux-amd64")
			if err != nil || doc.Find("1.2.0") == nil {
				t.Errorf("a client: %v", err)
			}
		})
	}
}

// A hookedFS runs something right after a file has been put under a name.
type hookedFS struct {
	durable.FS
	name string
	then func()
}

func (h *hookedFS) Rename(from, to string) error {
	err := h.FS.Rename(from, to)
	if then := h.then; then != nil && filepath.Base(to) == h.name {
		h.then = nil
		then()
	}
	return err
}

// newTopKeys asks for new keys of timestamp and snapshot, signed by the holders.
func (w *world) newTopKeys() *Change {
	w.t.Helper()
	w.roles["timestamp"], w.roles["snapshot"] = "t2", "s2"
	w.extra = []string{"online"}
	w.read()
	c := w.stage(w.open())
	w.holder(c, "alice")
	w.holder(c, "bob")
	return c
}

// Where no lock keeps others out, a refresh with the old keys may come between the
// commit of a rotation and its root.
func TestAttackerRefreshesBeforeANewRootAndTheRootWaits(t *testing.T) {
	w := newWorld(t)
	w.release(w.initialise(), "1.0.0", "stable")
	warm := w.warm()
	c := w.newTopKeys()
	hooked := &hookedFS{FS: durable.OS(), name: "timestamp.json", then: func() {
		md, err := parse(metadata.TIMESTAMP, w.object(layout.Timestamp))
		w.must(err)
		timestamp := md.(*metadata.Metadata[metadata.TimestampType])
		timestamp.Signed.Version++
		data, err := encode(timestamp)
		w.must(err)
		w.put(layout.Timestamp, w.onlineSigned(data))
	}}
	s, err := store.NewDir(hooked, w.bucket)
	w.must(err)
	r := New(s, w.policy, &Options{Now: func() time.Time { return w.now }})
	defer r.Close()
	if _, err = r.Publish(ctx, w.copyOf(c), w.sign, nil); !errors.Is(err, ErrConflict) {
		t.Errorf("got %v", err)
	}
	if w.object(layout.Root(2)) != nil {
		t.Error("the new root is there, although the timestamp is not signed for it")
	}
	w.checkClients(warm, 0, false)
	_, err = w.open().Publish(ctx, w.copyOf(c), w.sign, nil)
	w.must(err)
	w.checkClients(warm, 1, false)
	if len(warm.Roots()) != 2 {
		t.Error("publishing again did not finish the rotation")
	}
}

func TestAttackerPutsUpARootTooEarlyAndTheNextPublicationRepairsIt(t *testing.T) {
	rotations := map[string]func(*world){
		"timestamp and snapshot": func(w *world) { w.roles["timestamp"], w.roles["snapshot"] = "t2", "s2" },
		"snapshot":               func(w *world) { w.roles["snapshot"] = "s2" },
		"targets":                func(w *world) { w.roles["targets"] = "r2" },
		"all and the old are lost": func(w *world) {
			w.roles["targets"], w.roles["timestamp"], w.roles["snapshot"] = "r2", "t2", "s2"
			w.absent["release"] = true
		},
	}
	repairs := map[string]func(*world, *Repo, *Change) error{
		"refresh": func(w *world, r *Repo, _ *Change) error { _, err := r.Refresh(ctx, w.sign); return err },
		"release": func(w *world, r *Repo, _ *Change) error { _, err := w.tryRelease(r, "1.1.0", "stable"); return err },
		"publishing the change": func(w *world, r *Repo, c *Change) error {
			_, err := r.Publish(ctx, c, w.sign, &PublishOptions{OldKeysLost: w.absent["release"]})
			return err
		},
	}
	for rotation, edit := range rotations {
		for repair, run := range repairs {
			t.Run(rotation+", "+repair, func(t *testing.T) {
				w := newWorld(t)
				w.release(w.initialise(), "1.0.0", "stable")
				warm := w.warm()
				edit(w)
				w.extra = []string{"release", "online"}
				w.read()
				c := w.stage(w.open())
				w.holder(c, "alice")
				w.holder(c, "bob")
				w.put(layout.Root(2), c.document(metadata.ROOT).Metadata)
				if err := w.client().Refresh(ctx); err == nil {
					t.Fatal("the root does no harm, so this tests nothing")
				}
				w.must(run(w, w.openWith(&Options{Work: t.TempDir()}), w.copyOf(c)))
				w.checkClients(warm, 0, false)
				w.release(w.open(), "1.2.0", "stable")
				w.checkClients(warm, 1, false)
				if len(warm.Roots()) != 2 {
					t.Error("the new root is not in force")
				}
			})
		}
	}
}

func TestAttackerLeavesAJunkRootAndTheOneAheadIsRepairedNevertheless(t *testing.T) {
	w := newWorld(t)
	w.release(w.initialise(), "1.0.0", "stable")
	warm := w.warm()
	w.put(layout.Root(2), w.newTopKeys().document(metadata.ROOT).Metadata)
	w.put(layout.Root(9), []byte("junk"))
	_, err := w.open().Refresh(ctx, w.sign)
	w.must(err)
	w.checkClients(warm, 0, false)
}

func TestAttackerStoresSignedTargetsInAnotherFormAndTheyAreNotTakenOver(t *testing.T) {
	forms := map[string]func(*world, []byte) []byte{
		"blown up": func(_ *world, data []byte) []byte {
			return append(append([]byte("{"), bytes.Repeat([]byte(" "), 1<<20)...), data[1:]...)
		},
		"a line more": func(_ *world, data []byte) []byte { return append(bytes.Clone(data), '\n') },
		"with a stranger's signature": func(w *world, data []byte) []byte {
			e, err := openEnvelope(data)
			w.must(err)
			e.add(w.signature("mallory", data))
			data, err = e.encode()
			w.must(err)
			return data
		},
		"without signatures": func(w *world, data []byte) []byte {
			e, err := openEnvelope(data)
			w.must(err)
			e.Signatures = nil
			data, err = e.encode()
			w.must(err)
			return data
		},
		"other content": func(*world, []byte) []byte { return []byte("junk") },
	}
	for name, form := range forms {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.initialise()
			c := w.drafted(r, func(d *Draft) error { return d.Add(ctx, artifact("1.0.0", w.program("1.0.0"))) })
			w.holder(c, "release")
			doc := c.document(metadata.TARGETS)
			w.put(layout.Versioned(doc.Role, doc.Version), form(w, doc.Metadata))
			before := w.object(layout.Timestamp)
			if _, err := r.Publish(ctx, c, w.sign, nil); !errors.Is(err, ErrConflict) {
				t.Errorf("got %v", err)
			}
			if !bytes.Equal(w.object(layout.Timestamp), before) {
				t.Error("something was committed")
			}
			w.release(r, "1.0.0", "stable")
			if n := w.live(r).snapshot.Signed.Meta["targets.json"].Length; n > 64<<10 {
				t.Errorf("clients fetch %d bytes", n)
			}
		})
	}
}

func TestAttackerDeletesTheTimestampAndNothingIsBuiltOnItsAbsence(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	warm := w.warm()
	lost := w.object(layout.Timestamp)
	w.must(os.Remove(filepath.Join(w.bucket, filepath.FromSlash(layout.Timestamp))))
	for _, from := range []int64{0, 1, 2, 3} {
		r := w.openWith(&Options{Work: w.work, ContinueFrom: from})
		if _, err := r.Refresh(ctx, w.sign); !errors.Is(err, ErrPutBack) {
			t.Errorf("told to go on from %d: %v", from, err)
		}
		if _, err := r.Begin(ctx, nil); !errors.Is(err, ErrPutBack) {
			t.Errorf("told to go on from %d, a draft: %v", from, err)
		}
	}
	kept, err := filepath.Glob(filepath.Join(w.work, "trust", "*", "timestamp.json"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("this machine's own copy: %q %v", kept, err)
	}
	data, err := os.ReadFile(kept[0])
	if err != nil || !bytes.Equal(data, lost) {
		t.Errorf("the copy is another one: %v", err)
	}
	w.put(layout.Timestamp, data)
	w.release(w.open(), "1.1.0", "stable")
	w.checkClients(warm, 0, false)
}
