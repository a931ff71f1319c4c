// SPDX-License-Identifier: Apache-2.0

//go:build unix

package endtoend

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/internal/durable"
)

// TestPublisherRefuses gives the publisher bad input. Each gets a clear error
// and its exit code, nothing in the bucket changes, and with the input corrected
// the command succeeds.
func TestPublisherRefuses(t *testing.T) {
	t.Parallel()
	home := found(t, filepath.Join(t.TempDir(), "bucket"))
	home.release("1.0.0", home.writeScript("1.0.0", scriptSize/10))
	fresh := home.writeScript("1.1.0", scriptSize/10)
	release := []string{"waybill", "release", platform + "=" + fresh, "--name", "app", "--version", "1.1.0"}
	tests := []struct {
		name  string
		code  int
		class string
		text  string // in the message or the hint
		args  []string
		spoil func(p *publisher) (mend func())
	}{
		{"wrong passphrase", 7, "key", "passphrase", release, func(p *publisher) func() {
			p.env = append(p.env, "WAYBILL_PASSPHRASE=wrong")
			return func() { p.env = p.env[:len(p.env)-1] }
		}},
		{"no passphrase and no terminal", 7, "key", "WAYBILL_PASSPHRASE_FILE", release, func(p *publisher) func() {
			p.env = append(p.env, "WAYBILL_PASSPHRASE=")
			return func() { p.env = p.env[:len(p.env)-1] }
		}},
		{"key that others can read", 7, "key", "chmod 600", release, func(p *publisher) func() { return p.open("keys/online") }},
		{"policy with an unknown field", 2, "usage", "waybill.yaml:4: ", release, func(p *publisher) func() {
			return p.spoilPolicy("schema: 1\n", "schema: 1\nsurprise: 2\n")
		}},
		{"policy with a threshold that cannot be met", 2, "usage", "waybill.yaml:", release, func(p *publisher) func() {
			return p.spoilPolicy("keys: [release], threshold: 1", "keys: [release], threshold: 2")
		}},
		{"policy that cannot be read", 9, "local", "waybill.yaml", release, func(p *publisher) func() {
			kept := p.read("waybill.yaml")
			must(t, os.Remove(p.path("waybill.yaml")))
			must(t, os.Mkdir(p.path("waybill.yaml"), 0o755))
			return func() { must(t, os.Remove(p.path("waybill.yaml"))); p.write("waybill.yaml", kept, 0o644) }
		}},
		{"no policy", 2, "usage", "waybill init", append(release, "--policy", "nowhere.yaml"), nil},
		{"too few signatures", 6, "unsigned", "root has 1 of the 2 signatures", []string{"waybill", "publish"}, func(p *publisher) func() {
			p.replace("waybill.yaml", "threshold: 2", "threshold: 3")
			p.ok("waybill", "stage")
			p.write(".waybill/change.json", p.signedCopy("alice"), 0o600)
			return func() {
				for _, name := range []string{"bob", "carol"} {
					p.write(".waybill/change.json", p.signedCopy(name), 0o600)
				}
			}
		}},
		{"release key elsewhere", 6, "unsigned", "release", release, func(p *publisher) func() {
			must(t, os.Rename(p.path("keys/release"), p.path("elsewhere")))
			return func() {
				must(t, os.Rename(p.path("elsewhere"), p.path("keys/release")))
				must(t, os.Remove(p.path(".waybill/change.json")))
			}
		}},
		{"another publisher at work", 8, "conflict", "another publisher", release, func(p *publisher) func() {
			unlock, err := durable.TryLock(filepath.Join(p.repo, "publisher", "lock"))
			must(t, err)
			return func() { must(t, unlock()) }
		}},
		{"artifact that is not there", 9, "local", "nothing-there", []string{"waybill", "release", platform + "=nothing-there", "--name", "app", "--version", "1.1.0"}, func(p *publisher) func() {
			return func() { must(t, copyFile(fresh, p.path("nothing-there"), 0o755)) }
		}},
		{"product that is not in the policy", 15, "", "nope", append(release, "--product", "nope"), nil},
		{"other content under a version that exists", 12, "refused", "other content",
			[]string{"waybill", "release", platform + "=" + fresh, "--name", "app", "--version", "1.0.0"}, nil},
		{"storage that is down", 3, "network", "refused", append(release, "--repo", "s3://releases?endpoint=http://127.0.0.1:1&region=us-east-1&use_path_style=true"), func(p *publisher) func() {
			p.env = append(p.env, "AWS_ACCESS_KEY_ID=any", "AWS_SECRET_ACCESS_KEY=any", "AWS_EC2_METADATA_DISABLED=true")
			return nil
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := home.copied(t)
			var mend func()
			if test.spoil != nil {
				mend = test.spoil(p)
			}
			before := treeSum(t, p.repo)
			r := p.exits(test.code, test.text, append(test.args, "--json")...)
			f := decode[failure](t, r.stdout)
			if f.Error.Code != test.code || !strings.Contains(f.Error.Class, test.class) || f.Error.Hint == "" {
				t.Errorf("the error object: %+v", f.Error)
			}
			if after := treeSum(t, p.repo); after != before {
				t.Error("the bucket was changed")
			}
			p.exits(0, "0 problems", "waybill", "verify", "--policy", home.path("waybill.yaml"), "--repo", p.repo)
			if mend != nil {
				mend()
				p.ok(test.args...)
			}
		})
	}
}

// copied is the publisher with a bucket of its own.
func (p *publisher) copied(t *testing.T) *publisher {
	t.Helper()
	q := p.with(t).twin()
	q.repo = filepath.Join(t.TempDir(), "bucket")
	copyTree(t, p.repo, q.repo)
	q.env = append(q.env, "WAYBILL_REPO="+q.repo)
	return q
}

func (p *publisher) with(t *testing.T) *publisher {
	s := *p.shell
	s.t = t
	return &publisher{&s, p.holders, p.repo}
}

// open makes a file readable for everybody.
func (p *publisher) open(name string) (mend func()) {
	must(p.t, os.Chmod(p.path(name), 0o644))
	return func() { must(p.t, os.Chmod(p.path(name), 0o600)) }
}

func (p *publisher) spoilPolicy(old, with string) (mend func()) {
	kept := p.read("waybill.yaml")
	p.replace("waybill.yaml", old, with)
	return func() { p.write("waybill.yaml", kept, 0o644) }
}

// treeSum is a hash over the names and contents of all files, the lock aside.
func treeSum(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	must(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() && d.Name() != "lock" {
			fmt.Fprintln(h, path, sumOf(t, path))
		}
		return err
	}))
	return hex.EncodeToString(h.Sum(nil))
}
