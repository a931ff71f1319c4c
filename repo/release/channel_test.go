// SPDX-License-Identifier: Apache-2.0

package release_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/repo/release"
)

var published = time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)

func sha(n int) string { return fmt.Sprintf("%064x", n) }

func offer(version string, n int) release.Release {
	return release.Release{
		Version:   version,
		Published: published,
		Kind:      release.KindFile,
		Artifact: release.Artifact{
			Target: release.ArtifactTarget("app", version, "linux-amd64", "app"),
			Length: 1000,
			SHA256: sha(n),
		},
	}
}

func channel(releases ...release.Release) *release.Channel {
	return &release.Channel{Schema: 1, Product: "app", Channel: "stable", Platform: "linux-amd64", Releases: releases}
}

func wholeChannel() *release.Channel {
	rich := offer("1.4.2", 2)
	rich.Notes = map[string]string{"en": "app/1.4.2/notes.en.md", "pt-BR": "app/1.4.2/notes.pt-BR.md"}
	rich.Extras = []string{"app/1.4.2/linux-amd64/app.spdx.json", "app/1.4.2/linux-amd64/app.intoto.json"}
	rich.MinimumFrom, rich.MinimumOS, rich.Critical = "1.2.0", "12.0", true
	rich.Rollout = &release.Rollout{Start: published, Waves: []release.Wave{
		{After: 0, Percent: 25}, {After: 36 * time.Hour, Percent: 1250}, {After: 48*time.Hour + 90*time.Minute, Percent: release.Everyone},
	}}
	rich.Deltas = []release.Edge{
		{From: sha(1), FromLength: 1000, Target: "app/deltas/linux-amd64/b", Length: 100, Format: "bsdiff4", Memory: 1 << 20},
		{From: release.EmptySHA256, Target: "app/deltas/linux-amd64/c", Length: 600, Format: "some-day"},
	}
	return channel(offer("1.4.1", 1), rich)
}

func TestChannelRoundTrip(t *testing.T) {
	data, err := wholeChannel().Encode()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := release.ParseChannel(data)
	if err != nil {
		t.Fatal(err)
	}
	want := wholeChannel()
	slices.Reverse(want.Releases)
	slices.Sort(want.Releases[0].Extras)
	if !reflect.DeepEqual(parsed, want) {
		t.Errorf("got  %+v\nwant %+v", parsed, want)
	}
	again, err := parsed.Encode()
	if err != nil || !bytes.Equal(again, data) {
		t.Errorf("a second writing differs (%v):\n%s\n%s", err, data, again)
	}
	for _, text := range []string{`"after":"0s","percent":0.25`, `"after":"36h","percent":12.5`, `"after":"49h30m","percent":100`} {
		if !bytes.Contains(data, []byte(text)) {
			t.Errorf("%s is not in %s", text, data)
		}
	}
	if parsed.Newest().Version != "1.4.2" || parsed.Find("1.4.1") == nil || parsed.Find("1.4") != nil {
		t.Error("Newest or Find is wrong")
	}
}

