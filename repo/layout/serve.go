// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"path"
	"strings"
)

// Values of the Cache-Control header.
const (
	cacheNever   = "no-store"
	cacheAsk     = "no-cache"
	cacheForever = "public, max-age=31536000, immutable"
)

// CacheControl is the Cache-Control header of an object: [Timestamp] is asked for
// anew each time, immutable objects are kept for a year, anything else is not kept.
func CacheControl(object string) string {
	if object == Timestamp {
		return cacheAsk
	}
	if !Public(object) {
		return cacheNever
	}
	_, _, versioned := ParseVersioned(object)
	if versioned || strings.HasPrefix(object, targetsDir) {
		return cacheForever
	}
	return cacheNever
}

// ContentType is the Content-Type header of an object. Nothing that a browser
// would run is ever named as such.
func ContentType(object string) string {
	switch path.Ext(object) {
	case ".json":
		return "application/json"
	case ".md":
		return "text/markdown; charset=utf-8"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return "application/octet-stream"
}

// Public reports whether an object is served to clients: metadata and targets are,
// the publisher's own objects are not.
func Public(object string) bool {
	if CheckObject(object) != nil {
		return false
	}
	if name, found := strings.CutPrefix(object, metadataDir); found {
		return !strings.Contains(name, "/") && strings.HasSuffix(name, jsonSuffix)
	}
	return strings.HasPrefix(object, targetsDir)
}
