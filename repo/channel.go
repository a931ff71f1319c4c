// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/waybill-project/waybill/repo/release"
)

// offer puts a release into a channel's document.
func (d *Draft) offer(ctx context.Context, product, channel, platform string, rel release.Release) error {
	doc, err := d.channel(ctx, product, channel, platform)
	if err != nil {
		return err
	}
	if old := doc.Find(rel.Version); old != nil {
		if old.Artifact != rel.Artifact {
			return fmt.Errorf("%s %s is in channel %s already, with other content: %w", product, rel.Version, channel, ErrInvalid)
		}
	} else {
		doc.Releases = append(doc.Releases, rel)
		d.trim(doc)
		if err := d.setChannel(doc); err != nil {
			return err
		}
	}
	d.offers = append(d.offers, offer{product, channel, platform, rel.Version})
	return nil
}

// trim lets the oldest releases go, by the policy's retention rule and the
// document's limit.
func (d *Draft) trim(doc *release.Channel) {
	slices.SortFunc(doc.Releases, func(a, b release.Release) int { return release.Compare(b.Version, a.Version) })
	keep := release.MaxReleases
	if k := d.repo.policy.Retention.KeepReleases; k > 0 && k < keep {
		keep = k
	}
	if len(doc.Releases) > keep {
		doc.Releases = doc.Releases[:keep]
	}
}

func (d *Draft) channel(ctx context.Context, product, channel, platform string) (*release.Channel, error) {
	data, err := d.document(ctx, release.ChannelTarget(product, channel, platform), release.MaxDocument)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return &release.Channel{Schema: 1, Product: product, Channel: channel, Platform: platform}, nil
	}
	doc, err := release.ParseChannel(data)
	if err != nil {
		return nil, err
	}
	d.dropUnsigned(doc)
	return doc, nil
}

// dropUnsigned takes out of a channel's document what the release key has not
// signed for it, and patches that are not listed. Clients refuse both, but whoever
// held the online key may have put them there.
func (d *Draft) dropUnsigned(doc *release.Channel) {
	before := len(doc.Releases)
	doc.Releases = slices.DeleteFunc(doc.Releases, func(r release.Release) bool { return !d.signed(doc, &r) })
	if len(doc.Releases) < before {
		d.title(fmt.Sprintf("drop from %s %s what nobody signed", doc.Product, doc.Channel))
	}
	for i := range doc.Releases {
		doc.Releases[i].Deltas = slices.DeleteFunc(doc.Releases[i].Deltas, func(e release.Edge) bool {
			t := d.target(e.Target)
			return t == nil || t.Length != e.Length
		})
	}
}

func (d *Draft) signed(doc *release.Channel, r *release.Release) bool {
	t := d.targets.Targets[r.Artifact.Target]
	if t == nil || t.Custom == nil || t.Length != r.Artifact.Length || t.Hashes["sha256"].String() != r.Artifact.SHA256 {
		return false
	}
	id, err := release.ParseIdentity(*t.Custom)
	return err == nil && id != nil && id.Product == doc.Product && id.Version == r.Version && id.Platform == doc.Platform &&
		id.Kind == r.Kind && id.OffersIn(doc.Channel)
}

// setChannel lists a channel's document. If it has grown too large, the oldest
// releases lose their patches, and then their place.
func (d *Draft) setChannel(doc *release.Channel) error {
	data, err := doc.Encode()
	for errors.Is(err, release.ErrMalformed) && shrink(doc) {
		data, err = doc.Encode()
	}
	if err != nil {
		return err
	}
	return d.setDocument(release.ChannelTarget(doc.Product, doc.Channel, doc.Platform), data)
}

func shrink(doc *release.Channel) bool {
	slices.SortFunc(doc.Releases, func(a, b release.Release) int { return release.Compare(b.Version, a.Version) })
	for i := len(doc.Releases) - 1; i > 0; i-- {
		if len(doc.Releases[i].Deltas) > 0 {
			doc.Releases[i].Deltas = nil
			return true
		}
	}
	if len(doc.Releases) > 1 {
		doc.Releases = doc.Releases[:len(doc.Releases)-1]
		return true
	}
	return false
}
