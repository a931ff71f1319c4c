// SPDX-License-Identifier: Apache-2.0

package release_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/repo/release"
)

func standing() *release.Standing {
	return &release.Standing{Schema: 1, Product: "app", Minimum: "1.2.0", Retracted: []release.Retraction{
		{Version: "1.4.2", Reason: "loses settings", At: published, Fallback: "1.4.1"},
		{Version: "1.3.0", At: published},
	}}
}

func TestStandingRoundTrip(t *testing.T) {
	data, err := standing().Encode()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := release.ParseStanding(data)
	if err != nil || !reflect.DeepEqual(parsed, standing()) {
		t.Errorf("got %+v, %v", parsed, err)
	}
	parsed, err = release.ParseStanding([]byte(`{"schema":1,"product":"app","retracted":[],"minimum":""}`))
	if err != nil || parsed.Minimum != "" || parsed.Retracted != nil {
		t.Errorf("got %+v, %v", parsed, err)
	}
}

func TestStandingAllows(t *testing.T) {
	for version, want := range map[string]error{
		"1.2.0": nil, "1.4.1": nil, "2.0.0-rc.1": nil,
		"1.2.0-rc.1": release.ErrBelowMinimum, "1.1.9": release.ErrBelowMinimum, "no version": release.ErrBelowMinimum,
		"1.4.2": release.ErrRetracted, "1.4.2+rebuilt": release.ErrRetracted, "1.3.0": release.ErrRetracted,
	} {
		if err := standing().Allows(version); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", version, err, want)
		}
	}
	var none *release.Standing
	if _, found := none.Retraction("1.0.0"); found || none.Allows("1.0.0") != nil {
		t.Error("no standing must allow everything")
	}
	if retraction, found := standing().Retraction("1.4.2"); !found || retraction.Fallback != "1.4.1" {
		t.Errorf("got %+v", retraction)
	}
}

func TestHostileStandings(t *testing.T) {
	const entry = `{"version":"1.4.2","reason":"r","at":"2026-11-22T04:00:00Z","fallback":"1.4.1"}`
	const whole = `{"schema":1,"product":"app","minimum":"1.2.0","retracted":[` + entry + `]}`
	if _, err := release.ParseStanding([]byte(whole)); err != nil {
		t.Fatal(err)
	}
	many := strings.TrimSuffix(strings.Repeat("1,", release.MaxRetracted+1), ",")
	for _, c := range []struct{ field, old, new string }{
		{"schema", `1,`, `0,`},
		{"product", `"app"`, `"App"`},
		{"product", `"app"`, `"nul"`},
		{"product", `"product":"app",`, ``},
		{"minimum", `"1.2.0"`, `"1.2"`},
		{"minimum", `"1.2.0"`, `1`},
		{"minimum", `"1.2.0"`, `null`},
		{"retracted", `[` + entry + `]`, `{}`},
		{"retracted", `[` + entry + `]`, `null`},
		{"retracted", entry, many},
		{"retracted[0]", entry, `"1.4.2"`},
		{"retracted[0].version", `"1.4.2"`, `"latest"`},
		{"retracted[0].version", `"version":"1.4.2",`, ``},
		{"retracted[0].reason", `"r"`, `"\u001b[2J"`},
		{"retracted[0].reason", `"r"`, `"a\nb"`},
		{"retracted[0].reason", `"r"`, `"\u202e"`},
		{"retracted[0].reason", `"r"`, `"` + strings.Repeat("r", 1025) + `"`},
		{"retracted[0].at", `"at":"2026-11-22T04:00:00Z",`, ``},
		{"retracted[0].at", `04:00:00Z`, `04:00Z`},
		{"retracted[0].fallback", `"1.4.1"`, `"1.4.2"`},
		{"retracted[0].fallback", `"1.4.1"`, `"1.5.0"`},
		{"retracted[0].fallback", `"1.4.1"`, `["1.4.1"]`},
		{"retracted", entry, entry + `,` + entry},
		{"retracted", entry, entry + `,` + strings.Replace(entry, "1.4.2", "1.4.2+b", 1)},
		{"", `"minimum"`, `"product"`},
		{"", `]}`, `]} x`},
	} {
		_, err := release.ParseStanding([]byte(strings.Replace(whole, c.old, c.new, 1)))
		var malformed *release.MalformedError
		if !errors.As(err, &malformed) || malformed.Field != c.field {
			t.Errorf("%s -> %.80s: got %v, want field %q", c.old, c.new, err, c.field)
		}
	}
}

