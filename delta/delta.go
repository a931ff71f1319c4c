// SPDX-License-Identifier: Apache-2.0

// Package delta applies binary patches: from a base that the caller has and a
// small patch, it writes the result that somebody signed.
//
// [Apply] is the function that you need; [Memory] says what it will cost,
// [Formats] what it reads and [UpdateFormats] which of these updates come in.
// [Inspect] tells what an unknown patch is, and [Concat] makes one base of many
// files. Patches are made by the package delta/diff.
//
// A patch is never trusted. The caller passes the lengths and hashes of base
// and result from signed metadata as an [Info]; a patch cannot make Apply
// read, write, allocate or compute more than these allow, and only a result
// with the signed hash is a success. What went to the writer before an error
// is unverified and must be thrown away.
//
// The package imports the standard library alone, so that small clients can
// link it. The names of formats and what they mean never change; formats are
// only added. They are specified where they are read: "bsdiff4" in bsdiff4.go,
// "vcdiff" in vcdiff.go; "waybill1" in docs/waybill1.md.
package delta

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"github.com/waybill-project/waybill/delta/internal/waybill1"
)

// Errors that Apply returns, wrapped. Any other error is trouble with the
// caller's context, readers or writer and says nothing about the patch.
var (
	// ErrBaseMismatch: the base is not the file that the patch starts from.
	ErrBaseMismatch = errors.New("base differs from the one the patch was made for")
	// ErrCorrupt: the patch breaks its format, or asks for more than Info allows.
	ErrCorrupt = errors.New("corrupt patch")
	// ErrResultMismatch: a well-formed patch made something else than was signed.
	ErrResultMismatch = errors.New("patched result has the wrong hash")
	// ErrUnsupported: the format is not one of Formats, or the patch uses a part
	// of its format that is not read; the error that wraps it says which.
	ErrUnsupported = errors.New("unsupported patch format")
	// ErrMemory: the patch needs more working memory than Limits allow.
	ErrMemory = errors.New("patch needs more memory than allowed")
)

// A ResultError is an ErrResultMismatch: Got is the SHA-256 of what was written.
type ResultError struct{ Got, Want [sha256.Size]byte }

func (e *ResultError) Error() string {
	return fmt.Sprintf("%v: got %x, want %x", ErrResultMismatch, e.Got, e.Want)
}

// Unwrap returns ErrResultMismatch.
func (e *ResultError) Unwrap() error { return ErrResultMismatch }

// DefaultMemory is the working memory in bytes that a zero Limits allows.
const DefaultMemory = 64 << 20

// Info is what signed metadata says about a patch. Lengths are in bytes.
type Info struct {
	Format       string
	BaseLength   int64
	BaseSHA256   [sha256.Size]byte
	ResultLength int64
	ResultSHA256 [sha256.Size]byte
	PatchLength  int64
}

// Limits bounds an Apply beyond what Info does.
type Limits struct {
	// Memory is the working memory in bytes, besides the caller's base, patch
	// and output; zero means DefaultMemory.
	Memory int64
	// BaseChecked says that there is no need to hash the base first: CheckBase has just
	// accepted it, an Apply has just made it, or whoever waits for the result can wait
	// for the error. Then Apply hashes it only to find out why it failed.
	BaseChecked bool
	// ResultUnknown says that Info lacks the result's hash, all or part of it, so that
	// the ResultError of a whole result is no reason to hash a checked base again.
	ResultUnknown bool
}

// Formats lists the formats that Apply reads.
func Formats() []string { return []string{Waybill1, BSDiff4, VCDIFF} }

// UpdateFormats lists those of Formats in which updates are offered to clients,
// the best first. VCDIFF is not among them: it is there for other programs.
func UpdateFormats() []string { return []string{Waybill1, BSDiff4} }

// Memory reports the working memory in bytes that Apply needs for a patch, or
// ErrUnsupported.
func Memory(info Info) (int64, error) {
	switch info.Format {
	case Waybill1:
		return waybill1.Memory, nil
	case BSDiff4:
		return bsdiff4Memory, nil
	case VCDIFF:
		return vcdiffMemory(info), nil
	}
	return 0, fmt.Errorf("%w %q", ErrUnsupported, info.Format)
}

