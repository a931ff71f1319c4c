// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/waybill-project/waybill/delta"
	"github.com/waybill-project/waybill/delta/diff"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/release"
)

// shop is a repository with three releases of one product, delta edges from each
// to the next, and an endpoint that has the first installed.
type shop struct {
	*sim
	e        *endpoint
	contents [][]byte
	channel  *release.Channel
	base     string
	dest     string
}

var shopVersions = []string{"1.0.0", "1.1.0", "1.2.0"}

func newShop(t *testing.T) *shop {
	s := &shop{sim: newSim(t)}
	s.delegate("targets", "deltas", map[string]any{"paths": []any{"*/deltas/*/*"}})
	s.channel = &release.Channel{Schema: 1, Product: "app", Channel: "stable", Platform: "linux-amd64"}
	for i, version := range shopVersions {
		content := pattern(50_000)
		for j := range i + 1 {
			copy(content[j*9000:], "changed in "+version)
		}
		s.contents = append(s.contents, content)
		s.addRelease(version, content)
	}
	s.publishChannel()
	s.e = s.endpoint()
	s.base = filepath.Join(t.TempDir(), "app")
	s.dest = filepath.Join(t.TempDir(), "app.new")
	if err := os.WriteFile(s.base, s.contents[0], 0o755); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *shop) addRelease(version string, content []byte) {
	name := release.ArtifactTarget("app", version, "linux-amd64", "app")
	s.add("targets", name, content)
	id := release.Identity{Schema: 1, Product: "app", Version: version, Platform: "linux-amd64", Kind: release.KindFile, Channels: []string{"stable"}}
	s.file(name)["custom"] = id.Custom()
	rel := release.Release{
		Version: version, Published: epoch, Kind: release.KindFile,
		Artifact: release.Artifact{Target: name, Length: int64(len(content)), SHA256: sum256(content)},
	}
	if i := len(s.channel.Releases); i > 0 {
		rel.Deltas = append(rel.Deltas, s.addPatch(s.contents[i-1], content))
	}
	s.channel.Releases = append(s.channel.Releases, rel)
}

func (s *shop) file(name string) map[string]any {
	return s.md["targets"]["targets"].(map[string]any)[name].(map[string]any)
}

func (s *shop) addPatch(base, result []byte) release.Edge {
	var patch bytes.Buffer
	err := diff.Make(context.Background(), delta.BSDiff4, bytes.NewReader(base), bytes.NewReader(result), int64(len(base)), int64(len(result)), &patch, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	name := release.PatchTarget("app", "linux-amd64", sum256(result), sum256(base), "bsdiff4")
	s.add("deltas", name, patch.Bytes())
	return release.Edge{From: sum256(base), FromLength: int64(len(base)), Target: name, Length: int64(patch.Len()), Format: delta.BSDiff4, Memory: 1 << 20}
}

func (s *shop) publishChannel() {
	doc, err := s.channel.Encode()
	if err != nil {
		s.t.Fatal(err)
	}
	s.add("targets", release.ChannelTarget("app", "stable", "linux-amd64"), doc)
	s.publish("deltas", "targets")
	s.commit()
}

// update plans and builds the newest release.
func (s *shop) update() (*Report, error) {
	s.t.Helper()
	c := s.e.client()
	ch, err := c.Channel(context.Background(), "app", "stable", "linux-amd64")
	if err != nil {
		return nil, err
	}
	rel := ch.Newest()
	target, err := c.Artifact(context.Background(), ch, rel)
	if err != nil {
		return nil, err
	}
	ways := release.Plan(ch, rel, release.Installed{SHA256: sum256(s.contents[0]), Length: int64(len(s.contents[0]))}, delta.UpdateFormats(), release.PlanLimits{})
	return c.Build(context.Background(), target, ways, s.base, s.dest)
}

func (s *shop) spoilBase(spoil func([]byte) []byte) {
	s.t.Helper()
	if err := os.WriteFile(s.base, spoil(bytes.Clone(s.contents[0])), 0o755); err != nil {
		s.t.Fatal(err)
	}
}

// readsOf counts the bytes that are read of one file.
type readsOf struct {
	durable.FS
	path string
	n    atomic.Int64
}

func (r *readsOf) OpenFile(name string, flag int, perm fs.FileMode) (durable.File, error) {
	f, err := r.FS.OpenFile(name, flag, perm)
	if err != nil || name != r.path {
		return f, err
	}
	return &readFile{f, &r.n}, nil
}

type readFile struct {
	durable.File
	n *atomic.Int64
}

func (f *readFile) ReadAt(p []byte, off int64) (int, error) {
	n, err := f.File.ReadAt(p, off)
	f.n.Add(int64(n))
	return n, err
}

func (s *shop) wantBuilt(r *Report, err error, way string, left ...string) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	var classes []string
	for _, l := range r.Left {
		classes = append(classes, l.Class)
		if l.Reason == "" {
			s.t.Error("no reason")
		}
	}
	if r.Way != way || !slices.Equal(classes, left) || r.Full != 50_000 {
		s.t.Errorf("report %+v, want %s after %q", r, way, left)
	}
	if got, _ := os.ReadFile(s.dest); !bytes.Equal(got, s.contents[2]) {
		s.t.Error("content differs")
	}
	if got, _ := os.ReadFile(s.base); way != release.Full && s.base != "" && !bytes.Equal(got, s.contents[0]) {
		s.t.Error("base was changed")
	}
	entries, _ := os.ReadDir(filepath.Join(s.e.dir, partialDir))
	for _, e := range entries {
		if e.Name() != "lock" {
			s.t.Errorf("left %s", e.Name())
		}
	}
}

