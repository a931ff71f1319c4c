// SPDX-License-Identifier: Apache-2.0

// Package repo stages, checks and publishes a TUF repository in a bucket.
//
// Open takes the bucket's URL and the policy. Begin reads the live state as a
// client would, from the policy's pinned root 1, and gives a Draft to edit;
// Draft.Change makes of it a Change, the portable file that the holders of
// offline keys inspect and sign; Publish makes snapshot and timestamp, replays
// clients over the result, and uploads it. Commit does all of it in one go
// where every key is at hand. Refresh is for cron; Status and Verify look.
//
// Objects, by the order in which they are written:
//
//	targets/<dir>/<sha256>.<name>                artifacts, patches, documents
//	metadata/N.<role>.json  N.targets.json  N.snapshot.json
//	metadata/timestamp.json                      replaced if unchanged: the commit
//	metadata/N.root.json                         after the commit, see Publish
//
// All but the timestamp are created once and never change. A publication that
// dies leaves at most objects that nothing names; running it again finishes it.
//
// Compatible for good: the object names, the signed documents, and that a
// change file of schema 1 can be read by later versions.
package repo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/policy"
	"github.com/waybill-project/waybill/repo/store"
)

// Options of Open; nil and zero values are fine.
type Options struct {
	// Drivers of cloud providers; folders and mem:// need none.
	Drivers []store.Driver
	// Work is a folder for what this machine remembers: the versions it has
	// seen, patches being made, artifacts fetched to make them. Empty: nothing
	// is remembered between runs and patches cannot be made.
	Work string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Logger gets what a developer wants to see; nil is silent.
	Logger *slog.Logger
	// Progress gets a line for each slow step; nil is silent.
	Progress func(line string)
	// ContinueFrom accepts the timestamp of this version as the one to build on
	// although the bucket holds signs of a newer one. See ErrPutBack.
	ContinueFrom int64
}

// Repo is a repository in a bucket. It is not safe for concurrent use.
type Repo struct {
	store  *store.Store
	policy *policy.Policy
	opts   Options
}

// A SignFunc signs a payload with one of the policy's keys, or returns ErrNoKey
// if this machine does not hold it. Any other error is final.
type SignFunc func(ctx context.Context, key policy.Key, payload []byte) (metadata.Signature, error)

// Open opens the bucket that a URL names. It reads and trusts nothing yet.
func Open(ctx context.Context, url string, p *policy.Policy, opts *Options) (*Repo, error) {
	var drivers []store.Driver
	if opts != nil {
		drivers = opts.Drivers
	}
	s, err := store.Open(ctx, url, drivers...)
	if err != nil {
		return nil, err
	}
	return New(s, p, opts), nil
}

// New works on a bucket that is open already, and closes it with the Repo.
func New(s *store.Store, p *policy.Policy, opts *Options) *Repo {
	r := &Repo{store: s, policy: p}
	if opts != nil {
		r.opts = *opts
	}
	if r.opts.Now == nil {
		r.opts.Now = time.Now
	}
	if r.opts.Progress == nil {
		r.opts.Progress = func(string) {}
	}
	return r
}

// Close frees the bucket.
func (r *Repo) Close() error { return r.store.Close() }

// Store gives the bucket itself, for serving it.
func (r *Repo) Store() *store.Store { return r.store }

// Source reads the repository's objects from the bucket as a client would.
func (r *Repo) Source() fetcher.Source { return bucketSource{r.store} }

func (r *Repo) workPath(parts ...string) (string, error) {
	if r.opts.Work == "" {
		return "", errors.New("this needs a working folder")
	}
	return filepath.Join(append([]string{r.opts.Work}, parts...)...), nil
}

// KeyNames maps the policy's key ids to their names.
func (r *Repo) KeyNames() map[string]string {
	names := map[string]string{}
	for _, k := range r.policy.Keys {
		names[k.ID] = k.Name
	}
	return names
}

func (r *Repo) lifetime(role string) (time.Duration, error) {
	if p, ok := r.policy.Roles[role]; ok {
		return p.Expires, nil
	}
	if p, ok := r.policy.Delegations[role]; ok {
		return p.Expires, nil
	}
	return 0, fmt.Errorf("%w %s", ErrNoRole, role)
}
