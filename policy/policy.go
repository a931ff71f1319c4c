// SPDX-License-Identifier: Apache-2.0

// Package policy says, as data, what must be true of a repository: who signs what,
// how many of them, for how long, and how deltas and old releases are treated.
//
// [Read] or [Parse] reads a policy file strictly; [Format] writes one. [Policy.Check]
// compares metadata with it, [Policy.RootRoles] and [Policy.TargetsDelegations] make
// metadata that follows it.
//
// # The file, schema 1
//
// One YAML document of at most 1 MiB in UTF-8, without anchors, aliases, merge keys,
// tags, or tabs as indentation. Unknown fields and duplicate keys are errors.
//
//	schema: 1
//	root: <64 hex>         # pins root 1: sha256 of the canonical JSON of its signed part
//	keys:
//	  alice: {public: alice.pub, private: file:alice.key}
//	roles:                 # all four
//	  root:      {keys: [alice, bob, carol], threshold: 2, expires: 365d}
//	  targets:   {keys: [release], threshold: 1, expires: 90d}
//	  snapshot:  {keys: [online], threshold: 1, expires: 14d}
//	  timestamp: {keys: [online], threshold: 1, expires: 7d, refresh_every: 1d}
//	delegations:           # optional, and so is each of the two
//	  channels:  {keys: [online], threshold: 1, expires: 30d}
//	  deltas:    {keys: [online], threshold: 1, expires: 30d}
//	products:              # optional
//	  app: {channels: [stable, beta], platforms: [linux-amd64]}
//	deltas: {from_last: 3, min_saving: 20%, max_memory: 2GiB, max_time: 5m, formats: [waybill1]}
//	retention: {keep_releases: 10, grace: 30d}
//
// public is a path relative to the file, or the text of a PEM block. private is a
// reference of package signer; it is left out where no machine of this policy's users
// holds the key. A key may be listed without a role: so an old key stays known while
// it is handed over. Durations are Go's with d for 24 hours, sizes have a unit from B to TiB.
// The defaults of deltas and retention are those shown; refresh_every defaults to a
// quarter of expires.
//
// Fields may be added to schema 1; these keep their meaning.
package policy

import (
	"crypto"
	"fmt"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Schema is the version of the file format that this package reads and writes.
const Schema = 1

// MaxSize is the largest policy file, in bytes.
const MaxSize = 1 << 20

// Names and paths of the delegations that a policy may ask for. A * never crosses a
// slash, so artifacts never match.
const (
	RoleChannels  = "channels"
	RoleDeltas    = "deltas"
	PathsChannels = "*/channels/*/*"
	PathsDeltas   = "*/deltas/*/*"
)

// Bounds of the values in a policy.
const (
	MinExpires    = time.Hour
	MaxExpires    = 3650 * day
	MinRefresh    = time.Minute
	MaxFromLast   = 32
	MaxKeep       = 64
	minMemory     = 1 << 20
	maxMemory     = 1 << 40
	minTime       = time.Second
	maxTime       = day
	minGrace      = time.Hour
	maxKeys       = 256
	day           = 24 * time.Hour
	defaultFormat = "waybill1"
)

// Policy is what must be true of a repository.
type Policy struct {
	Path        string          // the file's name as it was given
	Root        string          // fingerprint of root 1, 64 lower-case hex digits; "" before init
	Keys        map[string]Key  // by name
	Roles       map[string]Role // root, targets, snapshot, timestamp
	Delegations map[string]Role // channels, deltas, or neither
	Products    map[string]Product
	Deltas      Deltas
	Retention   Retention
}

// Key is a key that the policy knows.
type Key struct {
	Name    string
	File    string // the public part's path as the policy writes it; "" if it is inline
	Public  crypto.PublicKey
	Record  *metadata.Key
	ID      string
	Private string // reference of package signer, file paths made absolute; "" if none
}

// Role is who signs a role, and for how long.
type Role struct {
	Name         string
	Keys         []string // names, all different, of different keys
	Threshold    int      // 1 to len(Keys)
	Expires      time.Duration
	RefreshEvery time.Duration // timestamp only, less than half of Expires
}

// Product holds the defaults of a product.
type Product struct {
	Name      string
	Channels  []string
	Platforms []string
}

// Deltas says which patches are made.
type Deltas struct {
	FromLast  int           // from so many releases before; 0 for no patches
	MinSaving float64       // 0.2: a patch is at most 80% of the full artifact
	MaxMemory int64         // bytes, while making one
	MaxTime   time.Duration // for making one
	Formats   []string      // in order of preference
}

// Retention says how long what was released stays.
type Retention struct {
	KeepReleases int           // in a channel document
	Grace        time.Duration // for which a snapshot stays complete after it was replaced
}

// DefaultDeltas returns the rules of a policy that has no deltas section.
func DefaultDeltas() Deltas {
	return Deltas{FromLast: 3, MinSaving: 0.2, MaxMemory: 2 << 30, MaxTime: 5 * time.Minute, Formats: []string{defaultFormat}}
}

// DefaultRetention returns the rules of a policy that has no retention section.
func DefaultRetention() Retention {
	return Retention{KeepReleases: 10, Grace: 30 * day}
}

// Error is what is wrong in a policy file, and where: "FILE:LINE: what".
type Error struct {
	File string
	Line int // from 1
	Msg  string
	err  error
}

func (e *Error) Error() string {
	if e.File == "" {
		return fmt.Sprintf("line %d: %s", e.Line, e.Msg)
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Msg)
}

// Unwrap returns the cause, if there is one.
func (e *Error) Unwrap() error { return e.err }

// KeyByID returns the key with this TUF key id.
func (p *Policy) KeyByID(id string) (Key, bool) {
	for _, name := range sorted(p.Keys) {
		if k := p.Keys[name]; k.ID == id {
			return k, true
		}
	}
	return Key{}, false
}
