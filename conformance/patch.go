// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
)

//go:embed patches
var patches embed.FS

// Patch is one patch for one application: files base and patch, and in manifest.json
// what signed metadata says about them.
type Patch struct {
	Name   string `json:"name"`
	Format string `json:"format"`
	Shows  string `json:"shows"`  // what an implementation that passes has shown
	Source string `json:"source"` // specification of the format, known fault
	// Signed are the facts that the caller knows; the files may differ from them.
	Signed Facts `json:"signed"`
	// Beyond marks what is wise but not demanded by the format.
	Beyond bool `json:"beyond,omitempty"`
	// Memory is the working memory in bytes that may be used; 0 is 64 MiB.
	Memory int64 `json:"memory,omitempty"`
	// Expect is OK or classes, joined by "|".
	Expect string `json:"expect"`

	Base  []byte `json:"-"`
	Patch []byte `json:"-"`
}

// Facts are the signed lengths in bytes and SHA-256 in hex.
type Facts struct {
	BaseLength   int64  `json:"base_length"`
	BaseSHA256   string `json:"base_sha256"`
	ResultLength int64  `json:"result_length"`
	ResultSHA256 string `json:"result_sha256"`
	PatchLength  int64  `json:"patch_length"`
}

// Classes of what can be wrong with a patch.
const (
	Corrupt        = "corrupt"         // breaks its format, or asks for more than was signed
	BaseMismatch   = "base-mismatch"   // the base is not the signed one
	ResultMismatch = "result-mismatch" // well formed, but makes something else
	Unsupported    = "unsupported"     // uses what the implementation says that it does not read
	Memory         = "memory"          // needs more than is allowed
)

// PatchClasses are all classes that Expect of a Patch can name.
func PatchClasses() []string {
	return []string{Corrupt, BaseMismatch, ResultMismatch, Unsupported, Memory}
}

// Patches returns all patches in the order of formats and names.
func Patches() ([]Patch, error) { return ReadPatches(patches) }

// ReadPatches returns those of another copy: a folder with patches.
func ReadPatches(files fs.FS) ([]Patch, error) {
	names, err := fs.Glob(files, "patches/*/*/manifest.json")
	if err != nil {
		return nil, err
	}
	list := make([]Patch, 0, len(names))
	for _, name := range names {
		p, err := readPatch(files, path.Dir(name))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		list = append(list, *p)
	}
	return list, nil
}

func readPatch(files fs.FS, dir string) (*Patch, error) {
	data, err := fs.ReadFile(files, dir+"/manifest.json")
	if err != nil {
		return nil, err
	}
	p := &Patch{}
	if err := json.Unmarshal(data, p); err != nil {
		return nil, err
	}
	if dir != "patches/"+p.Format+"/"+p.Name {
		return nil, fmt.Errorf("says that it is %s/%s", p.Format, p.Name)
	}
	if p.Base, err = fs.ReadFile(files, dir+"/base"); err != nil {
		return nil, err
	}
	p.Patch, err = fs.ReadFile(files, dir+"/patch")
	return p, err
}

// Applier is what applies patches.
type Applier interface {
	// Apply applies p.Patch to p.Base. It knows p.Format, p.Signed and p.Memory, and
	// returns what it made, also if it failed.
	Apply(ctx context.Context, p *Patch) (result []byte, err error)
	// Classes names the classes of an error of Apply; none if it does not know.
	Classes(err error) []string
}

// RunPatches holds an Applier against all patches, as Run does a Client.
func RunPatches(t *testing.T, applier Applier, known map[string]string) {
	list, err := Patches()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		t.Run(p.Format+"/"+p.Name, func(t *testing.T) {
			reason := known[p.Format+"/"+p.Name]
			switch err := p.Check(t.Context(), applier); {
			case err != nil && reason == "":
				t.Errorf("%v\n%s (%s)", err, p.Shows, p.Source)
			case err == nil && reason != "":
				t.Errorf("passes, though known to fail: %s", reason)
			}
		})
	}
}

// Check lets an Applier apply the patch and returns what it did wrong, or nil. It has
// 30 seconds.
func (p *Patch) Check(ctx context.Context, applier Applier) error {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	result, err := applier.Apply(ctx, p)
	if ctx.Err() != nil {
		return fmt.Errorf("not done in time: %w", ctx.Err())
	}
	if int64(len(result)) > max(p.Signed.ResultLength, 0) {
		return fmt.Errorf("made %d bytes, %d signed", len(result), p.Signed.ResultLength)
	}
	if err == nil && slices.Contains(strings.Split(p.Expect, "|"), OK) {
		return p.signed(result)
	}
	return judge(p.Expect, err, applier)
}

// signed compares a result with what was signed.
func (p *Patch) signed(result []byte) error {
	sum := sha256.Sum256(result)
	if got := hex.EncodeToString(sum[:]); got != p.Signed.ResultSHA256 {
		return fmt.Errorf("made something else: %s", got)
	}
	return nil
}
