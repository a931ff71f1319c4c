// SPDX-License-Identifier: Apache-2.0

package diff

import (
	"fmt"
	"log/slog"
	"slices"
)

// Options are the optional arguments of Make.
type Options struct {
	Budget Budget
	Level  Level
	Logger *slog.Logger // told which way was left out and why; nil is silent

	// Progress, if not nil, is told how much of the work is done: the bytes of
	// the result that were matched, then those that the proof has made again.
	// It is called from the goroutine of Make; total stays, done only grows.
	Progress func(done, total int64)
}

// Level is how much time a patch is worth. Every level makes patches that the
// same readers apply.
type Level int

// The levels; the zero value is Default.
const (
	Default Level = iota
	Fast
	Best
)

func levelNames() []string { return []string{"default", "fast", "best"} }

// ParseLevel reads the name of a level: "fast", "default" or "best".
func ParseLevel(name string) (Level, error) {
	i := slices.Index(levelNames(), name)
	if i < 0 {
		return 0, fmt.Errorf("unknown level %q: want fast, default or best", name)
	}
	return Level(i), nil
}

// String is the name that ParseLevel reads.
func (l Level) String() string {
	if !l.known() {
		return fmt.Sprintf("Level(%d)", int(l))
	}
	return levelNames()[l]
}

func (l Level) known() bool { return l >= Default && l <= Best }

// progress tells a caller about steps forward, and about nothing else; nil
// tells nobody.
type progress struct {
	tell        func(done, total int64)
	done, total int64
}

func (p *progress) set(done int64) {
	if p != nil && p.tell != nil && done > p.done && done <= p.total {
		p.done = done
		p.tell(done, p.total)
	}
}

// proof counts the result that comes out of a new patch, after the matching.
type proof struct {
	progress *progress
	n        int64
}

func (p *proof) Write(b []byte) (int, error) {
	p.n += int64(len(b))
	if p.progress != nil {
		p.progress.set(p.progress.total/2 + p.n)
	}
	return len(b), nil
}
