// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Numbers may start anew exactly when clients drop what they saw.
func TestExcludes(t *testing.T) {
	w := newWorld(t)
	signers := func(threshold int, names ...string) authority {
		a := authority{threshold: threshold, keys: map[string]*metadata.Key{}}
		for _, name := range names {
			a.ids = append(a.ids, w.id(name))
			a.keys[w.id(name)] = w.record(name)
		}
		return a
	}
	for name, c := range map[string]struct {
		before, after authority
		want          bool
	}{
		"the same":          {signers(1, "alice"), signers(1, "alice"), false},
		"added":             {signers(1, "alice"), signers(1, "alice", "bob"), false},
		"threshold lowered": {signers(2, "alice", "bob"), signers(1, "alice", "bob"), false},
		"threshold raised":  {signers(1, "alice", "bob"), signers(2, "alice", "bob"), true},
		"removed":           {signers(1, "alice", "bob"), signers(1, "bob"), true},
		"replaced":          {signers(1, "alice"), signers(1, "bob"), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := c.after.excludes(c.before); got != c.want {
				t.Errorf("excludes: %v", got)
			}
		})
	}
}