func TestBuild(t *testing.T) {
	t.Run("chain", func(t *testing.T) {
		s := newShop(t)
		r, err := s.update()
		s.wantBuilt(r, err, release.Chain)
		if r.Fetched == 0 || r.Fetched > 5000 {
			t.Errorf("fetched %d", r.Fetched)
		}
		again, err := s.update()
		s.wantBuilt(again, err, "present")
	})
	t.Run("direct", func(t *testing.T) {
		s := newShop(t)
		s.channel.Releases[2].Deltas = append(s.channel.Releases[2].Deltas, s.addPatch(s.contents[0], s.contents[2]))
		s.publishChannel()
		r, err := s.update()
		s.wantBuilt(r, err, release.Direct)
	})
	t.Run("compressed", func(t *testing.T) {
		s := newShop(t)
		s.channel.Releases[1].Deltas = nil
		s.channel.Releases[2].Deltas = []release.Edge{s.addPatch(nil, s.contents[2])}
		s.publishChannel()
		s.base = ""
		r, err := s.update()
		s.wantBuilt(r, err, release.Compressed)
	})
	t.Run("modified base", func(t *testing.T) {
		s := newShop(t)
		s.spoilBase(func(base []byte) []byte {
			base[100] ^= 1
			return base
		})
		r, err := s.update()
		s.wantBuilt(r, err, release.Full, "base")
		if patch := s.channel.Releases[1].Deltas[0].Length; r.Fetched != 50_000+patch {
			t.Errorf("fetched %d", r.Fetched)
		}
	})
	t.Run("base of another length", func(t *testing.T) {
		s := newShop(t)
		s.spoilBase(func(base []byte) []byte { return append(base, 0) })
		r, err := s.update()
		s.wantBuilt(r, err, release.Full, "base")
		if r.Fetched != 50_000 {
			t.Errorf("fetched %d", r.Fetched)
		}
	})
	t.Run("base is a folder", func(t *testing.T) {
		s := newShop(t)
		s.base = t.TempDir()
		r, err := s.update()
		s.wantBuilt(r, err, release.Full, "base")
	})
	t.Run("base is read once", func(t *testing.T) {
		s := newShop(t)
		counted := &readsOf{FS: durable.OS(), path: s.base}
		s.e.opts.FS = counted
		s.channel.Releases[2].Deltas = append(s.channel.Releases[2].Deltas, s.addPatch(s.contents[0], s.contents[2]))
		s.publishChannel()
		r, err := s.update()
		s.wantBuilt(r, err, release.Direct)
		if n := counted.n.Load(); n > 60_000 {
			t.Errorf("%d bytes read of a base of 50,000", n)
		}
	})
	t.Run("no base", func(t *testing.T) {
		s := newShop(t)
		s.base = ""
		r, err := s.update()
		s.wantBuilt(r, err, release.Full, "base")
	})
	t.Run("patch object missing", func(t *testing.T) {
		s := newShop(t)
		edge := s.channel.Releases[1].Deltas[0]
		s.drop(s.patchObject(edge))
		r, err := s.update()
		s.wantBuilt(r, err, release.Full, "absent")
	})
	t.Run("patch tampered", func(t *testing.T) {
		s := newShop(t)
		object := s.patchObject(s.channel.Releases[1].Deltas[0])
		bad := bytes.Clone(s.objects[object])
		bad[len(bad)/2] ^= 1
		s.put(object, bad)
		r, err := s.update()
		s.wantBuilt(r, err, release.Full, "verification")
	})
	t.Run("patch signed but corrupt", func(t *testing.T) {
		s := newShop(t)
		edge := &s.channel.Releases[1].Deltas[0]
		s.add("deltas", edge.Target, pattern(int(edge.Length)))
		s.publishChannel()
		r, err := s.update()
		s.wantBuilt(r, err, release.Full, "patch")
	})
	t.Run("patch not listed", func(t *testing.T) {
		s := newShop(t)
		delete(s.md["deltas"]["targets"].(map[string]any), s.channel.Releases[1].Deltas[0].Target)
		s.publishChannel()
		r, err := s.update()
		s.wantBuilt(r, err, release.Full, "absent")
	})
	t.Run("length differs from the edge", func(t *testing.T) {
		s := newShop(t)
		s.channel.Releases[1].Deltas[0].Length++
		s.publishChannel()
		r, err := s.update()
		s.wantBuilt(r, err, release.Full, "verification")
	})
	t.Run("deltas role expired", func(t *testing.T) {
		s := newShop(t)
		s.md["deltas"]["expires"] = "2020-01-01T00:00:00Z"
		s.publishChannel()
		r, err := s.update()
		s.wantBuilt(r, err, release.Full, "expired")
	})
	t.Run("deltas role badly signed", func(t *testing.T) {
		s := newShop(t)
		s.keys["deltas"] = []*simKey{edKey("thief")}
		s.publishChannel()
		r, err := s.update()
		s.wantBuilt(r, err, release.Full, "verification")
	})
	t.Run("leads to another file", func(t *testing.T) {
		s := newShop(t)
		c := s.e.client()
		target, err := c.Target(context.Background(), s.channel.Releases[2].Artifact.Target)
		if err != nil {
			t.Fatal(err)
		}
		ways := []release.Way{{Kind: release.Direct, Steps: []release.Step{{Edge: s.channel.Releases[1].Deltas[0], ResultLength: 50_000, ResultSHA256: sum256(s.contents[1])}}}}
		r, err := c.Build(context.Background(), target, ways, s.base, s.dest)
		s.wantBuilt(r, err, release.Full, "verification")
	})
	t.Run("format that is not for updates", func(t *testing.T) {
		s := newShop(t)
		c := s.e.client()
		target, err := c.Target(context.Background(), s.channel.Releases[2].Artifact.Target)
		if err != nil {
			t.Fatal(err)
		}
		edge := s.channel.Releases[1].Deltas[0]
		edge.Format = delta.VCDIFF
		ways := []release.Way{{Kind: release.Direct, Steps: []release.Step{{Edge: edge, ResultLength: 50_000, ResultSHA256: sum256(s.contents[2])}}}}
		r, err := c.Build(context.Background(), target, ways, s.base, s.dest)
		s.wantBuilt(r, err, release.Full, "unsupported")
	})
	t.Run("everything tampered", func(t *testing.T) {
		s := newShop(t)
		for name := range s.objects {
			if filepath.Dir(filepath.Dir(name)) != "targets/app/channels" && bytes.HasPrefix([]byte(name), []byte("targets/")) {
				s.put(name, []byte("evil"))
			}
		}
		r, err := s.update()
		wantRule(t, err, ErrMismatch)
		if len(r.Left) != 2 || r.Way != "" {
			t.Errorf("report %+v", r)
		}
		if _, err := os.Stat(s.dest); !errors.Is(err, fs.ErrNotExist) {
			t.Error("something was installed")
		}
	})
}

