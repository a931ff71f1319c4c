// SPDX-License-Identifier: Apache-2.0

//go:build unix

package endtoend

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const (
	platform   = "linux-amd64"
	scriptSize = 300 << 10 // of a program, where its size matters little
)

// publisher is a machine with the online keys and the release key, beside the
// holders of the offline root key, who have a folder each.
type publisher struct {
	*shell
	holders string // folder of the holders' folders
	repo    string // bucket URL or folder
}

// found makes a repository as its documentation says: three holders make a root
// key each, two of them sign a copy of the change file, the publisher publishes.
func found(t testing.TB, repo string) *publisher {
	t.Helper()
	dir := t.TempDir()
	p := &publisher{newShell(t, filepath.Join(dir, "publisher"), "WAYBILL_PASSPHRASE=of the publisher", "WAYBILL_REPO="+repo), filepath.Join(dir, "holders"), repo}
	must(t, os.Mkdir(p.dir, 0o755))
	args := []string{"waybill", "init", "--product", "app", "--platform", platform}
	for _, name := range []string{"alice", "bob", "carol"} {
		p.holder(name).ok("waybill", "key", "new", "--out", "root.key")
		args = append(args, "--root-key", name+"="+filepath.Join(p.holders, name, "root.key.pub"))
	}
	p.ok(args...)
	p.ok("waybill", "sign", "--yes")
	p.ok("waybill", "publish", p.signedBy("alice"), p.signedBy("bob"))
	return p
}

// holder is the offline machine of a holder: it has neither policy nor
// repository.
func (p *publisher) holder(name string) *shell {
	p.t.Helper()
	dir := filepath.Join(p.holders, name)
	must(p.t, os.MkdirAll(dir, 0o700))
	return newShell(p.t, dir, "WAYBILL_PASSPHRASE=only "+name+" knows")
}

// signedBy has a holder sign a copy of the pending change, and gives the copy.
func (p *publisher) signedBy(name string) string {
	p.t.Helper()
	h := p.holder(name)
	h.write("change.json", p.read(".waybill/change.json"), 0o600)
	h.ok("waybill", "sign", "change.json", "--key", "root.key", "--confirm-root", p.fingerprint(), "--yes")
	return h.path("change.json")
}

// fingerprint is what the holders compare: that of root 1.
func (p *publisher) fingerprint() string {
	p.t.Helper()
	for _, line := range strings.Split(string(p.read("waybill.yaml")), "\n") {
		if value, ok := strings.CutPrefix(line, "root: "); ok {
			return value
		}
	}
	p.t.Fatal("the policy pins no root")
	return ""
}

// release publishes a file as a version of the product, in one go.
func (p *publisher) release(version, file string, flags ...string) result {
	p.t.Helper()
	return p.exits(0, "", append([]string{"waybill", "release", platform + "=" + file, "--name", "app", "--version", version}, flags...)...)
}

// stage adds a release and signs it, so that only publish is left.
func (p *publisher) stage(version, file string) {
	p.t.Helper()
	p.ok("waybill", "add", platform+"="+file, "--name", "app", "--version", version)
	p.ok("waybill", "sign", "--yes")
}

// twin is another machine with the same policy and the same keys, but nothing
// else of this one.
func (p *publisher) twin() *publisher {
	p.t.Helper()
	dir := filepath.Join(p.t.TempDir(), "twin")
	copyTree(p.t, p.dir, dir)
	must(p.t, os.RemoveAll(filepath.Join(dir, ".waybill")))
	return &publisher{&shell{t: p.t, dir: dir, env: slices.Clone(p.env)}, p.holders, p.repo}
}

// rotate stages a new root without Carol and with Dave, a new online key, and
// all signatures on it, so that only publish is left.
func (p *publisher) rotate() {
	p.t.Helper()
	p.holder("dave").ok("waybill", "key", "new", "--out", "root.key")
	p.ok("waybill", "key", "new", "--out", "keys/online2")
	p.write("keys/dave.pub", p.holder("dave").read("root.key.pub"), 0o644)
	p.replace("waybill.yaml", "carol", "dave")
	p.replace("waybill.yaml", "keys/online.pub", "keys/online2.pub")
	p.replace("waybill.yaml", "file:keys/online\n", "file:keys/online2\n")
	p.replace("waybill.yaml", "\nkeys:\n", "\nkeys:\n  old:\n    public: keys/online.pub\n    private: file:keys/online\n")
	p.ok("waybill", "stage")
	for _, name := range []string{"alice", "dave", "bob"} {
		p.write(".waybill/change.json", p.signedCopy(name), 0o600)
	}
	p.ok("waybill", "sign", "--yes")
}

// signedCopy is signedBy as bytes.
func (p *publisher) signedCopy(name string) []byte {
	p.t.Helper()
	data, err := os.ReadFile(p.signedBy(name))
	must(p.t, err)
	return data
}

// script is a program: it prints its version and has a body of about size bytes
// that differs a little from version to version.
func script(version string, size int) []byte {
	body := make([]byte, size/2)
	seed := sha256.Sum256([]byte("the body of every version"))
	rand.NewChaCha8(seed).Read(body)
	own := sha256.Sum256([]byte(version))
	copy(body[size/4:], own[:])
	return fmt.Appendf(nil, "#!/bin/sh\necho %s\nexit 0\n%x\n", version, body)
}

// writeScript writes one into the publisher's folder and gives its path.
func (p *publisher) writeScript(version string, size int) string {
	p.t.Helper()
	name := filepath.Join("build", "app-"+version)
	p.write(name, script(version, size), 0o755)
	return p.path(name)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sumOf(t testing.TB, path string) string {
	t.Helper()
	f, err := os.Open(path)
	must(t, err)
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	must(t, err)
	return hex.EncodeToString(h.Sum(nil))
}

// copyTree copies files and folders with their permissions.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	must(t, filepath.WalkDir(from, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if e.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), info.Mode().Perm())
		}
		return copyFile(path, filepath.Join(to, rel), info.Mode().Perm())
	}))
}

// copyFile holds off new processes meanwhile: they would inherit the open file
// for a moment, and a program that is open for writing cannot be run.
func copyFile(from, to string, mode os.FileMode) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

func inCI() bool { return os.Getenv("CI") == "true" }

func needsLinuxPrograms(t testing.TB) {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the releases are programs for " + platform)
	}
}

// status is what `waybill status --json` prints, as far as the tests look at it.
type status struct {
	Pending    any
	Releases   []struct{ Version string }
	Violations []any
}
