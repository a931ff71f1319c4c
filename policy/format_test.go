// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/keys"
)

func TestFormatRoundTrip(t *testing.T) {
	p := good(t)
	text := Format(p)
	again, err := Parse(p.Path, text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if !reflect.DeepEqual(again, p) {
		t.Errorf("%+v became %+v", p, again)
	}
	if other := Format(again); string(other) != string(text) {
		t.Errorf("formatted twice:\n%s\n%s", text, other)
	}
}

// What init has in hand: names, files and references, nothing parsed yet.
func TestFormatNewPolicy(t *testing.T) {
	dir := t.TempDir()
	p := &Policy{
		Path: filepath.Join(dir, "waybill.yaml"),
		Keys: map[string]Key{
			"alice":  {Name: "alice", File: "alice.pub", Private: "file:" + filepath.Join(dir, "alice.key")},
			"online": {Name: "online", File: "keys/online.pub", Private: "env:ONLINE"},
			"null":   {Name: "null", Public: good(t).Keys["release"].Public, Private: "file:/media/stick/bob's key, old.key"},
		},
		Roles: map[string]Role{
			"root":      {Keys: []string{"alice", "null"}, Threshold: 2, Expires: 365 * day},
			"targets":   {Keys: []string{"alice"}, Threshold: 1, Expires: 90 * day},
			"snapshot":  {Keys: []string{"online"}, Threshold: 1, Expires: 14 * day},
			"timestamp": {Keys: []string{"online"}, Threshold: 1, Expires: 7 * day, RefreshEvery: day},
		},
		Products: map[string]Product{"2048": {Channels: []string{"stable", "on"}, Platforms: []string{"any", "386"}}},
	}
	if err := os.Mkdir(filepath.Join(dir, "keys"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"alice.pub", "online.pub"} {
		target := filepath.Join(dir, strings.Replace(name, "online", "keys/online", 1))
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(target, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text := Format(p)
	got, err := Parse(p.Path, text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	for name, k := range p.Keys {
		if g := got.Keys[name]; g.Private != k.Private || g.File != k.File || g.ID == "" {
			t.Errorf("key %s: %+v", name, g)
		}
	}
	if !strings.Contains(string(text), "private: file:alice.key\n") {
		t.Errorf("not relative to the policy:\n%s", text)
	}
	if !reflect.DeepEqual(got.Deltas, DefaultDeltas()) || got.Retention != DefaultRetention() || got.Root != "" {
		t.Errorf("%+v", got)
	}
	if got.Products["2048"].Channels[1] != "on" || got.Products["2048"].Platforms[1] != "386" {
		t.Errorf("products %+v", got.Products)
	}
}

func TestFormatOfNothingIsRefused(t *testing.T) {
	for name, p := range map[string]*Policy{
		"empty":                  {},
		"a key without a public": {Keys: map[string]Key{"a": {Name: "a"}}},
	} {
		if _, err := Parse("waybill.yaml", Format(p)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestQuantities(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1d": day, "3650d": 3650 * day, "36h": 36 * time.Hour, "1d12h": 36 * time.Hour,
		"90m": 90 * time.Minute, "1h0m30s": time.Hour + 30*time.Second, "0d": 0, "5m": 5 * time.Minute,
	} {
		if got, err := parseDuration(text); got != want || err != nil {
			t.Errorf("%s: %v, %v, want %v", text, got, err, want)
		}
		if again, err := parseDuration(formatDuration(want)); want != 0 && (again != want || err != nil) {
			t.Errorf("%v formats as %s", want, formatDuration(want))
		}
	}
	for _, text := range []string{"", "d", "1", "1w", "-1d", "1d-1h", "1.5h", "1dd", "12h1d", "1 d", "100000d", "9999999999s"} {
		if got, err := parseDuration(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	for text, want := range map[string]int64{"1MiB": 1 << 20, "2GiB": 2 << 30, "1TiB": 1 << 40, "1000B": 1000, "3KiB": 3072, "0B": 0} {
		if got, err := parseSize(text); got != want || err != nil {
			t.Errorf("%s: %d, %v, want %d", text, got, err, want)
		}
		if again, err := parseSize(formatSize(want)); again != want || err != nil {
			t.Errorf("%d formats as %s", want, formatSize(want))
		}
	}
	for _, text := range []string{"", "1", "MiB", "-1MiB", "1.5MiB", "1MB", "9223372036854775807KiB", "99999999999999999999B", "+1B"} {
		if got, err := parseSize(text); err == nil {
			t.Errorf("%q: %d", text, got)
		}
	}
	for hundredths := range 10000 {
		f := field{name: "x", value: textNode(formatPercent(float64(hundredths) / 10000))}
		if r := new(reader); r.percent(f) != float64(hundredths)/10000 || r.err != nil {
			t.Errorf("%d hundredths format as %s: %v", hundredths, f.value.Value, r.err)
		}
	}
}

func TestScalar(t *testing.T) {
	for _, s := range []string{
		"", "a", "true", "Null", "~", "1", "1e3", "0x1", "2020-01-01", "a: b", "a:b", "a #b", "-", "- a", "[a]", "{a}", "a,b", "&a", "*a", "!a",
		"'a'", `"a"`, `C:\keys\a.key`, "file:a b.key", ".inf", "./a", "..", "é", "a\u2028b", "<<", "=", "|", ">", "%a", "@a", "`a`", " a", "a ",
	} {
		doc, err := document("", []byte("key: "+scalar(s)+"\nlist: ["+scalar(s)+"]\n"))
		if err != nil {
			t.Errorf("%q as %s: %v", s, scalar(s), err)
			continue
		}
		_, v := member(doc, "key")
		_, l := member(doc, "list")
		for _, n := range append(l.Content, v) {
			if n.Value != s || n.ShortTag() != "!!str" {
				t.Errorf("%q as %s reads as %s %q", s, scalar(s), n.ShortTag(), n.Value)
			}
		}
	}
}

func TestFormatInlineKey(t *testing.T) {
	pub, err := keys.ReadPublic("testdata/alice.pub")
	if err != nil {
		t.Fatal(err)
	}
	w := &writer{policy: &Policy{}}
	w.public(Key{Public: pub})
	if !strings.HasPrefix(w.String(), "    public: |\n      -----BEGIN PUBLIC KEY-----\n      MCow") {
		t.Errorf("%s", w)
	}
}
