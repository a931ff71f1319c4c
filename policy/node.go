// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxDepth bounds nesting; the format itself needs four.
const maxDepth = 8

// document returns the only document of a policy file, which is free of everything
// that the format leaves out of YAML.
func document(name string, data []byte) (*yaml.Node, error) {
	r := &reader{file: name}
	if r.characters(data); r.err != nil {
		return nil, r.err
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	if err := dec.Decode(&doc); err == io.EOF {
		r.fail(1, "the file is empty")
	} else if err != nil {
		r.syntax(err, data)
	} else if err := dec.Decode(&next); err == nil {
		r.fail(next.Line, "a second document; a policy is one")
	} else if err != io.EOF {
		r.syntax(err, data)
	} else {
		r.scan(&doc, 0)
	}
	if r.err != nil {
		return nil, r.err
	}
	return doc.Content[0], nil
}

var (
	syntaxForm = regexp.MustCompile(`^yaml: (?:line ([0-9]+): )?(.*)$`)
	parserForm = regexp.MustCompile(`^did not find expected (?:<|node content|'-' indicator|key|',' or)`)
	anchorForm = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
)

// syntax tells the line of a syntax error. The library gives none for line 1 and for
// unknown anchors, and one too low for the errors of its parser.
func (r *reader) syntax(err error, data []byte) {
	m := syntaxForm.FindStringSubmatch(err.Error())
	if m == nil {
		r.fail(1, "not valid YAML: %w", err)
		return
	}
	if a := anchorForm.FindStringSubmatch(m[2]); a != nil {
		before, _, _ := bytes.Cut(data, []byte("*"+a[1]))
		r.fail(1+bytes.Count(before, []byte("\n")), "an alias; write the value out")
		return
	}
	line, err := strconv.Atoi(m[1])
	if err == nil && parserForm.MatchString(m[2]) {
		line++
	}
	r.fail(min(line, 1+bytes.Count(data, []byte("\n"))), "not valid YAML: %s", m[2])
}

// characters refuses what would be read as something else than it looks like, or
// would make our lines differ from an editor's.
func (r *reader) characters(data []byte) {
	if len(data) > MaxSize {
		r.fail(1, "%d bytes; a policy has at most %d", len(data), MaxSize)
		return
	}
	line := 0
	for text := range bytes.Lines(data) {
		line++
		text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
		if !utf8.Valid(text) {
			r.fail(line, "not UTF-8")
		}
		if indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]; bytes.ContainsRune(indent, '\t') {
			r.fail(line, "a tab in the indentation; use spaces")
		}
		if i := bytes.IndexFunc(text, forbidden); i >= 0 {
			c, _ := utf8.DecodeRune(text[i:])
			r.fail(line, "the character %U", c)
		}
	}
}

func forbidden(c rune) bool {
	switch {
	case c == '\t':
		return false
	case c < 0x20, 0x7f <= c && c <= 0x9f:
		return true
	}
	return c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe || c == 0xffff
}

func (r *reader) scan(n *yaml.Node, depth int) {
	switch {
	case depth > maxDepth:
		r.fail(n.Line, "nested more than %d deep", maxDepth)
	case n.Kind == yaml.AliasNode:
		r.fail(n.Line, "an alias; write the value out")
	case n.Anchor != "":
		r.fail(n.Line, "an anchor; write the value out where it is needed")
	case n.Style&yaml.TaggedStyle != 0:
		r.fail(n.Line, "a tag; leave it out")
	}
	if n.Kind == yaml.MappingNode {
		r.names(n)
	}
	for _, c := range n.Content {
		if r.err != nil {
			return
		}
		r.scan(c, depth+1)
	}
}

func (r *reader) names(n *yaml.Node) {
	first := map[string]int{}
	for i := 0; i < len(n.Content); i += 2 {
		k := n.Content[i]
		switch line, again := first[k.Value]; {
		case k.Kind != yaml.ScalarNode:
			r.fail(k.Line, "%s as the name of a field", kind(k))
		case k.ShortTag() == "!!merge":
			r.fail(k.Line, "a merge key; write the fields out")
		case again:
			r.fail(k.Line, "%q again; it is already on line %d", k.Value, line)
		}
		first[k.Value] = k.Line
	}
}

