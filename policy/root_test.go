// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

func textNode(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Line: 1}
}

var (
	oldPrint = strings.Repeat("0a", 32)
	newPrint = strings.Repeat("f1", 32)
)

func TestSetRoot(t *testing.T) {
	for name, c := range map[string]struct{ before, after string }{
		"replace":            {"schema: 1\nroot: OLD\nkeys: {}\n", "schema: 1\nroot: NEW\nkeys: {}\n"},
		"comment":            {"schema: 1\nroot: OLD   # pinned, é\n# more\n", "schema: 1\nroot: NEW   # pinned, é\n# more\n"},
		"double quotes":      {"root: \"OLD\" # x\nschema: 1\n", "root: NEW # x\nschema: 1\n"},
		"single quotes":      {"root: 'OLD'\n", "root: NEW\n"},
		"quoted name":        {"\"root\": OLD\n", "\"root\": NEW\n"},
		"empty":              {"schema: 1\nroot:\nkeys: {}\n", "schema: 1\nroot: NEW\nkeys: {}\n"},
		"empty, comment":     {"schema: 1\nroot:   # later\n", "schema: 1\nroot: NEW   # later\n"},
		"empty text":         {"schema: 1\nroot: \"\"\n", "schema: 1\nroot: NEW\n"},
		"tilde":              {"root: ~ # none\n", "root: NEW # none\n"},
		"not a fingerprint":  {"root: later\n", "root: NEW\n"},
		"last, no line end":  {"schema: 1\nroot: OLD", "schema: 1\nroot: NEW"},
		"absent":             {"# policy\nschema: 1 # first\n\nkeys: {}\n", "# policy\nschema: 1 # first\nroot: NEW\n\nkeys: {}\n"},
		"absent, no schema":  {"# policy\nkeys: {}\n", "# policy\nroot: NEW\nkeys: {}\n"},
		"absent, no end":     {"schema: 1", "schema: 1\nroot: NEW\n"},
		"absent, no value":   {"schema:", "schema:\nroot: NEW\n"},
		"commented out":      {"schema: 1\n# root: OLD\nkeys: {}\n", "schema: 1\nroot: NEW\n# root: OLD\nkeys: {}\n"},
		"windows line ends":  {"schema: 1\r\nroot: OLD\r\nkeys: {}\r\n", "schema: 1\r\nroot: NEW\r\nkeys: {}\r\n"},
		"absent, windows":    {"schema: 1\r\nkeys: {}\r\n", "schema: 1\r\nroot: NEW\r\nkeys: {}\r\n"},
		"root of roles":      {"schema: 1\nroles:\n  root: {threshold: 1}\n", "schema: 1\nroot: NEW\nroles:\n  root: {threshold: 1}\n"},
		"indented":           {"  schema: 1\n  keys: {}\n", "  schema: 1\n  root: NEW\n  keys: {}\n"},
		"braces on one line": {"{schema: 1, root: OLD, keys: {é: 1}}\n", "{schema: 1, root: NEW, keys: {é: 1}}\n"},
		"é before":           {"{é: 1, root: OLD}\n", "{é: 1, root: NEW}\n"},
		"document marker":    {"---\nschema: 1\n", "---\nschema: 1\nroot: NEW\n"},
	} {
		fill := strings.NewReplacer("OLD", oldPrint, "NEW", newPrint)
		got, err := SetRoot([]byte(fill.Replace(c.before)), newPrint)
		if want := fill.Replace(c.after); string(got) != want || err != nil {
			t.Errorf("%s: %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestSetRootRefuses(t *testing.T) {
	for name, c := range map[string]struct{ text, fingerprint, says string }{
		"short":             {"schema: 1\n", "f1", "64"},
		"upper case":        {"schema: 1\n", strings.ToUpper(newPrint), "64"},
		"injection":         {"schema: 1\n", newPrint[:62] + "\nx", "64"},
		"not YAML":          {"schema: 1\nroot: \"x\n", newPrint, "line 2"},
		"two roots":         {"root: a\nroot: b\n", newPrint, "line 2"},
		"empty":             {"", newPrint, "line 1"},
		"a list":            {"- root\n", newPrint, "not a policy"},
		"no fields":         {"{}\n", newPrint, "not a policy"},
		"a mapping":         {"root: {a: b}\n", newPrint, "write the line"},
		"several lines":     {"root: |\n  a\n  b\nkeys: {}\n", newPrint, "write the line"},
		"value below":       {"root:\n  abc\n", newPrint, "write the line"},
		"escapes":           {"root: \"a\\x62c\"\n", newPrint, "write the line"},
		"braces, no root":   {"{schema: 1}\n", newPrint, "write the line"},
		"braces, many line": {"{schema: 1,\nkeys: {}}\n", newPrint, "write the line"},
	} {
		got, err := SetRoot([]byte(c.text), c.fingerprint)
		if err == nil || got != nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %q, %v, want an error that says %q", name, got, err, c.says)
		}
	}
}

func TestSetRootKeepsThePolicy(t *testing.T) {
	before, err := os.ReadFile("testdata/good.yaml")
	if err != nil {
		t.Fatal(err)
	}
	after, err := SetRoot(before, newPrint)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Parse("testdata/good.yaml", after)
	if err != nil || p.Root != newPrint {
		t.Fatalf("%+v, %v", p, err)
	}
	if want := strings.Replace(string(before), good(t).Root, newPrint, 1); string(after) != want {
		t.Errorf("became\n%s", after)
	}
}

func FuzzSetRoot(f *testing.F) {
	for _, text := range []string{"schema: 1\n", "schema: 1\nroot: x # y\n", "{root: 'é', a: b}", "---\nroot:\n  a\n", "? root\n: b\n", "schema:\r\n"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		once, err := SetRoot(data, newPrint)
		if err != nil {
			return
		}
		twice, err := SetRoot(once, newPrint)
		if err != nil || string(twice) != string(once) {
			t.Fatalf("%q, then %q, %v", once, twice, err)
		}
	})
}
