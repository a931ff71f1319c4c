// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/internal/testrepo"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/release"
)

// tree is a repository made with go-tuf's own types, so that neither client is
// measured against metadata that it wrote itself.
type tree struct {
	dir     string
	expires time.Time
	key     ed25519.PrivateKey
}

func newTree(dir string) *tree {
	seed := sha256.Sum256([]byte("a key of a load test"))
	return &tree{dir, time.Now().AddDate(0, 0, 7).UTC().Truncate(time.Second), ed25519.NewKeyFromSeed(seed[:])}
}

const wanted = "packages/library-00777/2.7.0/library-00777-2.7.0.tar.gz"

func targetName(i int) string {
	return fmt.Sprintf("packages/library-%05d/2.%d.0/library-%05d-2.%d.0.tar.gz", i, i%10, i, i%10)
}

var content = []byte("the file that one client wants\n")

func (t *tree) file(i int) *metadata.TargetFiles {
	data := content
	if name := targetName(i); name != wanted {
		data = []byte(name)
	}
	sum := sha256.Sum256(data)
	return &metadata.TargetFiles{Length: int64(len(data)), Hashes: metadata.Hashes{"sha256": sum[:]}}
}

// oneRole lists n targets in the role targets.
func (t *tree) oneRole(n int) error {
	targets := metadata.Targets(t.expires)
	for i := range n {
		targets.Signed.Targets[targetName(i)] = t.file(i)
	}
	return t.finish(targets, nil)
}

// hashBins lists n targets in 256 succinct hash bins.
func (t *tree) hashBins(n int) error {
	key, err := metadata.KeyFromPublicKey(t.key.Public())
	if err != nil {
		return err
	}
	id, err := key.ID()
	if err != nil {
		return err
	}
	targets := metadata.Targets(t.expires)
	targets.Signed.Delegations = &metadata.Delegations{
		Keys:          map[string]*metadata.Key{id: key},
		SuccinctRoles: &metadata.SuccinctRoles{KeyIDs: []string{id}, Threshold: 1, BitLength: 8, NamePrefix: "bin"},
	}
	bins := map[string]*metadata.Metadata[metadata.TargetsType]{}
	for i := range 256 {
		bins[fmt.Sprintf("bin-%02x", i)] = metadata.Targets(t.expires)
	}
	for i := range n {
		sum := sha256.Sum256([]byte(targetName(i)))
		bins[fmt.Sprintf("bin-%02x", sum[0])].Signed.Targets[targetName(i)] = t.file(i)
	}
	return t.finish(targets, bins)
}

func (t *tree) finish(targets *metadata.Metadata[metadata.TargetsType], bins map[string]*metadata.Metadata[metadata.TargetsType]) error {
	snapshot, timestamp := metadata.Snapshot(t.expires), metadata.Timestamp(t.expires)
	for role, bin := range bins {
		if err := list(t, snapshot.Signed.Meta, role, bin); err != nil {
			return err
		}
	}
	if err := list(t, snapshot.Signed.Meta, "targets", targets); err != nil {
		return err
	}
	if err := list(t, timestamp.Signed.Meta, "snapshot", snapshot); err != nil {
		return err
	}
	if _, err := signTo(t, timestamp, layout.Timestamp); err != nil {
		return err
	}
	if err := t.root(); err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	return t.write(layout.Target(wanted, hex.EncodeToString(sum[:])), content)
}

func (t *tree) root() error {
	root := metadata.Root(t.expires)
	key, err := metadata.KeyFromPublicKey(t.key.Public())
	if err != nil {
		return err
	}
	for _, role := range metadata.TOP_LEVEL_ROLE_NAMES {
		if err := root.Signed.AddKey(key, role); err != nil {
			return err
		}
	}
	_, err = signTo(t, root, layout.Root(1))
	return err
}

// list writes a role and vouches for it.
func list[T metadata.Roles](t *tree, meta map[string]*metadata.MetaFiles, role string, m *metadata.Metadata[T]) error {
	data, err := signTo(t, m, layout.Versioned(role, 1))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(data)
	meta[role+".json"] = &metadata.MetaFiles{Version: 1, Length: int64(len(data)), Hashes: metadata.Hashes{"sha256": sum[:]}}
	return nil
}

func signTo[T metadata.Roles](t *tree, m *metadata.Metadata[T], object string) ([]byte, error) {
	signer, err := signature.LoadSigner(t.key, crypto.Hash(0))
	if err != nil {
		return nil, err
	}
	if _, err := m.Sign(signer); err != nil {
		return nil, err
	}
	data, err := m.ToBytes(false)
	if err != nil {
		return nil, err
	}
	return data, t.write(object, data)
}

func (t *tree) write(object string, data []byte) error {
	path := filepath.Join(t.dir, filepath.FromSlash(object))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

const (
	product  = "app"
	channel  = "stable"
	platform = "linux-amd64"
	size     = 1 << 20
)

// build is one release of the product.
type build struct {
	Version string `json:"version"`
	Target  string `json:"target"`
	SHA256  string `json:"sha256"`
	Length  int64  `json:"length"`
}

// publish makes a repository in which one release follows another, each with a
// patch from the one before. timestamp.N is the timestamp after release N.
func publish(dir string, releases int) ([]build, error) {
	repo := testrepo.New(dir, time.Now().Add(-time.Hour).UTC().Truncate(time.Second), 7)
	repo.Lifetime = 7 * 24 * time.Hour
	var out []build
	data := program()
	for i := range releases {
		data = append(data, make([]byte, 1000)...) // releases rarely have the same length
		b := build{Version: fmt.Sprintf("1.%d.0", i), Length: int64(len(data))}
		var from []string
		if i > 0 {
			from = []string{out[i-1].Version}
			edit(data, uint64(i))
		}
		b.Target = release.ArtifactTarget(product, b.Version, platform, product)
		b.SHA256 = hexSum(data)
		if err := repo.Release(product, channel, platform, b.Version, append([]byte{}, data...), from...); err != nil {
			return nil, err
		}
		if err := repo.Publish(); err != nil {
			return nil, err
		}
		if err := keepTimestamp(dir, i+1); err != nil {
			return nil, err
		}
		out = append(out, b)
	}
	return out, nil
}

func keepTimestamp(dir string, n int) error {
	data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(layout.Timestamp)))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, fmt.Sprintf("timestamp.%d", n)), data, 0o644)
}

// program is what an executable looks like to a patch: half noise, half text that repeats.
func program() []byte {
	random := rand.New(rand.NewPCG(3, 1))
	data := make([]byte, size)
	for i := range data {
		if data[i] = byte(random.Uint32()); i/4096%2 == 0 {
			data[i] = "the quick brown fox "[i%20]
		}
	}
	return data
}

// edit changes what a small change of the source does: a run of new code, and many addresses.
func edit(data []byte, seed uint64) {
	random := rand.New(rand.NewPCG(3, seed))
	at := random.IntN(len(data) - 8192)
	for i := range 8192 {
		data[at+i] = byte(random.Uint32())
	}
	for range 2000 {
		data[random.IntN(len(data))] += 4
	}
}

func hexSum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func rootOf(dir string) ([]byte, error) {
	return os.ReadFile(filepath.Join(dir, filepath.FromSlash(layout.Root(1))))
}
