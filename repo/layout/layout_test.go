// SPDX-License-Identifier: Apache-2.0

package layout_test

import (
	"strings"
	"testing"

	"github.com/waybill-project/waybill/repo/layout"
)

func TestObjectNames(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{layout.Root(3), "metadata/3.root.json"},
		{layout.Versioned("targets", 7), "metadata/7.targets.json"},
		{layout.Versioned("../x", 1), "metadata/1...%2Fx.json"},
		{layout.Versioned("a b?#", 1), "metadata/1.a%20b%3F%23.json"},
		{layout.Unversioned("snapshot"), "metadata/snapshot.json"},
		{layout.Unversioned("a/b"), "metadata/a%2Fb.json"},
		{layout.Target("app/1.0.0/any/app", "ff"), "targets/app/1.0.0/any/ff.app"},
		{layout.Target("app", "ff"), "targets/ff.app"},
		{layout.Target("app/x~1", ""), "targets/app/x~1"},
		{layout.Target("dir/a b?", "ff"), "targets/dir/ff.a%20b%3F"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func TestParseVersionedRefuses(t *testing.T) {
	for _, object := range []string{
		"", "metadata/", "metadata/timestamp.json", "metadata/root.json", "metadata/0.root.json",
		"metadata/01.root.json", "metadata/-1.root.json", "metadata/+1.root.json", "metadata/1.json",
		"metadata/1..json", "metadata/1.root", "metadata/1.root.JSON", "metadata/1.a/b.json",
		"metadata/1.a%2fb.json", "metadata/1.%61.json", "metadata/1.%zz.json", "metadata/1.a b.json",
		"metadata/9007199254740992.root.json", "metadata/99999999999999999999.root.json",
		"/metadata/1.root.json", "targets/1.root.json", "1.root.json", "Metadata/1.root.json",
	} {
		if role, n, ok := layout.ParseVersioned(object); ok {
			t.Errorf("%q accepted as %q %d", object, role, n)
		}
	}
}

func TestServing(t *testing.T) {
	const forever = "public, max-age=31536000, immutable"
	for _, c := range []struct {
		object, cache, content string
		public                 bool
	}{
		{layout.Timestamp, "no-cache", "application/json", true},
		{"metadata/3.root.json", forever, "application/json", true},
		{"metadata/3.a%2Fb.json", forever, "application/json", true},
		{"metadata/snapshot.json", "no-store", "application/json", true},
		{"metadata/0.root.json", "no-store", "application/json", true},
		{"metadata/.tmp", "no-store", "application/octet-stream", false},
		{"metadata/sub/1.root.json", "no-store", "application/json", false},
		{"targets/app/ff.app", forever, "application/octet-stream", true},
		{"targets/app/ff.notes.en.md", forever, "text/markdown; charset=utf-8", true},
		{"targets/app/ff.x.txt", forever, "text/plain; charset=utf-8", true},
		{"targets/app/ff.index.html", forever, "application/octet-stream", true},
		{"targets/../publisher/lease.json", "no-store", "application/json", false},
		{"targets/%2e%2e/publisher/lease.json", "no-store", "application/json", false},
		{"targets/", "no-store", "application/octet-stream", false},
		{"targets", "no-store", "application/octet-stream", false},
		{"publisher/lease.json", "no-store", "application/json", false},
		{"/metadata/1.root.json", "no-store", "application/json", false},
		{"", "no-store", "application/octet-stream", false},
	} {
		if got := layout.CacheControl(c.object); got != c.cache {
			t.Errorf("CacheControl(%q) = %q, want %q", c.object, got, c.cache)
		}
		if got := layout.ContentType(c.object); got != c.content {
			t.Errorf("ContentType(%q) = %q, want %q", c.object, got, c.content)
		}
		if got := layout.Public(c.object); got != c.public {
			t.Errorf("Public(%q) = %v", c.object, got)
		}
	}
}

func FuzzParseVersioned(f *testing.F) {
	for _, object := range []string{"metadata/1.root.json", "metadata/2.a%2Fb.json", "metadata/1.2.x.json", "metadata/1..json"} {
		f.Add(object, "root", int64(1))
	}
	f.Add("", "../../x", int64(layout.MaxVersion))
	f.Fuzz(func(t *testing.T, object, role string, n int64) {
		if role, n, ok := layout.ParseVersioned(object); ok && layout.Versioned(role, n) != object {
			t.Fatalf("%q reads as %q %d, which is %q", object, role, n, layout.Versioned(role, n))
		}
		if role == "" || n < 1 || n > layout.MaxVersion {
			return
		}
		made := layout.Versioned(role, n)
		if strings.Count(made, "/") != 1 {
			t.Fatalf("%q leaves metadata/", made)
		}
		gotRole, gotN, ok := layout.ParseVersioned(made)
		if !ok || gotRole != role || gotN != n {
			t.Fatalf("%q reads as %q %d %v", made, gotRole, gotN, ok)
		}
	})
}

func FuzzCheckName(f *testing.F) {
	for _, name := range []string{"app/1.0.0/any/app", "../x", "con", "a.", "a/./b", "COM\u00b9", strings.Repeat("a/", 31) + "a"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if layout.CheckName(name) != nil {
			return
		}
		object := layout.Target(name, strings.Repeat("0", 64))
		if err := layout.CheckObject(object); err != nil {
			t.Fatalf("the object of an allowed name: %v", err)
		}
		if !layout.Public(object) || layout.Target(name, "") != "targets/"+name {
			t.Fatalf("%q is not published as it is", name)
		}
		for part := range strings.SplitSeq(object, "/") {
			if len(part) > 255 {
				t.Fatalf("a part of %d bytes in %q", len(part), object)
			}
		}
		if layout.CheckName(layout.Fold(name)) != nil {
			t.Fatalf("%q folds to a name that is refused", name)
		}
	})
}
