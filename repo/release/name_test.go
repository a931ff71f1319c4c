// SPDX-License-Identifier: Apache-2.0

package release_test

import (
	"cmp"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/release"
)

func TestTargets(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{release.ArtifactTarget("app", "1.4.2+b.1", "any", "app.exe"), "app/1.4.2~b.1/any/app.exe"},
		{release.NotesTarget("app", "1.4.2", "en"), "app/1.4.2/notes.en.md"},
		{release.StandingTarget("app"), "app/standing.json"},
		{release.ChannelTarget("app", "beta", "any"), "app/channels/beta/any.json"},
		{release.PatchTarget("app", "any", sha(0), release.EmptySHA256, "bsdiff4"), "app/deltas/any/000000000000-e3b0c44298fc.bsdiff4"},
	} {
		if c.got != c.want || layout.CheckName(c.got) != nil {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		what  string
		check func(string) error
		good  []string
		bad   []string
	}{
		{"product", release.CheckProduct,
			[]string{"a", "app", "a-b", "9", "app-", strings.Repeat("a", 32)},
			[]string{"", "-a", "A", "a_b", "a.b", "a/b", "con", "lpt1", "\u00e9", strings.Repeat("a", 33)}},
		{"platform", release.CheckPlatform,
			[]string{"any", "linux-amd64", "linux-amd64-musl", "darwin-universal", "a-b-c-d"},
			[]string{"", "-", "a-", "-a", "a--b", "A", "a-b-c-d-e", "con", "a_b", strings.Repeat("a", 65)}},
		{"version", release.CheckVersion,
			[]string{"0.0.0", "1.2.3", "1.2.3-rc.1", "1.2.3-0a.-", "1.2.3+001.a", "1.2.3--", "999999999999999.0.0"},
			[]string{"", "1", "1.2", "v1.2.3", "1.2.3.4", "01.2.3", "1.2.3-", "1.2.3+", "1.2.3-01", "1.2.3-a..b", "1.2.3+a..b",
				"1.2.3-a_b", "1.2.3+a+b", "1.2.3~a", " 1.2.3", "1.2.3\n", "-1.2.3", "1000000000000000.0.0", "1.2.3-1000000000000000",
				"1.2.3-" + strings.Repeat("a", 100)}},
	} {
		for _, name := range c.good {
			if err := c.check(name); err != nil {
				t.Error(err)
			}
		}
		for _, name := range c.bad {
			if c.check(name) == nil {
				t.Errorf("%s %q was accepted", c.what, name)
			}
		}
	}
}

func TestCompare(t *testing.T) {
	ascending := []string{"", "what", "0.0.1", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta.2", "1.0.0-beta.11",
		"1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0", "2.0.0"}
	for i, a := range ascending {
		for j, b := range ascending {
			if got := release.Compare(a, b); cmp.Compare(got, 0) != cmp.Compare(i, j) {
				t.Errorf("Compare(%q, %q) = %d", a, b, got)
			}
		}
	}
	if release.Compare("1.0.0+a", "1.0.0+b") != 0 {
		t.Error("build metadata has no precedence")
	}
}
