// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
)

func TestScan(t *testing.T) {
	for text, want := range map[string]string{
		`{"b":[1,-2,{"a":null}],"a":true}`: `{"a":true,"b":[1,-2,{"a":null}]}`,
		` "é\u00e9\n\"\\\ud83d\ude00/\/" `: "\"éé\n\\\"\\\\😀//\"",
		`123456789012345678901234567890`:   `123456789012345678901234567890`,
		`{}`:                               `{}`,
	} {
		n, err := scan(text, false)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, err := appendCanonical(nil, &n); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

func TestScanRefuses(t *testing.T) {
	for _, text := range []string{
		``, ` `, `{`, `[`, `"`, `nul`, `tru`, `{"a"}`, `{"a":}`, `{"a":1,}`, `[1,]`, `[1 2]`, `{,}`, `01`, `-`, `1.`, `.5`, `1e`, `+1`,
		`{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `[{"x":{"a":1,"a":1}}]`, `1 2`, `{}{}`, "\ufeff{}", "\"\x01\"", "\"\xff\"", `"\ud800"`, `"\ud800\u0041"`,
		`"\udc00"`, `"\x"`, `"\u12"`, `"\u12g4"`, `'a'`, `NaN`, `{"a":1`, `//x`, strings.Repeat("[", 40) + strings.Repeat("]", 40),
	} {
		if _, err := scan(text, false); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestCanonicalRefuses(t *testing.T) {
	for _, text := range []string{`1.5`, `1e3`, `1.0`, `-0`, `[0.1]`, `{"a":{"b":-0}}`} {
		n, err := scan(text, false)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := appendCanonical(nil, &n); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func seeds(f *testing.F) {
	for _, s := range []string{
		`{"signed":{"_type":"root","version":1},"signatures":[{"keyid":"a","sig":"00"}]}`, `[1,-2.5e3,"\ud83d\ude00",null,true,false]`,
		`{"a":{"a":[[[{}]]]},"b":"\"\\"}`, `123456789012345678901234567890`, `"\u0000"`, `{"a":1,"a":2}`,
	} {
		f.Add([]byte(s))
	}
}

// What the scanner accepts, the standard library accepts too.
func FuzzScan(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := scan(string(data), false); err == nil && !json.Valid(data) {
			t.Errorf("accepted %q", data)
		}
	})
}

// The canonical form is its own canonical form, and that of other implementations.
func FuzzCanonical(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		n, err := scan(string(data), false)
		if err != nil {
			return
		}
		once, err := appendCanonical(nil, &n)
		if err != nil {
			return
		}
		var value any
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.UseNumber()
		if err := dec.Decode(&value); err != nil {
			t.Fatal(err)
		}
		other, err := cjson.EncodeCanonical(value)
		if err == nil && !bytes.Equal(once, other) {
			t.Errorf("%q: ours %q, theirs %q", data, once, other)
		}
		if bytes.ContainsFunc(once, func(r rune) bool { return r < ' ' }) {
			return // canonical JSON does not escape control characters, so it is not JSON then
		}
		again, err := scan(string(once), false)
		if err != nil {
			t.Fatalf("%q: %v", once, err)
		}
		if twice, err := appendCanonical(nil, &again); err != nil || !bytes.Equal(once, twice) {
			t.Errorf("%q became %q (%v)", once, twice, err)
		}
	})
}

// Lists of small values are honest in bytes that somebody vouched for, and only there: of
// others a mirror decides how dear they are to read.
func TestDenseMetadata(t *testing.T) {
	dense := make([]any, 5000)
	for i := range dense {
		dense[i] = i % 10
	}
	for _, hashes := range []bool{true, false} {
		for _, role := range []string{"timestamp", "snapshot", "targets"} {
			t.Run(fmt.Sprintf("%s,hashes=%v", role, hashes), func(t *testing.T) {
				s := newSim(t)
				s.hashes = hashes
				e := s.endpoint()
				e.opts.Limits.Timestamp = 1 << 20
				s.md[role]["x-dense"] = dense
				s.release("targets")
				if role == "timestamp" || !hashes {
					e.fails(ErrMalformed)
					return
				}
				e.ok()
				e.ok()
				s.md["snapshot"]["version"] = int64(0)
				s.commit()
				e.fails(ErrRollback)
			})
		}
	}
}
