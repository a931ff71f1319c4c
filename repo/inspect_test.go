// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/fetcher"
)

// copyOf carries a change as a file does.
func (w *world) copyOf(c *Change) *Change {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), "change.json")
	w.must(c.Write(path))
	read, err := ReadChange(path)
	w.must(err)
	return read
}

func (w *world) inspect(c *Change, known *Anchor) *Inspection {
	w.t.Helper()
	in, err := w.copyOf(c).Inspect(known)
	w.must(err)
	return in
}

func lines(in *Inspection, role string) string {
	for _, r := range in.Roles {
		if r.Role == role {
			return strings.Join(r.Lines, "\n")
		}
	}
	return "(no such role)"
}

func TestInspectFirstRoot(t *testing.T) {
	w := newWorld(t)
	c := w.stage(w.open())
	in := w.inspect(c, nil)
	sum, err := fetcher.Fingerprint(c.document(metadata.ROOT).Metadata)
	w.must(err)
	if !in.First || in.Known || in.Repository != sum || !reflect.DeepEqual(in.Anchor, Anchor{Version: 1, Fingerprint: sum}) {
		t.Errorf("%+v", in)
	}
	for _, want := range []string{"+ root key " + w.id("alice"), "root threshold 0 -> 2 of 3", "+ timestamp key " + w.id("online")} {
		if !strings.Contains(lines(in, metadata.ROOT), want) {
			t.Errorf("no %q in\n%s", want, lines(in, metadata.ROOT))
		}
	}
	if _, err := c.Inspect(&Anchor{Version: 1, Fingerprint: strings.Repeat("a", 64)}); err == nil {
		t.Error("the first root of another repository was shown")
	}
}

func TestInspectRotation(t *testing.T) {
	w := newWorld(t)
	w.initialise()
	known := &Anchor{Version: 1, Fingerprint: w.pin}
	w.root = []string{"alice", "bob", "dave"}
	w.read()
	c := w.stage(w.open())
	in := w.inspect(c, known)
	if !in.Known || in.Repository != w.pin || !reflect.DeepEqual(in.Anchor, *known) {
		t.Errorf("%+v", in)
	}
	want := "- root key " + w.id("carol") + " (ed25519)\n+ root key " + w.id("dave") + " (ed25519)"
	if lines(in, metadata.ROOT) != want {
		t.Errorf("got\n%s\nwant\n%s", lines(in, metadata.ROOT), want)
	}
	sum, err := payloadHash(c.document(metadata.ROOT).Metadata)
	w.must(err)
	if in.Roles[0].SHA256 != sum || in.Roles[0].Was != 1 || in.Roles[0].Version != 2 {
		t.Errorf("%+v", in.Roles[0])
	}
}

func TestInspectRelease(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	d, err := r.Begin(ctx, nil)
	w.must(err)
	w.must(d.Add(ctx, Artifact{Product: "app", Version: "1.0.0", Platform: "linux-amd64", Path: w.program("1"), Channels: []string{"stable"}}))
	c, err := d.Change()
	w.must(err)
	in := w.inspect(c, nil)
	if !strings.HasPrefix(lines(in, metadata.TARGETS), "+ app/1.0.0/linux-amd64/app, ") || !strings.HasPrefix(lines(in, "channels"), "+ app/channels/stable/linux-amd64.json, ") {
		t.Errorf("targets:\n%s\nchannels:\n%s", lines(in, metadata.TARGETS), lines(in, "channels"))
	}
	_, err = c.VerifyFiles(filepath.Dir(c.Files[0].Path))
	w.must(err)
	if _, err := c.VerifyFiles(t.TempDir()); err == nil {
		t.Error("files that are not there were vouched for")
	}
}

