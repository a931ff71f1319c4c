// SPDX-License-Identifier: Apache-2.0

//go:build unix

package repo

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestAttackerPutsAPipeInPlaceOfAFileAndNobodyWaitsForIt(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "app")
	w.must(syscall.Mkfifo(pipe, 0o600))
	if _, err := ReadChange(pipe); err == nil {
		t.Error("a change was read from a pipe")
	}
	good := w.program("1.0.0")
	c := w.drafted(r, func(d *Draft) error { return d.Add(ctx, artifact("1.0.0", good)) })
	if _, err := c.VerifyFiles(dir); err == nil {
		t.Error("a pipe was vouched for")
	}
	d, err := r.Begin(ctx, nil)
	w.must(err)
	if err := d.Add(ctx, artifact("1.1.0", pipe)); err == nil {
		t.Error("a pipe was added")
	}
	w.must(os.Remove(good))
	w.must(syscall.Mkfifo(good, 0o600))
	if _, err := r.Publish(ctx, c, w.sign, nil); err == nil {
		t.Error("a pipe was published")
	}
}
