// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/fetcher"
)

var ctx = context.Background()

func TestFirstPublication(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	st, err := r.Status(ctx)
	w.must(err)
	if st.Empty || len(st.Violations) > 0 {
		t.Errorf("status: %+v", st)
	}
	w.must(w.client().Refresh(ctx))
}

func TestTooFewSignatures(t *testing.T) {
	w := newWorld(t)
	r := w.open()
	c := w.stage(r)
	w.pin, _ = fetcher.Fingerprint(c.document(metadata.ROOT).Metadata)
	w.read()
	w.holder(c, "alice")
	_, err := w.open().Publish(ctx, c, w.sign, nil)
	var threshold *ThresholdError
	if !errors.As(err, &threshold) || threshold.Role != metadata.ROOT || threshold.Have != 1 || threshold.Need != 2 {
		t.Fatalf("got %v", err)
	}
	if !slices.Equal(threshold.Missing, []string{"bob", "carol"}) {
		t.Errorf("missing: %v", threshold.Missing)
	}
	if objects(t, w.bucket) != 0 {
		t.Error("something was uploaded")
	}
}

func objects(t *testing.T, dir string) int {
	n := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.Contains(path, "publisher") {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestRootOfAnotherPolicyIsRefused(t *testing.T) {
	w := newWorld(t)
	r := w.open()
	c := w.stage(r)
	w.pin = strings.Repeat("0", 64)
	w.read()
	w.holder(c, "alice")
	w.holder(c, "bob")
	if _, err := w.open().Publish(ctx, c, w.sign, nil); !errors.Is(err, ErrInvalid) {
		t.Fatalf("got %v", err)
	}
}

func TestReleasesAndDeltas(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	p := w.release(r, "1.1.0", "stable")
	if len(p.Deltas) != 1 || p.Deltas[0].Dropped != "" || p.Deltas[0].Size*5 > p.Deltas[0].Full {
		t.Errorf("deltas: %+v", p.Deltas)
	}
	w.release(r, "1.2.0", "stable")
	client := w.client()
	doc, err := client.Channel(ctx, "app", "stable", "linux-amd64")
	w.must(err)
	if len(doc.Releases) != 3 || len(doc.Find("1.2.0").Deltas) != 2 || len(doc.Find("1.1.0").Deltas) != 1 {
		t.Errorf("channel: %+v", doc)
	}
	audit, err := r.Verify(ctx, nil)
	w.must(err)
	if len(audit.Problems) > 0 {
		t.Errorf("audit: %+v", audit.Problems)
	}
}

func TestSameVersionWithOtherContentIsRefused(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	path := w.program("other")
	_, err := r.Commit(ctx, func(ctx context.Context, d *Draft) error {
		return d.Add(ctx, Artifact{Product: "app", Version: "1.0.0", Platform: "linux-amd64", Path: path, Channels: []string{"stable"}})
	}, w.sign, nil)
	if !errors.Is(err, ErrInvalid) {
		t.Fatalf("got %v", err)
	}
	again := w.release(r, "1.0.0", "stable")
	if !again.AlreadyDone {
		t.Errorf("the same release again: %+v", again)
	}
}

func TestPromoteAndRetract(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "beta", "stable")
	w.release(r, "1.1.0", "beta")
	_, err := r.Commit(ctx, func(ctx context.Context, d *Draft) error {
		if err := d.Promote(ctx, "app", "1.1.0", "beta", "stable", nil); err != nil {
			return err
		}
		return d.Deltas(ctx)
	}, w.sign, nil)
	w.must(err)
	doc, err := w.client().Channel(ctx, "app", "stable", "linux-amd64")
	w.must(err)
	if rel := doc.Find("1.1.0"); rel == nil || len(rel.Deltas) != 1 {
		t.Fatalf("stable: %+v", doc)
	}
	_, err = r.Commit(ctx, func(ctx context.Context, d *Draft) error {
		return d.Retract(ctx, "app", "1.1.0", "crashes at start", "1.0.0")
	}, w.sign, nil)
	w.must(err)
	standing, err := w.client().Standing(ctx, "app")
	w.must(err)
	if gone, ok := standing.Retraction("1.1.0"); !ok || gone.Fallback != "1.0.0" {
		t.Errorf("standing: %+v", standing)
	}
	if _, err := r.Commit(ctx, func(ctx context.Context, d *Draft) error {
		return d.Promote(ctx, "app", "9.9.9", "beta", "stable", nil)
	}, w.sign, nil); !errors.Is(err, ErrUnknown) {
		t.Errorf("promoting what is not there: %v", err)
	}
}

func TestRefreshRenewsWhatRunsOut(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	before := w.client()
	w.must(before.Refresh(ctx))
	w.now = w.now.Add(6 * 24 * time.Hour)
	p, err := r.Refresh(ctx, w.sign)
	w.must(err)
	if !slices.Equal(p.Renewed, []string{"snapshot", "timestamp"}) || p.Targets != 2 {
		t.Errorf("after six days: %+v", p)
	}
	w.now = w.now.Add(20 * 24 * time.Hour) // everything online has expired by now
	if err := w.client().Refresh(ctx); !errors.Is(err, fetcher.ErrExpired) {
		t.Errorf("a client of an expired repository: %v", err)
	}
	p, err = r.Refresh(ctx, w.sign)
	w.must(err)
	if !slices.Equal(p.Renewed, []string{"channels", "deltas", "snapshot", "timestamp"}) {
		t.Errorf("after 26 days: %+v", p)
	}
	w.must(w.client().Refresh(ctx))
}

// When nobody looked after the repository for too long, nothing but renewals
// goes up, in any order, and each says what is still to be done.
func TestAbandonedRepositoryCanBeRenewed(t *testing.T) {
	for _, rootFirst := range []bool{false, true} {
		w := newWorld(t)
		r := w.initialise()
		w.release(r, "1.0.0", "stable")
		w.now = w.now.Add(400 * 24 * time.Hour)
		if _, err := w.tryRelease(r, "1.1.0", "stable"); !errors.Is(err, fetcher.ErrExpired) {
			t.Fatalf("a release on an expired root: %v", err)
		}
		renewRoot := func() *Published {
			c := w.stage(r)
			w.holder(c, "alice")
			w.holder(c, "bob")
			p, err := r.Publish(ctx, c, w.sign, nil)
			w.must(err)
			return p
		}
		refresh := func() *Published {
			p, err := r.Refresh(ctx, w.sign)
			w.must(err)
			return p
		}
		first, second := refresh, renewRoot
		if rootFirst {
			first, second = second, first
		}
		if p := first(); len(p.Warnings) == 0 {
			t.Errorf("rootFirst=%v: no warning after the first step", rootFirst)
		}
		second()
		w.release(r, "1.1.0", "stable")
		w.must(w.client().Refresh(ctx))
	}
}

func TestRefreshWithoutTheReleaseKeyWarns(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.absent["release"] = true
	w.now = w.now.Add(80 * 24 * time.Hour)
	p, err := r.Refresh(ctx, w.sign)
	w.must(err)
	if len(p.Warnings) == 0 || !strings.Contains(strings.Join(p.Warnings, "\n"), "targets") {
		t.Errorf("warnings: %q", p.Warnings)
	}
}

// rotate edits the policy, stages, has the holders sign, and publishes.
func (w *world) rotate(opts *PublishOptions, holders ...string) error {
	w.t.Helper()
	w.read()
	r := w.open()
	c := w.stage(r)
	for _, name := range holders {
		w.holder(c, name)
	}
	_, err := r.Publish(ctx, c, w.sign, opts)
	return err
}

func TestRotations(t *testing.T) {
	tests := []struct {
		name    string
		edit    func(*world)
		holders []string
		lost    bool
	}{
		{"one holder replaced", func(w *world) { w.root = []string{"alice", "bob", "dave"}; w.absent["dave"] = true }, []string{"alice", "bob"}, false},
		{"threshold raised", func(w *world) { w.rootK = 3 }, []string{"alice", "bob", "carol"}, false},
		{"threshold lowered", func(w *world) { w.rootK = 1 }, []string{"bob", "carol"}, false},
		{"all but one replaced", func(w *world) { w.root = []string{"alice", "dave", "erin"} }, []string{"alice", "bob", "dave"}, false},
		{"release key", func(w *world) { w.roles["targets"], w.extra = "release2", []string{"release"} }, []string{"alice", "bob"}, false},
		{"online key", func(w *world) {
			for _, role := range []string{"snapshot", "timestamp", "channels", "deltas"} {
				w.roles[role] = "online2"
			}
			w.extra = []string{"online"}
		}, []string{"alice", "bob"}, false},
		{"timestamp key alone", func(w *world) { w.roles["timestamp"] = "online2" }, []string{"alice", "bob"}, false},
		{"online key lost", func(w *world) {
			for _, role := range []string{"snapshot", "timestamp", "channels", "deltas"} {
				w.roles[role] = "online2"
			}
			w.absent["online"] = true
		}, []string{"alice", "bob"}, true},
		{"release key lost", func(w *world) { w.roles["targets"] = "release2"; w.absent["release"] = true }, []string{"alice", "bob"}, true},
		{"everything at once", func(w *world) {
			w.root = []string{"dave", "erin", "frank"}
			w.roles = map[string]string{"targets": "r2", "snapshot": "s2", "timestamp": "t2", "channels": "c2", "deltas": "d2"}
			w.extra = []string{"release", "online"}
		}, []string{"alice", "bob", "dave", "erin"}, false},
		{"delegations dropped", func(w *world) { w.plain = true }, nil, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			r := w.initialise()
			w.release(r, "1.0.0", "stable")
			warm, err := w.tryClient(t.TempDir())
			w.must(err)
			w.must(warm.Refresh(ctx))
			test.edit(w)
			w.must(w.rotate(&PublishOptions{OldKeysLost: test.lost}, test.holders...))
			w.must(warm.Refresh(ctx))
			r = w.open()
			w.release(r, "1.1.0", "stable")
			for name, client := range map[string]*fetcher.Client{"warm": warm, "cold": w.client()} {
				w.must(client.Refresh(ctx))
				doc, err := client.Channel(ctx, "app", "stable", "linux-amd64")
				if err != nil || doc.Find("1.1.0") == nil || len(doc.Find("1.1.0").Deltas) != 1 {
					t.Errorf("%s client: %v %+v", name, err, doc)
				}
			}
			st, err := r.Status(ctx)
			w.must(err)
			if len(st.Violations) > 0 {
				t.Errorf("violations: %v", st.Violations)
			}
		})
	}
}

