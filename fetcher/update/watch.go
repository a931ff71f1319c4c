// SPDX-License-Identifier: Apache-2.0

package update

import (
	"context"
	"time"
)

const firstRetry = 30 * time.Second

// Watch updates again and again: every interval, give or take a tenth; after a failure sooner, from half a minute up to
// the interval. Every run is reported to fn, which stops the watch by returning an error. Watch returns that error, or
// why ctx ended, or nil once it has replaced the running program, which is the time to start the new one.
func (u *Updater) Watch(ctx context.Context, interval time.Duration, opts *UpdateOptions, fn func(*Outcome, error) error) error {
	failures := 0
	for {
		outcome, err := u.Update(ctx, opts)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if stop := fn(outcome, err); stop != nil {
			return stop
		}
		if err == nil && outcome.Changed && outcome.Self {
			return nil
		}
		failures++
		if err == nil {
			failures = 0
		}
		if err := u.opts.Sleep(ctx, u.pause(interval, failures)); err != nil {
			return err
		}
	}
}

func (u *Updater) pause(interval time.Duration, failures int) time.Duration {
	spread := 0.2 * (u.opts.Random() - 0.5)
	wait := interval
	if failures > 0 {
		wait = min(interval, firstRetry<<min(failures-1, 20))
		spread = -0.5 * u.opts.Random()
	}
	return wait + time.Duration(spread*float64(wait))
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
