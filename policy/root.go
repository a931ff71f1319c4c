// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// SetRoot returns the text of a policy file with root set to fingerprint, 64 lower-case
// hex digits. Everything else, comments included, stays as it is. A text that cannot be
// edited so is refused; errors of the text itself are [*Error] without a file name.
func SetRoot(data []byte, fingerprint string) ([]byte, error) {
	if !fingerprintForm.MatchString(fingerprint) {
		return nil, fmt.Errorf("fingerprint %q: want 64 of 0-9 and a-f", fingerprint)
	}
	before, err := document("", data)
	if err != nil {
		return nil, err
	}
	edited, err := editRoot(before, strings.SplitAfter(string(data), "\n"), fingerprint)
	if err != nil {
		return nil, err
	}
	after, err := document("", []byte(edited))
	// Checked rather than trusted: YAML has more ways to write a line than are known here.
	if err != nil || !differOnlyInRoot(before, after, fingerprint) {
		return nil, errors.New("set root: the file is laid out in a way that cannot be edited; write the line `root: " + fingerprint + "` yourself")
	}
	return []byte(edited), nil
}

func editRoot(doc *yaml.Node, lines []string, fingerprint string) (string, error) {
	if doc.Kind != yaml.MappingNode || len(doc.Content) == 0 {
		return "", errors.New("set root: the file is not a policy")
	}
	key, value := member(doc, "root")
	if key != nil {
		i := key.Line - 1
		lines[i] = replaceValue(lines[i], key, value, fingerprint)
		return strings.Join(lines, ""), nil
	}
	at := doc.Content[0].Line - 1
	if schema, v := member(doc, "schema"); schema != nil {
		at = min(v.Line, len(lines))
	}
	eol := "\n"
	if strings.HasSuffix(lines[0], "\r\n") {
		eol = "\r\n"
	}
	indent := strings.Repeat(" ", doc.Content[0].Column-1)
	added := indent + "root: " + fingerprint + eol
	if at > 0 && !strings.HasSuffix(lines[at-1], "\n") {
		lines[at-1] += eol
	}
	return strings.Join(slices.Insert(lines, at, added), ""), nil
}

// replaceValue rewrites the value in the line of its key and keeps what follows it. The
// columns count characters.
func replaceValue(line string, key, value *yaml.Node, fingerprint string) string {
	text := []rune(line)
	start := key.Column - 1 + width(key)
	end := start + 1
	if value.Line == key.Line && (value.Value != "" || quoted(value)) {
		end = value.Column - 1 + width(value)
	}
	if start > len(text) || end > len(text) {
		return line
	}
	return string(text[:start]) + ": " + fingerprint + string(text[end:])
}

// width is how many characters a scalar without escapes takes.
func width(n *yaml.Node) int {
	if quoted(n) {
		return utf8.RuneCountInString(n.Value) + 2
	}
	return utf8.RuneCountInString(n.Value)
}

func quoted(n *yaml.Node) bool {
	return n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0
}

func member(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	for i := 0; i < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	return nil, nil
}

func differOnlyInRoot(before, after *yaml.Node, fingerprint string) bool {
	if _, v := member(after, "root"); v == nil || v.Kind != yaml.ScalarNode || v.Value != fingerprint {
		return false
	}
	return same(without(before, "root"), without(after, "root"))
}

func without(mapping *yaml.Node, name string) *yaml.Node {
	rest := &yaml.Node{Kind: mapping.Kind, Tag: mapping.Tag}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value != name {
			rest.Content = append(rest.Content, mapping.Content[i], mapping.Content[i+1])
		}
	}
	return rest
}

func same(a, b *yaml.Node) bool {
	return a.Kind == b.Kind && a.Value == b.Value && a.ShortTag() == b.ShortTag() &&
		slices.EqualFunc(a.Content, b.Content, same)
}
