// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/waybill-project/waybill/keys"
)

// expand writes out the shorthand of testdata/hostile.txtar.
var expand = strings.NewReplacer(
	"%top", "schema: 1",
	"%keys", "keys: {alice: {public: alice.pub}, alice2: {public: alice2.pub}, bob: {public: bob.pub}, online: {public: online.pub}}",
	"%roles", "roles: {root: {keys: [alice, bob], threshold: 2, expires: 365d}, targets: {keys: [bob], threshold: 1, expires: 90d}, "+
		"snapshot: {keys: [online], threshold: 1, expires: 14d}, timestamp: {keys: [online], threshold: 1, expires: 7d}}",
	`\t`, "\t",
)

const testName = "testdata/waybill.yaml"

func good(t testing.TB) *Policy {
	t.Helper()
	p, err := Read("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestRead(t *testing.T) {
	p := good(t)
	dir, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	if p.Path != "testdata/good.yaml" || !strings.HasPrefix(p.Root, "4cc3f338") {
		t.Errorf("path %q, root %q", p.Path, p.Root)
	}
	for name, want := range map[string][2]string{
		"alice":     {"alice.pub", "file:" + filepath.Join(dir, "alice.key")},
		"bob":       {"bob.pub", ""},
		"carol":     {"carol.pub", "file:" + filepath.Join(dir, "offline", "carol.key")},
		"release":   {"release.pub", "awskms:///alias/release"},
		"online":    {"online.pub", "env:WAYBILL_ONLINE_KEY"},
		"old-alice": {"", ""},
	} {
		k := p.Keys[name]
		if k.Name != name || k.File != want[0] || k.Private != want[1] {
			t.Errorf("key %s: %+v", name, k)
		}
		if id, err := keys.ID(k.Record); id != k.ID || err != nil || len(id) != 64 {
			t.Errorf("key %s: id %q, %v", name, k.ID, err)
		}
	}
	if id := p.Keys["old-alice"].ID; id != "748a031656dcf38688f8cf7c6ff1fd44beb20ff14a4885cc904f25c1e08f56c4" {
		t.Errorf("old-alice: id %s", id)
	}
}

func TestReadRoles(t *testing.T) {
	p := good(t)
	roles := map[string]Role{
		"root":      {"root", []string{"alice", "bob", "carol"}, 2, 365 * day, 0},
		"targets":   {"targets", []string{"release"}, 1, 90 * day, 0},
		"snapshot":  {"snapshot", []string{"online"}, 1, 14 * day, 0},
		"timestamp": {"timestamp", []string{"online"}, 1, 180 * time.Hour, day},
	}
	delegations := map[string]Role{
		"channels": {"channels", []string{"online"}, 1, 30 * day, 0},
		"deltas":   {"deltas", []string{"online"}, 1, 90 * time.Minute, 0},
	}
	products := map[string]Product{
		"app":  {"app", []string{"stable", "beta"}, []string{"linux-amd64", "any"}},
		"2048": {"2048", []string{"stable"}, []string{"darwin-universal"}},
	}
	if !reflect.DeepEqual(p.Roles, roles) {
		t.Errorf("roles %+v", p.Roles)
	}
	if !reflect.DeepEqual(p.Delegations, delegations) {
		t.Errorf("delegations %+v", p.Delegations)
	}
	if !reflect.DeepEqual(p.Products, products) {
		t.Errorf("products %+v", p.Products)
	}
	if want := (Deltas{5, 0.125, 1536 << 20, 90 * time.Second, []string{"bsdiff4"}}); !reflect.DeepEqual(p.Deltas, want) {
		t.Errorf("deltas %+v", p.Deltas)
	}
	if want := (Retention{20, 45 * day}); p.Retention != want {
		t.Errorf("retention %+v", p.Retention)
	}
}

func TestDefaults(t *testing.T) {
	p, err := Parse(testName, []byte(expand.Replace("%top\n%keys\n%roles\n")))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(p.Deltas, DefaultDeltas()) || p.Retention != DefaultRetention() {
		t.Errorf("%+v, %+v", p.Deltas, p.Retention)
	}
	if got, want := p.Roles["timestamp"].RefreshEvery, 42*time.Hour; got != want {
		t.Errorf("refresh_every %v, want %v", got, want)
	}
	if p.Root != "" || len(p.Delegations) != 0 || len(p.Products) != 0 {
		t.Errorf("%+v", p)
	}
}

func TestParseRefuses(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/hostile.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(archive.Files) < 100 {
		t.Errorf("only %d cases", len(archive.Files))
	}
	for _, f := range archive.Files {
		line, says, _ := strings.Cut(f.Name, " ")
		refused(t, f.Name, []byte(expand.Replace(string(f.Data))), line, strings.Split(says, " // ")[0])
	}
}

func refused(t *testing.T, name string, data []byte, line, says string) {
	t.Helper()
	_, err := Parse(testName, data)
	perr, ok := errors.AsType[*Error](err)
	if !ok {
		t.Errorf("%s: %v is no *Error", name, err)
		return
	}
	if prefix := fmt.Sprintf("%s:%s: ", testName, line); !strings.HasPrefix(err.Error(), prefix) {
		t.Errorf("%s: %v, want one that begins %q", name, err, prefix)
	}
	if !strings.Contains(perr.Msg, says) {
		t.Errorf("%s: %v, want one that says %q", name, err, says)
	}
	if strings.ContainsFunc(err.Error(), forbidden) {
		t.Errorf("%s: a control character in %q", name, err)
	}
}

func TestParseRefusesBytes(t *testing.T) {
	base := expand.Replace("%top\n%keys\n%roles\n")
	for name, c := range map[string]struct{ data, line, says string }{
		"NUL":               {base + "# \x00", "4", "U+0000"},
		"escape":            {base + "# \x1b[2J", "4", "U+001B"},
		"not UTF-8":         {base + "# \xff", "4", "UTF-8"},
		"UTF-16":            {"\xff\xfes\x00", "1", "UTF-8"},
		"byte order mark":   {"\ufeff" + base, "1", "U+FEFF"},
		"lone CR":           {"schema: 1\rkeys: {}\n", "1", "U+000D"},
		"next line":         {"schema: 1\nkeys: {}\u0085\n", "2", "U+0085"},
		"line separator":    {"schema: 1\nkeys: {}\u2028\n", "2", "U+2028"},
		"too large":         {base + strings.Repeat("#\n", MaxSize/2), "1", "at most"},
		"deep":              {"a: " + strings.Repeat("[", 20000), "1", "depth"},
		"deep by dashes":    {strings.Repeat("- ", 5000) + "a", "1", "deep"},
		"billion laughs":    {"a: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "1", "anchor"},
		"a key of dash":     {"schema: 1\nkeys: {-----BEGIN: {public: alice.pub}}\n", "2", "key name"},
		"too many keys":     {"schema: 1\nkeys:\n" + manyKeys() + "roles: {}\n", "2", "at most 256"},
		"a very long name":  {"schema: 1\nkeys:\n  " + strings.Repeat("a", 70) + ": {public: alice.pub}\n", "3", "key name"},
		"a quoted newline":  {"schema: 1\nkeys:\n  a: {public: \"a\\nb\"}\n", "3", "U+000A"},
		"a bad path":        {"schema: 1\nkeys:\n  a: {public: \"a\\0b\"}\n", "3", "U+0000"},
		"windows line ends": {strings.ReplaceAll(base, "\n", "\r\n") + "x: 1\r\n", "4", "unknown field"},
	} {
		refused(t, name, []byte(c.data), c.line, c.says)
	}
}

func manyKeys() string {
	var b strings.Builder
	for i := range maxKeys + 1 {
		fmt.Fprintf(&b, "  k%d: {public: alice.pub}\n", i)
	}
	return b.String()
}

func TestErrorsKeepTheirCause(t *testing.T) {
	for text, want := range map[string]error{
		"schema: 1\nkeys: {a: {public: absent.pub}}\n": fs.ErrNotExist,
		"schema: 1\nkeys: {a: {public: p521.pub}}\n":   keys.ErrUnsupported,
	} {
		if _, err := Parse(testName, []byte(text)); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
	if _, err := Read("testdata/absent.yaml"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent policy: %v", err)
	}
	huge := filepath.Join(t.TempDir(), "huge.yaml")
	if err := os.WriteFile(huge, bytes.Repeat([]byte("#"), MaxSize+1), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(huge); err == nil || !strings.HasPrefix(err.Error(), huge+":1: ") {
		t.Errorf("huge policy: %v", err)
	}
}

func TestPrivateReferences(t *testing.T) {
	dir := t.TempDir()
	for ref, want := range map[string]string{
		"alice.key":          "file:" + filepath.Join(dir, "alice.key"),
		"file:alice.key":     "file:" + filepath.Join(dir, "alice.key"),
		"./a/../b.key":       "file:" + filepath.Join(dir, "b.key"),
		"env:NAME":           "env:NAME",
		"hashivault://alice": "hashivault://alice",
	} {
		text := fmt.Sprintf("schema: 1\nkeys: {alice: {public: %q, private: %q}}\n", abs(t, "testdata/alice.pub"), ref) +
			"roles: {" + roleLines("alice") + "}\n"
		p, err := Parse(filepath.Join(dir, "waybill.yaml"), []byte(text))
		if err != nil {
			t.Errorf("%s: %v", ref, err)
		} else if got := p.Keys["alice"].Private; got != want {
			t.Errorf("%s: %s, want %s", ref, got, want)
		}
	}
}

func abs(t *testing.T, path string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return full
}

func roleLines(key string) string {
	var all []string
	for _, role := range topLevel {
		all = append(all, fmt.Sprintf("%s: {keys: [%s], threshold: 1, expires: 30d}", role, key))
	}
	return strings.Join(all, ", ")
}

func FuzzParse(f *testing.F) {
	archive, err := txtar.ParseFile("testdata/hostile.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range archive.Files {
		f.Add([]byte(expand.Replace(string(file.Data))))
	}
	text, err := os.ReadFile("testdata/good.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse(testName, data)
		if err != nil {
			if perr, ok := errors.AsType[*Error](err); !ok || perr.Line < 1 || strings.ContainsFunc(perr.Msg, forbidden) {
				t.Fatalf("error %q", err)
			}
			return
		}
		text := Format(p)
		again, err := Parse(testName, text)
		if err != nil {
			t.Fatalf("%v in\n%s", err, text)
		}
		if !reflect.DeepEqual(again, p) {
			t.Fatalf("%+v became %+v", p, again)
		}
		if v := p.Check(follow(p)); len(v) != 0 {
			t.Fatalf("metadata made from the policy differs from it: %v", v)
		}
		if got := allUses(again); !maps.Equal(got, allUses(p)) {
			t.Fatalf("uses %v", got)
		}
	})
}
