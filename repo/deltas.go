// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/waybill-project/waybill/delta"
	"github.com/waybill-project/waybill/delta/diff"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/release"
)

// A DeltaReport says what became of one patch.
type DeltaReport struct {
	Product  string `json:"product"`
	Platform string `json:"platform"`
	Channel  string `json:"channel"`
	From     string `json:"from"`
	To       string `json:"to"`
	Size     int64  `json:"size"`              // of the patch, in bytes
	Full     int64  `json:"full"`              // of the artifact
	Dropped  string `json:"dropped,omitempty"` // why the patch is not offered
}

// Deltas makes the patches that the policy asks for, to every release that the
// draft offers. A patch that saves too little or costs too much is dropped,
// which its report says.
func (d *Draft) Deltas(ctx context.Context) error {
	for _, o := range d.offers {
		doc, err := d.channel(ctx, o.product, o.channel, o.platform)
		if err != nil {
			return err
		}
		to := doc.Find(o.version)
		if to == nil {
			continue // trimmed
		}
		for _, from := range d.bases(doc, to) {
			if err := d.delta(ctx, doc, &from, to); err != nil {
				return err
			}
		}
		if err := d.setChannel(doc); err != nil {
			return err
		}
	}
	d.offers = nil
	return nil
}

// bases lists the releases to make patches from: the newest ones below to that
// have none yet.
func (d *Draft) bases(doc *release.Channel, to *release.Release) []release.Release {
	var older []release.Release
	for _, r := range doc.Releases {
		if release.Compare(r.Version, to.Version) < 0 && r.Artifact.SHA256 != to.Artifact.SHA256 {
			older = append(older, r)
		}
	}
	slices.SortFunc(older, func(a, b release.Release) int { return release.Compare(b.Version, a.Version) })
	if n := d.repo.policy.Deltas.FromLast; len(older) > n {
		older = older[:n]
	}
	return slices.DeleteFunc(older, func(r release.Release) bool {
		return slices.ContainsFunc(to.Deltas, func(e release.Edge) bool { return e.From == r.Artifact.SHA256 })
	})
}

// delta makes one patch and adds its edge, or reports why there is none.
func (d *Draft) delta(ctx context.Context, doc *release.Channel, from, to *release.Release) error {
	report := DeltaReport{Product: doc.Product, Platform: doc.Platform, Channel: doc.Channel, From: from.Version, To: to.Version, Full: to.Artifact.Length}
	d.repo.opts.Progress(fmt.Sprintf("making the delta of %s for %s from %s to %s", doc.Product, doc.Platform, from.Version, to.Version))
	for _, format := range d.repo.policy.Deltas.Formats {
		path, err := d.patch(ctx, format, from.Artifact, to.Artifact)
		if errors.Is(err, diff.ErrBudget) || errors.Is(err, errNoArtifact) {
			report.Dropped = err.Error()
			continue
		}
		if err != nil {
			return fmt.Errorf("delta of %s from %s to %s: %w", doc.Product, from.Version, to.Version, err)
		}
		if err := d.addEdge(doc, from, to, format, path, &report); err != nil {
			return err
		}
	}
	d.reports = append(d.reports, report)
	return nil
}

func (d *Draft) addEdge(doc *release.Channel, from, to *release.Release, format, path string, report *DeltaReport) error {
	length, sum, err := hashFile(path)
	if err != nil {
		return err
	}
	report.Size = length
	if limit := int64(float64(to.Artifact.Length) * (1 - d.repo.policy.Deltas.MinSaving)); length > limit {
		report.Dropped = fmt.Sprintf("%d bytes save less than %.0f%% of the full %d", length, 100*d.repo.policy.Deltas.MinSaving, to.Artifact.Length)
		return nil
	}
	memory, err := delta.Memory(delta.Info{Format: format})
	if err != nil {
		return err
	}
	name := release.PatchTarget(doc.Product, doc.Platform, to.Artifact.SHA256, from.Artifact.SHA256, format)
	if err := d.set(File{Target: name, Length: length, SHA256: sum, Path: path}, nil); err != nil {
		return err
	}
	to.Deltas = append(to.Deltas, release.Edge{
		From: from.Artifact.SHA256, FromLength: from.Artifact.Length, Target: name, Length: length,
		Format: format, Memory: memory,
	})
	return nil
}

