// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/waybill-project/waybill/internal/cli"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo"
)

// candidate is a key that may sign: where it lies, and its id if that is known
// without opening it.
type candidate struct {
	ref, id, name string
	anchor        *repo.Anchor
	pinned        bool // the anchor is the policy's pin, not a file beside the key
	seen          *repo.Inspection
}

// candidates are the keys that were named, or those of the policy that this
// machine holds.
func (a *app) candidates(refs []string) (*policy.Policy, []candidate, error) {
	var out []candidate
	for _, ref := range refs {
		k, err := newCandidate(ref)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, k)
	}
	if len(refs) > 0 {
		return nil, out, nil
	}
	p, err := a.policy()
	if err != nil {
		return nil, nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(p.Keys)) {
		key := p.Keys[name]
		if !a.holds(key) {
			continue
		}
		k, err := newCandidate(key.Private)
		if err != nil {
			return nil, nil, err
		}
		k.id, k.name = key.ID, name
		if k.anchor == nil && p.Root != "" {
			k.anchor, k.pinned = &repo.Anchor{Version: 1, Fingerprint: p.Root}, true
		}
		out = append(out, k)
	}
	if len(out) == 0 {
		return nil, nil, &cli.Error{Code: cli.KeyProblem, Err: fmt.Errorf("this machine holds none of the keys of %s", p.Path), Hint: "name one with --key"}
	}
	return p, out, nil
}

func newCandidate(ref string) (candidate, error) {
	if strings.Contains(ref, "-----BEGIN") {
		return candidate{}, &cli.Error{Code: cli.KeyProblem, Err: errors.New("--key wants a file or env:NAME, not the key itself"), Hint: "others can read what stands on a command line"}
	}
	k := candidate{ref: ref, name: ref}
	path := anchorPath(ref)
	if path == "" {
		return k, nil
	}
	anchor, err := repo.ReadAnchor(path)
	if err != nil {
		return k, &cli.Error{Code: cli.Verification, Err: err, Hint: "the file remembers the last root that this key has seen; restore it, or remove it and confirm the fingerprint anew"}
	}
	k.anchor = anchor
	return k, nil
}
