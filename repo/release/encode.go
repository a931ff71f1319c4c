// SPDX-License-Identifier: Apache-2.0

package release

import (
	"cmp"
	"encoding/json"
	"slices"
)

// Encode writes the document that [ParseChannel] reads, releases newest first, and
// refuses one that it would refuse. Published and Start are cut to whole seconds.
func (c *Channel) Encode() ([]byte, error) {
	wire := wireChannel{
		Schema:   cmp.Or(c.Schema, Schema),
		Product:  c.Product,
		Channel:  c.Channel,
		Platform: c.Platform,
		Releases: []wireRelease{},
	}
	for _, release := range c.Releases {
		wire.Releases = append(wire.Releases, toWire(release))
	}
	slices.SortStableFunc(wire.Releases, func(a, b wireRelease) int { return newestFirst(a.Version, b.Version) })
	data, err := encodeDocument(wire)
	if err == nil {
		_, err = ParseChannel(data)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

func toWire(r Release) wireRelease {
	wire := wireRelease{
		Version:     r.Version,
		Published:   formatTime(r.Published),
		Kind:        r.Kind,
		Artifact:    wireArtifact(r.Artifact),
		Notes:       r.Notes,
		Extras:      slices.Sorted(slices.Values(r.Extras)),
		MinimumFrom: r.MinimumFrom,
		MinimumOS:   r.MinimumOS,
		Critical:    r.Critical,
	}
	for _, edge := range slices.SortedStableFunc(slices.Values(r.Deltas), compareEdges) {
		wire.Deltas = append(wire.Deltas, wireEdge(edge))
	}
	if r.Rollout == nil {
		return wire
	}
	wire.Rollout = &wireRollout{Start: formatTime(r.Rollout.Start)}
	for _, wave := range r.Rollout.Waves {
		wire.Rollout.Waves = append(wire.Rollout.Waves,
			wireWave{formatDuration(wave.After), json.Number(wave.Percent.String())})
	}
	return wire
}

type wireChannel struct {
	Schema   int           `json:"schema"`
	Product  string        `json:"product"`
	Channel  string        `json:"channel"`
	Platform string        `json:"platform"`
	Releases []wireRelease `json:"releases"`
}

type wireRelease struct {
	Version     string            `json:"version"`
	Published   string            `json:"published"`
	Kind        string            `json:"kind"`
	Artifact    wireArtifact      `json:"artifact"`
	Notes       map[string]string `json:"notes,omitempty"`
	Extras      []string          `json:"extras,omitempty"`
	MinimumFrom string            `json:"minimum_from,omitempty"`
	MinimumOS   string            `json:"minimum_os,omitempty"`
	Critical    bool              `json:"critical,omitempty"`
	Rollout     *wireRollout      `json:"rollout,omitempty"`
	Deltas      []wireEdge        `json:"deltas,omitempty"`
}

type wireArtifact struct {
	Target string `json:"target"`
	Length int64  `json:"length"`
	SHA256 string `json:"sha256"`
}

type wireEdge struct {
	From       string `json:"from"`
	FromLength int64  `json:"from_length"`
	Target     string `json:"target"`
	Length     int64  `json:"length"`
	Format     string `json:"format"`
	Memory     int64  `json:"memory,omitempty"`
}

type wireRollout struct {
	Start string     `json:"start"`
	Waves []wireWave `json:"waves"`
}

type wireWave struct {
	After   string      `json:"after"`
	Percent json.Number `json:"percent"`
}
