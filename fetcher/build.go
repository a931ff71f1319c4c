// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/waybill-project/waybill/delta"
	"github.com/waybill-project/waybill/internal/durable"
	"github.com/waybill-project/waybill/repo/release"
)

// Report says how Build made a file, and why not otherwise.
type Report struct {
	Way     string    `json:"way"`     // kind of the release.Way, or "present" if it was there already; "" after an error
	Fetched int64     `json:"fetched"` // bytes received for targets, alternatives that failed included
	Full    int64     `json:"full"`    // bytes of the whole file
	Left    []LeftWay `json:"left"`    // alternatives that failed, in the order tried
}

// LeftWay is an alternative that did not lead to the file.
type LeftWay struct {
	Way    string `json:"way"`
	Class  string `json:"class"`  // as Class, or "base", "patch", "unsupported"
	Reason string `json:"reason"` // for people
	Err    error  `json:"-"`
}

// Build makes the verified file of t at dest by the first of ways that works: by
// patches from the file base ("" if there is none), or by a full download, which is
// tried last if it is not among ways. A way that fails is dropped and
// reported; if none is left, the error is that of the full download. dest is
// written as by Download. base is only read, and not hashed unless a patch fails:
// the hash that is signed for t decides what becomes of it.
func (c *Client) Build(ctx context.Context, t *Target, ways []release.Way, base, dest string) (_ *Report, err error) {
	defer guard(&err)
	r := &Report{Full: t.Length, Left: []LeftWay{}}
	if c.holds(dest, t) {
		c.dropPartial(t)
		r.Way = "present"
		return r, nil
	}
	var failed error
	for _, way := range withFull(ways) {
		fetched, err := c.follow(ctx, t, way, base, dest)
		r.Fetched += fetched
		if err == nil {
			r.Way = way.Kind
			return r, nil
		}
		r.Left = append(r.Left, LeftWay{Way: way.Kind, Class: wayClass(err), Reason: err.Error(), Err: err})
		if len(way.Steps) == 0 || ctx.Err() != nil {
			failed = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return r, failed
}

func withFull(ways []release.Way) []release.Way {
	for _, w := range ways {
		if len(w.Steps) == 0 {
			return ways
		}
	}
	return append(ways[:len(ways):len(ways)], release.Way{Kind: "full"})
}

func wayClass(err error) string {
	switch {
	case errors.Is(err, delta.ErrBaseMismatch):
		return "base"
	case errors.Is(err, delta.ErrCorrupt), errors.Is(err, delta.ErrResultMismatch):
		return "patch"
	case errors.Is(err, delta.ErrUnsupported), errors.Is(err, delta.ErrMemory):
		return "unsupported"
	}
	class := Class(err)
	if class == "network" && absent(err) {
		return "absent"
	}
	return class
}

func (c *Client) follow(ctx context.Context, t *Target, way release.Way, base, dest string) (fetched int64, err error) {
	defer guard(&err)
	if len(way.Steps) == 0 {
		return c.download(ctx, t, dest)
	}
	if last := way.Steps[len(way.Steps)-1]; last.ResultLength != t.Length || !sameHash(last.ResultSHA256, t.Hashes["sha256"]) {
		return 0, t.fault(ErrMismatch, errors.New("the patch leads to another file"))
	}
	w := walk{Client: c, target: t, dest: dest}
	defer w.close()
	if err := w.start(way.Steps[0], base); err != nil {
		return 0, err
	}
	for _, step := range way.Steps {
		if err := w.step(ctx, step); err != nil {
			return w.fetched, err
		}
	}
	return w.fetched, w.finish()
}

// sameHash compares hex; a file without sha256 is compared after it was made.
func sameHash(a, b string) bool { return b == "" || strings.EqualFold(a, b) }

// applying limits how many patches are applied at once in this process: more than there are CPUs
// would take no less time, and each needs memory.
var applying = make(chan struct{}, runtime.GOMAXPROCS(0)+1)

// walk applies patch after patch; the result of one is the base of the next.
type walk struct {
	*Client
	target  *Target
	dest    string
	base    durable.File // of the first step, nil if that starts from nothing
	made    *partial     // by the last step; unverified against target until finish
	length  int64        // of the base of the next step
	sum     [sha256.Size]byte
	fetched int64
}

// start opens the base and looks at its length, which saves fetching a patch for most bases that were changed. It is
// hashed only if applying fails: the hash that is signed for the result decides, and who updates has just
// hashed the base to plan with it.
func (w *walk) start(step release.Step, base string) error {
	info, err := describe(step)
	if err != nil {
		return err
	}
	w.length, w.sum = info.BaseLength, info.BaseSHA256
	if step.FromLength == 0 && step.From == release.EmptySHA256 {
		return nil
	}
	if base == "" {
		return fmt.Errorf("%w: nothing is installed", delta.ErrBaseMismatch)
	}
	if w.base, err = w.store.fs.OpenFile(base, os.O_RDONLY|noWait, 0); err != nil {
		return fmt.Errorf("%w: %w", delta.ErrBaseMismatch, err)
	}
	file, err := w.base.Stat()
	if err != nil {
		return local(base, err)
	}
	if !file.Mode().IsRegular() || file.Size() != info.BaseLength {
		return fmt.Errorf("%w: %s was changed", delta.ErrBaseMismatch, base)
	}
	return nil
}

func (w *walk) step(ctx context.Context, step release.Step) error {
	if err := w.room(step); err != nil {
		return err
	}
	patch, err := w.patch(ctx, step)
	if err != nil {
		return err
	}
	defer patch.discard()
	info, err := describe(step)
	if err != nil {
		return err
	}
	select {
	case applying <- struct{}{}:
		defer func() { <-applying }()
	case <-ctx.Done():
		return ctx.Err()
	}
	out, err := w.result(ctx, step)
	if err != nil {
		return err
	}
	known := &delta.Limits{BaseChecked: info.BaseLength == w.length && info.BaseSHA256 == w.sum}
	if err := delta.Apply(ctx, info, w.from(), patch.file, onlyWriter{out}, known); err != nil {
		out.discard()
		return fmt.Errorf("patch %s: %w", step.Target, err)
	}
	w.close()
	w.made, w.length, w.sum = out, info.ResultLength, info.ResultSHA256
	return nil
}

// room refuses a step whose patch and result have no chance to fit.
func (w *walk) room(step release.Step) error {
	dir := filepath.Dir(w.dest)
	if !w.opts.Ephemeral {
		dir = w.store.dir
	}
	return checkSpace(w.store.fs, dir, step.Length+step.ResultLength)
}

// patch fetches and verifies the patch of a step, which has its own signed entry.
func (w *walk) patch(ctx context.Context, step release.Step) (*partial, error) {
	t, err := w.Target(ctx, step.Target)
	if err != nil {
		return nil, err
	}
	if t.Length != step.Length {
		return nil, t.fault(ErrMismatch, fmt.Errorf("%d bytes, the channel document says %d", t.Length, step.Length))
	}
	p, fetched, err := w.obtain(ctx, t, w.dest)
	w.fetched += fetched
	return p, err
}

func describe(step release.Step) (info delta.Info, err error) {
	if !slices.Contains(delta.UpdateFormats(), step.Format) {
		return info, fmt.Errorf("%w %q", delta.ErrUnsupported, step.Format)
	}
	info = delta.Info{
		Format:       step.Format,
		BaseLength:   step.FromLength,
		ResultLength: step.ResultLength,
		PatchLength:  step.Length,
	}
	_, err1 := hex.Decode(info.BaseSHA256[:], []byte(step.From[:min(64, len(step.From))]))
	_, err2 := hex.Decode(info.ResultSHA256[:], []byte(step.ResultSHA256[:min(64, len(step.ResultSHA256))]))
	if err := errors.Join(err1, err2); err != nil || len(step.From) != 64 || len(step.ResultSHA256) != 64 {
		return info, &VerifyError{Target: step.Target, Err: fmt.Errorf("%w: hash of a delta", ErrMalformed)}
	}
	return info, nil
}

func (w *walk) from() io.ReaderAt {
	switch {
	case w.made != nil:
		return w.made.file
	case w.base != nil:
		return w.base
	}
	return nil
}

// result opens a private file for what a patch makes. It is not hashed here if Apply
// compares the one hash that is signed for the target.
func (w *walk) result(ctx context.Context, step release.Step) (*partial, error) {
	sums, err := newDigests(w.target.Hashes)
	if err != nil {
		return nil, w.target.fault(ErrMalformed, err)
	}
	proven := len(sums) == 1 && strings.EqualFold(w.target.Hashes["sha256"], step.ResultSHA256)
	out := &partial{fs: w.store.fs, sums: sums, proven: proven}
	if w.opts.Ephemeral {
		return out, out.create(w.dest)
	}
	dir := w.store.path(partialDir)
	if err := durable.MkdirAll(out.fs, dir, 0o700); err != nil {
		return nil, local(dir, err)
	}
	return out, w.temporary(ctx, out, "build")
}

// finish checks the last result against the signed entry of the target itself.
func (w *walk) finish() error {
	err := checkLength(w.made.have, w.target.Length)
	if err == nil && !w.made.proven {
		err = w.made.sums.check()
	}
	if err != nil {
		return &VerifyError{Role: w.target.Role, Target: w.target.Name, Err: err}
	}
	return w.made.place(w.dest)
}

func (w *walk) close() {
	if w.base != nil {
		w.base.Close()
		w.base = nil
	}
	if w.made != nil {
		w.made.discard()
		w.made = nil
	}
}
