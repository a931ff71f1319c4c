// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
)

// Target is a file that the repository vouches for.
type Target struct {
	Name   string
	Length int64
	Hashes map[string]string // name of the hash function to hex; sha256 or sha512 is always among them
	Custom json.RawMessage   // as signed; nil if none
	Role   string            // that lists it
}

// edge names a delegated role as verified for one set of signers. The same role
// reached through other signers is another edge.
type edge struct {
	role, by string
}

// Target searches the targets roles as in specification 5.6.7: depth first, in
// order of appearance, each role once. It makes a Refresh if there was none.
// A name that no role lists is an error that wraps fs.ErrNotExist and is neither
// a *VerifyError nor a *SourceError.
func (c *Client) Target(ctx context.Context, name string) (_ *Target, err error) {
	defer guard(&err)
	t, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	found, err := c.search(c.OneWalk(ctx), t, name)
	if err != nil {
		return nil, err
	}
	if found == nil {
		return nil, fmt.Errorf("target %s: %w", name, fs.ErrNotExist)
	}
	if _, err := newDigests(found.Hashes); err != nil {
		return nil, &VerifyError{Role: found.Role, Target: name, Err: err}
	}
	return found, nil
}

func (c *Client) search(ctx context.Context, t *trusted, name string) (*Target, error) {
	pending := []delegation{{name: "targets"}}
	visited := map[string]bool{}
	for len(pending) > 0 {
		next := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if visited[next.name] {
			continue
		}
		if len(visited) > c.opts.Limits.Delegations {
			return nil, &VerifyError{Target: name, Err: fmt.Errorf("%w: more than %d delegations", ErrTooLarge, c.opts.Limits.Delegations)}
		}
		visited[next.name] = true
		role, err := c.role(ctx, t, next)
		if err != nil {
			return nil, err
		}
		if found := role.lookup(name); found != nil {
			return found, nil
		}
		pending = push(pending, role.delegations.matching(name))
	}
	return nil, nil
}

// push puts the children of a role on the stack, the first on top. A
// terminating child is the last that the whole search may look under.
func push(pending, children []delegation) []delegation {
	for i, d := range children {
		if d.terminating {
			children, pending = children[:i+1], nil
			break
		}
	}
	for i := len(children) - 1; i >= 0; i-- {
		pending = append(pending, children[i])
	}
	return pending
}

// role loads a targets role over one delegation.
func (c *Client) role(ctx context.Context, t *trusted, d delegation) (*targets, error) {
	if d.name == "targets" {
		return t.targets, nil
	}
	key := edge{d.name, d.by.id}
	c.mu.Lock()
	known := c.edges[key]
	if c.trusted != t {
		known = nil
	}
	c.mu.Unlock()
	if known != nil {
		return known, nil
	}
	loaded, err := c.load(ctx, t, d.name, d.by, func(name string, data []byte) error {
		return c.keepDelegated(ctx, t, name, data)
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trusted == t {
		c.keepEdge(key, loaded)
	}
	return loaded, nil
}

// maxEdges is how many bytes of delegated roles stay in memory, decoded. Those that are dropped are in the store.
const maxEdges = 16 << 20

// keepEdge keeps a role at hand. Whoever may ask for any name could else have all roles of a
// large repository kept.
func (c *Client) keepEdge(key edge, loaded *targets) {
	if c.edges[key] != nil {
		return
	}
	if c.kept += len(loaded.text); c.kept > maxEdges {
		clear(c.edges)
		c.kept = len(loaded.text)
	}
	c.edges[key] = loaded
}

// keepDelegated stores a delegated role unless another process has moved on to
// another snapshot meanwhile.
func (c *Client) keepDelegated(ctx context.Context, t *trusted, name string, data []byte) error {
	unlock, err := c.store.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if string(c.store.read("snapshot.json", c.opts.Limits.Metadata)) != t.snapshot.text {
		return nil
	}
	return c.store.write(name, data)
}

// Metadata returns the trusted metadata of a role as received: one of the four
// top-level roles, or one that targets delegates to, which is loaded if need be.
// Any other role is an error that wraps fs.ErrNotExist.
func (c *Client) Metadata(ctx context.Context, role string) (_ []byte, err error) {
	defer guard(&err)
	t, err := c.current(ctx)
	if err != nil {
		return nil, err
	}
	switch role {
	case "root":
		return []byte(t.root.text), nil
	case "timestamp":
		return []byte(t.timestamp.text), nil
	case "snapshot":
		return []byte(t.snapshot.text), nil
	case "targets":
		return []byte(t.targets.text), nil
	}
	d, ok := t.targets.delegations.find(role)
	if !ok {
		return nil, fmt.Errorf("role %s: %w", role, fs.ErrNotExist)
	}
	loaded, err := c.role(c.OneWalk(ctx), t, d)
	if err != nil {
		return nil, err
	}
	return []byte(loaded.text), nil
}

// objectName is where the file of t lies, with one of its hashes in front if the
// repository has consistent snapshots.
func (t *Target) hash() string {
	if h := t.Hashes["sha256"]; h != "" {
		return strings.ToLower(h)
	}
	return strings.ToLower(t.Hashes["sha512"])
}
