// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/release"
)

// An Artifact is a single file of a product, for one version and platform.
type Artifact struct {
	Product  string
	Version  string // strict semantic version
	Platform string
	Path     string            // where the file lies
	Name     string            // its name in the repository; empty: as in Path
	Channels []string          // channels that offer it from now on
	Bounds   []string          // channels that may ever offer it; nil: all of them
	Notes    map[string]string // release notes: language -> path of a file
	Critical bool
}

// An offer is a release that a channel gained in this draft.
type offer struct{ product, channel, platform, version string }

// Add lists an artifact, with its identity, and offers it in its channels.
// Adding the same content again changes nothing; a version that exists with
// other content is refused, and so are two versions that differ in build
// metadata or case only.
func (d *Draft) Add(ctx context.Context, a Artifact) error {
	if err := d.checkArtifact(&a); err != nil {
		return err
	}
	length, sum, err := hashFile(a.Path)
	if err != nil {
		return err
	}
	path, err := filepath.Abs(a.Path)
	if err != nil {
		return err
	}
	f := File{Target: release.ArtifactTarget(a.Product, a.Version, a.Platform, a.Name), Length: length, SHA256: sum, Path: path}
	if err := d.list(a, f); err != nil {
		return err
	}
	rel := release.Release{
		Version: a.Version, Published: d.repo.opts.Now().UTC().Truncate(time.Second), Kind: "file", Critical: a.Critical,
		Artifact: release.Artifact{Target: f.Target, Length: length, SHA256: sum},
	}
	if rel.Notes, err = d.addNotes(a); err != nil {
		return err
	}
	for _, channel := range a.Channels {
		if err := d.offer(ctx, a.Product, channel, a.Platform, rel); err != nil {
			return err
		}
	}
	d.title(fmt.Sprintf("%s %s for %s", a.Product, a.Version, a.Platform))
	return nil
}

func (d *Draft) checkArtifact(a *Artifact) error {
	if d.Empty() {
		return ErrEmpty
	}
	p, err := d.product(a.Product)
	if err != nil {
		return err
	}
	if a.Name == "" {
		a.Name = filepath.Base(a.Path)
	}
	for _, err := range []error{release.CheckVersion(a.Version), release.CheckPlatform(a.Platform)} {
		if err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
	}
	if len(p.Platforms) > 0 && !slices.Contains(p.Platforms, a.Platform) {
		return fmt.Errorf("platform %q is not among those of %s in the policy: %w", a.Platform, a.Product, ErrUnknown)
	}
	for _, channel := range append(slices.Clone(a.Channels), a.Bounds...) {
		if !slices.Contains(p.Channels, channel) {
			return fmt.Errorf("channel %q is not among those of %s in the policy: %w", channel, a.Product, ErrUnknown)
		}
	}
	if err := layout.CheckName(release.ArtifactTarget(a.Product, a.Version, a.Platform, a.Name)); err != nil {
		return fmt.Errorf("%w: %w (give it another name)", ErrInvalid, err)
	}
	return d.checkVersionIsNew(*a)
}

// checkVersionIsNew compares with every artifact of the product.
func (d *Draft) checkVersionIsNew(a Artifact) error {
	for name, t := range d.targets.Targets {
		if t.Custom == nil {
			continue
		}
		id, err := release.ParseIdentity(*t.Custom)
		if err != nil || id == nil || id.Product != a.Product || id.Version == a.Version {
			continue
		}
		if release.Compare(id.Version, a.Version) == 0 || strings.EqualFold(id.Version, a.Version) {
			return fmt.Errorf("version %s cannot stand beside %s (%s): %w", a.Version, id.Version, name, ErrInvalid)
		}
	}
	return nil
}

// list puts the artifact and its identity into the targets metadata.
func (d *Draft) list(a Artifact, f File) error {
	prefix := release.ArtifactTarget(a.Product, a.Version, a.Platform, "")
	for name, t := range d.targets.Targets {
		if !strings.HasPrefix(name, prefix) || t.Custom == nil {
			continue
		}
		if name != f.Target || t.Hashes["sha256"].String() != f.SHA256 {
			return fmt.Errorf("%s %s for %s is there already, as %s with other content: %w", a.Product, a.Version, a.Platform, name, ErrInvalid)
		}
		return nil
	}
	id := release.Identity{Schema: 1, Product: a.Product, Version: a.Version, Platform: a.Platform, Kind: "file", Channels: a.Bounds}
	return d.set(f, id.Custom())
}

func (d *Draft) addNotes(a Artifact) (map[string]string, error) {
	if len(a.Notes) == 0 {
		return nil, nil
	}
	notes := map[string]string{}
	for lang, path := range a.Notes {
		length, sum, err := hashFile(path)
		if err != nil {
			return nil, err
		}
		if path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		name := release.NotesTarget(a.Product, a.Version, lang)
		if err := d.set(File{Target: name, Length: length, SHA256: sum, Path: path}, nil); err != nil {
			return nil, err
		}
		notes[lang] = name
	}
	return notes, nil
}

