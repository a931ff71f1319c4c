// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/waybill-project/waybill/internal/durable"
	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
)

// Driver is a cloud provider: the URL schemes it opens, and how it writes on a
// condition. Conditions are nil for a provider that has none.
type Driver struct {
	Schemes    []string
	Open       func(ctx context.Context, url string) (*blob.Bucket, error)
	Conditions Conditions
}

// Conditions is how a provider replaces an object only if it is unchanged.
type Conditions interface {
	// Token names the stored version that a *blob.Reader reads or a
	// *blob.Attributes describes; as is the As method of either.
	Token(as func(any) bool) (string, error)
	// Unchanged prepares a write, as the BeforeWrite of blob.WriterOptions, so
	// that it succeeds only while token names the stored version.
	Unchanged(token string) func(as func(any) bool) error
	// Lost tells that the provider refused a write because of its condition.
	Lost(err error) bool
	// Absent tells that the object is missing, and not the bucket or the
	// permission to look, which must not pass for an empty repository.
	Absent(err error) bool
}

// Open opens the bucket that a URL names: a plain path or file:///path for a
// folder, which need not exist yet; mem:// for an empty bucket of this Store's
// own; and the schemes of the drivers.
func Open(ctx context.Context, location string, drivers ...Driver) (*Store, error) {
	scheme, rest, ok := strings.Cut(location, "://")
	var s *Store
	var err error
	switch {
	case !ok:
		s, err = NewDir(durable.OS(), location)
	case scheme == "file":
		s, err = openFileURL(location)
	case scheme == "mem" && rest == "":
		s = New(memblob.OpenBucket(nil), nil)
	default:
		s, err = openWith(ctx, scheme, location, drivers)
	}
	if err != nil {
		return nil, &Error{Op: "open", Name: redact(location), Err: err}
	}
	s.url = redact(location)
	return s, nil
}

func openWith(ctx context.Context, scheme, location string, drivers []Driver) (*Store, error) {
	known := []string{"file", "mem"}
	for _, d := range drivers {
		if slices.Contains(d.Schemes, scheme) {
			b, err := d.Open(ctx, location)
			if err != nil {
				return nil, err
			}
			return New(b, d.Conditions), nil
		}
		known = append(known, d.Schemes...)
	}
	slices.Sort(known)
	return nil, fmt.Errorf("unknown scheme %q, known are a path, %s", scheme, strings.Join(known, "://, ")+"://")
}

func openFileURL(location string) (*Store, error) {
	u, err := url.Parse(location)
	if err != nil {
		return nil, err
	}
	if (u.Host != "" && u.Host != "localhost") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return nil, fmt.Errorf("want file:///path/of/folder")
	}
	path := u.Path
	if runtime.GOOS == "windows" {
		path = strings.TrimPrefix(path, "/")
	}
	if path = filepath.FromSlash(path); !filepath.IsAbs(path) {
		return nil, fmt.Errorf("want file:///path/of/folder")
	}
	return NewDir(durable.OS(), path)
}

// redact keeps credentials, which some providers allow in a URL's query, out
// of messages.
func redact(location string) string {
	u, err := url.Parse(location)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return location
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
