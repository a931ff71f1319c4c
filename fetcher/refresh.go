// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-project/waybill/repo/layout"
)

// trusted is the outcome of a complete update. It does not change.
type trusted struct {
	roots     []*root
	root      *root // the last of roots
	timestamp *timestamp
	snapshot  *snapshot
	targets   *targets
	at        instant
}

// Refresh follows the client workflow of the specification, sections 5.2 to 5.6,
// for the four top-level roles. Each call starts at the root given to New, replays
// the stored roots, asks for newer ones, and stores role by role what it accepts. With
// nothing new it makes two requests. After an error the Client has no trusted
// targets until a Refresh succeeds; what was stored before stays stored.
//
// Of several mirrors only the preferred one is asked for root and timestamp, but all
// of them if it fails, and in any case once an hour, so that one that stands still
// cannot hide for longer what another has.
func (c *Client) Refresh(ctx context.Context) (err error) {
	defer guard(&err)
	select {
	case c.refreshing <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-c.refreshing }()
	unlock, err := c.store.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	t, err := c.refresh(ctx)
	c.remember(c.mirrors(), false)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trusted, c.edges, c.kept = t, map[edge]*targets{}, 0
	return err
}

// current returns the outcome of the last Refresh, and makes one if there is none.
func (c *Client) current(ctx context.Context) (*trusted, error) {
	for range 2 {
		c.mu.Lock()
		t := c.trusted
		c.mu.Unlock()
		if t != nil {
			return t, nil
		}
		if err := c.Refresh(ctx); err != nil {
			return nil, err
		}
	}
	return nil, errors.New("a concurrent refresh failed")
}

// update is one run of the workflow.
type update struct {
	*Client
	ctx   context.Context
	floor floor
	saved floor            // as it is stored
	all   bool             // ask every mirror what is newest
	bad   map[*mirror]bool // failed in this run
	trusted
}

func (c *Client) newUpdate(ctx context.Context) *update {
	f := c.store.floor()
	return &update{Client: c, ctx: ctx, floor: f, saved: f, bad: map[*mirror]bool{}}
}

// refresh compares all mirrors if that is due or if the preferred one is not enough.
func (c *Client) refresh(ctx context.Context) (*trusted, error) {
	ctx = c.OneWalk(ctx)
	u := c.newUpdate(ctx)
	u.at = u.instant()
	several := len(c.mirrors().mirrors) > 1
	u.all = several && u.due()
	t, err := u.run()
	if err == nil || !several || u.all || !elsewhere(ctx, err) {
		return t, err
	}
	again := c.newUpdate(ctx)
	again.at, again.all = u.at, true
	return again.run()
}

// due tells whether the last complete update is an hour ago.
func (u *update) due() bool {
	return u.at.behind || u.at.time.Sub(u.floor.Time) >= time.Hour
}

