// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/store"
	"github.com/waybill-project/waybill/repo/store/storetest"
)

// writes decides the outcome of writes only.
func writes(o storetest.Outcome) func(storetest.Op) storetest.Outcome {
	return func(op storetest.Op) storetest.Outcome {
		if op.Kind == "write" {
			return o
		}
		return storetest.Works
	}
}

func TestAmbiguousReplace(t *testing.T) {
	for _, c := range []struct {
		outcome storetest.Outcome
		want    error
		holds   string
	}{
		{storetest.Works, nil, "new"}, {storetest.Landed, nil, "new"}, {storetest.Twice, nil, "new"},
		{storetest.Fails, storetest.ErrFault, "old"},
	} {
		m := storetest.NewMemory()
		s := m.Store()
		m.Set(layout.Timestamp, []byte("old"))
		_, token, err := s.Pointer(t.Context(), layout.Timestamp, 10)
		if err != nil {
			t.Fatal(err)
		}
		m.Fault(writes(c.outcome))
		err = s.Replace(t.Context(), layout.Timestamp, []byte("new"), token)
		if !errors.Is(err, c.want) || errors.Is(err, store.ErrChanged) {
			t.Errorf("outcome %d: %v, want %v", c.outcome, err, c.want)
		}
		if got := string(m.Objects()[layout.Timestamp]); got != c.holds {
			t.Errorf("outcome %d: holds %q, want %q", c.outcome, got, c.holds)
		}
	}
}

// TestReplacedBetween is a lost answer after which somebody else publishes.
func TestReplacedBetween(t *testing.T) {
	m := storetest.NewMemory()
	s := m.Store()
	err := s.Replace(t.Context(), layout.Timestamp, []byte("old"), "")
	if err != nil {
		t.Fatal(err)
	}
	_, token, err := s.Pointer(t.Context(), layout.Timestamp, 10)
	if err != nil {
		t.Fatal(err)
	}
	m.Set(layout.Timestamp, []byte("theirs"))
	for _, o := range []storetest.Outcome{storetest.Works, storetest.Twice, storetest.Landed} {
		m.Fault(writes(o))
		if err := s.Replace(t.Context(), layout.Timestamp, []byte("ours"), token); !errors.Is(err, store.ErrChanged) {
			t.Errorf("outcome %d: %v", o, err)
		}
	}
}

func TestAmbiguousCreate(t *testing.T) {
	for _, c := range []struct {
		outcome storetest.Outcome
		want    error
		holds   bool
	}{
		{storetest.Works, nil, true}, {storetest.Landed, storetest.ErrFault, true},
		{storetest.Twice, fs.ErrExist, true}, {storetest.Fails, storetest.ErrFault, false},
	} {
		m := storetest.NewMemory()
		s := m.Store()
		m.Fault(writes(c.outcome))
		err := put(t.Context(), s, "metadata/1.root.json", "root")
		_, holds := m.Objects()["metadata/1.root.json"]
		if !errors.Is(err, c.want) || holds != c.holds {
			t.Errorf("outcome %d: %v, holds %v; want %v, %v", c.outcome, err, holds, c.want, c.holds)
		}
		m.Fault(nil)
		if err := put(t.Context(), s, "metadata/1.root.json", "root"); errors.Is(err, fs.ErrExist) != c.holds {
			t.Errorf("outcome %d: again: %v", c.outcome, err)
		}
	}
}

func TestBrokenBucket(t *testing.T) {
	m := storetest.NewMemory()
	s := m.Store()
	m.Set(layout.Timestamp, []byte("x"))
	m.Fault(func(storetest.Op) storetest.Outcome { return storetest.Fails })
	_, getErr := s.Get(t.Context(), layout.Timestamp, 10)
	_, statErr := s.Stat(t.Context(), layout.Timestamp)
	_, _, pointerErr := s.Pointer(t.Context(), layout.Timestamp, 10)
	var listErr error
	for _, err := range s.List(t.Context(), "") {
		listErr = err
	}
	for what, err := range map[string]error{
		"get": getErr, "stat": statErr, "pointer": pointerErr, "list": listErr,
		"create": put(t.Context(), s, "metadata/1.root.json", "root"), "delete": s.Delete(t.Context(), layout.Timestamp),
		"replace": s.Replace(t.Context(), layout.Timestamp, []byte("y"), "1"),
	} {
		var storage *store.Error
		if !errors.As(err, &storage) || !errors.Is(err, storetest.ErrFault) || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