// A change whose file list is harmless, while its metadata lists something else.
func TestVerifyFilesLooksAtTheDocuments(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	d, err := r.Begin(ctx, nil)
	w.must(err)
	path := w.program("1")
	w.must(d.Add(ctx, Artifact{Product: "app", Version: "1.0.0", Platform: "linux-amd64", Path: path, Channels: []string{"stable"}}))
	c, err := d.Change()
	w.must(err)
	n, err := c.VerifyFiles(filepath.Dir(path))
	if err != nil || n != 1 {
		t.Errorf("%d files: %v", n, err)
	}
	doc := c.document(metadata.TARGETS)
	doc.Metadata = swap(doc.Metadata, c.Files[0].SHA256, strings.Repeat("6", 64))
	if _, err := c.VerifyFiles(filepath.Dir(path)); err == nil {
		t.Error("the metadata lists another file than the one that was hashed")
	}
}

// What an attacker between the machines can do to a change file.
func TestInspectRefusesAnotherHistory(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	w.initialise()
	other.root = []string{"mallory", "mallory2"}
	other.rootK = 1
	other.read()
	r := other.open()
	c := other.stage(r)
	other.pin, _ = fetcher.Fingerprint(c.document(metadata.ROOT).Metadata)
	other.read()
	other.holder(c, "mallory")
	r = other.open()
	_, err := r.Publish(ctx, c, other.sign, nil)
	w.must(err)
	other.root = []string{"mallory", "alice"}
	other.read()
	forged := other.stage(other.open())
	if _, err := other.copyOf(forged).Inspect(&Anchor{Version: 1, Fingerprint: w.pin}); err == nil || !strings.Contains(err.Error(), "another repository") {
		t.Errorf("got %v", err)
	}
}