func TestRotationWithoutOldKeyIsRefused(t *testing.T) {
	w := newWorld(t)
	w.initialise()
	w.roles["targets"] = "release2"
	w.absent["release"] = true
	var threshold *ThresholdError
	if err := w.rotate(nil, "alice", "bob"); !errors.As(err, &threshold) || threshold.Role != metadata.TARGETS || threshold.By != "root 1" {
		t.Fatalf("got %v", err)
	}
}

func TestStaleChangeIsRefused(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	stale := w.added(r, "1.0.0")
	w.release(r, "0.9.0", "stable")
	if _, err := r.Publish(ctx, stale, w.sign, nil); !errors.Is(err, ErrConflict) {
		t.Errorf("publish: %v", err)
	}
	if _, err := r.Begin(ctx, stale); !errors.Is(err, ErrConflict) {
		t.Errorf("begin: %v", err)
	}
}

func TestPublishTwiceIsDone(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	c := w.added(r, "1.0.0")
	first, err := r.Publish(ctx, c, w.sign, nil)
	w.must(err)
	again, err := r.Publish(ctx, c, w.sign, nil)
	w.must(err)
	if !again.AlreadyDone || again.Timestamp != first.Timestamp || len(again.Objects) != 0 {
		t.Errorf("second time: %+v", again)
	}
}

