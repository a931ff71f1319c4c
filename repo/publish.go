// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/store"
)

// PublishOptions are for the rare cases; nil is the usual one.
type PublishOptions struct {
	// OldKeysLost publishes a new root although the keys that it replaces can
	// no longer sign. The new root then goes up just before the timestamp;
	// clients that look in between get an error, and succeed when they try
	// again.
	OldKeysLost bool
	// DryRun checks everything and uploads nothing.
	DryRun bool
}

// Published is what a publication did.
type Published struct {
	Root        int64         `json:"root"`
	Timestamp   int64         `json:"timestamp"`
	Snapshot    int64         `json:"snapshot"`
	Targets     int64         `json:"targets"`
	Objects     []string      `json:"objects"` // written, in order
	Bytes       int64         `json:"bytes"`
	Renewed     []string      `json:"renewed,omitempty"` // roles signed again by Refresh
	Deltas      []DeltaReport `json:"deltas,omitempty"`
	Warnings    []string      `json:"warnings,omitempty"`
	NextExpiry  Expiry        `json:"next_expiry"`
	AlreadyDone bool          `json:"already_done,omitempty"`
}

// Expiry is the date after which clients refuse a role.
type Expiry struct {
	Role string    `json:"role"`
	At   time.Time `json:"at"`
}

// Publish signs what online keys can sign, makes snapshot and timestamp,
// replays clients over the result, and only then uploads: files, delegated
// roles, targets, snapshot, and at last the timestamp, whose replacement is the
// commit.
//
// When a new root changes the keys of other roles, those roles are signed by
// old and new keys and committed first; the root follows, so that a client is
// never between two states. A publication that was interrupted is finished by
// publishing the same change again. Too few signatures is a *ThresholdError,
// a base that has moved or a lost race ErrConflict: nothing is in force then.
func (r *Repo) Publish(ctx context.Context, c *Change, sign SignFunc, opts *PublishOptions) (*Published, error) {
	return r.publish(ctx, c, sign, opts, nil)
}

