// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// Progress draws one line that shows how far a transfer is, and only on a terminal:
// elsewhere it is silent. A nil Progress is silent too. It may be used by several
// goroutines.
type Progress struct {
	mu      sync.Mutex
	out     io.Writer
	columns func() int
	now     func() time.Time
	label   string
	total   int64
	done    int64
	last    time.Time
	drawn   bool
}

const (
	drawEvery  = 100 * time.Millisecond
	minColumns = 40
	maxColumns = 100
)

// NewProgress starts a bar on out, usually os.Stderr. A total of 0 or less is not
// known: only the bytes so far are shown.
func NewProgress(out io.Writer, label string, total int64) *Progress {
	file, ok := out.(descriptor)
	if !ok || !IsTerminal(out) {
		return nil
	}
	columns := func() int {
		width, _, err := term.GetSize(int(file.Fd()))
		if err != nil {
			return minColumns
		}
		return width
	}
	return &Progress{out: out, columns: columns, now: time.Now, label: Printable(label), total: total}
}

// Add says that n more bytes are done.
func (p *Progress) Add(n int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set(p.done + n)
}

// Set says that done bytes are done.
func (p *Progress) Set(done int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.set(done)
}

// Restart shows another transfer on the same line.
func (p *Progress) Restart(label string, total int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.label, p.total, p.last = Printable(label), total, time.Time{}
	p.set(0)
}

// Finish removes the line; what was done is for the command to say.
func (p *Progress) Finish() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	p.drawn = false
}

func (p *Progress) set(done int64) {
	p.done = done
	now := p.now()
	if now.Sub(p.last) < drawEvery && done != p.total {
		return
	}
	p.last, p.drawn = now, true
	fmt.Fprintf(p.out, "\r%s\x1b[K", p.line())
}

func (p *Progress) line() string {
	columns := min(max(p.columns()-1, minColumns), maxColumns)
	if p.total <= 0 {
		return cut(fmt.Sprintf("%s  %s", p.label, Bytes(p.done)), columns)
	}
	share := min(max(float64(p.done)/float64(p.total), 0), 1)
	numbers := fmt.Sprintf(" %3d%%  %s of %s", int(share*100), Bytes(p.done), Bytes(p.total))
	room := columns - len(numbers) - 3
	label := cut(p.label, room/2)
	width := max(room-len([]rune(label)), 0)
	filled := int(share * float64(width))
	return label + " [" + strings.Repeat("#", filled) + strings.Repeat(".", width-filled) + "]" + numbers
}

func cut(text string, columns int) string {
	runes := []rune(text)
	if len(runes) <= columns {
		return text
	}
	return string(runes[:max(columns, 0)])
}