// Two machines with the same online keys, each with a draft on the same base:
// nothing is lost.
func TestTwoPublishers(t *testing.T) {
	w := newWorld(t)
	a := w.initialise()
	b := w.openWith(&Options{Work: t.TempDir()})
	slow := w.added(b, "1.1.0")
	w.release(a, "1.0.0", "stable")
	if _, err := b.Publish(ctx, slow, w.sign, nil); !errors.Is(err, ErrConflict) {
		t.Fatalf("the slower one: %v", err)
	}
	w.release(b, "1.1.0", "stable")
	doc, err := w.client().Channel(ctx, "app", "stable", "linux-amd64")
	w.must(err)
	if doc.Find("1.0.0") == nil || doc.Find("1.1.0") == nil {
		t.Errorf("a release was lost: %+v", doc)
	}
}

func TestTimestampPutBackIsNoticed(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	path := filepath.Join(w.bucket, "metadata", "timestamp.json")
	old, err := os.ReadFile(path)
	w.must(err)
	w.release(r, "1.1.0", "stable")
	w.release(r, "1.2.0", "stable")
	w.must(os.WriteFile(path, old, 0o644))
	if _, err := r.Status(ctx); !errors.Is(err, fetcher.ErrRollback) {
		t.Errorf("the machine that remembers: %v", err)
	}
	fresh := w.openWith(&Options{Work: t.TempDir()})
	if _, err := fresh.Status(ctx); !errors.Is(err, ErrPutBack) {
		t.Errorf("a new machine: %v", err)
	}
	w.must(os.Remove(path))
	if _, err := fresh.Status(ctx); !errors.Is(err, ErrPutBack) {
		t.Errorf("deleted: %v", err)
	}
	w.must(os.WriteFile(path, old, 0o644))
	for _, work := range []string{t.TempDir(), w.work} {
		told := w.openWith(&Options{Work: work, ContinueFrom: 2})
		if _, err := told.Status(ctx); err != nil {
			t.Errorf("told to go on: %v", err)
		}
	}
	if _, err := w.open().Status(ctx); !errors.Is(err, ErrPutBack) {
		t.Errorf("told only once: %v", err)
	}
}