// Apply hashes the base, then writes the result to out and hashes that.
//
// Base and patch are read by position and must be exactly BaseLength and
// PatchLength bytes long; base may be nil if BaseLength is 0. Out receives at
// most ResultLength bytes, and it is the complete signed result if and only if
// Apply returns nil. A panic while the patch is being read becomes ErrCorrupt.
// What out has received is the progress.
func Apply(ctx context.Context, info Info, base, patch io.ReaderAt, out io.Writer, limits *Limits) error {
	if err := admit(info, limits); err != nil {
		return err
	}
	base = orEmpty(base)
	checked := limits != nil && limits.BaseChecked
	if !checked {
		if err := CheckBase(ctx, info, base); err != nil {
			return err
		}
	}
	err := applyTo(ctx, info, base, patch, out)
	if checked && baseMayBeWrong(err, limits.ResultUnknown) {
		err = cmp.Or(CheckBase(ctx, info, base), err)
	}
	return err
}

func baseMayBeWrong(err error, resultUnknown bool) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrResultMismatch) && !resultUnknown
}

// applyTo writes the result and compares its hash.
func applyTo(ctx context.Context, info Info, base, patch io.ReaderAt, out io.Writer) error {
	hash := sha256.New()
	if err := apply(ctx, info, base, patch, io.MultiWriter(hash, out)); err != nil {
		return fmt.Errorf("apply %s patch: %w", info.Format, err)
	}
	if got := hash.Sum(nil); !bytes.Equal(got, info.ResultSHA256[:]) {
		return &ResultError{Got: [sha256.Size]byte(got), Want: info.ResultSHA256}
	}
	return nil
}

func apply(ctx context.Context, info Info, base, patch io.ReaderAt, out io.Writer) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: panic: %v", ErrCorrupt, r)
		}
	}()
	if more, err := longer(patch, info.PatchLength); err != nil {
		return fmt.Errorf("read patch: %w", err)
	} else if more {
		return fmt.Errorf("%w: longer than its %d signed bytes", ErrCorrupt, info.PatchLength)
	}
	switch info.Format {
	case Waybill1:
		return applyWaybill1(ctx, info, base, patch, out)
	case VCDIFF:
		return applyVCDIFF(ctx, info, base, patch, out)
	}
	return applyBSDiff4(ctx, info, base, patch, out)
}

func admit(info Info, limits *Limits) error {
	need, err := Memory(info)
	if err != nil {
		return err
	}
	if info.BaseLength < 0 || info.ResultLength < 0 || info.PatchLength < 0 {
		return fmt.Errorf("%w: negative length in its description", ErrCorrupt)
	}
	allowed := int64(DefaultMemory)
	if limits != nil && limits.Memory != 0 {
		allowed = limits.Memory
	}
	if need > allowed {
		return fmt.Errorf("%w: %s needs %d bytes, %d allowed", ErrMemory, info.Format, need, allowed)
	}
	return nil
}

// CheckBase reports whether base is the one that a patch starts from, as Apply does
// first: it returns nil, ErrBaseMismatch, or the trouble of the reader or the context.
func CheckBase(ctx context.Context, info Info, base io.ReaderAt) error {
	base = orEmpty(base)
	buf := takeChunk()
	defer giveChunk(buf)
	hash := sha256.New()
	src := &section{ctx: ctx, r: base, end: info.BaseLength}
	n, err := io.CopyBuffer(hash, src, buf[:])
	if err != nil {
		return fmt.Errorf("read base: %w", err)
	}
	if n != info.BaseLength {
		return fmt.Errorf("%w: %d bytes instead of %d", ErrBaseMismatch, n, info.BaseLength)
	}
	if more, err := longer(base, info.BaseLength); err != nil {
		return fmt.Errorf("read base: %w", err)
	} else if more {
		return fmt.Errorf("%w: longer than %d bytes", ErrBaseMismatch, info.BaseLength)
	}
	if got := hash.Sum(nil); !bytes.Equal(got, info.BaseSHA256[:]) {
		return fmt.Errorf("%w: hash is %x, want %x", ErrBaseMismatch, got, info.BaseSHA256)
	}
	return nil
}

func orEmpty(base io.ReaderAt) io.ReaderAt {
	if base == nil {
		return bytes.NewReader(nil)
	}
	return base
}

// longer reports whether r has a byte at offset length.
func longer(r io.ReaderAt, length int64) (bool, error) {
	var probe [1]byte
	n, err := r.ReadAt(probe[:], length)
	if n > 0 || err == io.EOF {
		return n > 0, nil
	}
	return false, err
}