// patch gives a patch between two artifacts as a file in the working folder.
// One that was made before is used again.
func (d *Draft) patch(ctx context.Context, format string, from, to release.Artifact) (string, error) {
	path, err := d.repo.workPath("patches", to.SHA256+"-"+from.SHA256+"."+format)
	if err != nil {
		return "", err
	}
	base, err := d.artifactFile(ctx, from)
	if err != nil {
		return "", err
	}
	result, err := d.artifactFile(ctx, to)
	if err != nil {
		return "", err
	}
	if provePatch(ctx, format, path, base, from, to) == nil {
		return path, nil
	}
	return path, d.repo.makePatch(ctx, format, base, result, from, to, path)
}

// provePatch applies a patch that an earlier run has left: what lies in the
// working folder is not believed.
func provePatch(ctx context.Context, format, path, base string, from, to release.Artifact) error {
	patch, err := openRegular(path)
	if err != nil {
		return err
	}
	defer patch.Close()
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return errNoArtifact
	}
	old, err := openRegular(base)
	if err != nil {
		return err
	}
	defer old.Close()
	facts := delta.Info{Format: format, BaseLength: from.Length, ResultLength: to.Length, PatchLength: info.Size()}
	if _, err := hex.Decode(facts.BaseSHA256[:], []byte(from.SHA256)); err != nil {
		return err
	}
	if _, err := hex.Decode(facts.ResultSHA256[:], []byte(to.SHA256)); err != nil {
		return err
	}
	return delta.Apply(ctx, facts, old, patch, io.Discard, nil)
}

func (r *Repo) makePatch(ctx context.Context, format, base, result string, from, to release.Artifact, path string) error {
	old, err := os.Open(base)
	if err != nil {
		return err
	}
	defer old.Close()
	new, err := os.Open(result)
	if err != nil {
		return err
	}
	defer new.Close()
	return writeNew(path, func(w io.Writer) error {
		opts := &diff.Options{Budget: diff.Budget{Memory: r.policy.Deltas.MaxMemory, Time: r.policy.Deltas.MaxTime}, Logger: r.opts.Logger}
		return diff.Make(ctx, format, old, new, from.Length, to.Length, w, opts)
	})
}

// writeNew makes a file that appears under its name only when it is whole.
func writeNew(path string, write func(io.Writer) error) error {
	if err := durable.MkdirAll(durable.OS(), filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".making-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	err = write(f)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return durable.Replace(durable.OS(), f.Name(), path)
}

// artifactFile finds an artifact's bytes: among the files of the draft, in the
// working folder, or in the repository.
func (d *Draft) artifactFile(ctx context.Context, a release.Artifact) (string, error) {
	for _, f := range d.files {
		if f.SHA256 == a.SHA256 && f.Path != "" {
			return f.Path, checkFile(f.Path, a.Length, a.SHA256)
		}
	}
	path, err := d.repo.workPath("artifacts", a.SHA256)
	if err != nil {
		return "", err
	}
	if checkFile(path, a.Length, a.SHA256) == nil {
		return path, nil
	}
	if d.live.empty {
		return "", errNoArtifact
	}
	t, err := d.live.client.Target(ctx, a.Target)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errNoArtifact, err)
	}
	if err := durable.MkdirAll(durable.OS(), filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	if err := d.live.client.Download(ctx, t, path); err != nil {
		return "", err
	}
	return path, checkFile(path, a.Length, a.SHA256)
}
