// SPDX-License-Identifier: Apache-2.0

// Package testrepo makes small signed repositories in a folder, with fixed keys and a given clock, for tests of
// programs that read them. It writes plain TUF metadata and Waybill's release documents and shares no code with the
// publisher. It is for tests only: the private keys are in the source.
package testrepo

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/waybill-project/waybill/delta"
	"github.com/waybill-project/waybill/delta/diff"
	"github.com/waybill-project/waybill/repo/layout"
	"github.com/waybill-project/waybill/repo/release"
)

// Repo is a repository under construction. Publish writes what was added.
type Repo struct {
	Dir      string
	Now      time.Time
	Lifetime time.Duration // of every role but root, from Now on

	seed     byte
	version  int64
	root     int64        // version of the last root
	rotated  bool         // since then
	keys     map[int]byte // how often the key of a role was replaced
	files    map[string]file
	channels map[string]*release.Channel
	standing map[string]*release.Standing
	builds   map[string][]byte // by sha256
}

type file struct {
	data   []byte
	custom json.RawMessage
}

// New makes an empty repository. The seed chooses the keys: two seeds are two publishers.
func New(dir string, now time.Time, seed byte) *Repo {
	return &Repo{
		Dir: dir, Now: now, Lifetime: 24 * time.Hour, seed: seed,
		files: map[string]file{}, channels: map[string]*release.Channel{}, standing: map[string]*release.Standing{},
		builds: map[string][]byte{}, keys: map[int]byte{}, rotated: true,
	}
}

// Add puts a target into the next publication.
func (r *Repo) Add(name string, data []byte, custom json.RawMessage) {
	r.files[name] = file{data, custom}
}

// Release adds a release of a product to a channel, with patches from the given versions of that channel.
func (r *Repo) Release(product, channel, platform, version string, data []byte, from ...string) error {
	id := release.Identity{Product: product, Version: version, Platform: platform, Kind: release.KindFile}
	target := release.ArtifactTarget(product, version, platform, product)
	r.Add(target, data, id.Custom())
	sum := hash(data)
	r.builds[sum] = data
	doc := r.channel(product, channel, platform)
	rel := release.Release{
		Version: version, Published: r.Now, Kind: release.KindFile,
		Artifact: release.Artifact{Target: target, Length: int64(len(data)), SHA256: sum},
	}
	for _, version := range from {
		base := doc.Find(version)
		if base == nil {
			return fmt.Errorf("no release %s to make a patch from", version)
		}
		edge, err := r.patch(product, platform, base.Artifact.SHA256, sum)
		if err != nil {
			return err
		}
		rel.Deltas = append(rel.Deltas, edge)
	}
	doc.Releases = append(doc.Releases, rel)
	return nil
}

func (r *Repo) channel(product, channel, platform string) *release.Channel {
	name := release.ChannelTarget(product, channel, platform)
	if r.channels[name] == nil {
		r.channels[name] = &release.Channel{Schema: release.Schema, Product: product, Channel: channel, Platform: platform}
	}
	return r.channels[name]
}

func (r *Repo) patch(product, platform, from, to string) (release.Edge, error) {
	base, result := r.builds[from], r.builds[to]
	var out bytes.Buffer
	err := diff.Make(context.Background(), delta.Waybill1, bytes.NewReader(base), bytes.NewReader(result),
		int64(len(base)), int64(len(result)), &out, nil)
	if err != nil {
		return release.Edge{}, err
	}
	name := release.PatchTarget(product, platform, to, from, delta.Waybill1)
	r.Add(name, out.Bytes(), nil)
	return release.Edge{
		From: from, FromLength: int64(len(base)), Target: name, Length: int64(out.Len()), Format: delta.Waybill1, Memory: 1 << 20,
	}, nil
}

// Retract takes a version of a product back.
func (r *Repo) Retract(product, version, fallback string) {
	if r.standing[product] == nil {
		r.standing[product] = &release.Standing{Schema: release.Schema, Product: product}
	}
	r.standing[product].Retracted = append(r.standing[product].Retracted,
		release.Retraction{Version: version, Reason: "it is broken", At: r.Now, Fallback: fallback})
}

// Publish signs and writes everything, as the next version.
func (r *Repo) Publish() error {
	if err := r.documents(); err != nil {
		return err
	}
	r.version++
	if r.rotated {
		if err := r.writeRoot(); err != nil {
			return err
		}
	}
	for name, f := range r.files {
		if err := r.write(layout.Target(name, hash(f.data)), f.data); err != nil {
			return err
		}
	}
	return r.writeRoles()
}

