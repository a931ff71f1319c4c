// SPDX-License-Identifier: Apache-2.0

package generate

import (
	"strings"

	"github.com/waybill-project/waybill/conformance"
)

const (
	product   = "app"
	channel   = "stable"
	platform  = "linux-amd64"
	channelAt = product + "/channels/" + channel + "/" + platform + ".json"
)

// shop is a repository with releases of a product, whose channel document lists them.
type shop struct {
	*maker
	channel  object
	contents map[string]string // of honest artifacts, by name
}

func newShop(m *maker) *shop {
	m.beyond()
	return &shop{m, object{"schema": 1, "product": product, "channel": channel, "platform": platform, "releases": list{}}, map[string]string{}}
}

func artifactOf(version string) string {
	return strings.Join([]string{product, version, platform, product}, "/")
}

// sell adds a release. Its entry in the channel document and what custom says of it
// may be changed before they are signed.
func (s *shop) sell(version string, change func(release, identity object)) {
	name, content := artifactOf(version), "release "+version+"\n"
	identity := object{"schema": 1, "product": product, "version": version, "platform": platform, "kind": "file", "channels": list{channel}}
	artifact := object{"target": name, "length": len(content), "sha256": sum256([]byte(content))}
	release := object{"version": version, "published": date(epoch), "kind": "file", "artifact": artifact}
	if change != nil {
		change(release, identity)
	}
	name = artifact["target"].(string)
	s.add("targets", name, []byte(content))
	if len(identity) > 0 {
		s.targets("targets")[name].(object)["custom"] = object{"waybill": identity}
	}
	s.channel["releases"] = append(s.channel["releases"].(list), release)
	s.contents[name] = content
	s.offer()
}

// offer publishes the channel document.
func (s *shop) offer() {
	s.add("targets", channelAt, marshal(s.channel))
	s.maker.release("targets")
}

// brings wants the newest release, which is at the name of the given version.
func (s *shop) brings(version string) {
	s.got[artifactOf(version)] = sum256([]byte(s.contents[artifactOf(version)]))
	s.asks(conformance.OK)
}

// asks gives the verb release. The metadata is good in any case.
func (s *shop) asks(expect string) {
	for _, role := range topLevel {
		s.have[role] = s.version(role)
	}
	step := s.as(conformance.Release, expect)
	step.Product, step.Channel, step.Platform = product, channel, platform
}

// software is about artifacts that say what they are, and channel documents that say where they are.
func software() family {
	f := family{name: "software"}
	f.recipes = []recipe{
		{"release_newest", "The newest release by its version is brought, wherever it stands in the list.", "Waybill design 4.2", func(m *maker) {
			s := newShop(m)
			s.sell("1.0.0", nil)
			s.brings("1.0.0")
			s.sell("1.10.0", nil)
			s.sell("1.9.0", nil)
			s.brings("1.10.0")
		}},
		{"release_without_channels_in_identity", "An identity that names no channel may be offered in any.", "Waybill design 4.1", func(m *maker) {
			s := newShop(m)
			s.sell("1.0.0", func(_, identity object) { delete(identity, "channels") })
			s.brings("1.0.0")
		}},
	}
	for _, c := range []struct {
		name, shows, expect string
		change              func(release, identity object)
	}{
		{"identity_of_other_product", "says that it is another product", conformance.WrongSoftware, identityOf("product", "other")},
		{"identity_of_other_version", "says that it is another version", conformance.WrongSoftware, identityOf("version", "1.0.0")},
		{"identity_of_higher_version", "says that it is a higher version", conformance.WrongSoftware, identityOf("version", "9.0.0")},
		{"identity_of_other_platform", "says that it is for another platform", conformance.WrongSoftware, identityOf("platform", "linux-arm64")},
		{"identity_of_other_kind", "says that it is of another kind", conformance.WrongSoftware, identityOf("kind", "tree")},
		{"identity_for_other_channels", "is not allowed in this channel", conformance.WrongSoftware, identityOf("channels", list{"beta", "nightly"})},
		{"identity_in_other_case", "says a product that differs in case", conformance.WrongSoftware + "|" + conformance.Malformed, identityOf("product", "App")},
		{"identity_missing", "does not say what it is", conformance.WrongSoftware, func(_, identity object) { clear(identity) }},
		{"identity_without_product", "says no product", conformance.WrongSoftware + "|" + conformance.Malformed, func(_, identity object) { delete(identity, "product") }},
		{"identity_for_no_channel", "has an empty list of channels, which is not all of them", conformance.WrongSoftware + "|" + conformance.Malformed,
			identityOf("channels", list{})},
		{"artifact_named_for_other_product", "has the name of another product's", conformance.WrongSoftware, entryOf("target", "other/1.1.0/linux-amd64/other")},
		{"artifact_named_for_other_version", "has the name of another version's", conformance.WrongSoftware, entryOf("target", "app/1.2.0/linux-amd64/app")},
		{"artifact_named_for_other_platform", "has the name of another platform's", conformance.WrongSoftware, entryOf("target", "app/1.1.0/linux-arm64/app")},
		{"artifact_named_as_patch", "has a name that belongs to keys which may not sign software", conformance.WrongSoftware, entryOf("target", "app/deltas/linux-amd64/app")},
		{"artifact_named_as_document", "has a name that belongs to keys which may not sign software", conformance.WrongSoftware, entryOf("target", "app/channels/beta/linux-amd64.json")},
		{"artifact_named_in_subfolder", "lies deeper than an artifact may", conformance.WrongSoftware, entryOf("target", "app/1.1.0/linux-amd64/deep/app")},
		{"artifact_of_other_length", "is longer than the channel document says", conformance.Mismatch, entryOf("length", 13)},
		{"artifact_of_other_hash", "has another hash than the channel document says", conformance.Mismatch, entryOf("sha256", sum256(nil))},
	} {
		f.recipes = append(f.recipes, recipe{c.name, "The artifact of a release that " + c.shows + " is refused.", "Waybill design 4.1, 4.2", func(m *maker) {
			s := newShop(m)
			s.sell("1.0.0", nil)
			s.brings("1.0.0")
			s.sell("1.1.0", c.change)
			s.asks(c.expect)
		}})
	}
	return append1(f, documents())
}

func identityOf(field string, value any) func(release, identity object) {
	return func(_, identity object) { identity[field] = value }
}

func entryOf(field string, value any) func(release, identity object) {
	return func(release, _ object) { release["artifact"].(object)[field] = value }
}

// documents are channel documents of something else.
func documents() []recipe {
	var out []recipe
	for _, c := range []struct{ field, value string }{{"product", "other"}, {"channel", "beta"}, {"platform", "linux-arm64"}} {
		out = append(out, recipe{"channel_document_of_other_" + c.field, "A channel document that is about another " + c.field + " is refused.", "Waybill design 4.2", func(m *maker) {
			s := newShop(m)
			s.sell("1.0.0", nil)
			s.brings("1.0.0")
			s.channel[c.field] = c.value
			s.offer()
			s.asks(conformance.WrongSoftware)
		}})
	}
	return append(out, recipe{"channel_document_missing", "A product that has no such channel is absent.", "Waybill design 4.2", func(m *maker) {
		s := newShop(m)
		s.sell("1.0.0", nil)
		s.brings("1.0.0")
		delete(s.targets("targets"), channelAt)
		s.maker.release("targets")
		s.asks(conformance.Absent)
	}})
}
