// SPDX-License-Identifier: Apache-2.0

package store

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
)

// publisher is one of several over a bucket without conditions.
func publisher(b *blob.Bucket, name string, clock *time.Time) *Store {
	s := New(b, nil)
	l := s.lock.(*lease)
	l.owner = owner{Schema: 1, Owner: name, Host: "host-of-" + name}
	l.now = func() time.Time { return *clock }
	return s
}

func TestLease(t *testing.T) {
	b := memblob.OpenBucket(nil)
	defer b.Close()
	clock := time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)
	lagging := clock
	alice, bob := publisher(b, "alice", &lagging), publisher(b, "bob", &clock)
	unlockAlice, err := alice.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.Replace(t.Context(), "p", []byte("alice"), ""); err != nil {
		t.Fatal(err)
	}
	clock = clock.Add(59 * time.Minute)
	_, err = bob.Lock(t.Context())
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), `"alice" on "host-of-alice", since 2026-11-22T04:00:00Z, until 2026-11-22T05:00:00Z`) {
		t.Fatalf("second lock: %v", err)
	}
	if _, err = alice.Lock(t.Context()); !errors.Is(err, ErrLocked) {
		t.Fatalf("lock again: %v", err)
	}
	clock = clock.Add(time.Minute)
	unlockBob, err := bob.Lock(t.Context())
	if err != nil {
		t.Fatalf("lock after the lease ran out: %v", err)
	}
	data, token, err := alice.Pointer(t.Context(), "p", 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.Replace(t.Context(), "p", []byte("late"), token); !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "bob") {
		t.Fatalf("replace with a lost lease: %v", err)
	}
	if err := unlockAlice(); err != nil {
		t.Fatal(err)
	}
	if err := bob.Replace(t.Context(), "p", []byte("bob"), token); err != nil {
		t.Fatalf("replace after another's unlock of a lost lease: %v", err)
	}
	clock = clock.Add(time.Hour)
	if err := bob.Replace(t.Context(), "p", data, digest([]byte("bob"))); !errors.Is(err, ErrLocked) {
		t.Fatalf("replace with a lease that ran out: %v", err)
	}
	if err := unlockBob(); err != nil {
		t.Fatal(err)
	}
	if _, err := alice.Stat(t.Context(), leaseName); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("lease after unlock: %v", err)
	}
}

func TestLeaseTakenAway(t *testing.T) {
	b := memblob.OpenBucket(nil)
	defer b.Close()
	clock := time.Date(2026, 11, 22, 4, 0, 0, 0, time.UTC)
	s := publisher(b, "alice", &clock)
	unlock, err := s.Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), leaseName); err != nil {
		t.Fatal(err)
	}
	if err := s.Replace(t.Context(), "p", []byte("x"), ""); !errors.Is(err, ErrLocked) {
		t.Fatalf("replace: %v", err)
	}
	if _, err := s.Stat(t.Context(), "p"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("pointer: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
}

func TestStrangeLease(t *testing.T) {
	for _, content := range []string{"", "{}", "null", "[]", `{"schema":2,"nonce":"x"}`, `{"schema":1}`, strings.Repeat(" ", maxLease+1)} {
		s := New(memblob.OpenBucket(nil), nil)
		open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte(content))), nil }
		if err := s.Create(t.Context(), leaseName, int64(len(content)), open); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Lock(t.Context()); err == nil || len(content) <= maxLease && !errors.Is(err, ErrLocked) {
			t.Errorf("%.20q: %v", content, err)
		}
		s.Close()
	}
}
