// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"
)

const (
	maxRestarts  = 2       // from the first byte, at one mirror
	maxTransfers = 100     // that break off, at one mirror
	progress     = 4 << 10 // bytes; a transfer that breaks off with fewer came to nothing

	// A mirror is left for another one if it was given this long, has that much
	// time to go, and the other one would end in less than half of it.
	pacePatience = 5 * time.Second
	paceRest     = 10 * time.Second
)

// transfer fills a partial file.
type transfer struct {
	*Client
	target  *Target
	name    string
	partial *partial
	fetched int64
	mirrors *Mirrors
	queue   []*mirror // not given up; the first is at work
	paces   map[*mirror]*pace
	refused refusals
	apart   bool // a mix of mirrors did not verify: one at a time from now on
}

// pace is what a mirror did for this file.
type pace struct {
	patience patience
	bytes    int64
	waited   time.Duration
	left     bool // once, for a quicker one
}

// errSlower ends a transfer so that another mirror goes on with it.
var errSlower = errors.New("another mirror is quicker")

func (c *Client) newTransfer(t *Target, name string, p *partial) *transfer {
	m := c.mirrors()
	x := &transfer{Client: c, target: t, name: name, partial: p, mirrors: m, queue: m.order(t.Length)}
	x.refused.left, x.paces = m.refusals(), map[*mirror]*pace{}
	for _, q := range x.queue {
		x.paces[q] = &pace{}
	}
	return x
}

// stint is what the mirror at work has done since it was its turn.
type stint struct {
	restarts, transfers, idle int
	fetched                   int64
}

func (x *transfer) run(ctx context.Context) error {
	var failed failures
	var at stint
	for {
		before := x.fetched
		err := x.once(ctx)
		got := x.fetched - before
		at.fetched += got
		switch again := err != nil && x.again(ctx, err); {
		case err == nil:
			x.credit()
			return nil
		case errors.Is(err, errSlower):
			x.partial.kept = true
			at = stint{}
			continue
		case again && at.restarts < maxRestarts:
			at.restarts++
			x.apart = true
			if err := x.reset(); err != nil {
				return err
			}
			continue
		case broken(ctx, err) && x.patient(&at, got):
			x.partial.kept = true
			x.debug("transfer broke off", "target", x.target.Name, "have", x.partial.have, "error", err)
			continue
		}
		if final := x.next(ctx, err, &failed); final != nil {
			return final
		}
		at = stint{}
	}
}

// again tells whether the whole may come well from the first byte on: after what an earlier
// transfer left, or from a lone mirror if it is not the same as before.
func (x *transfer) again(ctx context.Context, err error) bool {
	if errors.Is(err, errRange) || x.partial.kept && errors.Is(err, ErrMismatch) {
		return true
	}
	var got []byte
	if x.partial.have == x.target.Length {
		got = x.partial.sums.all()
	}
	return !x.refused.before(got) && x.refused.again(ctx, err, got)
}

// patient tells whether a mirror whose transfer broke off may go on: not if hardly anything came several times in a row, and
// not once it has sent the file several times over.
func (x *transfer) patient(at *stint, got int64) bool {
	at.transfers++
	if at.idle++; got >= progress {
		at.idle = 0
	}
	return at.idle < tries(x.mirrors) && at.transfers < maxTransfers && at.fetched/(maxRestarts+1) < x.target.Length
}

// tries is how often in a row a mirror may break off: the next one is the better try.
func tries(m *Mirrors) int {
	if len(m.mirrors) > 1 {
		return attempts / 2
	}
	return attempts
}

// next gives the mirror at work up. It returns an error if no other one may do better.
func (x *transfer) next(ctx context.Context, err error, failed *failures) error {
	if !elsewhere(ctx, err) {
		return err
	}
	bad := x.queue[0]
	x.mirrors.failed(bad, err)
	failed.add(bad, err)
	if x.queue = x.queue[1:]; len(x.queue) == 0 {
		return failed.err(x.mirrors)
	}
	x.debug("mirror failed", "mirror", bad.label, "target", x.target.Name, "error", err)
	if Class(err) == "verification" {
		return x.reset()
	}
	x.partial.kept = x.partial.have > 0
	return nil
}

// reset forgets what came so far, and who brought it.
func (x *transfer) reset() error {
	for _, p := range x.paces {
		p.bytes, p.waited = 0, 0
	}
	return x.partial.reset()
}

// credit tells the mirrors that what they brought has verified. Those that were given up keep the strike for that.
func (x *transfer) credit() {
	measured := false
	for m, p := range x.paces {
		if p.bytes == 0 {
			continue
		}
		if x.mirrors.measured(m, p.bytes, p.waited); slices.Contains(x.queue, m) {
			x.mirrors.worked(m, 0, 0)
		}
		measured = measured || p.bytes >= rateSample
	}
	x.remember(x.mirrors, measured)
}

