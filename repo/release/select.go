// SPDX-License-Identifier: Apache-2.0

package release

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Installed is what an endpoint runs; the zero value is nothing. A file whose Version
// is empty or no version at all is looked up by its hash; if that is unknown too, what
// follows is a first installation. [Plan] uses SHA256 and Length, and needs both.
type Installed struct {
	Version string
	SHA256  string
	Length  int64
}

// Want is what an endpoint's operator asks for. The zero value takes the newest
// release that is open to everyone, of kind file, and never goes down.
type Want struct {
	// Version pins a version: it is taken although it is on the skip list or not
	// yet rolled out here, and refused for every other reason.
	Version string
	// AllowDowngrade lets the result be lower than what is installed. It overrides
	// neither a retraction nor the lowest version allowed.
	AllowDowngrade bool
	// Skip lists versions that are not wanted.
	Skip []string
	// Kinds are the kinds of artifact that can be installed; nil is KindFile alone.
	Kinds []string
	// OS is the version of the operating system, numbers joined by dots. If it is
	// empty, a release with a MinimumOS is refused.
	OS string
	// Now and Seed place the endpoint in roll-outs, see [Rollout.Open]. If Now is
	// zero, a release with a roll-out is not open.
	Now  time.Time
	Seed []byte
}

// Choice is the outcome of [Select]. A nil Release means that there is nothing to
// do; Reason says why in words. Skipped are the releases above the outcome.
type Choice struct {
	Release *Release
	Reason  string
	Skipped []Skipped
}

// Skipped is a release that was passed over and why; Err wraps a sentinel of this package.
type Skipped struct {
	Version string
	Err     error
}

// Select finds the newest release of a channel that an endpoint may enter. st may be
// nil. A nil error with a nil Release means that the endpoint should stay where it is.
//
// Errors: [ErrNoRelease] if nothing is installed and nothing can be, or a pinned
// version is not offered; [ErrRetracted] if a retracted version runs here and there
// is no way off it; for a pinned version also [ErrBelowMinimum], [ErrRetracted],
// [ErrDowngrade], [ErrMinimumFrom], [ErrMinimumOS] and [ErrKind]. An ErrNoRelease
// also wraps why the newest release was refused.
func Select(ch *Channel, st *Standing, have Installed, want Want) (Choice, error) {
	if st != nil && st.Product != ch.Product {
		return Choice{}, fmt.Errorf("%w: the standing of %q for the channel of %q", ErrMalformed, st.Product, ch.Product)
	}
	s := &selection{channel: ch, standing: st, have: have, want: want}
	s.current = s.currentVersion()
	s.floor = s.current
	if retraction, found := st.Retraction(s.current); found && s.current != "" {
		s.retracted = true
		if retraction.Fallback != "" {
			s.floor = retraction.Fallback
		}
	}
	if want.Version != "" {
		return s.pinned()
	}
	return s.newest()
}

type selection struct {
	channel   *Channel
	standing  *Standing
	have      Installed
	want      Want
	current   string
	floor     string
	retracted bool
}

func (s *selection) currentVersion() string {
	if CheckVersion(s.have.Version) == nil {
		return s.have.Version
	}
	version := ""
	for _, release := range s.channel.Releases {
		if s.have.SHA256 != "" && release.Artifact.SHA256 == s.have.SHA256 && Compare(release.Version, version) > 0 {
			version = release.Version
		}
	}
	return version
}

func (s *selection) pinned() (Choice, error) {
	release := s.channel.Find(s.want.Version)
	if release == nil {
		return Choice{}, fmt.Errorf("%s: %w: channel %s of %s does not offer it on %s",
			s.want.Version, ErrNoRelease, s.channel.Channel, s.channel.Product, s.channel.Platform)
	}
	if err := s.refuses(release); err != nil {
		return Choice{}, err
	}
	if s.below(release) {
		return Choice{}, fmt.Errorf("%s: %w, %s", release.Version, ErrDowngrade, s.current)
	}
	return s.take(release, nil), nil
}

func (s *selection) newest() (Choice, error) {
	var skipped []Skipped
	for _, release := range s.sorted() {
		if s.below(release) {
			break
		}
		err := s.refuses(release)
		if err == nil {
			err = s.postpones(release)
		}
		if err == nil {
			return s.take(release, skipped), nil
		}
		skipped = append(skipped, Skipped{release.Version, err})
	}
	return s.stay(skipped)
}

