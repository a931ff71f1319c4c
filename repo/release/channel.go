// SPDX-License-Identifier: Apache-2.0

package release

import (
	"fmt"
	"slices"
	"strings"
)

const channelDocument = "channel document"

// ParseChannel reads a channel document and returns its releases newest first.
func ParseChannel(data []byte) (*Channel, error) {
	o := parseObject(channelDocument, data)
	channel := &Channel{
		Schema:   o.schema(),
		Product:  o.text("product", CheckProduct),
		Channel:  o.text("channel", CheckChannel),
		Platform: o.text("platform", CheckPlatform),
	}
	for _, item := range o.objects("releases", MaxReleases, true) {
		channel.Releases = append(channel.Releases, parseRelease(item))
	}
	checkReleases(o, channel.Releases)
	if *o.failed != nil {
		return nil, *o.failed
	}
	slices.SortStableFunc(channel.Releases, func(a, b Release) int { return newestFirst(a.Version, b.Version) })
	return channel, nil
}

func parseRelease(o object) Release {
	release := Release{
		Version:     o.text("version", CheckVersion),
		Published:   o.time("published"),
		Kind:        o.text("kind", checkTerm),
		Notes:       o.textMap("notes", MaxNotes, checkLanguage, checkTarget),
		Extras:      o.texts("extras", MaxExtras, checkTarget),
		MinimumFrom: o.optional("minimum_from", CheckVersion),
		MinimumOS:   o.optional("minimum_os", checkSystem),
		Critical:    o.boolean("critical"),
		Rollout:     parseRollout(o),
	}
	if artifact, found := o.child("artifact", true); found {
		release.Artifact = Artifact{
			Target: artifact.text("target", checkTarget),
			Length: artifact.integer("length", 1, true),
			SHA256: artifact.text("sha256", checkSHA256),
		}
	}
	for _, item := range o.objects("deltas", MaxEdges, false) {
		release.Deltas = append(release.Deltas, parseEdge(item))
	}
	slices.Sort(release.Extras)
	slices.SortStableFunc(release.Deltas, compareEdges)
	return release
}

func parseEdge(o object) Edge {
	edge := Edge{
		From:       o.text("from", checkSHA256),
		FromLength: o.integer("from_length", 0, true),
		Target:     o.text("target", checkTarget),
		Length:     o.integer("length", 1, true),
		Format:     o.text("format", checkTerm),
		Memory:     o.integer("memory", 0, false),
	}
	if (edge.From == EmptySHA256) != (edge.FromLength == 0) {
		o.fail("from_length", "0 belongs to the hash of nothing, and to no other")
	}
	return edge
}

// checkReleases holds what must be true between releases: no two versions that could
// be taken for each other, and one length for one hash.
func checkReleases(o object, releases []Release) {
	lengths := map[string]int64{}
	for i, release := range releases {
		for _, earlier := range releases[:i] {
			if Compare(earlier.Version, release.Version) == 0 || strings.EqualFold(earlier.Version, release.Version) {
				o.fail(index("releases", i)+".version", fmt.Sprintf("%s cannot be told from %s", release.Version, earlier.Version))
			}
		}
		artifact := release.Artifact
		if length, found := lengths[artifact.SHA256]; found && length != artifact.Length {
			o.fail(index("releases", i)+".artifact.length", "differs for the same sha256")
		}
		lengths[artifact.SHA256] = artifact.Length
	}
}

func compareEdges(a, b Edge) int {
	if order := strings.Compare(a.From, b.From); order != 0 {
		return order
	}
	if order := strings.Compare(a.Format, b.Format); order != 0 {
		return order
	}
	return strings.Compare(a.Target, b.Target)
}

// checkSystem accepts one to four numbers of at most nine digits, joined by dots.
func checkSystem(text string) error {
	numbers := strings.Split(text, ".")
	if len(numbers) > 4 {
		return fmt.Errorf("%q has more than 4 numbers", text)
	}
	for _, number := range numbers {
		if len(number) > 9 || !consistsOf(number, digits) {
			return fmt.Errorf("%q is not a version of an operating system such as 12.0", text)
		}
	}
	return nil
}
