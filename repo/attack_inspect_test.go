// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/release"
)

// drafted makes a change of an edit, as waybill add and its like do.
func (w *world) drafted(r *Repo, edit func(*Draft) error) *Change {
	w.t.Helper()
	d, err := r.Begin(ctx, nil)
	w.must(err)
	w.must(edit(d))
	c, err := d.Change()
	w.must(err)
	return c
}

func artifact(version, path string) Artifact {
	return Artifact{Product: "app", Version: version, Platform: "linux-amd64", Path: path, Channels: []string{"stable"}}
}

func TestAttackerSwapsABuildAndTheHoldersCheckFails(t *testing.T) {
	const name, patchName = "app/1.0.0/linux-amd64/app", "app/deltas/linux-amd64/app"
	tests := []struct {
		name  string
		plain bool
		swap  func(w *world, d *Draft, evil string) error
		edit  func(c *Change, good string)
	}{
		{name: "openly"},
		{name: "and takes it off the list of files", edit: func(c *Change, _ string) { c.Files = nil }},
		{name: "and puts the good one on the list of files", edit: func(c *Change, good string) {
			f := c.file(name, hexHash([]byte("evil")))
			f.Length, f.SHA256, _ = hashFile(good)
		}},
		{name: "and sends it along in the change", edit: func(c *Change, _ string) {
			f := c.file(name, hexHash([]byte("evil")))
			f.Content, f.Path = []byte("evil"), ""
		}},
		{name: "and calls it a patch", plain: true, swap: func(w *world, d *Draft, evil string) error {
			id := release.Identity{Schema: 1, Product: "app", Version: "1.0.0", Platform: "linux-amd64", Kind: "file"}
			return d.set(File{Target: patchName, Length: 4, SHA256: hexHash([]byte("evil")), Path: evil}, id.Custom())
		}},
		{name: "and calls it a channel's document", plain: true, swap: func(w *world, d *Draft, evil string) error {
			id := release.Identity{Schema: 1, Product: "app", Version: "1.0.0", Platform: "linux-amd64", Kind: "file"}
			f := File{Target: "app/channels/stable/linux-amd64.json", Length: 4, SHA256: hexHash([]byte("evil")), Content: []byte("evil")}
			return d.set(f, id.Custom())
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			w.plain = test.plain
			w.read()
			r := w.initialise()
			good, bad := w.program("1.0.0"), filepath.Join(t.TempDir(), "app")
			w.must(os.WriteFile(bad, []byte("evil"), 0o755))
			c := w.drafted(r, func(d *Draft) error {
				if test.swap != nil {
					return test.swap(w, d, bad)
				}
				return d.Add(ctx, artifact("1.0.0", bad))
			})
			if test.edit != nil {
				test.edit(c, good)
			}
			if n, err := w.copyOf(c).VerifyFiles(filepath.Dir(good)); err == nil {
				t.Errorf("%d files were vouched for", n)
			}
		})
	}
}

func TestAttackerListsOnlyAPatchAndNoFileIsCounted(t *testing.T) {
	w := newWorld(t)
	c := w.drafted(w.initialise(), func(d *Draft) error {
		return d.set(File{Target: "app/deltas/linux-amd64/app", Length: 4, SHA256: hexHash([]byte("evil"))}, nil)
	})
	if n, err := c.VerifyFiles(t.TempDir()); n != 0 || err != nil {
		t.Errorf("%d files vouched for: %v", n, err)
	}
}

func TestAttackerHandsOutAnOldBaseAndTheHolderIsShownWhatItUndoes(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	w.release(r, "1.1.0", "stable")
	old := w.live(r)
	retraction := w.drafted(r, func(d *Draft) error { return d.Retract(ctx, "app", "1.1.0", "backdoor", "1.0.0") })
	in := w.inspect(retraction, &Anchor{Version: 1, Fingerprint: w.pin})
	seen := in.Remember([]string{metadata.TARGETS})
	if again := w.inspect(retraction, &seen); len(again.Undoes) != 0 {
		t.Errorf("signed twice: %q", again.Undoes)
	}
	_, err := r.Publish(ctx, w.copyOf(retraction), w.sign, nil)
	w.must(err)

	rollback := w.craftTargets(old, metadata.TARGETS, func(m *metadata.TargetsType) { m.Version = old.targets.Signed.Version + 2 })
	in = w.inspect(rollback, &seen)
	if len(in.Undoes) != 1 || !strings.Contains(in.Undoes[0], fmt.Sprintf("targets %d", seen.Signed[metadata.TARGETS].Version)) {
		t.Errorf("shown: %q", in.Undoes)
	}
	if after := in.Remember(nil); after.Signed[metadata.TARGETS] != seen.Signed[metadata.TARGETS] {
		t.Errorf("what was signed is forgotten: %+v", after)
	}
	honest := w.drafted(r, func(d *Draft) error { return d.Retract(ctx, "app", "1.0.0", "old", "") })
	if in := w.inspect(honest, &seen); len(in.Undoes) != 0 {
		t.Errorf("an honest change: %q", in.Undoes)
	}
}