// Promote offers in one channel what another one offers already. Without
// platforms it takes all that have the version.
func (d *Draft) Promote(ctx context.Context, product, version, from, to string, platforms []string) error {
	if d.Empty() {
		return ErrEmpty
	}
	p, err := d.product(product)
	if err != nil {
		return err
	}
	for _, channel := range []string{from, to} {
		if !slices.Contains(p.Channels, channel) {
			return fmt.Errorf("channel %q is not among those of %s in the policy: %w", channel, product, ErrUnknown)
		}
	}
	found := platforms
	if len(found) == 0 {
		found = d.platforms(product, from)
	}
	moved := 0
	for _, platform := range found {
		ok, err := d.promote(ctx, product, version, from, to, platform)
		if err != nil {
			return err
		}
		if ok {
			moved++
		} else if len(platforms) > 0 {
			return fmt.Errorf("%s %s for %s in channel %s: %w", product, version, platform, from, ErrUnknown)
		}
	}
	if moved == 0 {
		return fmt.Errorf("%s %s in channel %s: %w", product, version, from, ErrUnknown)
	}
	d.title(fmt.Sprintf("%s %s from %s to %s", product, version, from, to))
	return nil
}

func (d *Draft) promote(ctx context.Context, product, version, from, to, platform string) (bool, error) {
	doc, err := d.channel(ctx, product, from, platform)
	if err != nil {
		return false, err
	}
	rel := doc.Find(version)
	if rel == nil {
		return false, nil
	}
	if err := d.mayOffer(rel.Artifact.Target, to); err != nil {
		return false, err
	}
	next := *rel
	next.Deltas = nil
	return true, d.offer(ctx, product, to, platform, next)
}

// mayOffer checks the bounds that the release key put on an artifact.
func (d *Draft) mayOffer(name, channel string) error {
	t := d.target(name)
	if t == nil || t.Custom == nil {
		return fmt.Errorf("artifact %s: %w", name, ErrUnknown)
	}
	id, err := release.ParseIdentity(*t.Custom)
	if err != nil {
		return err
	}
	if id != nil && len(id.Channels) > 0 && !slices.Contains(id.Channels, channel) {
		return fmt.Errorf("%s may be offered in %s only: %w", name, strings.Join(id.Channels, ", "), ErrInvalid)
	}
	return nil
}

// platforms lists those that a channel has a document for.
func (d *Draft) platforms(product, channel string) []string {
	_, holder := d.holder(release.ChannelTarget(product, channel, "any"))
	var out []string
	for name := range holder.Targets {
		if _, c, platform, ok := release.ParseChannelTarget(name); ok && c == channel && strings.HasPrefix(name, product+"/") {
			out = append(out, platform)
		}
	}
	slices.Sort(out)
	return out
}

// Retract withdraws a version: it is never newly installed again. fallback,
// if given, is how far down a client that runs it may go.
func (d *Draft) Retract(ctx context.Context, product, version, reason, fallback string) error {
	if d.Empty() {
		return ErrEmpty
	}
	if _, err := d.product(product); err != nil {
		return err
	}
	if !d.exists(product, version) || fallback != "" && !d.exists(product, fallback) {
		return fmt.Errorf("%s %s (fallback %q): %w", product, version, fallback, ErrUnknown)
	}
	if fallback != "" && release.Compare(fallback, version) >= 0 {
		return fmt.Errorf("the fallback %s is not lower than %s: %w", fallback, version, ErrInvalid)
	}
	standing, err := d.standing(ctx, product)
	if err != nil {
		return err
	}
	if _, done := standing.Retraction(version); done {
		return fmt.Errorf("%s %s is retracted already: %w", product, version, ErrInvalid)
	}
	standing.Retracted = append(standing.Retracted, release.Retraction{
		Version: version, Reason: reason, At: d.repo.opts.Now().UTC().Truncate(time.Second), Fallback: fallback,
	})
	data, err := standing.Encode()
	if err != nil {
		return err
	}
	d.title(fmt.Sprintf("retract %s %s", product, version))
	return d.setDocument(release.StandingTarget(product), data)
}

func (d *Draft) standing(ctx context.Context, product string) (*release.Standing, error) {
	data, err := d.document(ctx, release.StandingTarget(product), release.MaxDocument)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return &release.Standing{Schema: 1, Product: product}, nil
	}
	return release.ParseStanding(data)
}

func (d *Draft) exists(product, version string) bool {
	for _, t := range d.targets.Targets {
		if t.Custom == nil {
			continue
		}
		id, err := release.ParseIdentity(*t.Custom)
		if err == nil && id != nil && id.Product == product && id.Version == version {
			return true
		}
	}
	return false
}

var errNoArtifact = errors.New("the artifact is not at hand")