func TestInspectRefusesABaseThatDoesNotVerify(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	d, err := r.Begin(ctx, nil)
	w.must(err)
	w.must(d.Retract(ctx, "app", "1.0.0", "why not", ""))
	good, err := d.Change()
	w.must(err)
	attacks := map[string]func(*Change){
		"root forged":       func(c *Change) { c.Base.Roots[0] = swap(c.Base.Roots[0], `"threshold":2`, `"threshold":1`) },
		"targets forged":    func(c *Change) { c.Base.Roles["targets"] = swap(c.Base.Roles["targets"], "1.0.0", "6.6.6") },
		"channels forged":   func(c *Change) { c.Base.Roles["channels"] = swap(c.Base.Roles["channels"], "stable", "canary") },
		"targets missing":   func(c *Change) { delete(c.Base.Roles, "targets") },
		"roots missing":     func(c *Change) { c.Base.Roots = nil },
		"roots out of line": func(c *Change) { c.Base.Roots = append(c.Base.Roots, c.Base.Roots[0]) },
		"unknown role":      func(c *Change) { c.Base.Roles["extra"] = c.Base.Roles["channels"] },
		"base dropped":      func(c *Change) { c.Base = nil },
	}
	for name, attack := range attacks {
		c := w.copyOf(good)
		attack(c)
		if _, err := c.Inspect(&Anchor{Version: 1, Fingerprint: w.pin}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := good.Inspect(&Anchor{Version: 2, Fingerprint: w.pin}); err == nil {
		t.Error("a base older than the remembered root was accepted")
	}
}

func swap(data []byte, old, new string) []byte {
	return []byte(strings.Replace(string(data), old, new, 1))
}

func TestFilesThatNothingListsAreShown(t *testing.T) {
	w := newWorld(t)
	c := w.stage(w.open())
	c.Files = append(c.Files, File{Target: "app/extra", Length: 1, SHA256: strings.Repeat("0", 64)})
	if in := w.inspect(c, nil); len(in.Warnings) != 1 {
		t.Errorf("warnings: %q", in.Warnings)
	}
}

func TestTerminalEscapesAreShownAsText(t *testing.T) {
	w := newWorld(t)
	c := w.stage(w.open())
	c.Title = "app\x1b[2K\u202egpj"
	if in := w.inspect(c, nil); in.Title != `app\x1b[2K\u202egpj` {
		t.Errorf("shown: %q", in.Title)
	}
	if line := printable("a\u009bb\nc"); strings.ContainsAny(line, "\u009b\n") {
		t.Errorf("shown: %q", line)
	}
}

func TestMergeOfCopiesSignedApart(t *testing.T) {
	w := newWorld(t)
	c := w.stage(w.open())
	a, b := w.copyOf(c), w.copyOf(c)
	w.holder(a, "alice")
	w.holder(b, "bob")
	w.must(a.Merge(b))
	w.must(a.Merge(b))
	needs, err := a.Needs(nil)
	w.must(err)
	if n := needs[metadata.ROOT]; len(n) != 1 || !n[0].Met() {
		t.Errorf("needs: %+v", needs)
	}
	other := newWorld(t)
	other.rootK = 3
	other.read()
	if err := a.Merge(other.stage(other.open())); err == nil {
		t.Error("two different changes were merged")
	}
}

func TestSignRefusesWhoMayNot(t *testing.T) {
	w := newWorld(t)
	c := w.stage(w.open())
	_, err := c.Sign(ctx, w.id("mallory"), nil)
	if !errors.Is(err, ErrNotAuthorised) {
		t.Errorf("got %v", err)
	}
}

func TestAnchorFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alice.key.root")
	if a, err := ReadAnchor(path); a != nil || err != nil {
		t.Errorf("absent: %v %v", a, err)
	}
	want := Anchor{Version: 3, Fingerprint: strings.Repeat("ab", 32)}
	if err := want.Write(path); err != nil {
		t.Fatal(err)
	}
	got, err := ReadAnchor(path)
	if err != nil || !reflect.DeepEqual(*got, want) {
		t.Errorf("%v %v", got, err)
	}
}

func TestParseChangeRefuses(t *testing.T) {
	w := newWorld(t)
	good, err := json.Marshal(w.stage(w.open()))
	w.must(err)
	cases := map[string]string{
		"empty":          ``,
		"null":           `null`,
		"array":          `[]`,
		"other schema":   swapText(good, `"schema":1`, `"schema":2`),
		"unknown field":  swapText(good, `"schema":1`, `"schema":1,"x":1`),
		"trailing data":  string(good) + "{}",
		"cut short":      string(good[:len(good)/2]),
		"wrong version":  swapText(good, `"version":1`, `"version":2`),
		"unsafe role":    swapText(good, `"role":"channels"`, `"role":"../channels"`),
		"role twice":     swapText(good, `"role":"deltas"`, `"role":"channels"`),
		"role timestamp": swapText(good, `"role":"deltas"`, `"role":"timestamp"`),
		"null document":  `{"schema":1,"created":"2026-11-01T12:00:00Z","title":"","documents":[null]}`,
		"null targets":   `{"schema":1,"created":"2026-11-01T12:00:00Z","title":"","documents":[{"role":"targets","version":1,"metadata":"eyJzaWduYXR1cmVzIjpbXSwic2lnbmVkIjp7Il90eXBlIjoidGFyZ2V0cyIsInRhcmdldHMiOnsiYSI6bnVsbH19fQ=="}]}`,
		"unsafe file":    swapText(good, `"documents"`, `"files":[{"target":"../x","length":1,"sha256":"`+strings.Repeat("0", 64)+`"}],"documents"`),
		"false content":  swapText(good, `"documents"`, `"files":[{"target":"x","length":1,"sha256":"`+strings.Repeat("0", 64)+`","content":"eA=="}],"documents"`),
	}
	for name, text := range cases {
		if c, err := ParseChange([]byte(text)); err == nil {
			if _, err = c.Inspect(nil); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	}
}

func swapText(data []byte, old, new string) string { return string(swap(data, old, new)) }

func FuzzParseChange(f *testing.F) {
	w := newWorld(f)
	first, err := json.Marshal(w.stage(w.open()))
	w.must(err)
	f.Add(first)
	f.Add([]byte(`{"schema":1,"created":"2026-11-01T12:00:00Z","title":"","documents":[]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseChange(data)
		if err != nil {
			return
		}
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseChange(again); err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		c.Inspect(nil)
		c.Needs(nil)
	})
}