func TestAttackerJumpsVersionsAndNobodySigns(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	live := w.live(r)
	at := live.version(metadata.TARGETS)
	root := func(n int64) *Change {
		return w.craftRoot(live, func(m *metadata.RootType) { m.Version = n })
	}
	targets := func(role string, n int64) *Change {
		return w.craftTargets(live, role, func(m *metadata.TargetsType) { m.Version = n })
	}
	tests := []struct {
		name    string
		change  *Change
		allowed bool
	}{
		{"the next root", root(2), true},
		{"a root for the time after the next rotation", root(3), false},
		{"the last root there can be", root(layout.MaxVersion), false},
		{"the next targets", targets(metadata.TARGETS, at+1), true},
		{"targets over many leftovers", targets(metadata.TARGETS, at+maxStep), true},
		{"targets too far on", targets(metadata.TARGETS, at+maxStep+1), false},
		{"the last targets there can be", targets(metadata.TARGETS, layout.MaxVersion), false},
		{"targets of before", targets(metadata.TARGETS, at-1), false},
		{"the last channels there can be", targets(policy.RoleChannels, layout.MaxVersion), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := w.copyOf(test.change)
			_, err := c.Inspect(&Anchor{Version: 1, Fingerprint: w.pin})
			if errors.Is(err, ErrInvalid) == test.allowed {
				t.Errorf("shown to a holder: %v", err)
			}
			if c.Documents[0].Role == metadata.ROOT {
				w.holder(c, "alice")
				w.holder(c, "bob")
			}
			_, err = r.Publish(ctx, c, w.sign, &PublishOptions{DryRun: true})
			if errors.Is(err, ErrInvalid) == test.allowed || test.allowed && err != nil {
				t.Errorf("published: %v", err)
			}
		})
	}
}

func TestAttackerPutsJunkInTheNameOfAHolderAndTheGoodSignatureStays(t *testing.T) {
	w := newWorld(t)
	good := w.stage(w.open())
	w.holder(good, "bob")
	junk := w.stage(w.open())
	w.holder(junk, "alice")
	doc := junk.document(metadata.ROOT)
	e, err := openEnvelope(doc.Metadata)
	w.must(err)
	e.add(metadata.Signature{KeyID: w.id("bob"), Signature: make([]byte, 64)})
	doc.Metadata, err = e.encode()
	w.must(err)
	for name, copies := range map[string][2]*Change{"junk first": {junk, good}, "junk last": {good, junk}} {
		into := w.copyOf(copies[0])
		w.must(into.Merge(w.copyOf(copies[1])))
		needs, err := into.Needs(map[string]string{w.id("alice"): "alice", w.id("bob"): "bob"})
		w.must(err)
		signed := needs[metadata.ROOT][0].Signed
		slices.Sort(signed)
		if !slices.Equal(signed, []string{"alice", "bob"}) {
			t.Errorf("%s: signed by %q", name, signed)
		}
	}
}

func TestAttackerWritesDocumentsAndTheHolderReadsThem(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	standing, err := (&release.Standing{Schema: 1, Product: "app", Minimum: "99.0.0", Retracted: []release.Retraction{
		{Version: "1.0.0", Reason: "no reason", At: epoch}}}).Encode()
	w.must(err)
	c := w.drafted(r, func(d *Draft) error {
		if err := d.setDocument("app/standing.json", standing); err != nil {
			return err
		}
		return d.Add(ctx, artifact("1.1.0", w.program("1.1.0")))
	})
	in := w.inspect(c, nil)
	for role, want := range map[string][]string{
		metadata.TARGETS:    {"nothing below 99.0.0 is installed", "1.0.0 is retracted (no reason)"},
		policy.RoleChannels: {"offers 1.1.0: app/1.1.0/linux-amd64/app", "offers 1.0.0: app/1.0.0/linux-amd64/app"},
	} {
		for _, line := range want {
			if !strings.Contains(lines(in, role), line) {
				t.Errorf("no %q in\n%s", line, lines(in, role))
			}
		}
	}
	c.Files = nil
	in = w.inspect(c, nil)
	for _, role := range []string{metadata.TARGETS, policy.RoleChannels} {
		if !strings.Contains(lines(in, role), "its content is not in the change") {
			t.Errorf("no word of the missing content in\n%s", lines(in, role))
		}
	}
}

func TestAttackerLeavesOutADelegatedRoleAndNothingIsPublished(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	w.roles["channels"] = "online2"
	w.read()
	r = w.open()
	c := w.stage(r)
	c.Documents = slices.DeleteFunc(c.Documents, func(d Document) bool { return d.Role == policy.RoleChannels })
	before := objects(t, w.bucket)
	if _, err := r.Publish(ctx, c, w.sign, nil); err == nil || objects(t, w.bucket) != before {
		t.Errorf("new keys for channels without channels: %v", err)
	}
	_, err := w.client().Channel(ctx, "app", "stable", "linux-amd64")
	w.must(err)
	_, err = r.Publish(ctx, w.stage(r), w.sign, nil)
	w.must(err)
	_, err = w.client().Channel(ctx, "app", "stable", "linux-amd64")
	w.must(err)
}