// once continues at the end of what there is, and verifies the whole at the end.
func (x *transfer) once(ctx context.Context) error {
	if len(x.queue) == 0 {
		return errors.New("no mirror")
	}
	p, t := x.partial, x.target
	if p.have < t.Length || !p.kept {
		at := x.queue[0]
		resp, err := x.open(patiently(ctx, &x.paces[at].patience), x.mirrors, at, x.name, Request{Offset: p.have})
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.Offset != p.have {
			if err := x.reset(); err != nil {
				return err
			}
		}
		if resp.Size >= 0 {
			if err := checkLength(resp.Size, t.Length); err != nil {
				return x.fault(err)
			}
		}
		if err := x.copy(ctx, resp.Body); err != nil {
			return err
		}
	}
	if err := p.sums.check(); err != nil {
		return x.fault(err)
	}
	return nil
}

func (x *transfer) copy(ctx context.Context, body io.Reader) error {
	p, t := x.partial, x.target
	buf, held := takeBuffer(), 0
	defer buf.give()
	for {
		n, err := x.read(body, buf[held:min(chunk, t.Length-p.have+1)])
		if held += n; int64(held) > t.Length-p.have {
			return x.fault(checkLength(p.have+int64(held), t.Length))
		}
		end := err
		switch {
		case err == io.EOF && p.have+int64(held) < t.Length:
			end = &interrupted{SourceError{x.name, io.ErrUnexpectedEOF}}
		case err != nil && err != io.EOF:
			end = brokenError(ctx, x.name, err)
		case err == nil && ctx.Err() != nil:
			end = ctx.Err()
		case err == nil && x.quicker():
			end = errSlower
		}
		if held, err = x.keep(buf, held, end != nil); err != nil {
			return err
		}
		if x.opts.Progress != nil && n > 0 {
			x.opts.Progress(Progress{Name: t.Name, Done: p.have + int64(held), Total: t.Length})
		}
		if end == io.EOF {
			return nil
		}
		if end != nil {
			return end
		}
	}
}

// keep writes what is held. On a fast line a page that is not full waits for its rest, since two
// pieces of one cost several times as much. It returns how much is still held.
func (x *transfer) keep(buf *buffer, held int, end bool) (rest int, err error) {
	if !end && held >= page {
		rest = min(held, int((x.partial.have+int64(held))%page))
	}
	if held == rest {
		return rest, nil
	}
	if _, err := x.partial.Write(buf[:held-rest]); err != nil {
		return 0, err
	}
	return copy(buf[:], buf[held-rest:held]), nil
}

// read counts, for the progress of this file and for the pace of the mirror.
func (x *transfer) read(body io.Reader, buf []byte) (int, error) {
	start := x.mirrors.now()
	n, err := body.Read(buf)
	pace := x.paces[x.queue[0]]
	pace.waited += x.mirrors.now().Sub(start)
	pace.bytes += int64(n)
	x.fetched += int64(n)
	return n, err
}

// quicker puts another mirror to work if that one ends sooner, or if it is not known how quick it is
// and this one takes long. Each mirror is left once for a file, so that this comes to an end.
func (x *transfer) quicker() bool {
	at := x.paces[x.queue[0]]
	if x.apart || at.left || at.waited < pacePatience {
		return false
	}
	rest := x.lasting(float64(at.bytes) / at.waited.Seconds())
	if rest < paceRest {
		return false
	}
	best, ends := 0, rest/2
	for i, m := range x.queue[1:] {
		if end, good := x.ending(m); good && end <= ends {
			best, ends = i+1, end
		}
	}
	if best == 0 {
		return false
	}
	at.left = true
	x.debug("mirror is slow", "mirror", x.queue[0].label, "target", x.target.Name)
	x.queue[0], x.queue[best] = x.queue[best], x.queue[0]
	return true
}

// ending is how long the rest would take at another mirror, nothing if that is not known.
func (x *transfer) ending(m *mirror) (end time.Duration, good bool) {
	rate, good := x.mirrors.speed(m)
	if p := x.paces[m]; p.waited > 0 {
		rate = float64(p.bytes) / p.waited.Seconds()
	}
	if rate == 0 {
		return 0, good
	}
	return x.lasting(rate), good
}

// lasting is how long the rest of the file takes at a rate of bytes a second.
func (x *transfer) lasting(rate float64) time.Duration {
	const long = 1000 * time.Hour
	left := float64(x.target.Length-x.partial.have) / max(rate, 1)
	if left > long.Seconds() {
		return long
	}
	return time.Duration(left * float64(time.Second))
}

func (x *transfer) fault(err error) error {
	return &VerifyError{Role: x.target.Role, Target: x.target.Name, Err: err}
}
