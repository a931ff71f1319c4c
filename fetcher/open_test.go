// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
	"testing"

	"github.com/waybill-project/waybill/repo/layout"
)

func TestOpenVerified(t *testing.T) {
	content := pattern(300 << 10)
	for _, ephemeral := range []bool{false, true} {
		s, e := downloadSim(t, content)
		e.opts.Ephemeral = ephemeral
		c := e.client()
		target, err := c.Target(context.Background(), "file")
		if err != nil {
			t.Fatal(err)
		}
		s.asked()
		f, err := c.OpenVerified(context.Background(), target)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(s.asked()); got != 1 || f.Size() != int64(len(content)) || f.Target().Name != "file" {
			t.Errorf("%d requests, %d bytes", got, f.Size())
		}
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				part := make([]byte, 1000)
				if _, err := f.ReadAt(part, int64(i)*30_000); err != nil || !bytes.Equal(part, content[i*30_000:][:1000]) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if _, err := f.Seek(-10, io.SeekEnd); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, content[len(content)-10:]) {
			t.Errorf("%q, %v", got, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := filepath.Glob(filepath.Join(e.dir, "partial", "*")); len(left) > 1 { // the lock
			t.Errorf("left behind %q", left)
		}
	}
}

func TestOpenVerifiedRefuses(t *testing.T) {
	content := pattern(100 << 10)
	s, e := downloadSim(t, content)
	c := e.client()
	target, err := c.Target(context.Background(), "file")
	if err != nil {
		t.Fatal(err)
	}
	object := layout.Target("file", sum256(content))
	s.put(object, pattern(100<<10-1))
	_, err = c.OpenVerified(context.Background(), target)
	wantRule(t, err, ErrMismatch)
	s.drop(object)
	if _, err := c.OpenVerified(context.Background(), target); !errors.Is(err, fs.ErrNotExist) || Class(err) != "network" {
		t.Error(err)
	}
	s.put(object, content)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.OpenVerified(ctx, target); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
