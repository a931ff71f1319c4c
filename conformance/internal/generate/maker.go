// SPDX-License-Identifier: Apache-2.0

// Package generate makes the cases of the conformance corpus. Each family has a
// file with a function that lists its cases; keys, clock and all bytes are fixed, so
// that the same program always makes the same corpus. [Cases] makes it in memory.
package generate

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/waybill-project/waybill/conformance"
)

// recipe is a case before it is made.
type recipe struct {
	name, shows, source string
	make                func(m *maker)
}

type family struct {
	name    string
	recipes []recipe
}

// maker makes one case: the recipe changes the repository and says after each change
// what a client must do.
type maker struct {
	*repo
	c       conformance.Case
	out     map[string][]byte // files of the case, by name
	shared  map[string][]byte // files that lie in shared, by name
	last    map[string][]byte // what the last step served
	replies map[string]conformance.Reply
	have    map[string]int64  // trusted after the last step
	got     map[string]string // targets after the last step, by name
}

func newMaker(f string, r recipe, shared map[string][]byte) *maker {
	m := &maker{repo: newRepo(), shared: shared, out: map[string][]byte{}, last: map[string][]byte{}, replies: map[string]conformance.Reply{}}
	m.c = conformance.Case{Name: r.name, Family: f, Shows: r.shows, Source: r.source, Clock: epoch}
	m.c.Root = m.file("metadata/1.root.json", m.files["metadata/1.root.json"])
	m.have = map[string]int64{"root": 1, "timestamp": 0, "snapshot": 0, "targets": 0}
	m.got = map[string]string{}
	return m
}

// from makes init take other bytes.
func (m *maker) from(root []byte) { m.c.Root = m.file("metadata/initial.root.json", root) }

// file keeps content and returns the name under which the case finds it.
func (m *maker) file(path string, content []byte) string {
	base := plain(path[strings.LastIndexByte(path, '/')+1:])
	if bytes.Equal(m.shared[base], content) && m.shared[base] != nil {
		return "shared/" + base
	}
	for name, have := range m.out {
		if bytes.Equal(have, content) && strings.HasSuffix(name, base) {
			return name
		}
	}
	name := fmt.Sprintf("%d-%s", len(m.c.Steps)+1, base)
	for m.out[name] != nil {
		name = "x" + name
	}
	m.out[name] = slices.Clone(content)
	return name
}

// plain makes a file name that every system takes.
func plain(base string) string {
	if i := strings.IndexByte(base, '.'); i > 40 {
		base = base[:8] + base[i:]
	}
	base = strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789.-", r) {
			return r
		}
		return '_'
	}, strings.ToLower(base))
	if len(base) > 60 {
		base = base[:50] + base[len(base)-5:]
	}
	return strings.TrimRight(base, ".")
}

// step adds a step that serves what has changed since the last one.
func (m *maker) step(verb, expect string) *conformance.Step {
	s := conformance.Step{Verb: verb, Expect: expect, Serve: map[string]*conformance.Reply{}}
	for _, path := range slices.Sorted(maps.Keys(m.files)) {
		if before, ok := m.last[path]; !ok || !bytes.Equal(before, m.files[path]) {
			s.Serve[path] = &conformance.Reply{File: m.file(path, m.files[path])}
		}
	}
	for path := range m.last {
		if _, ok := m.files[path]; !ok {
			s.Serve[path] = nil
		}
	}
	for path, reply := range m.replies {
		if reply.File == "" && m.files[path] != nil {
			reply.File = m.file(path, m.files[path])
		}
		s.Serve[path] = &reply
	}
	m.replies = map[string]conformance.Reply{}
	m.last = maps.Clone(m.files)
	s.Files = maps.Clone(m.got)
	m.c.Steps = append(m.c.Steps, s)
	return &m.c.Steps[len(m.c.Steps)-1]
}

// reply makes a path answer otherwise from the next step on; without a File it is
// that of the path.
func (m *maker) reply(path string, r conformance.Reply) { m.replies[path] = r }

// ok wants a refresh that ends with all that is published.
func (m *maker) ok() *conformance.Step {
	for _, role := range topLevel {
		m.have[role] = m.version(role)
	}
	return m.as(conformance.Refresh, conformance.OK)
}

func (m *maker) as(verb, expect string) *conformance.Step {
	s := m.step(verb, expect)
	s.Trusted = maps.Clone(m.have)
	return s
}

// stops wants a refresh that fails at a role: what comes before it is trusted, the
// role and what comes after it stays as it was.
func (m *maker) stops(role, expect string) *conformance.Step {
	for _, before := range topLevel[:slices.Index(topLevel, role)] {
		m.have[before] = m.version(before)
	}
	return m.as(conformance.Refresh, expect)
}

// fails wants a refresh that fails, wherever.
func (m *maker) fails(expect string) *conformance.Step { return m.step(conformance.Refresh, expect) }

// stale wants a refresh that fails and leaves everything as it was.
func (m *maker) stale(expect string) *conformance.Step { return m.as(conformance.Refresh, expect) }

// gets wants a download of targets that a role lists with the given contents.
func (m *maker) gets(contents map[string]string) *conformance.Step {
	for name, content := range contents {
		m.got[name] = sum256([]byte(content))
	}
	for _, role := range topLevel {
		m.have[role] = m.version(role)
	}
	s := m.as(conformance.Download, conformance.OK)
	s.Targets = slices.Sorted(maps.Keys(contents))
	return s
}

// misses wants a download that fails and leaves the target folder as it was.
func (m *maker) misses(expect string, names ...string) *conformance.Step {
	s := m.step(conformance.Download, expect)
	s.Targets = names
	return s
}

// beyond marks the case as more than the specification asks.
func (m *maker) beyond() { m.c.Beyond = true }

func at(s *conformance.Step, t time.Time) { s.Clock = &t }
