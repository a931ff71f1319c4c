// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// patience is how long one object may keep a client waiting at one server, over all
// tries: no longer than a window until its share of bytes has come, and then until the
// next. Only time spent waiting for the server counts, and between tries.
type patience struct {
	walk *allowance // nil if the object belongs to no walk
	buys int64      // bytes that still buy the walk time: as many as were signed, however often they are sent

	mu     sync.Mutex
	waited time.Duration // for the present share
	got    int64         // of it
}

// slowError is made for every read, and an error only if it is one.
type slowError struct {
	within time.Duration
	got    int64 // -1 for a whole walk
}

func (e slowError) Is(target error) bool { return target == ErrTooSlow }

func (e slowError) Error() string {
	switch {
	case e.got < 0:
		return fmt.Sprintf("%v: all metadata together took %s", ErrTooSlow, e.within)
	case e.got == 0:
		return fmt.Sprintf("%v: nothing for %s", ErrTooSlow, e.within)
	}
	return fmt.Sprintf("%v: %d bytes in %s", ErrTooSlow, e.got, e.within)
}

// allowance is how long a walk over many small objects may still wait at one server. What an
// ordinary walk needs buys no more time. What goes beyond it does, if it was signed, so that nothing
// is too large for a slow line.
type allowance struct {
	most  time.Duration
	mu    sync.Mutex
	left  time.Duration
	files int
	bytes int64
}

const (
	walkFiles = 8        // of an ordinary walk
	walkBytes = 64 << 10 // the same
	fileTime  = 2 * time.Second
	walkRate  = 4 << 10 // bytes for one second more: half of what a slow and honest line brings
)

const forever = time.Duration(1<<63 - 1)

// spend counts time that was waited and signed bytes that came.
func (a *allowance) spend(took time.Duration, n int64) (left time.Duration) {
	if a == nil {
		return forever
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left = min(a.most, a.left+a.worth(n)-took)
	return a.left
}

// verified counts a file that was accepted, and those of its bytes that have not bought time yet.
func (a *allowance) verified(n int64) {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	more := a.worth(n)
	if a.files++; a.files > walkFiles {
		more += fileTime
	}
	a.left = min(a.most, a.left+more)
}

func (a *allowance) worth(n int64) time.Duration {
	before := max(a.bytes-walkBytes, 0)
	a.bytes += n
	return time.Duration(max(a.bytes-walkBytes, 0)-before) * time.Second / walkRate
}

// spend counts time that was waited and bytes that came. It returns how much longer the
// server may keep quiet, and what is wrong if it does.
func (p *patience) spend(o *HTTPOptions, took time.Duration, n int) (left time.Duration, slow slowError) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waited += took
	p.got += int64(n)
	if p.got >= o.share() {
		p.waited, p.got = 0, 0
	}
	left, slow = o.SlowWindow-p.waited, slowError{o.SlowWindow, p.got}
	bought := min(int64(n), p.buys)
	p.buys -= bought
	if rest := p.walk.spend(took, bought); rest < left {
		left, slow = rest, slowError{p.walk.most, -1}
	}
	return left, slow
}

// share is how many bytes must come in a window.
func (o *HTTPOptions) share() int64 { return int64(o.SlowWindow.Seconds() * float64(o.MinRate)) }

// wait calls cancel when the server has kept quiet for most, or as long as it may. The
// function returned says that n bytes came, and returns an error if they came too late.
func (p *patience) wait(o *HTTPOptions, most time.Duration, cancel context.CancelCauseFunc) (came func(n int) error) {
	left, slow := p.spend(o, 0, 0)
	if most < left {
		left, slow = most, slowError{within: most}
	}
	start := o.now()
	timer := time.AfterFunc(left, func() { cancel(slow) })
	return func(n int) error {
		inTime := timer.Stop()
		left, late := p.spend(o, o.now().Sub(start), n)
		if !inTime {
			return slow
		}
		if left <= 0 {
			cancel(late)
			return late
		}
		return nil
	}
}

type patienceKey struct{}

// patiently gives the requests below ctx a patience to share.
func patiently(ctx context.Context, p *patience) context.Context {
	return context.WithValue(ctx, patienceKey{}, p)
}

func patienceOf(ctx context.Context) *patience {
	if p, ok := ctx.Value(patienceKey{}).(*patience); ok {
		return p
	}
	return &patience{}
}

// allowances are those of one Refresh, or of one search through delegations.
type allowances struct {
	most time.Duration
	mu   sync.Mutex
	at   map[string]*allowance // by the mirror's label
}

type allowancesKey struct{}

// OneWalk returns a context for several calls that share the time of Limits.Wait: a Refresh, calls of Target and
// of Bytes, Standing and Channel that belong together. Without it each Refresh and each search has that time for
// itself, and each document a minute.
func (c *Client) OneWalk(ctx context.Context) context.Context {
	if ctx.Value(allowancesKey{}) != nil {
		return ctx
	}
	return context.WithValue(ctx, allowancesKey{}, &allowances{most: c.opts.Limits.Wait, at: map[string]*allowance{}})
}

func allowanceOf(ctx context.Context, x *mirror) *allowance {
	all, ok := ctx.Value(allowancesKey{}).(*allowances)
	if !ok {
		return nil
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.at[x.label] == nil {
		all.at[x.label] = &allowance{most: all.most, left: all.most}
	}
	return all.at[x.label]
}
