// SPDX-License-Identifier: Apache-2.0

package release

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Standing bounds which versions of a product may be installed, whatever a channel
// offers. An empty Minimum allows every version.
type Standing struct {
	Schema    int
	Product   string
	Minimum   string
	Retracted []Retraction
}

// Retraction takes a version back. An endpoint that runs it may go down to Fallback
// and no further; without a fallback it may not go down at all.
type Retraction struct {
	Version  string
	Reason   string
	At       time.Time
	Fallback string
}

// ParseStanding reads a standing document.
func ParseStanding(data []byte) (*Standing, error) {
	o := parseObject("standing document", data)
	standing := &Standing{
		Schema:  o.schema(),
		Product: o.text("product", CheckProduct),
		Minimum: o.optional("minimum", CheckVersion),
	}
	for _, item := range o.objects("retracted", MaxRetracted, false) {
		standing.Retracted = append(standing.Retracted, parseRetraction(item))
	}
	slices.SortFunc(standing.Retracted, func(a, b Retraction) int { return newestFirst(a.Version, b.Version) })
	for i := 1; i < len(standing.Retracted); i++ {
		if Compare(standing.Retracted[i-1].Version, standing.Retracted[i].Version) == 0 {
			o.fail("retracted", fmt.Sprintf("version %s twice", standing.Retracted[i].Version))
		}
	}
	if *o.failed != nil {
		return nil, *o.failed
	}
	return standing, nil
}

func parseRetraction(o object) Retraction {
	retraction := Retraction{
		Version:  o.text("version", CheckVersion),
		Reason:   o.optional("reason", checkProse),
		At:       o.time("at"),
		Fallback: o.optional("fallback", CheckVersion),
	}
	if retraction.Fallback != "" && Compare(retraction.Fallback, retraction.Version) >= 0 {
		o.fail("fallback", "not lower than the version")
	}
	return retraction
}

// Encode writes the document that [ParseStanding] reads, and refuses one that it
// would refuse.
func (s *Standing) Encode() ([]byte, error) {
	wire := wireStanding{Schema: cmp.Or(s.Schema, Schema), Product: s.Product, Minimum: s.Minimum}
	for _, r := range s.Retracted {
		wire.Retracted = append(wire.Retracted, wireRetraction{r.Version, r.Reason, formatTime(r.At), r.Fallback})
	}
	slices.SortFunc(wire.Retracted, func(a, b wireRetraction) int { return newestFirst(a.Version, b.Version) })
	data, err := encodeDocument(wire)
	if err == nil {
		_, err = ParseStanding(data)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// Retraction returns the retraction of a version; versions equal in precedence are
// the same version. A nil standing retracts nothing.
func (s *Standing) Retraction(version string) (Retraction, bool) {
	if s == nil {
		return Retraction{}, false
	}
	for _, retraction := range s.Retracted {
		if Compare(retraction.Version, version) == 0 {
			return retraction, true
		}
	}
	return Retraction{}, false
}

// Allows says whether a version may be newly installed: [ErrRetracted] and
// [ErrBelowMinimum] say why not. A nil standing allows every version.
func (s *Standing) Allows(version string) error {
	if s == nil {
		return nil
	}
	if retraction, found := s.Retraction(version); found {
		if retraction.Reason == "" {
			return fmt.Errorf("%s: %w", version, ErrRetracted)
		}
		return fmt.Errorf("%s: %w: %s", version, ErrRetracted, retraction.Reason)
	}
	if s.Minimum != "" && Compare(version, s.Minimum) < 0 {
		return fmt.Errorf("%s: %w, %s", version, ErrBelowMinimum, s.Minimum)
	}
	return nil
}

func newestFirst(a, b string) int {
	return cmp.Or(Compare(b, a), cmp.Compare(b, a))
}

func formatTime(t time.Time) string { return t.UTC().Truncate(time.Second).Format(timeFormat) }

type wireStanding struct {
	Schema    int              `json:"schema"`
	Product   string           `json:"product"`
	Minimum   string           `json:"minimum,omitempty"`
	Retracted []wireRetraction `json:"retracted,omitempty"`
}

type wireRetraction struct {
	Version  string `json:"version"`
	Reason   string `json:"reason,omitempty"`
	At       string `json:"at"`
	Fallback string `json:"fallback,omitempty"`
}
