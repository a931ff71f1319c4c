// SPDX-License-Identifier: Apache-2.0

package fetcher

import "github.com/waybill-project/waybill/repo/layout"

// ask goes through the mirrors until try is done: the preferred one only, or all of
// them in an update that compares. Mirrors that failed before in this update come
// last. It returns the gravest failure, or nil if there was none.
func (u *update) ask(try func(*Mirrors, *mirror) (done bool, err error)) error {
	m := u.mirrors()
	var failed failures
	for _, x := range u.asking(m) {
		done, err := try(m, x)
		if err != nil && !elsewhere(u.ctx, err) {
			return err
		}
		if err != nil {
			u.bad[x] = true
			m.failed(x, err)
			failed.add(x, err)
			u.debug("mirror failed", "mirror", x.label, "error", err)
		}
		if done {
			return nil
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return failed.err(m)
}

func (u *update) asking(m *Mirrors) []*mirror {
	order := m.order(0)
	if !u.all {
		return order[:min(1, len(order))]
	}
	var good, bad []*mirror
	for _, x := range order {
		if u.bad[x] {
			bad = append(bad, x)
		} else {
			good = append(good, x)
		}
	}
	return append(good, bad...)
}

// nextRoot returns the root after last, or nil if there is none: every mirror that
// answered says so. One that has a bad root cannot block those that have none.
func (u *update) nextRoot(last *root) (next *root, err error) {
	var none []*mirror
	object := wanted{name: layout.Root(last.version + 1), role: "root", limit: u.opts.Limits.Root}
	err = u.ask(func(m *Mirrors, x *mirror) (done bool, err error) {
		_, _, err = u.fetchFrom(u.ctx, m, x, nil, object, Request{}, func(data []byte, _ string) (err error) {
			next, err = verifyNextRoot(data, last)
			return err
		})
		if absent(err) {
			none = append(none, x)
			return false, nil
		}
		return err == nil, err
	})
	switch {
	case next != nil:
		u.stale(none)
		return next, nil
	case len(none) > 0 && u.ctx.Err() == nil:
		return nil, nil
	}
	return nil, err
}

// stale demotes mirrors that did not have what another has.
func (u *update) stale(behind []*mirror) {
	m := u.mirrors()
	for _, x := range behind {
		u.debug("mirror is behind another", "mirror", x.label)
		m.failed(x, nil)
	}
}

// stamp is a verified timestamp and where it came from.
type stamp struct {
	*timestamp
	from    *mirror
	tag     string
	current bool // the mirror holds just these bytes
}

// newest returns the newest timestamp that the mirrors asked have.
func (u *update) newest(old *timestamp) (best stamp, err error) {
	var found []stamp
	err = u.ask(func(m *Mirrors, x *mirror) (done bool, err error) {
		if u.bad[x] && len(found) > 0 {
			return true, nil
		}
		s, err := u.stampFrom(m, x, old)
		if err != nil {
			return false, err
		}
		found = append(found, s)
		if best.timestamp == nil || s.version > best.version {
			best = s
		}
		return false, nil
	})
	if best.timestamp == nil {
		return best, err
	}
	if u.ctx.Err() != nil {
		return best, u.ctx.Err()
	}
	for _, s := range found {
		if s.version < best.version {
			u.stale([]*mirror{s.from})
		} else {
			u.mirrors().worked(s.from, 0, 0)
		}
	}
	return best, nil
}

// stampFrom asks one mirror. It returns old if that is what the mirror holds.
func (u *update) stampFrom(m *Mirrors, x *mirror, old *timestamp) (s stamp, err error) {
	var req Request
	if old != nil && u.floor.Of == sum256([]byte(old.text)) && u.floor.From == u.tagged(x) {
		req.ETag = u.floor.ETag
	}
	object := wanted{name: layout.Timestamp, role: "timestamp", limit: u.opts.Limits.Timestamp}
	_, _, err = u.fetchFrom(u.ctx, m, x, nil, object, req, func(data []byte, tag string) error {
		if data == nil {
			data, tag = []byte(old.text), req.ETag
		}
		t, err := verifyTimestamp(data, u.root, old)
		if err == nil {
			err = u.fresh(t.document, u.at)
		}
		s = stamp{t, x, tag, t != nil && string(data) == t.text}
		return err
	})
	return s, err
}

// tagged names the mirror that gave an ETag, which means nothing to another one.
func (u *update) tagged(x *mirror) string {
	if len(u.mirrors().mirrors) == 1 {
		return ""
	}
	return x.tag()
}
