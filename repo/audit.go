// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/fetcher"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/release"
)

// An Audit is what Verify found.
type Audit struct {
	Objects  int       `json:"objects"` // objects checked
	Bytes    int64     `json:"bytes"`
	Problems []Problem `json:"problems"`
}

// A Problem is an object that is not what the signed metadata says.
type Problem struct {
	Object string `json:"object"`
	What   string `json:"what"`
	Err    error  `json:"-"`
}

func (a *Audit) problem(object string, err error) {
	a.Problems = append(a.Problems, Problem{Object: object, What: err.Error(), Err: err})
}

// Verify reads the whole repository as a new client would, re-hashes every
// object that signed metadata lists, and follows every channel document. What
// is wrong is a problem in the audit; an error means that it could not look.
func (r *Repo) Verify(ctx context.Context, progress func(object string)) (*Audit, error) {
	if progress == nil {
		progress = func(string) {}
	}
	first, err := r.FirstRoot(ctx)
	if err != nil {
		return nil, err
	}
	client, err := fetcher.New(first, "", r.Source(), &fetcher.Options{Ephemeral: true, Now: r.opts.Now})
	if err != nil {
		return nil, err
	}
	a := &Audit{Problems: []Problem{}}
	if err := client.Refresh(ctx); err != nil {
		if operational(err) {
			return nil, err
		}
		a.problem("metadata", err)
		return a, nil
	}
	s := &state{client: client, raw: map[string][]byte{}, roles: map[string]*metadata.Metadata[metadata.TargetsType]{}}
	if err := s.read(ctx); err != nil {
		if operational(err) {
			return nil, err
		}
		a.problem("metadata", err)
		return a, nil
	}
	a.Objects += len(client.Roots()) + len(s.raw) - 1
	for _, holder := range s.holders() {
		for _, name := range sortedKeys(holder.Targets) {
			object := layout.Target(name, holder.Targets[name].Hashes["sha256"].String())
			progress(object)
			if err := r.auditTarget(ctx, client, a, name, object, holder.Targets[name]); err != nil {
				return a, err
			}
		}
	}
	return a, nil
}

// operational tells trouble with the way to the repository from a fault of it.
func operational(err error) bool {
	var verify *fetcher.VerifyError
	return !errors.As(err, &verify)
}

func (r *Repo) auditTarget(ctx context.Context, client *fetcher.Client, a *Audit, name, object string, t *metadata.TargetFiles) error {
	a.Objects++
	n, sum, err := r.hashObject(ctx, object, t.Length)
	a.Bytes += n
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		a.problem(object, err)
		return nil
	case n != t.Length || sum != t.Hashes["sha256"].String():
		a.problem(object, fmt.Errorf("%w: %d bytes with sha256 %s, signed are %d bytes", fetcher.ErrMismatch, n, sum, t.Length))
		return nil
	}
	if found, err := client.Target(ctx, name); err != nil || found.Hashes["sha256"] != sum {
		a.problem(object, fmt.Errorf("the search for %s does not find it: %v", name, err))
		return nil
	}
	return r.auditDocument(ctx, client, a, name, object)
}

func (r *Repo) hashObject(ctx context.Context, object string, length int64) (int64, string, error) {
	body, _, err := r.store.Reader(ctx, object, 0, -1)
	if err != nil {
		return 0, "", err
	}
	defer body.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(body, length+1))
	return n, hex.EncodeToString(h.Sum(nil)), err
}

// auditDocument reads the signed documents and what they point at.
func (r *Repo) auditDocument(ctx context.Context, client *fetcher.Client, a *Audit, name, object string) error {
	var err error
	if product, channel, platform, ok := release.ParseChannelTarget(name); ok {
		err = checkChannel(ctx, client, product, channel, platform)
	} else if product, ok := release.ParseStandingTarget(name); ok {
		_, err = client.Standing(ctx, product)
	}
	if err != nil {
		a.problem(object, err)
	}
	return ctx.Err()
}
