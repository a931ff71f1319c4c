// SPDX-License-Identifier: Apache-2.0

package endtoend

import (
	"os"
	"path/filepath"
	"testing"
)

func publications() []situation {
	return []situation{
		{"waybill publish of a release", func(t *testing.T, dir string) victim {
			p, v := publishVictim(t, dir)
			p.stage("1.1.0", p.writeScript("1.1.0", scriptSize))
			return v
		}},
		{"waybill publish of a rotation", func(t *testing.T, dir string) victim {
			p, v := publishVictim(t, dir)
			p.rotate()
			return v
		}},
	}
}

// publishVictim is a repository with 1.0.0, about to be changed, and a client
// that has seen it.
func publishVictim(t *testing.T, dir string) (*publisher, victim) {
	p := found(t, filepath.Join(dir, "bucket"))
	p.release("1.0.0", p.writeScript("1.0.0", scriptSize))
	warm := endpointIn(t, filepath.Join(dir, "warm"), p.repo, p.path("root.json"))
	warm.update()
	return p, victim{
		shell:   p.shell,
		args:    []string{"waybill", "publish"},
		folders: []string{p.repo, p.dir, warm.dir},
		killed:  func(t *testing.T) { p.with(t).accepted(warm.with(t)) },
		again: func(t *testing.T, audit bool) {
			p.with(t).finishes(warm.with(t))
			if audit {
				p.with(t).goesOn(warm.with(t))
			}
		},
	}
}

// accepted fails unless clients take the repository as it lies there: one that
// is new and starts at root 1, and one that has seen the state before.
func (p *publisher) accepted(warm *endpoint) {
	p.t.Helper()
	cold := newEndpoint(p.t, p.repo, p.path("root.json"))
	cold.ok("fetch", "check")
	warm.ok("fetch", "check")
}

// finishes publishes again and checks the result as the client that has seen
// everything before, and from root 1 as an auditor.
func (p *publisher) finishes(warm *endpoint) {
	p.t.Helper()
	if _, err := os.Stat(p.path(".waybill/change.json")); err == nil {
		p.ok("waybill", "publish")
	}
	p.exits(0, "0 problems", "waybill", "verify")
	if _, err := os.Stat(p.path("build/app-1.1.0")); err == nil {
		warm.update()
		warm.has(p.path("build/app-1.1.0"))
	}
	warm.ok("fetch", "check")
}

// goesOn fails unless the repository is as the policy says, and can be changed
// again.
func (p *publisher) goesOn(warm *endpoint) {
	p.t.Helper()
	st := decode[status](p.t, p.ok("waybill", "status", "--json"))
	if len(st.Violations) > 0 || st.Pending != nil {
		p.t.Fatalf("not as the policy says: %+v", st)
	}
	p.ok("waybill", "refresh")
	p.accepted(warm)
}
