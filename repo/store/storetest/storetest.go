// SPDX-License-Identifier: Apache-2.0

// Package storetest holds what every store must do, as a test suite to run on
// any bucket ([Run]), and a bucket in memory that fails on command ([Memory]),
// for tests of what is built on package store.
package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/store"
)

const (
	creators = 16
	racers   = 8
	large    = 20 << 20
)

// Run checks a bucket that is empty when Run begins. open gives a store over
// it, each time a new one if the bucket can be opened twice. rounds is how many
// races for the pointer are run.
func Run(t *testing.T, open func(testing.TB) *store.Store, rounds int) {
	s := open(t)
	t.Run("absent", func(t *testing.T) { absent(t, s) })
	t.Run("create", func(t *testing.T) { create(t, s) })
	t.Run("names", func(t *testing.T) { names(t, s) })
	t.Run("ranges", func(t *testing.T) { ranges(t, s) })
	t.Run("list", func(t *testing.T) { list(t, s) })
	t.Run("racing creators", func(t *testing.T) { raceCreate(t, open) })
	t.Run("pointer", func(t *testing.T) { pointer(t, s) })
	t.Run("racing replacements", func(t *testing.T) { raceReplace(t, open, rounds) })
	t.Run("failed uploads", func(t *testing.T) { failedUploads(t, s) })
	t.Run("large", func(t *testing.T) { largeObject(t, s) })
	t.Run("delete", func(t *testing.T) { remove(t, s) })
	t.Run("lock", func(t *testing.T) { lock(t, s) })
}

// Put creates an object, for tests that just need one.
func Put(t testing.TB, s *store.Store, name string, data []byte) {
	t.Helper()
	if err := s.Create(t.Context(), name, int64(len(data)), content(data)); err != nil {
		t.Fatal(err)
	}
}

func content(data []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
}

func wantObject(t testing.TB, s *store.Store, name string, want []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), name, int64(len(want)))
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("%s holds %d bytes %.40q, %v; want %d bytes %.40q", name, len(got), got, err, len(want), want)
	}
}

func wantError(t testing.TB, what string, err, want error) {
	t.Helper()
	var storage *store.Error
	if !errors.Is(err, want) || !errors.As(err, &storage) {
		t.Fatalf("%s: error %v, want a *store.Error over %v", what, err, want)
	}
}

func absent(t *testing.T, s *store.Store) {
	const name = "metadata/7.root.json"
	_, err := s.Get(t.Context(), name, 10)
	wantError(t, "get", err, fs.ErrNotExist)
	_, err = s.Stat(t.Context(), name)
	wantError(t, "stat", err, fs.ErrNotExist)
	_, _, err = s.Reader(t.Context(), name, 0, -1)
	wantError(t, "reader", err, fs.ErrNotExist)
	wantError(t, "delete", s.Delete(t.Context(), name), fs.ErrNotExist)
	data, token, err := s.Pointer(t.Context(), layout.Timestamp, 10)
	if data != nil || token != "" || err != nil {
		t.Fatalf("pointer: %q, %q, %v; want nothing", data, token, err)
	}
}

func create(t *testing.T, s *store.Store) {
	for name, data := range map[string]string{
		"metadata/1.root.json": "{}", "targets/app/1.0.0~a/x/0123.app": "application", "targets/empty": "",
	} {
		Put(t, s, name, []byte(data))
		wantObject(t, s, name, []byte(data))
		attrs, err := s.Stat(t.Context(), name)
		if err != nil || attrs.Size != int64(len(data)) || attrs.ETag == "" || attrs.ModTime.IsZero() {
			t.Fatalf("stat %s: %+v, %v", name, attrs, err)
		}
		wantError(t, "create again", s.Create(t.Context(), name, 5, content([]byte("other"))), fs.ErrExist)
		wantObject(t, s, name, []byte(data))
	}
	_, err := s.Get(t.Context(), "metadata/1.root.json", 1)
	wantError(t, "get two bytes of one", err, store.ErrTooLarge)
}

func names(t *testing.T, s *store.Store) {
	for _, name := range []string{
		"", ".", "/", "/etc/passwd", "..", "../x", "metadata/../../x", "metadata//x", "metadata/./x", "metadata/",
		`metadata\x`, "metadata/x\x00y", "metadata/\xff",
	} {
		_, err := s.Get(t.Context(), name, 10)
		wantError(t, fmt.Sprintf("get %q", name), err, fs.ErrInvalid)
		wantError(t, fmt.Sprintf("create %q", name), s.Create(t.Context(), name, 0, content(nil)), fs.ErrInvalid)
		wantError(t, fmt.Sprintf("replace %q", name), s.Replace(t.Context(), name, nil, ""), fs.ErrInvalid)
		wantError(t, fmt.Sprintf("delete %q", name), s.Delete(t.Context(), name), fs.ErrInvalid)
	}
}

