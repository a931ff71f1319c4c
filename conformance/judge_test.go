// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/conformance"
)

// The clients of this file are bad in different ways. They show that the cases
// tell good clients from bad ones.

// refusing refuses everything.
type refusing struct{}

func (refusing) Do(context.Context, conformance.Command) error { return errors.New("no") }
func (refusing) Classes(error) []string                        { return nil }

// idle says yes and does nothing.
type idle struct{}

func (idle) Do(context.Context, conformance.Command) error { return nil }
func (idle) Classes(error) []string                        { return nil }

// hostile tells whether a case has something that must be refused.
func hostile(c conformance.Case) bool {
	return slices.ContainsFunc(c.Steps, func(s conformance.Step) bool { return s.Expect != conformance.OK && s.Expect != conformance.Any })
}

func TestClientsThatDoNothingFail(t *testing.T) {
	for _, r := range results(refusing{}) {
		if r.err == nil && !strings.HasPrefix(r.Name, "initial_root_") {
			t.Errorf("a client that refuses everything passes %s", r.Name)
		}
	}
	for _, r := range results(idle{}) {
		if r.err == nil {
			t.Errorf("a client that does nothing passes %s", r.Name)
		}
	}
}

// TestCredulousClient shows that hostile cases are refused for what they are about:
// a client that verifies nothing gets through the honest ones and falls for the rest.
func TestCredulousClient(t *testing.T) {
	all, resisted := 0, []string{}
	for _, r := range results(credulous{}) {
		if !hostile(r.Case) {
			continue
		}
		all++
		if r.err == nil {
			resisted = append(resisted, r.Family+"/"+r.Name)
		}
	}
	t.Logf("does not fall for %d of %d: %q", len(resisted), all, resisted)
	if len(resisted) > all/4 {
		t.Errorf("a client that verifies nothing does not fall for %d of %d", len(resisted), all)
	}
}

// credulous follows the workflow and believes every word.
type credulous struct{}

func (credulous) Classes(error) []string { return nil }

type naive struct {
	conformance.Command
	consistent bool
	snapshot   map[string]struct{ Version json.Number }
}

func (credulous) Do(_ context.Context, c conformance.Command) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &conformance.CrashError{Err: fmt.Errorf("%v", r)}
		}
	}()
	n := &naive{Command: c}
	if c.Verb == conformance.Init {
		return n.store("root", c.Root)
	}
	if err := n.refresh(); err != nil {
		return err
	}
	for _, name := range c.Targets {
		if err := n.download(name); err != nil {
			return err
		}
	}
	if c.Verb == conformance.Release {
		return n.release()
	}
	return nil
}

// release takes the first word of a channel document that it has seen last.
func (n *naive) release() error {
	document := n.Product + "/channels/" + n.Channel + "/" + n.Platform + ".json"
	if err := n.download(document); err != nil {
		return err
	}
	path := targetFile(n.Command, document)
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var doc struct {
		Releases []struct{ Artifact struct{ Target string } }
	}
	if err := errors.Join(json.Unmarshal(data, &doc), os.Remove(path)); err != nil {
		return err
	}
	return n.download(doc.Releases[len(doc.Releases)-1].Artifact.Target)
}

func (n *naive) store(role string, data []byte) error {
	return os.WriteFile(filepath.Join(n.MetadataDir, url.PathEscape(role)+".json"), data, 0o600)
}

func (n *naive) get(where string) ([]byte, error) {
	resp, err := http.Get(where)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	return io.ReadAll(io.LimitReader(resp.Body, 1<<20))
}

type document struct {
	Signed struct {
		Version            json.Number
		ConsistentSnapshot bool `json:"consistent_snapshot"`
		Meta               map[string]struct{ Version json.Number }
		Targets            map[string]struct{ Hashes map[string]string }
		Delegations        struct {
			Roles []struct {
				Name        string
				Paths       []string
				Terminating bool
			}
		}
	}
}

func (n *naive) read(name string) (*document, []byte, error) {
	data, err := n.get(n.MetadataURL + name)
	if err != nil {
		return nil, nil, err
	}
	var d document
	err = json.NewDecoder(bytes.NewReader(data)).Decode(&d)
	return &d, data, err
}

func (n *naive) refresh() error {
	stored, err := os.ReadFile(filepath.Join(n.MetadataDir, "root.json"))
	if err != nil {
		return err
	}
	var root document
	if err := json.Unmarshal(stored, &root); err != nil {
		return err
	}
	version, _ := root.Signed.Version.Int64()
	n.consistent = root.Signed.ConsistentSnapshot
	for ; ; version++ {
		d, data, err := n.read(fmt.Sprintf("%d.root.json", version+1))
		if err != nil {
			break
		}
		n.consistent = d.Signed.ConsistentSnapshot
		if err := n.store("root", data); err != nil {
			return err
		}
	}
	d, data, err := n.read("timestamp.json")
	if err != nil {
		return err
	}
	if err := n.store("timestamp", data); err != nil {
		return err
	}
	n.snapshot = d.Signed.Meta
	if d, err = n.role("snapshot"); err != nil {
		return err
	}
	n.snapshot = d.Signed.Meta
	_, err = n.role("targets")
	return err
}

func (n *naive) role(role string) (*document, error) {
	name := url.PathEscape(role) + ".json"
	if n.consistent {
		name = n.snapshot[role+".json"].Version.String() + "." + name
	}
	d, data, err := n.read(name)
	if err != nil {
		return nil, err
	}
	return d, n.store(role, data)
}

func (n *naive) download(name string) error {
	pending, seen := []string{"targets"}, map[string]bool{}
	for len(pending) > 0 {
		role := pending[0]
		pending = pending[1:]
		if seen[role] {
			continue
		}
		seen[role] = true
		d, err := n.role(role)
		if err != nil {
			return err
		}
		if target, ok := d.Signed.Targets[name]; ok {
			return n.fetch(name, target.Hashes)
		}
		var below []string
		for _, r := range d.Signed.Delegations.Roles {
			for _, p := range r.Paths {
				if ok, _ := path.Match(p, name); ok {
					below = append(below, r.Name)
				}
			}
		}
		pending = append(below, pending...)
	}
	return errors.New("not found")
}

func (n *naive) fetch(name string, hashes map[string]string) error {
	dir, base := path.Split(name)
	for _, hash := range hashes {
		if n.consistent {
			base = hash + "." + base
		}
		break
	}
	parts := strings.Split(dir+base, "/")
	for i := range parts {
		parts[i] = url.PathEscape(parts[i])
	}
	data, err := n.get(n.TargetsURL + strings.Join(parts, "/"))
	if err != nil {
		return err
	}
	return os.WriteFile(targetFile(n.Command, name), data, 0o600)
}
