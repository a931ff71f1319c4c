// SPDX-License-Identifier: Apache-2.0

package layout

import (
	"net/url"
	"path"
	"strings"
	"testing"
)

// FuzzCheckObject: an object that is accepted stays below any URL and any folder.
func FuzzCheckObject(f *testing.F) {
	for _, s := range []string{
		Root(1), Timestamp, Versioned("../x", 3), Target("a/b", "00"), "targets/..%2f..%2fx", "targets/%2e%2e/x", "//host/x",
		"http://host/x", "targets/a?b", "targets/a#b", "targets/a\\b", "targets/%00", "targets/./x", "targets/a%2",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, object string) {
		if CheckObject(object) != nil {
			return
		}
		u, err := url.Parse("https://host/base/" + object)
		if err != nil {
			t.Fatalf("%q: %v", object, err)
		}
		if u.Host != "host" || !strings.HasPrefix(u.Path, "/base/") || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%q leads to %v", object, u)
		}
		if clean := path.Clean("/base/" + u.EscapedPath()[len("/base/"):]); !strings.HasPrefix(clean, "/base/") {
			t.Errorf("%q leads to %q", object, clean)
		}
	})
}