func ranges(t *testing.T, s *store.Store) {
	const name = "targets/ranges"
	Put(t, s, name, []byte("0123456789"))
	whole, err := s.Stat(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		offset, length int64
		want           string
	}{{0, -1, "0123456789"}, {0, 10, "0123456789"}, {3, 4, "3456"}, {3, -1, "3456789"}, {9, 1, "9"}, {8, 100, "89"}, {4, 0, ""}} {
		r, attrs, err := s.Reader(t.Context(), name, c.offset, c.length)
		if err != nil {
			t.Fatalf("%+v: %v", c, err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || string(got) != c.want || attrs.Size != 10 || attrs.ETag != whole.ETag {
			t.Fatalf("%+v: %q, %+v, %v; whole is %+v", c, got, attrs, err, whole)
		}
	}
	if r, _, err := s.Reader(t.Context(), name, -1, 1); err == nil {
		r.Close()
		t.Fatal("negative offset was taken")
	}
}

func list(t *testing.T, s *store.Store) {
	want := []string{"publisher/list/a", "publisher/list/a.b", "publisher/list/a/b", "publisher/listed"}
	for i, name := range want {
		if i != 2 { // a folder cannot hold a file and a folder of one name
			Put(t, s, name, make([]byte, i+1))
		}
	}
	want = slices.Delete(want, 2, 3)
	for prefix, n := range map[string]int{"publisher/list": 3, "publisher/list/": 2, "publisher/list/a": 2, "publisher/list/a.": 1, "publisher/lo": 0, "none/x": 0} {
		var got []string
		for o, err := range s.List(t.Context(), prefix) {
			if err != nil || o.Size == 0 || o.ModTime.IsZero() {
				t.Fatalf("list %q: %+v, %v", prefix, o, err)
			}
			got = append(got, o.Name)
		}
		slices.Sort(got)
		if len(got) != n || prefix == "publisher/list" && !slices.Equal(got, want) {
			t.Fatalf("list %q: %q", prefix, got)
		}
	}
	for range s.List(t.Context(), "") {
		break
	}
}

func raceCreate(t *testing.T, open func(testing.TB) *store.Store) {
	const name = "metadata/2.snapshot.json"
	stores := make([]*store.Store, creators)
	for i := range stores {
		stores[i] = open(t)
	}
	errs := race(creators, func(i int) error {
		data := fmt.Appendf(nil, "creator %02d", i)
		return stores[i].Create(t.Context(), name, int64(len(data)), content(data))
	})
	winner := theOne(t, errs, fs.ErrExist)
	wantObject(t, stores[0], name, fmt.Appendf(nil, "creator %02d", winner))
}

// race runs n functions that wait for each other before they begin.
func race(n int, run func(i int) error) []error {
	errs := make([]error, n)
	gate := make(chan struct{})
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() {
			<-gate
			errs[i] = run(i)
		})
	}
	close(gate)
	done.Wait()
	return errs
}

func theOne(t testing.TB, errs []error, lost error) (winner int) {
	t.Helper()
	winner = -1
	for i, err := range errs {
		switch {
		case err != nil:
			wantError(t, "loser", err, lost)
		case winner >= 0:
			t.Fatalf("%d and %d both won", winner, i)
		default:
			winner = i
		}
	}
	if winner < 0 {
		t.Fatal("nobody won")
	}
	return winner
}

func pointer(t *testing.T, s *store.Store) {
	const name = "metadata/pointer.json"
	ctx := t.Context()
	wantError(t, "replace the absent", s.Replace(ctx, name, []byte("0"), otherToken(t, s)), store.ErrChanged)
	if err := s.Replace(ctx, name, []byte("1"), ""); err != nil {
		t.Fatal(err)
	}
	wantError(t, "create again", s.Replace(ctx, name, []byte("2"), ""), store.ErrChanged)
	data, first, err := s.Pointer(ctx, name, 10)
	if err != nil || string(data) != "1" || first == "" {
		t.Fatalf("pointer: %q, %q, %v", data, first, err)
	}
	if err := s.Replace(ctx, name, []byte("22"), first); err != nil {
		t.Fatal(err)
	}
	wantError(t, "stale token", s.Replace(ctx, name, []byte("33"), first), store.ErrChanged)
	wantObject(t, s, name, []byte("22"))
	if err := s.Replace(ctx, name, []byte("22"), first); err != nil {
		t.Fatalf("what is there already: %v", err)
	}
	_, _, err = s.Pointer(ctx, name, 1)
	wantError(t, "two bytes of one", err, store.ErrTooLarge)
}

