// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/repo/release"
)

var topRoles = []string{metadata.ROOT, metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP}

// diffRoots says in plain words how two roots differ; was is nil for root 1.
func diffRoots(was, next *metadata.RootType) []string {
	var lines []string
	for _, role := range topRoles {
		old := authority{}
		if was != nil {
			old = rootAuthority(was, role)
		}
		lines = append(lines, diffAuthority(role, old, rootAuthority(next, role))...)
	}
	return lines
}

func diffAuthority(role string, was, next authority) []string {
	var lines []string
	for _, id := range was.ids {
		if !slices.Contains(next.ids, id) {
			lines = append(lines, fmt.Sprintf("- %s key %s", role, describeKey(id, was.keys)))
		}
	}
	for _, id := range next.ids {
		switch {
		case !slices.Contains(was.ids, id):
			lines = append(lines, fmt.Sprintf("+ %s key %s", role, describeKey(id, next.keys)))
		case !sameKey(was.keys[id], next.keys[id]):
			lines = append(lines, fmt.Sprintf("~ %s key %s is another key under the same id", role, describeKey(id, next.keys)))
		}
	}
	if was.threshold != next.threshold {
		lines = append(lines, fmt.Sprintf("%s threshold %d -> %d of %d", role, was.threshold, next.threshold, len(next.ids)))
	}
	return lines
}

func describeKey(id string, keys map[string]*metadata.Key) string {
	if k := keys[id]; k != nil {
		return fmt.Sprintf("%s (%s)", id, k.Type)
	}
	return id
}

// diffTargets says in plain words how two targets files differ; was is nil for
// a new role. files may hold the documents that they list.
func diffTargets(was, next *metadata.TargetsType, files []File) []string {
	old := map[string]*metadata.TargetFiles{}
	if was != nil {
		old = was.Targets
	}
	var lines []string
	for _, name := range sortedKeys(old, next.Targets) {
		if line := diffTarget(name, old[name], next.Targets[name]); line != "" {
			lines = append(append(lines, line), documentLines(name, next.Targets[name], files)...)
		}
	}
	var oldDelegations *metadata.Delegations
	if was != nil {
		oldDelegations = was.Delegations
	}
	return append(lines, diffDelegations(oldDelegations, next.Delegations)...)
}

func diffTarget(name string, was, next *metadata.TargetFiles) string {
	switch {
	case was == nil:
		return "+ " + describeTarget(name, next)
	case next == nil:
		return "- " + name
	case was.Equal(*next) && sameCustom(was, next):
		return ""
	}
	return "~ " + describeTarget(name, next)
}

func describeTarget(name string, t *metadata.TargetFiles) string {
	s := fmt.Sprintf("%s, %d bytes, sha256 %s", name, t.Length, t.Hashes["sha256"].String())
	if t.Custom != nil && len(*t.Custom) > 0 {
		s += " " + string(compact(*t.Custom))
	}
	return s
}

// documentLines says what one of our own documents is about to say.
func documentLines(name string, t *metadata.TargetFiles, files []File) []string {
	_, _, _, isChannel := release.ParseChannelTarget(name)
	_, isStanding := release.ParseStandingTarget(name)
	if t == nil || !isChannel && !isStanding {
		return nil
	}
	i := slices.IndexFunc(files, func(f File) bool {
		return f.Target == name && f.Content != nil && f.SHA256 == t.Hashes["sha256"].String()
	})
	if i < 0 {
		return []string{"    its content is not in the change"}
	}
	if isChannel {
		return channelLines(files[i].Content)
	}
	return standingLines(files[i].Content)
}

func channelLines(content []byte) []string {
	doc, err := release.ParseChannel(content)
	if err != nil {
		return []string{"    " + err.Error()}
	}
	var lines []string
	for _, r := range doc.Releases {
		lines = append(lines, fmt.Sprintf("    offers %s: %s, sha256 %s, %d deltas", r.Version, r.Artifact.Target, r.Artifact.SHA256, len(r.Deltas)))
	}
	return lines
}

func standingLines(content []byte) []string {
	doc, err := release.ParseStanding(content)
	if err != nil {
		return []string{"    " + err.Error()}
	}
	var lines []string
	if doc.Minimum != "" {
		lines = append(lines, "    nothing below "+doc.Minimum+" is installed")
	}
	for _, r := range doc.Retracted {
		lines = append(lines, fmt.Sprintf("    %s is retracted (%s), fallback %q", r.Version, r.Reason, r.Fallback))
	}
	return lines
}

func sameCustom(a, b *metadata.TargetFiles) bool {
	return bytes.Equal(customOf(a), customOf(b))
}

func customOf(t *metadata.TargetFiles) []byte {
	if t.Custom == nil {
		return nil
	}
	return compact(*t.Custom)
}

func compact(raw json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return raw
	}
	return b.Bytes()
}

func diffDelegations(was, next *metadata.Delegations) []string {
	var lines []string
	old, new := delegatedRoles(was), delegatedRoles(next)
	for _, name := range sortedKeys(old, new) {
		a, b := old[name], new[name]
		switch {
		case a == nil:
			lines = append(lines, fmt.Sprintf("+ delegation %s for %q", name, b.Paths))
		case b == nil:
			lines = append(lines, "- delegation "+name)
		case !slices.Equal(a.Paths, b.Paths) || a.Terminating != b.Terminating:
			lines = append(lines, fmt.Sprintf("~ delegation %s for %q", name, b.Paths))
		}
		lines = append(lines, diffAuthority(name, delegatedAuthority(was, name), delegatedAuthority(next, name))...)
	}
	return lines
}

func delegatedAuthority(d *metadata.Delegations, role string) authority {
	a, _ := delegationAuthority(&metadata.TargetsType{Delegations: d}, role)
	return a
}

func delegatedRoles(d *metadata.Delegations) map[string]*metadata.DelegatedRole {
	roles := map[string]*metadata.DelegatedRole{}
	if d != nil {
		for i := range d.Roles {
			roles[d.Roles[i].Name] = &d.Roles[i]
		}
	}
	return roles
}

// printable keeps what foreign names could do to a terminal out of the text
// that a holder decides by: anything but plain ASCII is shown as an escape.
func printable(s string) string {
	quoted := strconv.QuoteToASCII(s)
	inner := quoted[1 : len(quoted)-1]
	return strings.ReplaceAll(inner, `\"`, `"`)
}

func allPrintable(lines []string) []string {
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return lines
}

func sortedKeys[V any](ms ...map[string]V) []string {
	seen := map[string]bool{}
	var names []string
	for _, m := range ms {
		for name := range m {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	sort.Strings(names)
	return names
}
