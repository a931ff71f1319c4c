// SPDX-License-Identifier: Apache-2.0

// Package layout names the objects of a Waybill repository and says how they are
// served. It is the only place that knows where a piece of metadata or a target
// lies in a bucket, which target names may be published, and how large an object
// may be before it has been authenticated.
//
// Everything here is a pure function of its arguments: the verdict is the same on
// every operating system. Most callers need [Root], [Versioned], [Timestamp] and
// [Target] to find objects, [CheckName] before they publish one, and
// [CacheControl] and [ContentType] when they upload or serve one.
//
//	metadata/N.root.json  N.targets.json  N.snapshot.json  N.<role>.json   immutable
//	metadata/timestamp.json                                                the one mutable object
//	targets/<dir>/<sha256>.<name>                                          immutable
//
// Object names are relative URL paths: names that Waybill publishes consist of
// [A-Za-z0-9._~-] and '/', names of other people's repositories are
// percent-escaped part by part. The names are the wire format and do not change.
package layout

import (
	"net/url"
	"strconv"
	"strings"
)

// Timestamp is the object whose replacement commits a release.
const Timestamp = "metadata/timestamp.json"

// Sizes in bytes beyond which an object is refused before it is parsed. A root and
// a timestamp are read unauthenticated; all other metadata is also bounded by the
// length that its parent signed.
const (
	MaxRoot      = 64 << 10
	MaxTimestamp = 4 << 10
	MaxMetadata  = 32 << 20
)

// MaxVersion is the highest version number of metadata: the largest integer that
// every JSON implementation reads exactly.
const MaxVersion = 1<<53 - 1

const (
	metadataDir = "metadata/"
	targetsDir  = "targets/"
	jsonSuffix  = ".json"
)

// Root names version n of the root metadata.
func Root(n int64) string { return Versioned("root", n) }

// Versioned names version n of a role's metadata in a repository with consistent
// snapshots. The role is escaped as one path part, so no role name leaves metadata/.
func Versioned(role string, n int64) string {
	return metadataDir + strconv.FormatInt(n, 10) + "." + url.PathEscape(role) + jsonSuffix
}

// Unversioned names a role's metadata in a repository without consistent snapshots.
func Unversioned(role string) string {
	return metadataDir + url.PathEscape(role) + jsonSuffix
}

// Target names the object that holds a target: the hex hash is put before the last
// part of the name. An empty hash gives the name in a repository without
// consistent snapshots. Parts "." and ".." are kept as they are: [CheckObject]
// refuses the result.
func Target(name, hash string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	if hash != "" {
		parts[len(parts)-1] = hash + "." + parts[len(parts)-1]
	}
	return targetsDir + strings.Join(parts, "/")
}

// ParseVersioned is the inverse of [Versioned]. It accepts exactly the names that
// Versioned makes, with a role that is not empty and a version from 1 to [MaxVersion].
func ParseVersioned(object string) (role string, version int64, ok bool) {
	rest, found := strings.CutPrefix(object, metadataDir)
	if !found {
		return "", 0, false
	}
	number, file, found := strings.Cut(rest, ".")
	escaped, isJSON := strings.CutSuffix(file, jsonSuffix)
	if !found || !isJSON {
		return "", 0, false
	}
	version, err := strconv.ParseInt(number, 10, 64)
	if err != nil || version < 1 || version > MaxVersion {
		return "", 0, false
	}
	role, err = url.PathUnescape(escaped)
	if err != nil || role == "" || Versioned(role, version) != object {
		return "", 0, false
	}
	return role, version, true
}