// otherToken is a token of the right form of another object.
func otherToken(t *testing.T, s *store.Store) string {
	t.Helper()
	const name = "metadata/other.json"
	Put(t, s, name, []byte("other"))
	_, token, err := s.Pointer(t.Context(), name, 10)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func raceReplace(t *testing.T, open func(testing.TB) *store.Store, rounds int) {
	stores := make([]*store.Store, racers)
	for i := range stores {
		stores[i] = open(t)
	}
	for round := range rounds {
		tokens := make([]string, racers)
		for i, s := range stores {
			_, token, err := s.Pointer(t.Context(), layout.Timestamp, 100)
			if err != nil {
				t.Fatal(err)
			}
			tokens[i] = token
		}
		data := func(i int) []byte { return fmt.Appendf(nil, "round %03d racer %d", round, i) }
		errs := race(racers, func(i int) error {
			return stores[i].Replace(t.Context(), layout.Timestamp, data(i), tokens[i])
		})
		wantObject(t, stores[0], layout.Timestamp, data(theOne(t, errs, store.ErrChanged)))
	}
}

func failedUploads(t *testing.T, s *store.Store) {
	errSource := errors.New("disk of the source failed")
	full := make([]byte, large)
	for what, c := range map[string]struct {
		size    int64
		content io.Reader
		want    error
	}{
		"small, source fails":  {100, io.MultiReader(bytes.NewReader(full[:50]), failing{errSource}), errSource},
		"large, source fails":  {large, io.MultiReader(bytes.NewReader(full[:17<<20]), failing{errSource}), errSource},
		"small, source short":  {100, bytes.NewReader(full[:99]), io.ErrUnexpectedEOF},
		"large, source short":  {large, bytes.NewReader(full[:large-1]), io.ErrUnexpectedEOF},
		"small, source longer": {100, bytes.NewReader(full[:101]), nil},
		"large, source longer": {large - 1, bytes.NewReader(full), nil},
	} {
		name := "targets/failed/" + fmt.Sprintf("%x", sha256.Sum256([]byte(what)))
		err := s.Create(t.Context(), name, c.size, func() (io.ReadCloser, error) { return io.NopCloser(c.content), nil })
		var storage *store.Error
		if err == nil || errors.As(err, &storage) || c.want != nil && !errors.Is(err, c.want) {
			t.Fatalf("%s: %v", what, err)
		}
		wantNothing(t, s, what, name)
	}
	for what, size := range map[string]int64{"small, cancelled": 100, "large, cancelled": large} {
		name := "targets/failed/" + fmt.Sprintf("%x", sha256.Sum256([]byte(what)))
		ctx, cancel := context.WithCancel(t.Context())
		half := io.MultiReader(bytes.NewReader(full[:size-50]), cancelling{cancel}, bytes.NewReader(full[:50]))
		err := s.Create(ctx, name, size, func() (io.ReadCloser, error) { return io.NopCloser(half), nil })
		wantError(t, what, err, context.Canceled)
		wantNothing(t, s, what, name)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type cancelling struct{ cancel func() }

func (c cancelling) Read([]byte) (int, error) { c.cancel(); return 0, io.EOF }

func wantNothing(t *testing.T, s *store.Store, what, name string) {
	t.Helper()
	_, err := s.Stat(t.Context(), name)
	wantError(t, what, err, fs.ErrNotExist)
	for o, err := range s.List(t.Context(), name) {
		t.Fatalf("%s left %+v, %v", what, o, err)
	}
}

func largeObject(t *testing.T, s *store.Store) {
	const name = "targets/large"
	data := make([]byte, large)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(data)
	Put(t, s, name, data)
	wantObject(t, s, name, data)
	wantError(t, "create again", s.Create(t.Context(), name, large, content(make([]byte, large))), fs.ErrExist)
	wantObject(t, s, name, data)
	errs := race(2, func(i int) error {
		other := bytes.Repeat([]byte{byte(i)}, large)
		return s.Create(t.Context(), name+"-race", large, content(other))
	})
	winner := theOne(t, errs, fs.ErrExist)
	wantObject(t, s, name+"-race", bytes.Repeat([]byte{byte(winner)}, large))
}

func remove(t *testing.T, s *store.Store) {
	const name = "targets/removed"
	Put(t, s, name, []byte("x"))
	if err := s.Delete(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	_, err := s.Stat(t.Context(), name)
	wantError(t, "stat", err, fs.ErrNotExist)
	Put(t, s, name, []byte("y"))
	wantObject(t, s, name, []byte("y"))
}

func lock(t *testing.T, s *store.Store) {
	for range 2 {
		unlock, err := s.Lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, token, err := s.Pointer(t.Context(), layout.Timestamp, 100)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Replace(t.Context(), layout.Timestamp, []byte("under lock "+token), token); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := unlock(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
