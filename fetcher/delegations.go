// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"
)

// delegations of one targets role: named roles in order, or succinct bins.
type delegations struct {
	roles []delegation
	bins  *bins
}

type delegation struct {
	name        string
	by          *signers
	terminating bool
	paths       []string
	prefixes    []string // of the hex SHA-256 of the target name
}

// bins stand for 2^bits roles, each for an equal share of the SHA-256 space.
type bins struct {
	prefix string
	bits   int64
	by     *signers
}

func (d *decoder) delegations(n *node) *delegations {
	keys := d.object(n, "keys")
	d.keys(keys)
	list := d.member(n, "roles", array, false)
	succinct := d.member(n, "succinct_roles", object, false)
	if (list == nil) == (succinct == nil) {
		d.fail("delegations", "needs either roles or succinct_roles")
		return nil
	}
	if succinct != nil {
		return &delegations{bins: d.bins(succinct, keys)}
	}
	if len(list.members) > maxDelegations {
		d.fail("roles", "too many")
		return nil
	}
	out := &delegations{}
	seen := map[string]bool{}
	for i := range list.members {
		r := d.delegation(&list.members[i].node, keys)
		if r.name == "" || topLevel(r.name) || seen[r.name] {
			d.fail("roles", fmt.Sprintf("name %.40q is reserved, doubled or empty", r.name))
		}
		seen[r.name] = true
		out.roles = append(out.roles, r)
	}
	return out
}

func (d *decoder) delegation(n, keys *node) delegation {
	r := delegation{
		name:        d.text(n, "name"),
		by:          d.signers(n, keys),
		terminating: d.flag(n, "terminating"),
	}
	paths := d.member(n, "paths", array, false)
	prefixes := d.member(n, "path_hash_prefixes", array, false)
	if (paths == nil) == (prefixes == nil) {
		d.fail(r.name, "needs either paths or path_hash_prefixes")
		return r
	}
	if paths != nil {
		r.paths = d.texts(paths, "paths", maxPatterns)
		return r
	}
	r.prefixes = d.texts(prefixes, "path_hash_prefixes", maxPatterns)
	return r
}

func (d *decoder) bins(n, keys *node) *bins {
	b := &bins{prefix: d.text(n, "name_prefix"), bits: d.integer(n, "bit_length", 1), by: d.signers(n, keys)}
	if b.bits > 32 || b.prefix == "" {
		d.fail("succinct_roles", "bit_length over 32 or no name_prefix")
	}
	return b
}

// matching returns the delegations that a target may be under, in order.
func (g *delegations) matching(target string) []delegation {
	if g == nil {
		return nil
	}
	sum := sha256.Sum256([]byte(target))
	if g.bins != nil {
		return []delegation{{name: g.bins.role(sum), by: g.bins.by, terminating: true}}
	}
	var out []delegation
	for _, r := range g.roles {
		if r.covers(target, hex.EncodeToString(sum[:])) {
			out = append(out, r)
		}
	}
	return out
}

// find returns the delegation to a role.
func (g *delegations) find(role string) (delegation, bool) {
	if g == nil {
		return delegation{}, false
	}
	for _, r := range g.roles {
		if r.name == role {
			return r, true
		}
	}
	if g.bins != nil && g.bins.has(role) {
		return delegation{name: role, by: g.bins.by, terminating: true}, true
	}
	return delegation{}, false
}

func (r *delegation) covers(target, sum string) bool {
	for _, p := range r.paths {
		if match(p, target) {
			return true
		}
	}
	for _, p := range r.prefixes {
		if p != "" && strings.HasPrefix(sum, strings.ToLower(p)) {
			return true
		}
	}
	return false
}

func (b *bins) role(sum [32]byte) string {
	return b.name(uint64(binary.BigEndian.Uint32(sum[:4]) >> (32 - b.bits)))
}

func (b *bins) name(i uint64) string {
	return fmt.Sprintf("%s-%0*x", b.prefix, int(b.bits+3)/4, i)
}

func (b *bins) has(role string) bool {
	digits, ok := strings.CutPrefix(role, b.prefix+"-")
	var i uint64
	if _, err := fmt.Sscanf(digits, "%x", &i); !ok || err != nil || i >= 1<<b.bits {
		return false
	}
	return b.name(i) == role
}

// match compares a path with a pattern, part by part: '*' stands for any
// characters of one part, '?' for one, everything else for itself. It is the same
// on every system.
func match(pattern, path string) bool {
	for {
		p, prest, pmore := strings.Cut(pattern, "/")
		s, srest, smore := strings.Cut(path, "/")
		if pmore != smore || !matchPart(p, s) {
			return false
		}
		if !pmore {
			return true
		}
		pattern, path = prest, srest
	}
}

// matchPart goes back to the last star only, which is enough and keeps the work
// below the product of the two lengths.
func matchPart(p, s string) bool {
	star, mark := -1, 0
	i, j := 0, 0
	for j < len(s) {
		_, width := utf8.DecodeRuneInString(s[j:])
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && p[i] == '?':
			i++
			j += width
		case i < len(p) && p[i] == s[j]:
			i++
			j++
		case star >= 0:
			_, width = utf8.DecodeRuneInString(s[mark:])
			mark += width
			i, j = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(p[i:], "*") == ""
}