func (s *selection) sorted() []*Release {
	var releases []*Release
	for i := range s.channel.Releases {
		releases = append(releases, &s.channel.Releases[i])
	}
	slices.SortStableFunc(releases, func(a, b *Release) int { return newestFirst(a.Version, b.Version) })
	return releases
}

func (s *selection) below(release *Release) bool {
	return !s.want.AllowDowngrade && s.floor != "" && Compare(release.Version, s.floor) < 0
}

func (s *selection) isCurrent(release *Release) bool {
	return s.current != "" && Compare(release.Version, s.current) == 0
}

func (s *selection) take(release *Release, skipped []Skipped) Choice {
	choice := Choice{Skipped: skipped}
	switch {
	case s.have.SHA256 == release.Artifact.SHA256:
		choice.Reason = release.Version + " is installed"
	case s.isCurrent(release) && s.have.SHA256 == "":
		choice.Reason = release.Version + " is installed, as far as is known"
	case s.isCurrent(release):
		choice.Release, choice.Reason = release, release.Version+" is installed, but its content differs"
	case s.retracted:
		choice.Release, choice.Reason = release, s.current+" is retracted"
	case s.current == "" && s.have.SHA256 != "":
		choice.Release, choice.Reason = release, "the installed version is not known"
	case s.current == "":
		choice.Release, choice.Reason = release, "nothing is installed"
	default:
		choice.Release, choice.Reason = release, s.current+" is installed"
	}
	return choice
}

func (s *selection) stay(skipped []Skipped) (Choice, error) {
	switch {
	case s.retracted:
		return Choice{Skipped: skipped}, fmt.Errorf("no way off the installed version: %w", s.standing.Allows(s.current))
	case s.current == "" && len(skipped) > 0:
		return Choice{Skipped: skipped}, fmt.Errorf("%w: %w", ErrNoRelease, skipped[0].Err)
	case s.current == "":
		return Choice{}, fmt.Errorf("%w: channel %s of %s is empty on %s",
			ErrNoRelease, s.channel.Channel, s.channel.Product, s.channel.Platform)
	case len(skipped) > 0:
		return Choice{Reason: s.current + " stays installed: " + skipped[0].Err.Error(), Skipped: skipped}, nil
	}
	return Choice{Reason: s.current + " is installed and nothing newer is offered"}, nil
}

// refuses holds the rules that bind every endpoint and every wish.
func (s *selection) refuses(release *Release) error {
	if err := s.standing.Allows(release.Version); err != nil {
		return err
	}
	kinds := s.want.Kinds
	if kinds == nil {
		kinds = []string{KindFile}
	}
	if !slices.Contains(kinds, release.Kind) {
		return fmt.Errorf("%s: %w: %s", release.Version, ErrKind, release.Kind)
	}
	if release.MinimumOS != "" && !systemReaches(s.want.OS, release.MinimumOS) {
		return fmt.Errorf("%s: %w: it needs %s, this is %q", release.Version, ErrMinimumOS, release.MinimumOS, s.want.OS)
	}
	if s.current != "" && !s.isCurrent(release) && release.MinimumFrom != "" && Compare(s.current, release.MinimumFrom) < 0 {
		return fmt.Errorf("%s: %w: it needs %s, installed is %s", release.Version, ErrMinimumFrom, release.MinimumFrom, s.current)
	}
	return nil
}

// postpones holds the rules that a pinned version and the installed one are free of.
func (s *selection) postpones(release *Release) error {
	if s.isCurrent(release) {
		return nil
	}
	if slices.Contains(s.want.Skip, release.Version) {
		return fmt.Errorf("%s: %w", release.Version, ErrSkipped)
	}
	if !release.Rollout.Open(s.want.Now, s.want.Seed, s.channel.Product, release.Version) {
		return fmt.Errorf("%s: %w", release.Version, ErrNotOpen)
	}
	return nil
}

func systemReaches(have, need string) bool {
	if checkSystem(have) != nil || checkSystem(need) != nil {
		return false
	}
	return slices.Compare(systemNumbers(have), systemNumbers(need)) >= 0
}

func systemNumbers(text string) []int {
	numbers := make([]int, 4)
	for i, number := range strings.Split(text, ".") {
		numbers[i], _ = strconv.Atoi(number)
	}
	return numbers
}
