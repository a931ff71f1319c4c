// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"fmt"
	"time"
)

// decoder reads the fields that the specification defines out of a scanned
// tree. It remembers the first thing that is wrong, so that callers check once.
// A field that is null is wrong, whether or not it may be left out.
type decoder struct {
	err error
}

var nothing = node{kind: object}

func (d *decoder) fail(field, what string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s: %s", ErrMalformed, field, what)
	}
}

// member returns a member of the wanted kind, or nil.
func (d *decoder) member(in *node, name string, want kind, needed bool) *node {
	n := in.get(name)
	if n == nil {
		if needed {
			d.fail(name, "missing")
		}
		return nil
	}
	if n.kind != want {
		d.fail(name, "wrong type")
		return nil
	}
	return n
}

func (d *decoder) text(in *node, name string) string {
	if n := d.member(in, name, text, true); n != nil {
		return n.str
	}
	return ""
}

// object returns a member that is an object; a missing optional one is nil.
func (d *decoder) object(in *node, name string) *node {
	if n := d.member(in, name, object, true); n != nil {
		return n
	}
	return &nothing
}

func (d *decoder) integer(in *node, name string, low int64) int64 {
	n := d.member(in, name, number, true)
	if n == nil {
		return 0
	}
	v, err := integer(n)
	if err != nil || v < low {
		d.fail(name, "not an integer in range")
	}
	return v
}

func (d *decoder) flag(in *node, name string) bool {
	n := d.member(in, name, boolean, false)
	return n != nil && n.str == "true"
}

func (d *decoder) time(in *node, name string) time.Time {
	s := d.text(in, name)
	if d.err != nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		d.fail(name, "not a date")
	}
	return t.UTC()
}

// texts reads a list of strings, at most limit of them.
func (d *decoder) texts(n *node, name string, limit int) []string {
	if len(n.members) > limit {
		d.fail(name, "too many")
		return nil
	}
	out := make([]string, 0, len(n.members))
	for i := range n.members {
		m := &n.members[i].node
		if m.kind != text {
			d.fail(name, "not a list of strings")
		}
		out = append(out, m.str)
	}
	return out
}

// hashes reads a map of hash names to hex; needed says that it may not be left out.
func (d *decoder) hashes(in *node, needed bool) map[string]string {
	n := d.member(in, "hashes", object, needed)
	if n == nil {
		return nil
	}
	if len(n.members) == 0 || len(n.members) > 16 {
		d.fail("hashes", "empty or too many")
		return nil
	}
	out := make(map[string]string, len(n.members))
	for i := range n.members {
		m := &n.members[i]
		if m.node.kind != text || m.node.str == "" {
			d.fail("hashes", "not a string")
		}
		out[m.name] = m.node.str
	}
	return out
}
