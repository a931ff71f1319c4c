// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Kinds of pairs, as the first bytes of both files tell.
const (
	Executable = "executable" // ELF, PE or Mach-O
	Other      = "other"
)

// Pair is a file before and after. Lengths are in bytes.
type Pair struct {
	Name      string `json:"name"`
	Kind      string `json:"kind"`
	OldLength int64  `json:"old_length"`
	NewLength int64  `json:"new_length"`
	Old       string `json:"-"`
	New       string `json:"-"`

	oldSum, newSum string
}

// Pairs finds the files DIR/NAME/old and DIR/NAME/new, or those below DIR/pairs
// if there is such a folder, in the order of their names.
func Pairs(dir string) ([]Pair, error) {
	if info, err := os.Stat(filepath.Join(dir, "pairs")); err == nil && info.IsDir() {
		dir = filepath.Join(dir, "pairs")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var pairs []Pair
	for _, e := range entries {
		p, err := newPair(dir, e.Name())
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, p)
	}
	if len(pairs) == 0 {
		return nil, fmt.Errorf("no pairs in %s: want %s and new beside it", dir, filepath.Join(dir, "NAME", "old"))
	}
	return pairs, nil
}

func newPair(dir, name string) (Pair, error) {
	p := Pair{Name: name, Kind: Other, Old: filepath.Join(dir, name, "old"), New: filepath.Join(dir, name, "new")}
	for _, path := range []string{p.Old, p.New} {
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
			return p, fmt.Errorf("%s: %w", path, os.ErrNotExist)
		}
	}
	oldKind, err := p.scan(p.Old, &p.OldLength, &p.oldSum)
	if err != nil {
		return p, err
	}
	newKind, err := p.scan(p.New, &p.NewLength, &p.newSum)
	if oldKind == newKind {
		p.Kind = newKind
	}
	return p, err
}

func (p *Pair) scan(path string, length *int64, sum *string) (kind string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var start [8]byte
	n, err := f.ReadAt(start[:], 0)
	if err != nil && err != io.EOF {
		return "", err
	}
	hash := sha256.New()
	if *length, err = io.Copy(hash, f); err != nil {
		return "", err
	}
	*sum = fmt.Sprintf("%x", hash.Sum(nil))
	return kindOf(start[:n]), nil
}

// kindOf knows Mach-O of both widths and byte orders, and universal files, whose
// magic is that of Java classes too: these have a version there, not a count.
func kindOf(start []byte) string {
	if len(start) < 8 {
		return Other
	}
	switch magic := binary.BigEndian.Uint32(start); {
	case string(start[:4]) == "\x7fELF", string(start[:2]) == "MZ":
		return Executable
	case magic == 0xfeedface, magic == 0xfeedfacf, magic == 0xcefaedfe, magic == 0xcffaedfe:
		return Executable
	case magic == 0xcafebabe && binary.BigEndian.Uint32(start[4:]) < 40:
		return Executable
	}
	return Other
}