func (r *Repo) documents() error {
	for name, doc := range r.channels {
		data, err := doc.Encode()
		if err != nil {
			return err
		}
		r.Add(name, data, nil)
	}
	for product, doc := range r.standing {
		data, err := doc.Encode()
		if err != nil {
			return err
		}
		r.Add(release.StandingTarget(product), data, nil)
	}
	return nil
}

// RootFile is where the root of trust lies.
func (r *Repo) RootFile() string { return filepath.Join(r.Dir, "metadata", "1.root.json") }

// roles are numbered as their keys are.
var roles = []string{"root", "targets", "snapshot", "timestamp"}

// Rotate gives roles new keys, which the root of the next publication says.
func (r *Repo) Rotate(names ...string) {
	for _, name := range names {
		r.keys[slices.Index(roles, name)]++
	}
	r.rotated = true
}

func (r *Repo) writeRoot() error {
	r.root, r.rotated = r.root+1, false
	root := metadata.Root(r.Now.AddDate(10, 0, 0))
	root.Signed.Version = r.root
	for i, role := range roles {
		key, err := metadata.KeyFromPublicKey(r.key(i).Public())
		if err != nil {
			return err
		}
		if err := root.Signed.AddKey(key, role); err != nil {
			return err
		}
	}
	signers := []ed25519.PrivateKey{r.key(0)}
	if old := r.keys[0]; old > 0 {
		signers = append(signers, r.keyBefore(0, old-1))
	}
	return signAndWrite(r, root, signers, layout.Root(r.root))
}

func (r *Repo) writeRoles() error {
	expires := r.Now.Add(r.Lifetime).UTC().Truncate(time.Second)
	targets := metadata.Targets(expires)
	targets.Signed.Version = r.version
	for name, f := range r.files {
		entry := &metadata.TargetFiles{Length: int64(len(f.data)), Hashes: hashes(f.data)}
		if f.custom != nil {
			entry.Custom = &f.custom
		}
		targets.Signed.Targets[name] = entry
	}
	snapshot := metadata.Snapshot(expires)
	snapshot.Signed.Version = r.version
	timestamp := metadata.Timestamp(expires)
	timestamp.Signed.Version = r.version
	if err := signAndWrite(r, targets, []ed25519.PrivateKey{r.key(1)}, layout.Versioned("targets", r.version)); err != nil {
		return err
	}
	if err := r.list(snapshot.Signed.Meta, "targets"); err != nil {
		return err
	}
	if err := signAndWrite(r, snapshot, []ed25519.PrivateKey{r.key(2)}, layout.Versioned("snapshot", r.version)); err != nil {
		return err
	}
	if err := r.list(timestamp.Signed.Meta, "snapshot"); err != nil {
		return err
	}
	return signAndWrite(r, timestamp, []ed25519.PrivateKey{r.key(3)}, layout.Timestamp)
}

// list vouches for the metadata file of a role, which was just written.
func (r *Repo) list(meta map[string]*metadata.MetaFiles, role string) error {
	data, err := os.ReadFile(filepath.Join(r.Dir, filepath.FromSlash(layout.Versioned(role, r.version))))
	if err != nil {
		return err
	}
	meta[role+".json"] = &metadata.MetaFiles{Version: r.version, Length: int64(len(data)), Hashes: hashes(data)}
	return nil
}

func signAndWrite[T metadata.Roles](r *Repo, m *metadata.Metadata[T], keys []ed25519.PrivateKey, object string) error {
	for _, key := range keys {
		signer, err := signature.LoadSigner(key, crypto.Hash(0))
		if err != nil {
			return err
		}
		if _, err := m.Sign(signer); err != nil {
			return err
		}
	}
	data, err := m.ToBytes(false)
	if err != nil {
		return err
	}
	return r.write(object, data)
}

func (r *Repo) write(object string, data []byte) error {
	path := filepath.Join(r.Dir, filepath.FromSlash(object))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

func (r *Repo) key(i int) ed25519.PrivateKey { return r.keyBefore(i, r.keys[i]) }

// keyBefore is the key of a role after it was replaced some times.
func (r *Repo) keyBefore(i int, times byte) ed25519.PrivateKey {
	name := []byte{r.seed, byte(i)}
	if times > 0 {
		name = append(name, times)
	}
	seed := sha256.Sum256(name)
	return ed25519.NewKeyFromSeed(seed[:])
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

func hashes(data []byte) metadata.Hashes {
	sum := sha256.Sum256(data)
	return metadata.Hashes{"sha256": sum[:]}
}
