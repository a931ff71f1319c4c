// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/waybill-project/waybill/keys"
)

// Format writes p as a commented policy file. If p is a policy that [Parse] accepts,
// parsing the result under p.Path gives p again. A zero Deltas or Retention stands for
// the defaults. Of a key only Name, File or Public, and Private are looked at.
func Format(p *Policy) []byte {
	w := &writer{policy: p}
	w.head()
	w.keys()
	w.roles()
	w.products()
	w.rules()
	return []byte(w.String())
}

type writer struct {
	strings.Builder
	policy *Policy
}

func (w *writer) line(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }

func (w *writer) head() {
	w.line("# Waybill policy: what must be true of the repository. Thresholds and lifetimes come")
	w.line("# from here only. Edit it, then see with `waybill status` where the repository differs.")
	w.line("schema: %d", Schema)
	w.line("")
	w.line("# The fingerprint of root 1, from which everything is verified. `waybill init` writes it.")
	if w.policy.Root != "" {
		w.line("root: %s", w.policy.Root)
	} else {
		w.line("# root: (not made yet)")
	}
}

func (w *writer) keys() {
	w.line("")
	w.line("# Every key that is or was trusted. public: path from this file, or a PEM block.")
	w.line("# private: where this key signs, file:PATH or env:NAME; left out if it does so elsewhere.")
	w.line("keys:%s", none(len(w.policy.Keys)))
	for _, name := range sorted(w.policy.Keys) {
		k := w.policy.Keys[name]
		w.line("  %s:", scalar(name))
		w.public(k)
		if k.Private != "" {
			w.line("    private: %s", scalar(w.reference(k.Private)))
		}
	}
}

func (w *writer) public(k Key) {
	if k.File != "" {
		w.line("    public: %s", scalar(k.File))
		return
	}
	w.line("    public: |")
	text, err := keys.EncodePublic(k.Public)
	if err != nil {
		text = []byte("# " + err.Error()) // Parse refuses it, which is where errors are shown
	}
	for l := range strings.Lines(string(text)) {
		w.line("      %s", strings.TrimRight(l, "\n"))
	}
}

// reference makes a file below the policy's folder relative to it again, so that the
// folder can be moved.
func (w *writer) reference(ref string) string {
	path, ok := strings.CutPrefix(ref, "file:")
	dir, err := filepath.Abs(filepath.Dir(w.policy.Path))
	if !ok || err != nil || !filepath.IsAbs(path) {
		return ref
	}
	rel, err := filepath.Rel(dir, path)
	if err != nil || !filepath.IsLocal(rel) {
		return ref
	}
	return "file:" + filepath.ToSlash(rel)
}

func (w *writer) roles() {
	w.line("")
	w.line("# Who signs what: any `threshold` of `keys`. Metadata runs out after `expires`;")
	w.line("# `refresh_every` is how often the timestamp is signed anew.")
	w.line("roles:")
	for _, name := range topLevel {
		w.role(w.policy.Roles[name], name)
	}
	if len(w.policy.Delegations) == 0 {
		return
	}
	w.line("")
	w.line("# Channel documents and patches may have keys of their own, that can choose only")
	w.line("# among what the targets key allowed.")
	w.line("delegations:")
	for _, name := range delegated {
		if role, ok := w.policy.Delegations[name]; ok {
			w.role(role, name)
		}
	}
}

func (w *writer) role(role Role, name string) {
	refresh := ""
	if role.RefreshEvery != 0 {
		refresh = ", refresh_every: " + formatDuration(role.RefreshEvery)
	}
	w.line("  %s: {keys: %s, threshold: %d, expires: %s%s}", name, list(role.Keys), role.Threshold, formatDuration(role.Expires), refresh)
}

func (w *writer) products() {
	w.line("")
	w.line("# What is released, through which channels, for which platforms.")
	w.line("products:%s", none(len(w.policy.Products)))
	for _, name := range sorted(w.policy.Products) {
		p := w.policy.Products[name]
		w.line("  %s: {channels: %s, platforms: %s}", scalar(name), list(p.Channels), list(p.Platforms))
	}
}

func (w *writer) rules() {
	d, t := w.policy.Deltas, w.policy.Retention
	if d.MaxMemory == 0 {
		d = DefaultDeltas()
	}
	if t.KeepReleases == 0 {
		t = DefaultRetention()
	}
	w.line("")
	w.line("# Patches are made from the last so many releases, within this memory and time, and")
	w.line("# kept if they save this much of the full download.")
	w.line("deltas: {from_last: %d, min_saving: %s, max_memory: %s, max_time: %s, formats: %s}",
		d.FromLast, formatPercent(d.MinSaving), formatSize(d.MaxMemory), formatDuration(d.MaxTime), list(d.Formats))
	w.line("")
	w.line("# How many releases a channel lists, and how long what was replaced can still be fetched.")
	w.line("retention: {keep_releases: %d, grace: %s}", t.KeepReleases, formatDuration(t.Grace))
}

func none(n int) string {
	if n == 0 {
		return " {}"
	}
	return ""
}

func list(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = scalar(word)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

var (
	bare     = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9._/@+-]*(:[A-Za-z0-9._/@+-]+)*$`)
	reserved = regexp.MustCompile(`(?i)^(?:true|false|null|yes|no|on|off|y|n)$`)
)

// scalar writes s so that YAML reads the same text back, and only as text.
func scalar(s string) string {
	if bare.MatchString(s) && !reserved.MatchString(s) {
		return s
	}
	return strconv.QuoteToASCII(s)
}
