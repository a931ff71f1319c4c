// SPDX-License-Identifier: Apache-2.0

// Package update keeps one program of one endpoint up to date.
//
// Init writes a state folder, Open reads it. Check says what there is without downloading it, Update installs it,
// Rollback brings the version before back, Status tells what is known without the network, Watch repeats Update, and
// Get downloads any verified target. If the program to update is the running one, nothing is different.
//
// The state folder belongs to one endpoint and one product. It holds fetch.json (Config), root.json (the root of
// trust), trust/ (verified metadata), lock (held during every run), installed.json, install.json and previous/ (of
// package install), download/ (bytes on their way) and checked.json (what the last check found). Members of these
// documents are only ever added.
//
// Errors are those of fetcher (*VerifyError, *SourceError, *LocalError), *install.Error, *ConfigError, *NoSuchError,
// durable.ErrLocked under a *LocalError, and the refusals of repo/release. Whatever fails, the installed program
// stays byte for byte as it was.
package update

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/fetcher/install"
	"github.com/waybill-project/waybill/internal/durable"
)

const (
	lockName     = "lock"
	trustName    = "trust"
	downloadName = "download"
)

// Options are all optional.
type Options struct {
	Now       func() time.Time                           // nil: time.Now
	NotBefore time.Time                                  // when this program was built, see fetcher.Options
	Logger    *slog.Logger                               // nil: silent
	Progress  func(fetcher.Progress)                     // nil: silent
	UserAgent string                                     // of requests over HTTP
	Source    fetcher.Source                             // nil: those of the configuration; see also OpenBundle
	FS        durable.FS                                 // nil: the real file system
	Sleep     func(context.Context, time.Duration) error // for Watch; nil: real time
	Random    func() float64                             // in [0,1), for Watch; nil: math/rand
}

// Updater is one endpoint's product. Its methods take the endpoint's lock; they may be called from several
// goroutines and processes, one of which gets it.
type Updater struct {
	state  string
	config Config
	opts   Options
	client *fetcher.Client

	metadata atomic.Int64 // bytes received of it in this run
}

// Open reads the configuration of a state folder. Nothing is fetched, changed or locked.
func Open(state string, opts *Options) (*Updater, error) {
	state, err := filepath.Abs(state)
	if err != nil {
		return nil, local(state, err)
	}
	u := &Updater{state: state}
	if opts != nil {
		u.opts = *opts
	}
	u.opts.setDefaults()
	config, root, err := Load(state, u.opts.FS)
	if err != nil {
		return nil, err
	}
	u.config = config
	sources := []fetcher.Source{u.opts.Source}
	if u.opts.Source == nil {
		if sources, err = config.sources(u.opts.UserAgent); err != nil {
			return nil, &ConfigError{filepath.Join(state, configName), err}
		}
	}
	if u.client, err = u.newClient(root, u.count(sources)); err != nil {
		return nil, &ConfigError{filepath.Join(state, rootName), err}
	}
	return u, nil
}

func (u *Updater) newClient(root []byte, source fetcher.Source) (*fetcher.Client, error) {
	return fetcher.New(root, filepath.Join(u.state, trustName), source, &fetcher.Options{
		Now: u.opts.Now, NotBefore: u.opts.NotBefore, Logger: u.opts.Logger, Progress: u.opts.Progress, FS: u.opts.FS,
	})
}

func (o *Options) setDefaults() {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	o.FS = fileSystem(o.FS)
}

// Config is what the endpoint wants.
func (u *Updater) Config() Config { return u.config }

// Client is the verifying client of the endpoint, for fetcher.NewTransport and OpenVerified. It takes no part in the lock.
func (u *Updater) Client() *fetcher.Client { return u.client }

func (u *Updater) installOptions() *install.Options {
	return &install.Options{FS: u.opts.FS, Now: u.opts.Now}
}

// begin starts a run: the lock, and the end of what an earlier run did not end.
func (u *Updater) begin(ctx context.Context) (unlock func(), recovery *install.Recovery, err error) {
	path := filepath.Join(u.state, lockName)
	end, err := durable.TryLock(path)
	if err != nil {
		return nil, nil, local(path, err)
	}
	unlock = func() { _ = end() }
	recovery, err = install.Recover(ctx, u.state, u.installOptions())
	if err != nil {
		unlock()
		return nil, nil, err
	}
	u.metadata.Store(0)
	return unlock, recovery, nil
}

// Rollback puts the version before the installed one back, and skips the one it left until a newer one is offered.
func (u *Updater) Rollback(ctx context.Context) (*Outcome, error) {
	unlock, recovery, err := u.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	before, err := u.record()
	if err != nil {
		return nil, err
	}
	if before == nil {
		return nil, &install.Error{Op: "roll back", Path: u.config.Path, Err: install.ErrNoPrevious}
	}
	record, err := install.Rollback(ctx, u.state, u.installOptions())
	if err != nil {
		return nil, err
	}
	o := u.newOutcome(recovery)
	o.From, o.To, o.Changed, o.Way = before.Current.Version, record.Current.Version, true, "rollback"
	o.Skipped = record.Skipped
	return o, nil
}

// Get downloads a verified target to dest, whose folder exists.
func (u *Updater) Get(ctx context.Context, name, dest string) (*fetcher.Target, error) {
	unlock, _, err := u.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	walk := u.client.OneWalk(ctx)
	if err := u.client.Refresh(walk); err != nil {
		return nil, err
	}
	target, err := u.client.Target(walk, name)
	if err != nil {
		return nil, absent(err, "target %q", name)
	}
	return target, u.client.Download(ctx, target, dest)
}
