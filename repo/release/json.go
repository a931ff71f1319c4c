// SPDX-License-Identifier: Apache-2.0

package release

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/waybill-project/waybill/repo/layout"
)

const maxDepth = 16

// object reads the members of a JSON object by exact name. The first mistake in a
// document is kept in failed and everything read after it is zero.
type object struct {
	document string
	path     string
	members  map[string]any
	failed   *error
}

func parseObject(document string, data []byte) object {
	root := object{document: document, failed: new(error)}
	value, err := decode(data)
	if err != nil {
		root.fail("", err.Error())
		return root
	}
	members, ok := value.(map[string]any)
	if !ok {
		root.fail("", "not an object")
	}
	root.members = members
	return root
}

// decode refuses what encoding/json would let pass: invalid UTF-8, duplicate members,
// deep nesting.
func decode(data []byte) (any, error) {
	if len(data) > MaxDocument {
		return nil, fmt.Errorf("%d bytes, the limit is %d", len(data), MaxDocument)
	}
	if !utf8.Valid(data) || !json.Valid(data) {
		return nil, errors.New("not one JSON value in UTF-8")
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	return decodeValue(decoder, 0)
}

func decodeValue(decoder *json.Decoder, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested more than %d deep", maxDepth)
	}
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		return decodeMembers(decoder, depth)
	case json.Delim('['):
		return decodeItems(decoder, depth)
	}
	return token, nil
}

