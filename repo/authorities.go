// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"errors"
	"fmt"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// A handover is what decides who must sign: the root and targets metadata in
// force, and those that are to take their place. Any of them may be nil.
type handover struct {
	root, newRoot       *metadata.RootType
	targets, newTargets *metadata.TargetsType
}

// authorities lists everyone whose threshold a role's new metadata must meet.
//
// A new root is signed under the old root and under itself (TUF specification
// section 5.3.4). When a new root changes the keys of another role, that role
// is signed under both, so that it can be committed before the new root
// appears and no client is locked out in between. If the old keys are lost,
// only the new ones sign.
func (h handover) authorities(role string, oldKeysLost bool) ([]authority, error) {
	switch role {
	case metadata.ROOT:
		return h.rootAuthorities()
	case metadata.TARGETS, metadata.SNAPSHOT, metadata.TIMESTAMP:
		return h.topAuthorities(role, oldKeysLost)
	}
	targets := h.targets
	if h.newTargets != nil {
		targets = h.newTargets
	}
	if targets == nil {
		return nil, errors.New("no targets metadata that could delegate it")
	}
	a, ok := delegationAuthority(targets, role)
	if !ok {
		return nil, fmt.Errorf("targets %d does not delegate to it", targets.Version)
	}
	return []authority{a}, nil
}

func (h handover) rootAuthorities() ([]authority, error) {
	if h.newRoot == nil {
		return nil, errors.New("no new root")
	}
	next := rootAuthority(h.newRoot, metadata.ROOT)
	if h.root == nil {
		return []authority{next}, nil
	}
	return []authority{rootAuthority(h.root, metadata.ROOT), next}, nil
}

func (h handover) topAuthorities(role string, oldKeysLost bool) ([]authority, error) {
	switch {
	case h.root == nil && h.newRoot == nil:
		return nil, errors.New("no root")
	case h.root == nil:
		return []authority{rootAuthority(h.newRoot, role)}, nil
	case h.newRoot == nil:
		return []authority{rootAuthority(h.root, role)}, nil
	}
	old, next := rootAuthority(h.root, role), rootAuthority(h.newRoot, role)
	if old.same(next) || oldKeysLost {
		return []authority{next}, nil
	}
	return []authority{old, next}, nil
}

// handover reads the four from a change and the base that it carries.
func (c *Change) handover() (handover, error) {
	var h handover
	if c.Base != nil {
		if len(c.Base.Roots) == 0 {
			return h, errors.New("the change has a base without a root")
		}
		root, err := parseRoot(c.Base.Roots[len(c.Base.Roots)-1])
		if err != nil {
			return h, err
		}
		targets, err := parseTargets(metadata.TARGETS, c.Base.Roles[metadata.TARGETS])
		if err != nil {
			return h, err
		}
		h.root, h.targets = &root.Signed, &targets.Signed
	}
	return h, c.addNew(&h)
}

// addNew fills in what the change's own documents bring.
func (c *Change) addNew(h *handover) error {
	if d := c.document(metadata.ROOT); d != nil {
		root, err := parseRoot(d.Metadata)
		if err != nil {
			return err
		}
		h.newRoot = &root.Signed
	}
	if d := c.document(metadata.TARGETS); d != nil {
		targets, err := parseTargets(metadata.TARGETS, d.Metadata)
		if err != nil {
			return err
		}
		h.newTargets = &targets.Signed
	}
	return nil
}

func (c *Change) authorities(role string, oldKeysLost bool) ([]authority, error) {
	h, err := c.handover()
	if err != nil {
		return nil, err
	}
	return h.authorities(role, oldKeysLost)
}

// Needs lists, document by document, the signatures that the change still
// wants. names maps key ids to the names to show; ids without one are shown
// short.
func (c *Change) Needs(names map[string]string) (map[string][]Need, error) {
	h, err := c.handover()
	if err != nil {
		return nil, err
	}
	out := map[string][]Need{}
	for _, d := range c.Documents {
		all, err := h.authorities(d.Role, false)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", d.Role, err)
		}
		for _, a := range all {
			out[d.Role] = append(out[d.Role], a.need(d.Role, d.Metadata, names))
		}
	}
	return out, nil
}

// A Need is the threshold that one piece of metadata puts on a document.
type Need struct {
	By        string   `json:"by"` // "root 1"
	Have      int      `json:"have"`
	Threshold int      `json:"threshold"`
	Signed    []string `json:"signed"`
	Missing   []string `json:"missing"` // keys that have not signed
}

// Met tells whether enough keys have signed.
func (n Need) Met() bool { return n.Have >= n.Threshold }

func (a authority) need(role string, data []byte, names map[string]string) Need {
	n := Need{By: a.by, Threshold: a.threshold, Signed: []string{}, Missing: []string{}}
	good := map[string]bool{}
	for _, id := range a.signed(role, data) {
		good[id] = true
	}
	for _, id := range a.ids {
		if good[id] {
			n.Have++
			n.Signed = append(n.Signed, keyName(id, names))
		} else {
			n.Missing = append(n.Missing, keyName(id, names))
		}
	}
	return n
}

func keyName(id string, names map[string]string) string {
	if name := names[id]; name != "" {
		return name
	}
	return printable(id[:min(12, len(id))])
}