func TestChannelIgnoresWhatIsUnknown(t *testing.T) {
	data, err := wholeChannel().Encode()
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), `"kind":`, `"new":{"a":[1,null,{"b":2}]},"Version":"9.9.9","kind":`, 1)
	parsed, err := release.ParseChannel([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if parsed.Find("9.9.9") != nil || len(parsed.Releases) != 2 {
		t.Error("an unknown member was read")
	}
	if parsed.Find("1.4.2").Deltas[1].Format != "some-day" {
		t.Error("an edge of an unknown format was lost")
	}
}

const (
	hostileArtifact = `{"target":"app/1.0.0/any/app","length":10,"sha256":"` + hash1 + `"}`
	hostileRelease  = `{"version":"1.0.0","published":"2026-11-22T04:00:00Z","kind":"file","artifact":` + hostileArtifact + `}`
	hostileChannel  = `{"schema":1,"product":"app","channel":"stable","platform":"any","releases":[` + hostileRelease + `]}`
	hostileEdge     = `{"from":"` + hash2 + `","from_length":5,"target":"app/deltas/any/x","length":3,"format":"bsdiff4"}`
	hash1           = "1111111111111111111111111111111111111111111111111111111111111111"
	hash2           = "2222222222222222222222222222222222222222222222222222222222222222"
)

func withEdge(edge string) []string {
	return []string{`"kind":"file"`, `"kind":"file","deltas":[` + edge + `]`}
}

func withMember(member string) []string { return []string{`"kind":"file"`, `"kind":"file",` + member} }

func withRollout(waves string) []string {
	return withMember(`"rollout":{"start":"2026-11-22T04:00:00Z","waves":[` + waves + `]}`)
}

func withSecond(version, artifact string) []string {
	second := strings.Replace(strings.Replace(hostileRelease, "1.0.0", version, 1), hostileArtifact, artifact, 1)
	return []string{hostileRelease, hostileRelease + "," + second}
}

func TestHostileChannels(t *testing.T) {
	manyReleases := strings.TrimSuffix(strings.Repeat(hostileRelease+",", release.MaxReleases+1), ",")
	manyEdges := strings.TrimSuffix(strings.Repeat(hostileEdge+",", release.MaxEdges+1), ",")
	cases := []struct {
		name, field string
		edit        []string
	}{
		{"schema missing", "schema", []string{`"schema":1,`, ``}},
		{"schema of tomorrow", "schema", []string{`"schema":1`, `"schema":2`}},
		{"schema a string", "schema", []string{`"schema":1`, `"schema":"1"`}},
		{"schema a fraction", "schema", []string{`"schema":1`, `"schema":1.0`}},
		{"schema by exponent", "schema", []string{`"schema":1`, `"schema":1e0`}},
		{"schema in upper case", "schema", []string{`"schema":1`, `"Schema":1`}},
		{"product null", "product", []string{`"product":"app"`, `"product":null`}},
		{"product a list", "product", []string{`"product":"app"`, `"product":["app"]`}},
		{"product empty", "product", []string{`"product":"app"`, `"product":""`}},
		{"product a path", "product", []string{`"product":"app"`, `"product":"../app"`}},
		{"product a device", "product", []string{`"product":"app"`, `"product":"con"`}},
		{"product twice", "", []string{`"product":"app"`, `"product":"app","product":"app"`}},
		{"product twice by escape", "", []string{`"product":"app"`, `"product":"app","\u0070roduct":"evil"`}},
		{"channel upper case", "channel", []string{`"channel":"stable"`, `"channel":"Stable"`}},
		{"channel missing", "channel", []string{`"channel":"stable",`, ``}},
		{"platform with empty word", "platform", []string{`"platform":"any"`, `"platform":"linux--amd64"`}},
		{"platform of five words", "platform", []string{`"platform":"any"`, `"platform":"a-b-c-d-e"`}},
		{"releases missing", "releases", []string{`,"releases":[` + hostileRelease + `]`, ``}},
		{"releases null", "releases", []string{`[` + hostileRelease + `]`, `null`}},
		{"releases an object", "releases", []string{`[` + hostileRelease + `]`, `{}`}},
		{"release null", "releases[0]", []string{hostileRelease, `null`}},
		{"release a string", "releases[1]", []string{hostileRelease, hostileRelease + `,"x"`}},
		{"too many releases", "releases", []string{hostileRelease, manyReleases}},
		{"version missing", "releases[0].version", []string{`"version":"1.0.0",`, ``}},
		{"version not strict", "releases[0].version", []string{`"version":"1.0.0"`, `"version":"v1.0.0"`}},
		{"version too short", "releases[0].version", []string{`"version":"1.0.0"`, `"version":"1.0"`}},
		{"version with empty identifier", "releases[0].version", []string{`"version":"1.0.0"`, `"version":"1.0.0-a..b"`}},
		{"version with empty pre-release", "releases[0].version", []string{`"version":"1.0.0"`, `"version":"1.0.0-"`}},
		{"version with a path", "releases[0].version", []string{`"version":"1.0.0"`, `"version":"1.0.0-../../x"`}},
		{"version huge", "releases[0].version", []string{`"version":"1.0.0"`, `"version":"1.0.99999999999999999999"`}},
		{"version long", "releases[0].version", []string{`"version":"1.0.0"`, `"version":"1.0.0-` + strings.Repeat("a", 100) + `"`}},
		{"version twice", "releases[1].version", withSecond("1.0.0", hostileArtifact)},
		{"version equal in precedence", "releases[1].version", withSecond("1.0.0+x", hostileArtifact)},
		{"version equal when folded", "releases[2].version", []string{hostileRelease, hostileRelease + "," +
			strings.Replace(hostileRelease, "1.0.0", "2.0.0-RC", 1) + "," + strings.Replace(hostileRelease, "1.0.0", "2.0.0-rc", 1)}},
		{"published with offset", "releases[0].published", []string{`04:00:00Z`, `04:00:00+01:00`}},
		{"published with fraction", "releases[0].published", []string{`04:00:00Z`, `04:00:00.5Z`}},
		{"published in no month", "releases[0].published", []string{`2026-11-22`, `2026-13-22`}},
		{"published a number", "releases[0].published", []string{`"2026-11-22T04:00:00Z"`, `1`}},
		{"published before computers", "releases[0].published", []string{`2026-11-22`, `0001-01-01`}},
		{"kind with a space", "releases[0].kind", []string{`"kind":"file"`, `"kind":"a file"`}},
		{"kind missing", "releases[0].kind", []string{`"kind":"file",`, ``}},
		{"artifact missing", "releases[0].artifact", []string{`,"artifact":` + hostileArtifact, ``}},
		{"artifact a string", "releases[0].artifact", []string{hostileArtifact, `"app"`}},
		{"target traversal", "releases[0].artifact.target", []string{`app/1.0.0/any/app`, `app/../../etc/passwd`}},
		{"target a URL", "releases[0].artifact.target", []string{`app/1.0.0/any/app`, `http://host/app`}},
		{"target of another host", "releases[0].artifact.target", []string{`app/1.0.0/any/app`, `//host/app`}},
		{"length zero", "releases[0].artifact.length", []string{`"length":10`, `"length":0`}},
		{"length negative", "releases[0].artifact.length", []string{`"length":10`, `"length":-1`}},
		{"length beyond int64", "releases[0].artifact.length", []string{`"length":10`, `"length":18446744073709551626`}},
		{"length beyond 2^53", "releases[0].artifact.length", []string{`"length":10`, `"length":9007199254740992`}},
		{"sha256 upper case", "releases[0].artifact.sha256", []string{hash1, strings.Repeat("A", 64)}},
		{"sha256 short", "releases[0].artifact.sha256", []string{hash1, hash1[1:]}},
		{"sha256 no hex", "releases[0].artifact.sha256", []string{hash1, strings.Repeat("g", 64)}},
		{"one hash of two lengths", "releases[1].artifact.length", withSecond("2.0.0", strings.Replace(hostileArtifact, `:10,`, `:11,`, 1))},
		{"notes a list", "releases[0].notes", withMember(`"notes":[]`)},
		{"notes in no language", "releases[0].notes", withMember(`"notes":{"../en":"a"}`)},
		{"notes elsewhere", "releases[0].notes.en", withMember(`"notes":{"en":"/etc/passwd"}`)},
		{"extras a string", "releases[0].extras", withMember(`"extras":"a"`)},
		{"extra traversal", "releases[0].extras[1]", withMember(`"extras":["a","../b"]`)},
		{"extra twice", "releases[0].extras[1]", withMember(`"extras":["a","a"]`)},
		{"minimum_from no version", "releases[0].minimum_from", withMember(`"minimum_from":"1"`)},
		{"minimum_from null", "releases[0].minimum_from", withMember(`"minimum_from":null`)},
		{"minimum_os a name", "releases[0].minimum_os", withMember(`"minimum_os":"twelve"`)},
		{"minimum_os of five numbers", "releases[0].minimum_os", withMember(`"minimum_os":"1.2.3.4.5"`)},
		{"critical a string", "releases[0].critical", withMember(`"critical":"true"`)},
		{"rollout without waves", "releases[0].rollout.waves", withRollout(``)},
		{"rollout without start", "releases[0].rollout.start", withMember(`"rollout":{"waves":[]}`)},
		{"wave over 100", "releases[0].rollout.waves[0].percent", withRollout(`{"after":"0s","percent":100.01}`)},
		{"wave of three decimals", "releases[0].rollout.waves[0].percent", withRollout(`{"after":"0s","percent":1.001}`)},
		{"wave negative", "releases[0].rollout.waves[0].percent", withRollout(`{"after":"0s","percent":-1}`)},
		{"wave by exponent", "releases[0].rollout.waves[0].percent", withRollout(`{"after":"0s","percent":1e1}`)},
		{"wave a string", "releases[0].rollout.waves[0].percent", withRollout(`{"after":"0s","percent":"5"}`)},
		{"wave before the start", "releases[0].rollout.waves[0].after", withRollout(`{"after":"-1h","percent":5}`)},
		{"wave of milliseconds", "releases[0].rollout.waves[0].after", withRollout(`{"after":"5ms","percent":5}`)},
		{"wave in a century", "releases[0].rollout.waves[0].after", withRollout(`{"after":"900000h","percent":5}`)},
		{"waves that do not move on", "releases[0].rollout.waves[1]", withRollout(`{"after":"1h","percent":5},{"after":"1h","percent":6}`)},
		{"waves that shrink", "releases[0].rollout.waves[1]", withRollout(`{"after":"1h","percent":5},{"after":"2h","percent":4}`)},
		{"too many edges", "releases[0].deltas", withEdge(manyEdges)},
		{"edge null", "releases[0].deltas[0]", withEdge(`null`)},
		{"edge from upper case", "releases[0].deltas[0].from", withEdge(strings.Replace(hostileEdge, hash2, strings.Repeat("A", 64), 1))},
		{"edge from no length", "releases[0].deltas[0].from_length", withEdge(strings.Replace(hostileEdge, `_length":5`, `_length":0`, 1))},
		{"edge from nothing of a length", "releases[0].deltas[0].from_length", withEdge(strings.Replace(hostileEdge, hash2, release.EmptySHA256, 1))},
		{"edge elsewhere", "releases[0].deltas[0].target", withEdge(strings.Replace(hostileEdge, `app/deltas`, `../deltas`, 1))},
		{"edge of no length", "releases[0].deltas[0].length", withEdge(strings.Replace(hostileEdge, `"length":3`, `"length":0`, 1))},
		{"edge without format", "releases[0].deltas[0].format", withEdge(strings.Replace(hostileEdge, `"bsdiff4"`, `""`, 1))},
		{"edge of negative memory", "releases[0].deltas[0].memory", withEdge(strings.Replace(hostileEdge, `"length":3`, `"length":3,"memory":-1`, 1))},
		{"unknown member too deep", "", []string{`"schema":1`, `"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `,"schema":1`}},
		{"unknown member with duplicates", "", []string{`"schema":1`, `"x":{"a":1,"a":2},"schema":1`}},
		{"invalid UTF-8", "", []string{`"schema":1`, "\"x\":\"\xff\",\"schema\":1"}},
		{"byte order mark", "", []string{`{"schema"`, "\ufeff{\"schema\""}},
		{"trailing data", "", []string{hostileRelease + `]}`, hostileRelease + `]}{}`}},
		{"cut off", "", []string{hostileRelease + `]}`, hostileRelease + `]`}},
		{"too large", "", []string{`{"schema"`, strings.Repeat(" ", release.MaxDocument) + `{"schema"`}},
		{"null", "", []string{hostileChannel, `null`}},
		{"a list", "", []string{hostileChannel, `[]`}},
		{"empty", "", []string{hostileChannel, ``}},
		{"deep as an attack", "", []string{hostileChannel, strings.Repeat("[", 100000)}},
	}
	if _, err := release.ParseChannel([]byte(hostileChannel)); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		text := strings.Replace(hostileChannel, c.edit[0], c.edit[1], 1)
		if text == hostileChannel {
			t.Errorf("%s: the case changes nothing", c.name)
		}
		_, err := release.ParseChannel([]byte(text))
		var malformed *release.MalformedError
		if !errors.As(err, &malformed) || !errors.Is(err, release.ErrMalformed) || malformed.Field != c.field {
			t.Errorf("%s: got %v, want field %q", c.name, err, c.field)
		}
	}
}

func TestEncodeRefusesWhatParsingRefuses(t *testing.T) {
	for name, edit := range map[string]func(*release.Channel){
		"product":   func(c *release.Channel) { c.Product = "A" },
		"schema":    func(c *release.Channel) { c.Schema = 2 },
		"version":   func(c *release.Channel) { c.Releases[0].Version = "1" },
		"twice":     func(c *release.Channel) { c.Releases[1].Version = c.Releases[0].Version },
		"published": func(c *release.Channel) { c.Releases[0].Published = time.Time{} },
		"percent":   func(c *release.Channel) { c.Releases[1].Rollout.Waves[0].Percent = -1 },
		"size": func(c *release.Channel) {
			for i := range release.MaxReleases - 2 {
				next := offer(fmt.Sprintf("2.0.%d", i), 100+i)
				for j := range release.MaxEdges {
					next.Deltas = append(next.Deltas, release.Edge{From: sha(1000 + j), FromLength: 1, Target: "t", Length: 1, Format: "x"})
				}
				c.Releases = append(c.Releases, next)
			}
		},
	} {
		c := wholeChannel()
		edit(c)
		if data, err := c.Encode(); !errors.Is(err, release.ErrMalformed) || data != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func FuzzParseChannel(f *testing.F) {
	whole, err := wholeChannel().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(hostileChannel))
	f.Add([]byte(strings.Replace(hostileChannel, `"kind":"file"`, `"kind":"file","deltas":[`+hostileEdge+`]`, 1)))
	f.Fuzz(func(t *testing.T, data []byte) {
		parsed, err := release.ParseChannel(data)
		if err != nil {
			if !errors.Is(err, release.ErrMalformed) {
				t.Fatalf("an error of no type: %v", err)
			}
			return
		}
		written, err := parsed.Encode()
		if err != nil {
			t.Fatalf("what was parsed cannot be written: %v", err)
		}
		again, err := release.ParseChannel(written)
		if err != nil || !reflect.DeepEqual(again, parsed) {
			t.Fatalf("round trip (%v):\n%+v\n%+v", err, parsed, again)
		}
	})
}
