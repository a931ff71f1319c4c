// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/waybill-project/waybill/repo/release"
)

const (
	maxStanding = 256 << 10
	maxChannel  = 256 << 10
)

// Standing returns the product's standing: the lowest version allowed and what
// was retracted. It is nil if none is published.
func (c *Client) Standing(ctx context.Context, product string) (_ *release.Standing, err error) {
	defer guard(&err)
	if err := release.CheckProduct(product); err != nil {
		return nil, err
	}
	t, err := c.Target(ctx, release.StandingTarget(product))
	if err != nil {
		if Class(err) == "absent" {
			return nil, nil
		}
		return nil, err
	}
	data, err := c.Bytes(ctx, t, maxStanding)
	if err != nil {
		return nil, err
	}
	st, err := release.ParseStanding(data)
	if err != nil {
		return nil, t.fault(ErrMalformed, err)
	}
	if st.Product != product {
		return nil, t.fault(ErrWrongSoftware, fmt.Errorf("it is about %q", st.Product))
	}
	return st, nil
}

func (t *Target) fault(rule, err error) error {
	return &VerifyError{Role: t.Role, Target: t.Name, Err: fmt.Errorf("%w: %w", rule, err)}
}

// Channel returns what a channel offers on a platform. If the repository has no
// such channel, product or platform, the error wraps fs.ErrNotExist and is
// not a *SourceError.
func (c *Client) Channel(ctx context.Context, product, channel, platform string) (_ *release.Channel, err error) {
	defer guard(&err)
	if err := errors.Join(release.CheckProduct(product), release.CheckChannel(channel), release.CheckPlatform(platform)); err != nil {
		return nil, err
	}
	t, err := c.Target(ctx, release.ChannelTarget(product, channel, platform))
	if err != nil {
		return nil, err
	}
	data, err := c.Bytes(ctx, t, maxChannel)
	if err != nil {
		return nil, err
	}
	ch, err := release.ParseChannel(data)
	if err != nil {
		return nil, t.fault(ErrMalformed, err)
	}
	if ch.Product != product || ch.Channel != channel || ch.Platform != platform {
		return nil, t.fault(ErrWrongSoftware, fmt.Errorf("it is about %s, %s, %s", ch.Product, ch.Channel, ch.Platform))
	}
	return ch, nil
}

// Newest returns the file that an endpoint should have now, and the choice that
// [release.Select] made among what a channel offers. Without an error and without a
// file, it should stay where it is; the choice's Reason says why. Errors are those of
// Standing, Channel, Select and Artifact. Call Refresh before.
func (c *Client) Newest(ctx context.Context, product, channel, platform string, have release.Installed, want release.Want) (*Target, release.Choice, error) {
	ctx = c.OneWalk(ctx)
	st, err := c.Standing(ctx, product)
	if err != nil {
		return nil, release.Choice{}, err
	}
	ch, err := c.Channel(ctx, product, channel, platform)
	if err != nil {
		return nil, release.Choice{}, err
	}
	choice, err := release.Select(ch, st, have, want)
	if err != nil || choice.Release == nil {
		return nil, choice, err
	}
	t, err := c.Artifact(ctx, ch, choice.Release)
	return t, choice, err
}

// Artifact returns the file of a release that ch offers. Its own entry decides:
// a name or an identity other than that of the release is ErrWrongSoftware, other
// length or hash than the channel document says is ErrMismatch.
//
// The name matters because roles for documents and patches may have online keys:
// they are delegated names that no artifact can have, so what they sign is never
// taken for software.
func (c *Client) Artifact(ctx context.Context, ch *release.Channel, rel *release.Release) (_ *Target, err error) {
	defer guard(&err)
	if err := checkArtifactName(ch, rel); err != nil {
		return nil, err
	}
	t, err := c.Target(ctx, rel.Artifact.Target)
	if err != nil {
		if Class(err) == "absent" {
			err = &VerifyError{Target: rel.Artifact.Target, Err: fmt.Errorf("%w: %w", ErrMismatch, err)}
		}
		return nil, err
	}
	id, err := release.ParseIdentity(t.Custom)
	if err != nil {
		return nil, t.fault(ErrMalformed, err)
	}
	if err := checkIdentity(id, ch, rel); err != nil {
		return nil, t.fault(ErrWrongSoftware, err)
	}
	if sum := t.Hashes["sha256"]; t.Length != rel.Artifact.Length || sum != "" && !strings.EqualFold(sum, rel.Artifact.SHA256) {
		return nil, t.fault(ErrMismatch, errors.New("the channel document says another length or hash"))
	}
	return t, nil
}

func checkArtifactName(ch *release.Channel, rel *release.Release) error {
	name := rel.Artifact.Target
	file, ok := strings.CutPrefix(name, release.ArtifactTarget(ch.Product, rel.Version, ch.Platform, ""))
	if !ok || file == "" || strings.Contains(file, "/") {
		return &VerifyError{Target: name, Err: fmt.Errorf("%w: not the name of an artifact of %s %s for %s", ErrWrongSoftware, ch.Product, rel.Version, ch.Platform)}
	}
	return nil
}

func checkIdentity(id *release.Identity, ch *release.Channel, rel *release.Release) error {
	switch {
	case id == nil:
		return errors.New("it has no identity")
	case id.Product != ch.Product:
		return fmt.Errorf("product %q, not %q", id.Product, ch.Product)
	case id.Version != rel.Version:
		return fmt.Errorf("version %q, not %q", id.Version, rel.Version)
	case id.Platform != ch.Platform:
		return fmt.Errorf("platform %q, not %q", id.Platform, ch.Platform)
	case id.Kind != rel.Kind:
		return fmt.Errorf("kind %q, not %q", id.Kind, rel.Kind)
	case !id.OffersIn(ch.Channel):
		return fmt.Errorf("not allowed in channel %q", ch.Channel)
	}
	return nil
}