func (s *shop) patchObject(e release.Edge) string {
	f := s.md["deltas"]["targets"].(map[string]any)[e.Target].(map[string]any)
	return layout.Target(e.Target, f["hashes"].(map[string]any)["sha256"].(string))
}

func TestWrongSoftware(t *testing.T) {
	for name, change := range map[string]func(id *release.Identity){
		"product":  func(id *release.Identity) { id.Product = "other" },
		"version":  func(id *release.Identity) { id.Version = "1.1.0" },
		"platform": func(id *release.Identity) { id.Platform = "linux-arm64" },
		"kind":     func(id *release.Identity) { id.Kind = release.KindTree },
		"channel":  func(id *release.Identity) { id.Channels = []string{"beta"} },
		"none":     nil,
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			file := s.file(s.channel.Releases[2].Artifact.Target)
			id, err := release.ParseIdentity(file["custom"].(json.RawMessage))
			if err != nil {
				t.Fatal(err)
			}
			if change == nil {
				delete(file, "custom")
			} else {
				change(id)
				file["custom"] = id.Custom()
			}
			s.publishChannel()
			_, err = s.update()
			wantRule(t, err, ErrWrongSoftware)
		})
	}
}

func TestChannelDocument(t *testing.T) {
	ctx := context.Background()
	t.Run("of another product", func(t *testing.T) {
		s := newShop(t)
		s.channel.Product = "other"
		doc, _ := s.channel.Encode()
		s.add("targets", release.ChannelTarget("app", "stable", "linux-amd64"), doc)
		s.release("targets")
		_, err := s.e.client().Channel(ctx, "app", "stable", "linux-amd64")
		wantRule(t, err, ErrWrongSoftware)
	})
	t.Run("malformed", func(t *testing.T) {
		s := newShop(t)
		s.add("targets", release.ChannelTarget("app", "stable", "linux-amd64"), []byte(`{"schema":1}`))
		s.release("targets")
		_, err := s.e.client().Channel(ctx, "app", "stable", "linux-amd64")
		wantRule(t, err, ErrMalformed)
	})
	t.Run("other length", func(t *testing.T) {
		s := newShop(t)
		s.channel.Releases[2].Artifact.Length++
		s.publishChannel()
		_, err := s.update()
		wantRule(t, err, ErrMismatch)
	})
	t.Run("absent", func(t *testing.T) {
		s := newShop(t)
		_, err := s.e.client().Channel(ctx, "app", "nightly", "linux-amd64")
		if Class(err) != "absent" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("bad words", func(t *testing.T) {
		s := newShop(t)
		if _, err := s.e.client().Channel(ctx, "../x", "stable", "linux-amd64"); err == nil {
			t.Error("accepted")
		}
	})
}

func TestStanding(t *testing.T) {
	s := newShop(t)
	if st, err := s.e.client().Standing(context.Background(), "app"); st != nil || err != nil {
		t.Errorf("%v, %v", st, err)
	}
	doc, err := (&release.Standing{Schema: 1, Product: "app", Minimum: "1.0.0"}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	// Trouble with the disk must not pass for "nothing is retracted".
	s.delegate("targets", "C", map[string]any{"paths": []any{"gone/*"}})
	s.store("C")
	s.release("targets")
	c := s.e.client()
	if err := c.Refresh(context.Background()); err != nil {
		t.Fatal(err)
	}
	c.store.dir = filepath.Join(s.base, "not-a-folder")
	if st, err := c.Standing(context.Background(), "gone"); st != nil || Class(err) != "local" {
		t.Errorf("%v, %v", st, err)
	}
	s.add("targets", release.StandingTarget("app"), doc)
	s.add("targets", release.StandingTarget("tool"), doc)
	s.release("targets")
	if st, err := s.e.client().Standing(context.Background(), "app"); err != nil || st.Minimum != "1.0.0" {
		t.Errorf("%v, %v", st, err)
	}
	_, err = s.e.client().Standing(context.Background(), "tool")
	wantRule(t, err, ErrWrongSoftware)
}