func (r *Repo) publish(ctx context.Context, c *Change, sign SignFunc, opts *PublishOptions, prepare func(*publication) error) (_ *Published, err error) {
	unlock, err := r.store.Lock(ctx)
	if err != nil {
		return nil, conflict(err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	p := &publication{repo: r, change: c, sign: sign, now: r.opts.Now().UTC(), files: map[string]bool{}}
	p.result.Deltas = c.Deltas
	if opts != nil {
		p.opts = *opts
	}
	if p.live, err = r.load(ctx); err != nil {
		return nil, err
	}
	if prepare != nil {
		if err := prepare(p); err != nil {
			return nil, err
		}
	}
	if err := p.run(ctx); err != nil {
		return nil, conflict(err)
	}
	return &p.result, nil
}

// conflict marks what other publishers cause.
func conflict(err error) error {
	if errors.Is(err, store.ErrChanged) || errors.Is(err, store.ErrLocked) {
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}

// Commit begins a draft, edits it, and publishes it. If another publisher was
// faster it starts again, with the same edit on the new state.
func (r *Repo) Commit(ctx context.Context, edit func(context.Context, *Draft) error, sign SignFunc, opts *PublishOptions) (*Published, error) {
	return r.retry(ctx, func() (*Published, error) { return r.commitOnce(ctx, edit, sign, opts) })
}

// retry runs a publication up to five times while others are faster.
func (r *Repo) retry(ctx context.Context, publish func() (*Published, error)) (*Published, error) {
	for try := 1; ; try++ {
		done, err := publish()
		if !errors.Is(err, ErrConflict) || try == 5 {
			return done, err
		}
		r.opts.Progress(fmt.Sprintf("%v; starting again from what is in force now", err))
		pause := time.Duration(try) * (100*time.Millisecond + rand.N(400*time.Millisecond))
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (r *Repo) commitOnce(ctx context.Context, edit func(context.Context, *Draft) error, sign SignFunc, opts *PublishOptions) (*Published, error) {
	d, err := r.Begin(ctx, nil)
	if err != nil {
		return nil, err
	}
	if err := edit(ctx, d); err != nil {
		return nil, err
	}
	c, err := d.Change()
	if err != nil {
		return nil, err
	}
	if c == nil {
		c = &Change{Schema: 1, Created: r.opts.Now()} // says so, with the versions in force
	}
	return r.Publish(ctx, c, sign, opts)
}

// A publication is one run of Publish.
type publication struct {
	repo   *Repo
	live   *state
	change *Change
	sign   SignFunc
	opts   PublishOptions
	now    time.Time
	result Published

	handover  handover
	root      *Document
	docs      []Document // all but root, in the order of upload
	renewAll  bool       // new snapshot and timestamp although no document changed
	snapshot  *Document
	timestamp *Document
	files     map[string]bool
}

func (p *publication) run(ctx context.Context) error {
	if err := p.plan(ctx); err != nil {
		return err
	}
	if p.root == nil && len(p.docs) == 0 && !p.renewAll && p.live.ahead == nil {
		p.result.AlreadyDone = true
		p.describe()
		return nil
	}
	if err := p.makeDocuments(ctx); err != nil {
		return err
	}
	if err := p.checkDates(); err != nil {
		return err
	}
	if err := p.checkFiles(ctx); err != nil {
		return err
	}
	if err := p.replay(ctx); err != nil {
		return err
	}
	p.describe()
	if p.opts.DryRun {
		return nil
	}
	if err := p.upload(ctx); err != nil {
		return err
	}
	return p.readBack(ctx)
}

// plan finds out which documents are to be published still.
func (p *publication) plan(ctx context.Context) error {
	if err := p.change.check(); err != nil {
		return err
	}
	if err := p.live.checkBase(p.change); err != nil {
		return err
	}
	p.handover = p.live.handover()
	if err := p.change.addNew(&p.handover); err != nil {
		return err
	}
	if err := p.catchUp(); err != nil {
		return err
	}
	if p.live.empty && (p.handover.newRoot == nil || p.handover.newTargets == nil) {
		return fmt.Errorf("the first publication must bring root and targets: %w", ErrEmpty)
	}
	for _, doc := range p.change.Documents {
		if sameSigned(p.live.raw[doc.Role], doc.Metadata) {
			continue
		}
		if doc.Role == metadata.ROOT {
			p.root = &doc
			continue
		}
		p.docs = append(p.docs, doc)
	}
	slices.SortStableFunc(p.docs, func(a, b Document) int { return uploadOrder(a.Role) - uploadOrder(b.Role) })
	return p.checkFirstRoot()
}

// catchUp signs for a root that is in the bucket already, see followBehindRoot.
func (p *publication) catchUp() error {
	if p.live.ahead == nil || p.handover.newRoot != nil {
		return nil
	}
	root, err := parseRoot(p.live.ahead)
	if err != nil {
		return err
	}
	p.handover.newRoot, p.opts.OldKeysLost = &root.Signed, true
	targets := metadata.TARGETS
	if p.change.document(targets) != nil || rootAuthority(&root.Signed, targets).verify(targets, p.live.raw[targets]) == nil {
		return nil
	}
	doc, err := p.again(targets)
	if err != nil {
		return err
	}
	p.docs = append(p.docs, *doc)
	return nil
}

func uploadOrder(role string) int {
	if role == metadata.TARGETS {
		return 1
	}
	return 0
}

// checkFirstRoot holds root 1 against the policy's pin.
func (p *publication) checkFirstRoot() error {
	if p.root == nil || p.root.Version != 1 {
		return nil
	}
	sum, err := payloadHash(p.root.Metadata)
	if err != nil {
		return err
	}
	if sum != p.repo.policy.Root {
		return fmt.Errorf("root 1 of the change has fingerprint %s, the policy pins %q: %w", sum, p.repo.policy.Root, ErrInvalid)
	}
	return nil
}

// makeDocuments completes the signatures and makes snapshot and timestamp.
func (p *publication) makeDocuments(ctx context.Context) error {
	if p.root != nil {
		if err := p.complete(ctx, p.root, false); err != nil {
			return err
		}
	}
	for i := range p.docs {
		if err := p.complete(ctx, &p.docs[i], true); err != nil {
			return err
		}
	}
	if !p.needsTimestamp() {
		return nil
	}
	if err := p.makeSnapshot(ctx); err != nil {
		return err
	}
	return p.makeTimestamp(ctx)
}

// needsTimestamp tells whether there is anything to commit besides a root.
func (p *publication) needsTimestamp() bool {
	if len(p.docs) > 0 || p.renewAll || p.live.empty {
		return true
	}
	for _, role := range []string{metadata.SNAPSHOT, metadata.TIMESTAMP} {
		if rootAuthority(p.handover.newRoot, role).verify(role, p.live.raw[role]) != nil {
			return true
		}
	}
	return false
}

// complete adds what online keys can sign, and takes over the signatures of an
// object that an interrupted publication has left.
func (p *publication) complete(ctx context.Context, doc *Document, online bool) error {
	all, err := p.handover.authorities(doc.Role, p.opts.OldKeysLost)
	if err != nil {
		return fmt.Errorf("%s: %w", doc.Role, err)
	}
	if err := p.adopt(ctx, doc, all); err != nil {
		return err
	}
	for _, a := range all {
		if online {
			if err := p.signFor(ctx, doc, a); err != nil {
				return err
			}
		}
		if err := p.meets(doc, a); err != nil {
			return err
		}
	}
	return nil
}

// adopt uses an object of the same number if it has the same signed part. Any
// other content means that the number is taken.
func (p *publication) adopt(ctx context.Context, doc *Document, all []authority) error {
	name := layout.Versioned(doc.Role, doc.Version)
	data, err := p.repo.store.Get(ctx, name, layout.MaxMetadata)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !sameSigned(data, doc.Metadata) || !asWeWrite(data, all) {
		return fmt.Errorf("%s is there already, with other content: %w", name, ErrConflict)
	}
	for _, a := range all {
		if a.verify(doc.Role, data) != nil {
			return fmt.Errorf("%s is there already, with too few signatures: %w", name, ErrConflict)
		}
	}
	doc.Metadata = data
	return nil
}

// asWeWrite tells whether bytes that somebody stored are as this package writes
// them: nothing blown up, no signatures of strangers.
func asWeWrite(data []byte, all []authority) bool {
	e, err := openEnvelope(data)
	if err != nil {
		return false
	}
	for _, sig := range e.Signatures {
		if _, known := authorityWith(all, sig.KeyID); !known {
			return false
		}
	}
	ours, err := e.encode()
	return err == nil && bytes.Equal(ours, data)
}

// signFor adds signatures until the threshold of an authority is met.
func (p *publication) signFor(ctx context.Context, doc *Document, a authority) error {
	have := a.signed(doc.Role, doc.Metadata)
	for _, id := range a.ids {
		if len(have) >= a.threshold {
			return nil
		}
		key, known := p.repo.policy.KeyByID(id)
		if !known || slices.Contains(have, id) {
			continue
		}
		err := doc.sign(ctx, a, id, func(ctx context.Context, payload []byte) (metadata.Signature, error) {
			return p.sign(ctx, key, payload)
		})
		if errors.Is(err, ErrNoKey) {
			continue
		}
		if err != nil {
			return fmt.Errorf("signing %s with key %s: %w", doc.Role, key.Name, err)
		}
		have = append(have, id)
	}
	return nil
}

// meets refuses a document with too few signatures.
func (p *publication) meets(doc *Document, a authority) error {
	if a.verify(doc.Role, doc.Metadata) == nil {
		return nil
	}
	need := a.need(doc.Role, doc.Metadata, p.repo.KeyNames())
	return &ThresholdError{Role: doc.Role, By: a.by, Have: need.Have, Need: need.Threshold, Missing: need.Missing}
}
