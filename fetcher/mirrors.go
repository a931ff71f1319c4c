// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/bits"
	"slices"
	"sync"
	"time"
)

// Mirrors is a Source over several copies of one repository, none of which is
// trusted more than any other Source: a bad one costs time. Give it to New as it is, not
// wrapped in another Source: the Client asks the mirrors object by object, goes
// on to the next when one fails or when what it holds does not verify, prefers those
// that were fast and right, and from time to time compares what they call the newest.
// Its methods may be called from several goroutines and clients.
type Mirrors struct {
	mirrors []*mirror
	now     func() time.Time

	mu sync.Mutex // guards what mirrors learn
}

// mirror is one of the sources and what is known of it.
type mirror struct {
	Source
	label   string
	strikes int           // for failures, less one for every object that verified
	rate    float64       // bytes a second of objects that verified; 0 is unknown
	latency time.Duration // until an answer begins
}

const (
	maxStrikes  = 8
	falseStrike = 4       // for an object that does not verify
	rateSample  = 8 << 10 // shorter objects say nothing about the rate
)

// NewMirrors takes the sources in the order in which to ask them as long as nothing
// is known of them. A source that is a fmt.Stringer is named so in errors.
func NewMirrors(sources ...Source) *Mirrors {
	m := &Mirrors{now: time.Now}
	for i, s := range sources {
		label := fmt.Sprintf("mirror %d", i+1)
		if named, ok := s.(fmt.Stringer); ok {
			label = named.String()
		}
		m.mirrors = append(m.mirrors, &mirror{Source: s, label: label})
	}
	return m
}

// Open implements Source for callers that do not verify: it returns what the first
// mirror has that answers. fs.ErrNotExist is returned only if every mirror says so.
func (m *Mirrors) Open(ctx context.Context, name string, req Request) (*Response, error) {
	var failed failures
	for _, x := range m.order(0) {
		resp, err := x.Open(ctx, name, req)
		if err == nil || ctx.Err() != nil {
			return resp, err
		}
		if !errors.Is(err, fs.ErrNotExist) {
			m.failed(x, err)
		}
		failed.add(x, err)
	}
	return nil, failed.err(m)
}

// order returns the mirrors in the order in which to ask for an object of size
// bytes, 0 if that is unknown: those without strikes first, then the quickest.
func (m *Mirrors) order(size int64) []*mirror {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := slices.Clone(m.mirrors)
	slices.SortStableFunc(out, func(a, b *mirror) int {
		return cmp.Or(cmp.Compare(a.strikes, b.strikes), cmp.Compare(a.cost(size), b.cost(size)))
	})
	return out
}

// cost is coarse, each step twice the one before, so that the choice does not
// waver between mirrors that are about as quick as each other.
func (x *mirror) cost(size int64) int {
	wait := x.latency
	if size >= rateSample {
		if x.rate == 0 {
			return 64
		}
		wait += time.Duration(float64(size) / x.rate * float64(time.Second))
	}
	return bits.Len64(uint64(wait / (32 * time.Millisecond)))
}

// answered notes how long a mirror took to begin.
func (m *Mirrors) answered(x *mirror, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if x.latency == 0 {
		x.latency = took
	}
	x.latency = (x.latency + took) / 2
}

// worked notes an object that verified, of n bytes that took so long.
func (m *Mirrors) worked(x *mirror, n int64, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x.strikes = max(0, x.strikes-1)
	x.learn(n, took)
}

// measured notes the rate of a transfer of which nobody knows yet whether it is right.
func (m *Mirrors) measured(x *mirror, n int64, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	x.learn(n, took)
}

func (x *mirror) learn(n int64, took time.Duration) {
	if n < rateSample {
		return
	}
	rate := float64(n) / max(took, time.Millisecond).Seconds()
	if x.rate == 0 {
		x.rate = rate
	}
	x.rate = (x.rate + rate) / 2
}

// failed demotes a mirror: most for what does not verify.
func (m *Mirrors) failed(x *mirror, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var verify *VerifyError
	if errors.As(err, &verify) {
		x.strikes += falseStrike - 1
	}
	x.strikes = min(x.strikes+1, maxStrikes)
}

// speed is the rate of a mirror in good standing, known or not.
func (m *Mirrors) speed(x *mirror) (rate float64, good bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return x.rate, x.strikes == 0
}

// failures are what came of one object at one mirror after the other.
type failures []error

func (f *failures) add(x *mirror, err error) {
	*f = append(*f, fmt.Errorf("%s: %w", x.label, err))
}

// err is the gravest: what does not verify, before trouble on the way, before absence.
func (f failures) err(m *Mirrors) error {
	if len(f) == 0 {
		return errors.New("no mirror")
	}
	worst := slices.MinFunc(f, func(a, b error) int { return cmp.Compare(gravity(a), gravity(b)) })
	if len(m.mirrors) == 1 {
		return errors.Unwrap(worst)
	}
	return worst
}

func gravity(err error) int {
	switch Class(err) {
	case "verification", "expired":
		return 0
	}
	if absent(err) {
		return 2
	}
	return 1
}

// mirrors returns the source as mirrors, also if it is a single one.
func (c *Client) mirrors() *Mirrors {
	if m, ok := c.source.(*Mirrors); ok {
		return m
	}
	return NewMirrors(c.source)
}

// each asks one mirror after the other until try succeeds, and then those again that were left for
// being slow. An error of try that is final, or the fault of neither mirror nor repository, is
// returned at once.
func (c *Client) each(ctx context.Context, size int64, try func(*Mirrors, *mirror, *haste) (final bool, err error)) error {
	m := c.mirrors()
	var failed failures
	queue := m.order(size)
	h := &haste{others: len(queue), rates: map[*mirror]float64{}}
	for len(queue) > 0 {
		x := h.next(&queue)
		final, err := try(m, x, h)
		if errors.Is(err, errSlower) {
			c.debug("mirror is slow", "mirror", x.label)
			queue = append(queue, x)
			continue
		}
		if err == nil || final || !elsewhere(ctx, err) {
			return err
		}
		m.failed(x, err)
		failed.add(x, err)
		c.debug("mirror failed", "mirror", x.label, "error", err)
	}
	return failed.err(m)
}

// elsewhere tells whether another mirror may do better.
func elsewhere(ctx context.Context, err error) bool {
	switch Class(err) {
	case "verification", "expired", "network":
		return ctx.Err() == nil
	}
	return false
}