// A machine without a memory publishes on top of a timestamp that was put back
// by one step, so that there are two timestamps of one number.
func TestSecondTimestampOfOneNumberIsNoticed(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	path := filepath.Join(w.bucket, "metadata", "timestamp.json")
	old, err := os.ReadFile(path)
	w.must(err)
	w.release(r, "1.1.0", "stable")
	w.must(os.WriteFile(path, old, 0o644))
	_, err = w.openWith(&Options{Work: t.TempDir()}).Refresh(ctx, w.sign)
	w.must(err)
	if _, err := r.Refresh(ctx, w.sign); !errors.Is(err, ErrPutBack) {
		t.Errorf("the machine that remembers the other one: %v", err)
	}
}

func TestAuditNamesWhatWasTamperedWith(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	matches, err := filepath.Glob(filepath.Join(w.bucket, "targets", "app", "1.0.0", "linux-amd64", "*"))
	w.must(err)
	data, err := os.ReadFile(matches[0])
	w.must(err)
	data[10] ^= 1
	w.must(os.WriteFile(matches[0], data, 0o644))
	audit, err := r.Verify(ctx, nil)
	w.must(err)
	if len(audit.Problems) != 1 || !strings.Contains(audit.Problems[0].Object, "app/1.0.0/linux-amd64/") {
		t.Errorf("audit: %+v", audit)
	}
}

func TestDryRunWritesNothing(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	before := objects(t, w.bucket)
	c := w.added(r, "1.0.0")
	_, err := r.Publish(ctx, c, w.sign, &PublishOptions{DryRun: true})
	w.must(err)
	if objects(t, w.bucket) != before {
		t.Error("a dry run wrote objects")
	}
}

func TestChangeOfArtifactAfterAddIsRefused(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	path := w.program("1.0.0")
	d, err := r.Begin(ctx, nil)
	w.must(err)
	w.must(d.Add(ctx, Artifact{Product: "app", Version: "1.0.0", Platform: "linux-amd64", Path: path, Channels: []string{"stable"}}))
	c, err := d.Change()
	w.must(err)
	w.must(os.WriteFile(path, []byte("something else"), 0o755))
	if _, err := r.Publish(ctx, c, w.sign, nil); err == nil {
		t.Fatal("published")
	}
}

func TestBadNamesAreRefused(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	path := w.program("1")
	for _, a := range []Artifact{
		{Product: "other", Version: "1.0.0", Platform: "linux-amd64", Path: path},
		{Product: "app", Version: "1.0", Platform: "linux-amd64", Path: path},
		{Product: "app", Version: "1.0.0", Platform: "plan9", Path: path},
		{Product: "app", Version: "1.0.0", Platform: "linux-amd64", Path: path, Name: "a b"},
		{Product: "app", Version: "1.0.0", Platform: "linux-amd64", Path: path, Name: "../x"},
		{Product: "app", Version: "1.0.0", Platform: "linux-amd64", Path: path, Channels: []string{"nightly"}},
	} {
		d, err := r.Begin(ctx, nil)
		w.must(err)
		if err := d.Add(ctx, a); !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrUnknown) {
			t.Errorf("%+v: %v", a, err)
		}
	}
	w.release(r, "1.0.0+a", "stable")
	if _, err := w.tryRelease(r, "1.0.0+b", "stable"); !errors.Is(err, ErrInvalid) {
		t.Errorf("two versions of equal precedence: %v", err)
	}
}
