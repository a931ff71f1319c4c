// SPDX-License-Identifier: Apache-2.0

// Package release holds the signed documents that say what a repository's targets
// are: the identity of an artifact, the standing of a product, and what a channel
// offers on a platform, with the patches between releases. It also makes the two
// decisions that follow from them: [Select] says which release an endpoint should
// run, [Plan] in which ways its bytes can be had.
//
// Everything here is a pure function of its arguments. A document comes in through
// [ParseIdentity], [ParseStanding] or [ParseChannel], which refuse what is malformed
// with a [*MalformedError], and goes out through Custom or Encode, which give the
// same bytes for the same content. Unknown members are ignored, so documents may
// grow; what is here now keeps its name and meaning. Names of targets are made by
// [ArtifactTarget] and its neighbours.
//
// The identity is the member "waybill" of an artifact's custom TUF metadata:
//
//	{"waybill":{"schema":1,"product":"app","version":"1.4.2","platform":"linux-amd64",
//	  "kind":"file","channels":["stable","beta"]}}
//
// The standing of a product is the target PRODUCT/standing.json:
//
//	{"schema":1,"product":"app","minimum":"1.2.0","retracted":[{"version":"1.4.2",
//	  "reason":"...","at":"2026-11-22T04:00:00Z","fallback":"1.4.1"}]}
//
// A channel document is the target PRODUCT/channels/CHANNEL/PLATFORM.json:
//
//	{"schema":1,"product":"app","channel":"stable","platform":"linux-amd64","releases":[
//	  {"version":"1.4.2","published":"2026-11-22T04:00:00Z","kind":"file",
//	   "artifact":{"target":"app/1.4.2/linux-amd64/app","length":9800000,"sha256":"..."},
//	   "notes":{"en":"app/1.4.2/notes.en.md"},"extras":["app/1.4.2/linux-amd64/app.spdx.json"],
//	   "minimum_from":"1.2.0","minimum_os":"12.0","critical":true,
//	   "rollout":{"start":"...","waves":[{"after":"0s","percent":5},{"after":"24h","percent":100}]},
//	   "deltas":[{"from":"<sha256>","from_length":9700000,"target":"app/deltas/linux-amd64/...",
//	              "length":310000,"format":"bsdiff4","memory":33554432}]}]}
//
// Times are UTC in whole seconds, lengths and memory bytes, hashes 64 lower-case hex
// digits. "notes", "extras", "minimum_from", "minimum_os", "critical", "rollout",
// "deltas", "memory", "minimum", "retracted", "fallback" and "channels" may be absent.
package release

import (
	"errors"
	"fmt"
	"time"
)

// Schema is the version of the documents that this package reads and writes.
const Schema = 1

// Limits of the documents. Sizes are bytes.
const (
	MaxDocument  = 256 << 10
	MaxReleases  = 64
	MaxEdges     = 32
	MaxExtras    = 64
	MaxNotes     = 64
	MaxRetracted = 1024
	MaxWaves     = 32
	MaxLength    = 1<<53 - 1
	maxText      = 1024
)

// Kinds of artifact. A document may name others, which [Select] passes over.
const (
	KindFile = "file"
	KindTree = "tree"
)

// EmptySHA256 is the hash of nothing: an [Edge] from it is a compressed full download.
const EmptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

// Channel is what a channel offers on a platform. [ParseChannel] returns the
// releases newest first.
type Channel struct {
	Schema   int
	Product  string
	Channel  string
	Platform string
	Releases []Release
}

// Release is one version in a channel. MinimumFrom is the lowest version from which
// it may be entered by an update; MinimumOS is one to four numbers joined by dots.
// Notes maps a language to a target, Extras are targets.
type Release struct {
	Version     string
	Published   time.Time
	Kind        string
	Artifact    Artifact
	Notes       map[string]string
	Extras      []string
	MinimumFrom string
	MinimumOS   string
	Critical    bool
	Rollout     *Rollout
	Deltas      []Edge
}

// Artifact says which bytes a release is, for planning only: the target's own entry
// in the metadata decides.
type Artifact struct {
	Target string
	Length int64
	SHA256 string
}

// Edge is a patch from the bytes that hash to From to the release it is listed
// under. Memory is what applying needs besides base and result, in bytes.
type Edge struct {
	From       string
	FromLength int64
	Target     string
	Length     int64
	Format     string
	Memory     int64
}

// Why a document, a release or a version is refused.
var (
	ErrMalformed    = errors.New("malformed document")
	ErrNoRelease    = errors.New("no release to install")
	ErrRetracted    = errors.New("version is retracted")
	ErrDowngrade    = errors.New("version is lower than the installed one")
	ErrBelowMinimum = errors.New("version is below the lowest one allowed")
	ErrMinimumFrom  = errors.New("installed version is too old to enter this release")
	ErrMinimumOS    = errors.New("operating system is too old")
	ErrKind         = errors.New("kind of artifact is not supported")
	ErrSkipped      = errors.New("version is on the skip list")
	ErrNotOpen      = errors.New("roll-out has not reached this endpoint")
)

// MalformedError says what is wrong where: Field is a path such as
// releases[2].artifact.sha256, empty for the document as a whole. It wraps [ErrMalformed].
type MalformedError struct {
	Document string
	Field    string
	Reason   string
}

func (e *MalformedError) Error() string {
	if e.Field == "" {
		return fmt.Sprintf("malformed %s: %s", e.Document, e.Reason)
	}
	return fmt.Sprintf("malformed %s: %s: %s", e.Document, e.Field, e.Reason)
}

func (e *MalformedError) Unwrap() error { return ErrMalformed }

// Find returns the release of exactly this version, or nil.
func (c *Channel) Find(version string) *Release {
	for i := range c.Releases {
		if c.Releases[i].Version == version {
			return &c.Releases[i]
		}
	}
	return nil
}

// Newest returns the release of the highest version, or nil if there is none.
func (c *Channel) Newest() *Release {
	var newest *Release
	for i := range c.Releases {
		if newest == nil || Compare(c.Releases[i].Version, newest.Version) > 0 {
			newest = &c.Releases[i]
		}
	}
	return newest
}
