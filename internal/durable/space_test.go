// SPDX-License-Identifier: Apache-2.0

package durable_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/waybill-project/waybill/internal/durable"
)

// silent does not tell how much room there is.
type silent struct{ durable.FS }

type full struct{ durable.FS }

func (full) Free(string) (int64, error) { return 9, nil }

type broken struct{ durable.FS }

func (broken) Free(string) (int64, error) { return 0, errors.New("no answer") }

func TestCheckSpace(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		fsys durable.FS
		dir  string
		need int64
		full bool
	}{
		"room":            {durable.OS(), dir, 1, false},
		"none of so much": {durable.OS(), dir, 1 << 62, true},
		"no such folder":  {durable.OS(), filepath.Join(dir, "nowhere"), 1 << 62, false},
		"does not tell":   {silent{durable.OS()}, dir, 1 << 62, false},
		"no answer":       {broken{durable.OS()}, dir, 1, false},
		"just enough":     {full{durable.OS()}, dir, 9, false},
		"one too many":    {full{durable.OS()}, dir, 10, true},
	} {
		if err := durable.CheckSpace(c.fsys, c.dir, c.need); errors.Is(err, durable.ErrSpace) != c.full || err != nil && !c.full {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
