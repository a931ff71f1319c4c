// SPDX-License-Identifier: Apache-2.0

package install

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/waybill-project/waybill/internal/durable"
)

// inspect is the hash and length of the regular file at path; nil if there is none.
func (d disk) inspect(ctx context.Context, path string) (*Build, error) {
	b, err := d.measure(ctx, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fail("read", path, err)
	}
	return b, nil
}

func (d disk) measure(ctx context.Context, path string) (*Build, error) {
	info, err := d.lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, notRegular(info.Mode())
	}
	f, err := d.open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := digest(ctx, f, io.Discard)
	return &b, err
}

func notRegular(mode fs.FileMode) error {
	switch {
	case mode&fs.ModeSymlink != 0:
		return fmt.Errorf("%w: it is a symbolic link; name the file that it points to", ErrNotRegular)
	case mode.IsDir():
		return fmt.Errorf("%w: it is a folder", ErrNotRegular)
	default:
		return fmt.Errorf("%w: it is a device, pipe or socket", ErrNotRegular)
	}
}

func (d disk) holds(ctx context.Context, path string, want Build) bool {
	b, err := d.inspect(ctx, path)
	return err == nil && b != nil && b.SHA256 == want.SHA256
}

// keep makes the file at path the previous version in state: by a hard link if the file systems allow, else by a copy.
func (d disk) keep(ctx context.Context, state, path string, b Build) error {
	dir := filepath.Join(state, previousName)
	if err := durable.MkdirAll(d.fs, dir, 0o700); err != nil {
		return fail("create", dir, err)
	}
	kept := previousPath(state, b.SHA256)
	if err := d.linkOrCopy(ctx, path, kept, b); err != nil {
		return fail("keep previous version", kept, err)
	}
	return fail("sync", dir, d.syncDir(dir))
}

// stage builds the new file beside path, with the owner and permissions of the old one, and makes it durable.
func (d disk) stage(ctx context.Context, source, path string, b Build, mode fs.FileMode) error {
	old, err := d.lstat(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail("inspect", path, err)
	}
	staged := stagedPath(path)
	if err := d.linkOrCopy(ctx, source, staged, b); err != nil {
		return fail("write", staged, spaceNeeded(err, b.Length))
	}
	return fail("check", staged, d.seal(ctx, staged, b, old, mode))
}

// seal hashes the file that is about to be switched in and syncs it, all through one descriptor.
func (d disk) seal(ctx context.Context, path string, want Build, old fs.FileInfo, mode fs.FileMode) error {
	f, err := d.fs.OpenFile(path, syncFlag, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	got, err := digest(ctx, f, io.Discard)
	if err != nil {
		return err
	}
	if got.SHA256 != want.SHA256 || got.Length != want.Length {
		return fmt.Errorf("%w: sha256 %s, want %s", ErrMismatch, got.SHA256, want.SHA256)
	}
	if err := imitate(f, old, mode); err != nil {
		return err
	}
	return f.Sync()
}

// linkOrCopy makes a new file at to with the bytes b of from. A file that lies there already is removed, never
// written into.
func (d disk) linkOrCopy(ctx context.Context, from, to string, b Build) error {
	if err := d.clear(to); err != nil {
		return err
	}
	err := d.link(from, to)
	if err == nil {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return d.copyFile(ctx, from, to, b)
}

func (d disk) copyFile(ctx context.Context, from, to string, b Build) error {
	in, err := d.open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := d.create(to, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	got, err := digest(ctx, io.LimitReader(in, b.Length+1), out)
	if err != nil {
		return err
	}
	if got.SHA256 != b.SHA256 {
		return fmt.Errorf("%w: sha256 %s, want %s", ErrMismatch, got.SHA256, b.SHA256)
	}
	if err := out.Sync(); err != nil {
		return err
	}
	return out.Close()
}

// digest copies r to w and measures what it copied.
func digest(ctx context.Context, r io.Reader, w io.Writer) (Build, error) {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(h, w), &guarded{ctx, r})
	if err != nil {
		return Build{}, err
	}
	return Build{SHA256: hex.EncodeToString(h.Sum(nil)), Length: n}, nil
}

// guarded stops a long copy when its context ends.
type guarded struct {
	ctx context.Context
	r   io.Reader
}

func (g *guarded) Read(p []byte) (int, error) {
	if err := g.ctx.Err(); err != nil {
		return 0, err
	}
	return g.r.Read(p)
}
