// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"crypto/sha256"
	"fmt"
	"testing"
)

// largeTargets is a signed role of n targets, as compact JSON.
func largeTargets(t *testing.T, n int) []byte {
	s := newSim(t)
	files := s.md["targets"]["targets"].(map[string]any)
	for i := range n {
		name := fmt.Sprintf("packages/library-%05d/2.%d.0/library-%05d-2.%d.0.tar.gz", i, i%10, i, i%10)
		files[name] = map[string]any{"length": i, "hashes": map[string]any{"sha256": fmt.Sprintf("%x", sha256.Sum256([]byte(name)))}}
	}
	return s.signed("targets")
}

func BenchmarkLargeTargets(b *testing.B) {
	data := largeTargets(&testing.T{}, 31_000)
	signers := &signers{threshold: 1}
	k := edKey("targets-1")
	key, _ := parseEd25519(k.record["keyval"].(map[string]any)["public"].(string), "ed25519")
	signers.keys = []namedKey{{k.id, key}}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := verifyTargets(data, "targets", signers, fileMeta{version: 1, length: -1}); err != nil {
			b.Fatal(err)
		}
	}
}
