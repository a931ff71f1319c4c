// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"fmt"
	"sync"
)

// shelf keeps the verified files that were used last, so that a file that is read
// in many ranges is downloaded once.
type shelf struct {
	most int

	mu     sync.Mutex
	closed bool
	kept   []*shelved // the one used last at the end
}

// shelved is a place on the shelf. Whoever holds making may fill it.
type shelved struct {
	*File
	shelf  *shelf
	claim  string
	making chan struct{}
	users  int
}

// claim is all that a file was verified against: the same hash may be listed with another length or second hash.
func (t *Target) claim() string {
	return fmt.Sprint(t.Length, t.Hashes) // keys are printed in order
}

// take returns the file of a claim, and makes it if it is not there. Of several that want it one
// makes it; if that one fails, the next one tries. Call back when done.
func (s *shelf) take(ctx context.Context, claim string, fill func() (*File, error)) (*shelved, error) {
	e := s.place(claim)
	select {
	case e.making <- struct{}{}:
	case <-ctx.Done():
		e.back()
		return nil, ctx.Err()
	}
	defer func() { <-e.making }()
	if e.File != nil {
		return e, nil
	}
	f, err := fill()
	if err != nil {
		e.back()
		return nil, err
	}
	s.mu.Lock()
	e.File = f
	s.mu.Unlock()
	return e, nil
}

// place finds or makes the place of a claim and counts a user.
func (s *shelf) place(claim string) *shelved {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, e := range s.kept {
		if e.claim == claim {
			s.kept = append(append(s.kept[:i:i], s.kept[i+1:]...), e)
			e.users++
			return e
		}
	}
	e := &shelved{shelf: s, claim: claim, making: make(chan struct{}, 1), users: 1}
	s.kept = append(s.kept, e)
	return e
}

// back ends a use.
func (e *shelved) back() {
	e.shelf.mu.Lock()
	defer e.shelf.mu.Unlock()
	e.users--
	e.shelf.sweep()
}

func (s *shelf) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.sweep()
}

// sweep closes what nobody uses: empty places, and the oldest files beyond the most that is kept.
func (s *shelf) sweep() {
	over := len(s.kept) - s.most
	if s.closed {
		over = len(s.kept)
	}
	left := s.kept[:0:0]
	for _, e := range s.kept {
		if e.users > 0 || e.File != nil && over <= 0 {
			left = append(left, e)
			continue
		}
		if over--; e.File != nil {
			_ = e.Close()
		}
	}
	s.kept = left
}