func (u *update) run() (*trusted, error) {
	steps := []func() error{
		u.sweep, u.updateRoots, u.dropRotated, u.updateTimestamp, u.updateSnapshot, u.updateTargets, u.finish,
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return &u.trusted, nil
}

func (u *update) sweep() error {
	if !u.opts.Ephemeral {
		u.sweepOld(u.store.path(partialDir), notLock)
		u.sweepAbandoned()
	}
	return u.store.sweep()
}

// instant reads the clock once, and does not believe it if it lies before a time
// that is known to be past.
func (u *update) instant() instant {
	now := u.opts.Now().UTC()
	least := u.opts.NotBefore
	if u.floor.Time.After(least) {
		least = u.floor.Time
	}
	if now.Before(least) {
		u.warn("the clock is behind the last verified time", "clock", now, "verified", least)
		return instant{time: least.UTC(), behind: true}
	}
	return instant{time: now}
}

// storedRoots returns the trusted root and those that were verified after it.
func (c *Client) storedRoots() []*root {
	chain := []*root{c.first}
	for {
		last := chain[len(chain)-1]
		data := c.store.read(rootFile(last.version+1), c.opts.Limits.Root)
		if data == nil {
			return chain
		}
		next, err := verifyNextRoot(data, last)
		if err != nil {
			c.warn("stored root does not follow from the trusted one", "version", last.version+1, "error", err)
			return chain
		}
		chain = append(chain, next)
	}
}

// updateRoots is specification 5.2 and 5.3.
func (u *update) updateRoots() error {
	u.roots = u.storedRoots()
	err := u.walkRoots()
	u.root = u.roots[len(u.roots)-1]
	if err == nil || u.root.version > u.floor.Root {
		if err := u.storeRoot(); err != nil {
			return err
		}
	}
	if err == nil {
		err = u.fresh(u.root.document, u.at)
	}
	if err != nil {
		return cmp.Or(u.saveFloor(), err)
	}
	return nil // the floor is saved by dropRotated
}

// walkRoots asks for one root after another until there is no next one.
func (u *update) walkRoots() error {
	for range u.opts.Limits.Roots {
		next, err := u.nextRoot(u.roots[len(u.roots)-1])
		if next == nil || err != nil {
			return err
		}
		if err := u.store.write(rootFile(next.version), []byte(next.text)); err != nil {
			return err
		}
		u.roots = append(u.roots, next)
	}
	return nil
}

// storeRoot brings root.json up to the newest root, and the floor that is still to be saved. A newest root
// below the floor means that stored roots were lost and that the source
// now holds back what it once served.
func (u *update) storeRoot() error {
	if u.root.version < u.floor.Root {
		return u.root.error(fmt.Errorf("%w: root %d was already trusted", ErrRollback, u.floor.Root))
	}
	first := rootFile(u.first.version)
	if string(u.store.read(first, u.opts.Limits.Root)) != u.first.text {
		if err := u.store.write(first, []byte(u.first.text)); err != nil {
			return err
		}
	}
	if string(u.store.read("root.json", u.opts.Limits.Root)) == u.root.text && u.floor.Root == u.root.version {
		return nil
	}
	if err := u.store.write("root.json", []byte(u.root.text)); err != nil {
		return err
	}
	u.floor.Root = u.root.version
	return nil
}

// saveFloor writes the floor if it has changed.
func (u *update) saveFloor() error {
	if u.floor == u.saved {
		return nil
	}
	if err := u.store.setFloor(u.floor); err != nil {
		return err
	}
	u.saved = u.floor
	return nil
}

// dropRotated is specification 5.3.11: versions seen under keys of timestamp or
// snapshot that were revoked since bind no longer, so that a fast-forward attack can
// be undone. It compares with the root that the floor was last held against and not with
// the previous one, so that a crash between the two steps does no harm. The floor must name the
// keys before anything is stored under them.
func (u *update) dropRotated() error {
	revoked := u.revoked()
	u.floor.Keys, u.floor.Under = u.root.online(), u.root.version
	if revoked {
		u.debug("keys of timestamp or snapshot were revoked", "root", u.root.version)
		for _, name := range []string{"timestamp.json", "snapshot.json"} {
			if err := u.store.remove(name); err != nil {
				return err
			}
		}
	}
	return u.saveFloor()
}

// revoked tells whether any root since the floor was written shut signers out of
// timestamp or snapshot, even if a later one let them in again. If roots of that time are
// lost, any difference counts.
func (u *update) revoked() bool {
	if u.floor.Keys == "" {
		return false
	}
	chain := u.rootsSince(u.floor)
	if chain == nil {
		return u.floor.Keys != u.root.online()
	}
	for i, next := range chain[1:] {
		for _, role := range []string{"timestamp", "snapshot"} {
			if next.roles[role].excludes(chain[i].roles[role]) {
				return true
			}
		}
	}
	return false
}

// rootsSince returns the verified roots from the one that the floor was last held
// against, or nil if that is not known. A program that is shipped with a newer root finds
// the older ones where they were stored.
func (u *update) rootsSince(f floor) []*root {
	chain := u.roots
	for v := u.first.version - 1; v >= f.Under; v-- {
		older, err := parseRoot(u.store.read(rootFile(v), u.opts.Limits.Root))
		if err != nil {
			return nil
		}
		if _, err := verifyNextRoot([]byte(chain[0].text), older); err != nil {
			return nil
		}
		chain = append([]*root{older}, chain...)
	}
	chain = chain[f.Under-chain[0].version:]
	if chain[0].online() != f.Keys {
		return nil
	}
	return chain
}

// online is equal for the same keys and thresholds of timestamp and snapshot.
func (r *root) online() string { return r.roles["timestamp"].id + r.roles["snapshot"].id }

// updateTimestamp is specification 5.4.
func (u *update) updateTimestamp() error {
	old, err := verifyTimestamp(u.store.read("timestamp.json", u.opts.Limits.Timestamp), u.root, nil)
	if err != nil {
		old = nil
	}
	newest, err := u.newest(old)
	if err != nil {
		return err
	}
	u.timestamp = newest.timestamp
	if u.timestamp != old {
		if err := u.store.write("timestamp.json", []byte(u.timestamp.text)); err != nil {
			return err
		}
	}
	u.floor.ETag, u.floor.Of, u.floor.From = "", "", ""
	if tag := newest.tag; tag != "" && len(tag) <= 256 && newest.current {
		u.floor.ETag, u.floor.Of, u.floor.From = tag, sum256([]byte(u.timestamp.text)), u.tagged(newest.from)
	}
	return nil
}

func sum256(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// updateSnapshot is specification 5.5.
func (u *update) updateSnapshot() error {
	want := u.timestamp.snapshot
	limit := want.limit(u.opts.Limits.Metadata)
	old := u.storedSnapshot()
	if old != nil && old.version > want.version {
		return u.timestamp.error(fmt.Errorf("snapshot: %w", versionError(want.version, old.version)))
	}
	if old != nil && old.version == want.version && want.check([]byte(old.text), "snapshot") == nil && u.fresh(old.document, u.at) == nil {
		u.snapshot = old
		return nil
	}
	object := wanted{u.root.object("snapshot", want.version), "snapshot", limit, want}
	err := u.get(u.ctx, object, func(data []byte) (err error) {
		if u.snapshot, err = verifySnapshot(data, u.root, want, old); err != nil {
			return err
		}
		return u.fresh(u.snapshot.document, u.at)
	})
	if err != nil {
		return err
	}
	return u.store.write("snapshot.json", []byte(u.snapshot.text))
}

func (u *update) storedSnapshot() *snapshot {
	data := u.store.read("snapshot.json", u.opts.Limits.Metadata)
	old, err := parseSnapshot(data, true)
	if err != nil || u.root.roles["snapshot"].verify(old.document) != nil {
		return nil
	}
	old.canonical = nil
	return old
}

// updateTargets is specification 5.6.2 to 5.6.6 for the top-level targets.
func (u *update) updateTargets() (err error) {
	u.targets, err = u.load(u.ctx, &u.trusted, "targets", u.root.roles["targets"], u.store.write)
	return err
}

// finish moves the floor under the clock, at most once an hour to spare the disk.
func (u *update) finish() error {
	if !u.at.behind && u.at.time.Sub(u.saved.Time) >= time.Hour {
		u.floor.Time = u.at.time
	}
	return u.saveFloor()
}

// load returns a targets role, from the store if that has the version and content
// that snapshot lists, or else from the source, and checks it for this one
// delegation.
func (c *Client) load(ctx context.Context, t *trusted, role string, by *signers, keep func(string, []byte) error) (*targets, error) {
	want, ok := t.snapshot.meta[role]
	if !ok {
		return nil, &VerifyError{Role: role, Err: fmt.Errorf("%w: not listed in snapshot", ErrMalformed)}
	}
	limit := want.limit(c.opts.Limits.Metadata)
	if data := c.store.read(roleFile(role), limit); data != nil {
		old, err := verifyTargets(data, role, by, want)
		if err == nil && c.fresh(old.document, t.at) == nil {
			return old, nil
		}
	}
	var out *targets
	var data []byte
	object := wanted{t.root.object(role, want.version), role, limit, want}
	err := c.get(ctx, object, func(got []byte) (err error) {
		data = got
		if out, err = verifyTargets(got, role, by, want); err != nil {
			return err
		}
		return c.fresh(out.document, t.at)
	})
	if err != nil {
		return nil, err
	}
	return out, keep(roleFile(role), data)
}

// limit keeps what nobody has vouched for from being parsed in any length.
func (m fileMeta) limit(most int64) int64 {
	if m.hashes == nil {
		most = min(most, maxUnvouched)
	}
	if m.length >= 0 && m.length < most {
		return m.length
	}
	return most
}

// object names the file of a role in this repository.
func (r *root) object(role string, version int64) string {
	if r.consistent {
		return layout.Versioned(role, version)
	}
	return layout.Unversioned(role)
}
