// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func random(seed byte, n int) string {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{seed}).Read(b)
	return string(b)
}

// TestPeers runs those that are installed.
func TestPeers(t *testing.T) {
	old := random(1, 200<<10)
	pair := pairs(t, map[string]string{"a/old": old, "a/new": old[:100<<10] + random(2, 1000) + old[100<<10:]})[0]
	names := map[string]bool{}
	for i, peer := range Peers() {
		if i == 0 && peer.String() != Baseline || names[peer.String()] {
			t.Errorf("peer %d is %s", i, peer)
		}
		names[peer.String()] = true
		if missing := peer.Missing(); len(missing) > 0 {
			t.Logf("not installed: %v", missing)
			continue
		}
		t.Run(peer.String(), func(t *testing.T) {
			row, err := Measure(t.Context(), pair, peer, nil)
			if err != nil || row.Status != OK || row.PatchLength < 1000 || row.PatchLength > 5000 {
				t.Fatalf("%+v, %v", row, err)
			}
		})
	}
}

// TestZucchini: a program that needs another to pack its patches.
func TestZucchini(t *testing.T) {
	if runtime.GOOS == "windows" {
		return
	}
	bin := t.TempDir()
	for name, script := range map[string]string{
		"zucchini": `case $1 in -gen) cp "$3" "$4" ;; -apply) cp "$3" "$4" ;; esac`,
		"xz":       `for last; do :; done; case $1 in -d) mv "$last" "${last%.xz}" ;; *) mv "$last" "$last.xz" ;; esac`,
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	pair := pairs(t, map[string]string{"a/old": "one", "a/new": "three"})[0]
	row, err := Measure(t.Context(), pair, zucchini(), nil)
	if err != nil || row.Status != OK || row.PatchLength != 5 {
		t.Fatalf("%+v, %v", row, err)
	}
}
