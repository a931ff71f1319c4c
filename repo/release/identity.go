// SPDX-License-Identifier: Apache-2.0

package release

import (
	"encoding/json"
	"slices"
)

// Identity says what an artifact is, signed with the artifact. Channels, if there
// are any, are the only ones that may offer it.
type Identity struct {
	Schema   int
	Product  string
	Version  string
	Platform string
	Kind     string
	Channels []string
}

// ParseIdentity reads the identity from a target's custom metadata. It returns nil
// and no error if there is no custom metadata or no member "waybill" in it.
func ParseIdentity(custom json.RawMessage) (*Identity, error) {
	if len(custom) == 0 || string(custom) == "null" {
		return nil, nil
	}
	root := parseObject("custom metadata", custom)
	o, found := root.child("waybill", false)
	if !found {
		return nil, *root.failed
	}
	identity := &Identity{
		Schema:   o.schema(),
		Product:  o.text("product", CheckProduct),
		Version:  o.text("version", CheckVersion),
		Platform: o.text("platform", CheckPlatform),
		Kind:     o.text("kind", checkTerm),
		Channels: o.texts("channels", 64, CheckChannel),
	}
	// A list of no channels could be read as all of them.
	if items, ok := o.members["channels"].([]any); ok && len(items) == 0 {
		o.fail("channels", "is empty")
	}
	if *o.failed != nil {
		return nil, *o.failed
	}
	slices.Sort(identity.Channels)
	return identity, nil
}

// Custom is the custom metadata that [ParseIdentity] reads back. It writes what it
// is given: an identity with a wrong field is refused by whoever parses it.
func (i Identity) Custom() json.RawMessage {
	channels := slices.Clone(i.Channels)
	slices.Sort(channels)
	data, err := json.Marshal(wireCustom{wireIdentity{Schema, i.Product, i.Version, i.Platform, i.Kind, channels}})
	if err != nil {
		return nil
	}
	return data
}

// OffersIn reports whether a channel may offer the artifact.
func (i Identity) OffersIn(channel string) bool {
	return len(i.Channels) == 0 || slices.Contains(i.Channels, channel)
}

type wireCustom struct {
	Waybill wireIdentity `json:"waybill"`
}

type wireIdentity struct {
	Schema   int      `json:"schema"`
	Product  string   `json:"product"`
	Version  string   `json:"version"`
	Platform string   `json:"platform"`
	Kind     string   `json:"kind"`
	Channels []string `json:"channels,omitempty"`
}