func TestIdentity(t *testing.T) {
	whole := release.Identity{Schema: 1, Product: "app", Version: "1.4.2+b", Platform: "linux-amd64", Kind: "file", Channels: []string{"beta", "stable"}}
	parsed, err := release.ParseIdentity(whole.Custom())
	if err != nil || !reflect.DeepEqual(*parsed, whole) {
		t.Errorf("got %+v, %v", parsed, err)
	}
	if !whole.OffersIn("beta") || whole.OffersIn("nightly") || !(release.Identity{}).OffersIn("nightly") {
		t.Error("OffersIn is wrong")
	}
	for _, custom := range []string{``, `null`, `{}`, `{"other":{"waybill":1}}`} {
		if identity, err := release.ParseIdentity(json.RawMessage(custom)); identity != nil || err != nil {
			t.Errorf("%q: got %+v, %v", custom, identity, err)
		}
	}
}

func TestHostileIdentities(t *testing.T) {
	const whole = `{"waybill":{"schema":1,"product":"app","version":"1.4.2","platform":"any","kind":"file","channels":["beta"]}}`
	if _, err := release.ParseIdentity([]byte(whole)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ field, old, new string }{
		{"", whole, `"waybill"`},
		{"", whole, `[]`},
		{"", whole, `{"waybill":`},
		{"waybill", whole, `{"waybill":null}`},
		{"waybill", whole, `{"waybill":[]}`},
		{"waybill.schema", whole, `{"waybill":{}}`},
		{"waybill.schema", `:1,`, `:9,`},
		{"waybill.product", `"app"`, `"a/p"`},
		{"waybill.product", `"product"`, `"Product"`},
		{"waybill.version", `"1.4.2"`, `"1.04.2"`},
		{"waybill.platform", `"any"`, `"Any"`},
		{"waybill.platform", `"any"`, `"aux"`},
		{"waybill.kind", `"file"`, `""`},
		{"waybill.channels", `["beta"]`, `[]`},
		{"waybill.channels", `["beta"]`, `"beta"`},
		{"waybill.channels[0]", `"beta"`, `"*"`},
		{"waybill.channels[1]", `"beta"`, `"beta","beta"`},
		{"", `"kind"`, `"product"`},
	} {
		identity, err := release.ParseIdentity([]byte(strings.Replace(whole, c.old, c.new, 1)))
		var malformed *release.MalformedError
		if identity != nil || !errors.As(err, &malformed) || malformed.Field != c.field {
			t.Errorf("%s -> %s: got %v, want field %q", c.old, c.new, err, c.field)
		}
	}
}

func FuzzParseStanding(f *testing.F) {
	data, err := standing().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"schema":1,"product":"app"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := release.ParseStanding(data)
		if err != nil {
			return
		}
		written, err := parsed.Encode()
		if err != nil {
			t.Fatal(err)
		}
		again, err := release.ParseStanding(written)
		if err != nil || !reflect.DeepEqual(again, parsed) {
			t.Fatalf("round trip (%v):\n%+v\n%+v", err, parsed, again)
		}
	})
}

func FuzzParseIdentity(f *testing.F) {
	f.Add([]byte(release.Identity{Product: "app", Version: "1.0.0", Platform: "any", Kind: "file"}.Custom()))
	f.Add([]byte(`{"waybill":{"schema":1,"channels":["a"]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := release.ParseIdentity(data)
		if err != nil || parsed == nil {
			return
		}
		again, err := release.ParseIdentity(parsed.Custom())
		if err != nil || !reflect.DeepEqual(again, parsed) {
			t.Fatalf("round trip (%v):\n%+v\n%+v", err, parsed, again)
		}
	})
}
