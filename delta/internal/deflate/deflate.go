// SPDX-License-Identifier: Apache-2.0

// Package deflate lets a delta engine see archives by their contents: a file
// that holds deflate streams (zip, jar, apk; gzip, npm's .tgz) becomes a View, in
// which the streams lie inflated, and a described view becomes the file again, to
// the byte. A maker calls Describe on the result and Open on the base; an applier
// calls Open on the base and feeds the described view to a Writer.
//
// What Open makes of a file and what a Writer makes of a view is frozen: patches
// that exist depend on every byte. It is integer arithmetic in a fixed order, in
// bounded memory, in time linear in the file and its contents: a Writer counts the
// work of its encoder and refuses a view that takes more than its file may. What
// Describe finds may get better over time.
//
// # The layout of a view
//
// Numbers are little-endian; a varint is a base-128 number, low groups first, as
// in encoding/binary.
//
//	8 bytes          "wbvu", version 1, kind (1 zip, 2 gzip), flags, 0
//	4 bytes          number of streams, at least 1
//	8 bytes          raw bytes behind the last stream
//	8 bytes          where the zip directory lies, counted from the start of the
//	                 file, 0 if its numbers are left as they are
//	10 bytes each    a stream: raw bytes before it (5), inflated length (5)
//	4 bytes          length of the recipes
//	                 recipes, in runs: varint streams, recipe (1), and if its bit 7
//	                 is set, for each stream of the run, varint length of its
//	                 corrections. Empty in the view of a base.
//	                 for each stream: raw bytes, corrections, contents
//	                 raw bytes behind the last stream
//
// A recipe is family (bits 4 to 6) and level (bits 0 to 3, 1 to 9): see Family.
//
// In the raw bytes, numbers that follow from the streams are replaced by what they
// differ from the expected by, so that they are mostly zero: checksum and lengths
// behind a stream (gzip's trailer, a zip data descriptor with its signature), and
// in the zip directory also the offset of each member.
//
// # Corrections
//
// A recipe stands for an encoder that exists; corrections say where a stream
// differs from what that encoder makes. They are varint length of the block part,
// block part, token part.
//
//	block part   varint blocks as predicted, then one block that is not: kind (1:
//	             0 stored, 1 fixed codes, 2 codes as zlib chooses them, 3 header
//	             given; +4 last block), varint bytes (stored) or tokens, and if the
//	             header is given varint bits and the bits; and so on
//	token part   varint tokens as predicted, then one that is not: 0 literal, 1 and
//	             distance (2), 2 and length-3 (1), 3 and length-3 (1) and distance
//	             (2), where the distances are less 1; and so on
package deflate

import "errors"

const (
	windowSize = 1 << 15
	minMatch   = 3
	maxMatch   = 258
	maxOffset  = 1<<40 - 1 // files and contents, so that a number fits 5 bytes

	// MaxStreams is how many streams of one file are seen; later ones stay raw.
	MaxStreams = 1 << 17

	maxBlockTokens    = 1 << 18
	maxCorrections    = 4 << 20
	maxHeaderBits     = 14 + 19*3 + (286+30)*14
	maxDirectory      = 1 << 30
	inflationFactor   = 32 // contents of a file, all streams together, relative to its size
	inflationFree     = 16 << 20
	checkpointSpacing = 1 << 20

	// The work of an encoder is the candidates for matches that it looks at. One
	// that is compared counts as compareWork more, and one for each compareBytes.
	workFactor   = 1 << 10 // for each byte of the file
	workFree     = 1 << 17 // bytes that come on top
	compareWork  = 8
	compareBytes = 16

	maxCheckpoints = 128
)

var (
	// ErrNone reports a file in which there are no deflate streams.
	ErrNone = errors.New("no deflate streams")
	// ErrCorrupt reports bytes that are not a described view.
	ErrCorrupt = errors.New("corrupt view")
	// ErrWork reports that more was read from a View than its Limit allows.
	ErrWork = errors.New("view inflated too often")

	errStream = errors.New("not a deflate stream")
)