// reader walks a document and keeps the first error.
type reader struct {
	file string
	dir  string
	err  error
}

func (r *reader) fail(line int, format string, args ...any) {
	if r.err != nil {
		return
	}
	err := fmt.Errorf(format, args...)
	r.err = &Error{File: r.file, Line: max(line, 1), Msg: err.Error(), err: errors.Unwrap(err)}
}

// A field is a name in the file and its value. A field that is absent has no value,
// and every reading of it is then zero.
type field struct {
	name  string
	line  int
	value *yaml.Node
}

// entries returns the fields of f, whatever their names.
func (r *reader) entries(f field) []field {
	if !r.is(f, yaml.MappingNode) {
		return nil
	}
	var list []field
	for i := 0; i < len(f.value.Content); i += 2 {
		k, v := f.value.Content[i], f.value.Content[i+1]
		if k.ShortTag() != "!!str" {
			r.fail(k.Line, "%s: the name %s reads as %s; put it in quotes", f.name, k.Value, kind(k))
		}
		list = append(list, field{name: k.Value, line: k.Line, value: v})
	}
	return list
}

// fields returns the fields of f by name, all of them among known. Those that are
// absent carry the line of f.
func (r *reader) fields(f field, known ...string) map[string]field {
	found := map[string]field{}
	for _, name := range known {
		found[name] = field{name: name, line: f.line}
	}
	for _, e := range r.entries(f) {
		if _, ok := found[e.name]; !ok {
			r.fail(e.line, "unknown field %q in %s (known: %s)", e.name, f.name, strings.Join(known, ", "))
		}
		found[e.name] = e
	}
	return found
}

// need fails unless the field is there.
func (r *reader) need(f field, in field) field {
	if f.value == nil && in.value != nil {
		r.fail(in.line, "%s lacks the field %q", in.name, f.name)
	}
	return f
}

func (r *reader) items(f field) []field {
	if !r.is(f, yaml.SequenceNode) {
		return nil
	}
	if len(f.value.Content) == 0 {
		r.fail(f.line, "%s is an empty list", f.name)
	}
	var list []field
	for _, n := range f.value.Content {
		list = append(list, field{name: f.name, line: n.Line, value: n})
	}
	return list
}

func (r *reader) text(f field) string {
	if !r.is(f, yaml.ScalarNode) {
		return ""
	}
	if f.value.ShortTag() != "!!str" {
		r.fail(f.value.Line, "%s is %s, want text", f.name, kind(f.value))
	}
	return f.value.Value
}

// plain returns text of one line without anything invisible: it is printed and
// compared, so it must be what it looks like.
func (r *reader) plain(f field) string {
	s := r.text(f)
	if i := strings.IndexFunc(s, func(c rune) bool { return c == '\t' || c == utf8.RuneError || forbidden(c) }); i >= 0 {
		r.fail(f.value.Line, "%s holds the character %U", f.name, []rune(s[i:])[0])
	}
	return s
}

var decimal = regexp.MustCompile(`^(0|[1-9][0-9]{0,8})$`)

func (r *reader) integer(f field, least, most int) int {
	if !r.is(f, yaml.ScalarNode) {
		return 0
	}
	if f.value.ShortTag() != "!!int" || !decimal.MatchString(f.value.Value) {
		r.fail(f.value.Line, "%s is %s %q, want a whole number", f.name, kind(f.value), f.value.Value)
		return 0
	}
	n, err := strconv.Atoi(f.value.Value)
	if err != nil || n < least || n > most {
		r.fail(f.value.Line, "%s is %s, want %d to %d", f.name, f.value.Value, least, most)
	}
	return n
}

// is tells whether the value is there and of this kind; the wrong kind is an error.
func (r *reader) is(f field, want yaml.Kind) bool {
	if f.value == nil {
		return false
	}
	if f.value.Kind != want {
		r.fail(f.value.Line, "%s is %s, want %s", f.name, kind(f.value), kind(&yaml.Node{Kind: want, Tag: "!!str"}))
		return false
	}
	return true
}

func kind(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!null":
		return "empty"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "a truth value"
	case "!!timestamp":
		return "a date"
	}
	return "text"
}