func decodeMembers(decoder *json.Decoder, depth int) (any, error) {
	members := map[string]any{}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		name, _ := token.(string)
		if _, found := members[name]; found {
			return nil, fmt.Errorf("the member %q twice in one object", name)
		}
		if members[name], err = decodeValue(decoder, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := decoder.Token()
	return members, err
}

func decodeItems(decoder *json.Decoder, depth int) (any, error) {
	items := []any{}
	for decoder.More() {
		item, err := decodeValue(decoder, depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err := decoder.Token()
	return items, err
}

func (o object) fail(name, reason string) {
	if *o.failed == nil {
		*o.failed = &MalformedError{Document: o.document, Field: o.at(name), Reason: reason}
	}
}

func (o object) at(name string) string {
	if o.path == "" || name == "" {
		return o.path + name
	}
	return o.path + "." + name
}

// member finds a value that has a meaning here; null never has one.
func (o object) member(name string, required bool) (any, bool) {
	if *o.failed != nil {
		return nil, false
	}
	value, found := o.members[name]
	if found && value == nil {
		o.fail(name, "is null")
		return nil, false
	}
	if !found && required {
		o.fail(name, "is missing")
	}
	return value, found
}

// text reads a required string that check accepts.
func (o object) text(name string, check func(string) error) string {
	value, found := o.member(name, true)
	if !found {
		return ""
	}
	return o.checked(name, value, check)
}

// optional reads a string that may be absent or empty.
func (o object) optional(name string, check func(string) error) string {
	value, found := o.member(name, false)
	if !found || value == "" {
		return ""
	}
	return o.checked(name, value, check)
}

func (o object) checked(name string, value any, check func(string) error) string {
	text, ok := value.(string)
	if !ok {
		o.fail(name, "not a string")
		return ""
	}
	if err := check(text); err != nil {
		o.fail(name, err.Error())
		return ""
	}
	return text
}

func (o object) integer(name string, lowest int64, required bool) int64 {
	value, found := o.member(name, required)
	if !found {
		return 0
	}
	number, ok := value.(json.Number)
	if !ok || !consistsOf(number.String(), digits) {
		o.fail(name, "not a whole number")
		return 0
	}
	n, err := strconv.ParseInt(number.String(), 10, 64)
	if err != nil || n < lowest || n > MaxLength {
		o.fail(name, fmt.Sprintf("%s is not between %d and %d", number, lowest, int64(MaxLength)))
		return 0
	}
	return n
}

func (o object) boolean(name string) bool {
	value, found := o.member(name, false)
	flag, ok := value.(bool)
	if found && !ok {
		o.fail(name, "not true or false")
	}
	return flag
}

func (o object) time(name string) time.Time {
	var at time.Time
	o.text(name, func(text string) (err error) {
		at, err = time.Parse(timeFormat, text)
		if err != nil || at.Format(timeFormat) != text || at.Year() < 1970 {
			return fmt.Errorf("%q is not a time such as 2026-11-22T04:00:00Z", text)
		}
		return nil
	})
	return at
}

const timeFormat = "2006-01-02T15:04:05Z"

func (o object) schema() int {
	schema := o.integer("schema", 0, true)
	if schema != Schema {
		o.fail("schema", fmt.Sprintf("%d is not known here, only %d: a newer version of this program may read it", schema, Schema))
	}
	return int(schema)
}

func (o object) child(name string, required bool) (object, bool) {
	value, found := o.member(name, required)
	if !found {
		return object{document: o.document, path: o.at(name), failed: o.failed}, false
	}
	return o.object(name, value), true
}

func (o object) object(name string, value any) object {
	members, ok := value.(map[string]any)
	if !ok {
		o.fail(name, "not an object")
	}
	return object{document: o.document, path: o.at(name), members: members, failed: o.failed}
}

func (o object) list(name string, limit int, required bool) []any {
	value, found := o.member(name, required)
	if !found {
		return nil
	}
	items, ok := value.([]any)
	if !ok {
		o.fail(name, "not a list")
		return nil
	}
	if len(items) > limit {
		o.fail(name, fmt.Sprintf("%d items, the limit is %d", len(items), limit))
		return nil
	}
	return items
}

func (o object) objects(name string, limit int, required bool) []object {
	var objects []object
	for i, item := range o.list(name, limit, required) {
		objects = append(objects, o.object(index(name, i), item))
	}
	return objects
}

func (o object) texts(name string, limit int, check func(string) error) []string {
	var texts []string
	for i, item := range o.list(name, limit, false) {
		text := o.checked(index(name, i), item, check)
		if slices.Contains(texts, text) {
			o.fail(index(name, i), "listed twice")
		}
		texts = append(texts, text)
	}
	return texts
}

func (o object) textMap(name string, limit int, checkKey, check func(string) error) map[string]string {
	child, found := o.child(name, false)
	if !found || *o.failed != nil || len(child.members) == 0 {
		return nil
	}
	if len(child.members) > limit {
		o.fail(name, fmt.Sprintf("%d members, the limit is %d", len(child.members), limit))
	}
	texts := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(child.members)) {
		if err := checkKey(key); err != nil {
			child.fail("", err.Error())
		}
		texts[key] = child.text(key, check)
	}
	return texts
}

func index(name string, i int) string { return fmt.Sprintf("%s[%d]", name, i) }

func checkSHA256(text string) error {
	if len(text) != 64 || !consistsOf(text, hexDigits) {
		return fmt.Errorf("%q is not a SHA-256 in lower-case hex", text)
	}
	return nil
}

func checkTarget(text string) error { return layout.CheckName(text) }

// checkProse keeps control characters out of what a terminal will show.
func checkProse(text string) error {
	if len(text) > maxText {
		return fmt.Errorf("%d bytes, the limit is %d", len(text), maxText)
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return fmt.Errorf("the character %U", r)
		}
	}
	return nil
}

func checkTerm(text string) error {
	if len(text) > 32 || !consistsOf(text, lowerCase+digits+"-") {
		return fmt.Errorf("%q: 1 to 32 characters of a-z, 0-9 and - are needed", text)
	}
	return nil
}

func checkLanguage(text string) error {
	if len(text) > 35 || !consistsOf(text, lowerCase+upperCase+digits+"-") {
		return fmt.Errorf("%q is not a language tag", text)
	}
	return nil
}

// encodeDocument writes the wire form that the parsers read: members in a fixed
// order, no HTML escapes, a final newline.
func encodeDocument(wire any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(wire)
	return out.Bytes(), err
}
