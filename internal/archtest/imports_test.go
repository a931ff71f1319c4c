// SPDX-License-Identifier: Apache-2.0

package archtest

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/waybill-project/waybill"

// The package map: what each package may import, of ours and of others. An
// entry that ends in "/..." stands for everything below it. Commands are not
// listed: they may import anything, within the limits of the tests below.
var allowed = map[string][]string{
	"keys":                       {"github.com/theupdateframework/go-tuf/v2/metadata", "github.com/sigstore/sigstore/pkg/cryptoutils", "github.com/secure-systems-lab/go-securesystemslib/encrypted"},
	"policy":                     {"keys", "repo/release", "github.com/theupdateframework/go-tuf/v2/metadata", "go.yaml.in/yaml/v3"},
	"signer":                     {"keys", "github.com/theupdateframework/go-tuf/v2/metadata", "github.com/sigstore/sigstore/pkg/signature", "github.com/sigstore/sigstore/pkg/signature/options"},
	"delta":                      {"delta/internal/waybill1"},
	"delta/internal/entropy":     {},
	"delta/internal/executable":  {},
	"delta/internal/deflate":     {},
	"delta/internal/waybill1":    {"delta/internal/entropy", "delta/internal/executable", "delta/internal/deflate"},
	"delta/diff/internal/suffix": {},
	"delta/diff/internal/bzip2":  {"delta/diff/internal/suffix"},
	"delta/diff/internal/cover":  {"delta/diff/internal/suffix", "delta/internal/waybill1"},
	"delta/diff":                 {"delta", "delta/diff/internal/suffix", "delta/diff/internal/cover", "delta/internal/waybill1", "delta/internal/executable", "delta/internal/deflate", "delta/diff/internal/bzip2"},
	"delta/diff/bench":           {"delta/diff", "golang.org/x/sys/..."},
	"repo/layout":                {},
	"repo/release":               {"repo/layout", "github.com/Masterminds/semver/v3"},
	"repo/store":                 {"repo/layout", "internal/durable", "gocloud.dev/blob/...", "gocloud.dev/gcerrors", "golang.org/x/sys/..."},
	"repo/store/s3":              {"repo/store", "gocloud.dev/blob/...", "gocloud.dev/gcerrors", "github.com/aws/..."},
	"repo/store/gcs":             {"repo/store", "gocloud.dev/blob/...", "gocloud.dev/gcerrors", "gocloud.dev/gcp", "cloud.google.com/go/storage", "google.golang.org/api/..."},
	"repo/store/azure":           {"repo/store", "gocloud.dev/blob/...", "gocloud.dev/gcerrors", "github.com/Azure/..."},
	"repo/serve":                 {"repo/layout", "repo/store", "golang.org/x/time/rate"},
	"repo": {"keys", "policy", "delta", "delta/diff", "fetcher", "repo/layout", "repo/release", "repo/store", "internal/durable",
		"github.com/theupdateframework/go-tuf/v2/metadata", "github.com/secure-systems-lab/go-securesystemslib/cjson"},
	"fetcher":                       {"delta", "repo/layout", "repo/release", "internal/durable"},
	"fetcher/install":               {"repo/release", "internal/durable", "golang.org/x/sys/..."},
	"fetcher/update":                {"delta", "fetcher", "fetcher/install", "repo/layout", "repo/release", "internal/durable"},
	"internal/durable":              {"github.com/gofrs/flock", "golang.org/x/sys/..."},
	"internal/cli":                  {"golang.org/x/term"},
	"internal/archtest":             {},
	"conformance":                   {},
	"conformance/internal/generate": {"conformance", "github.com/dsnet/compress/bzip2"},
}

// neverInFetch may not be linked into the endpoint's program, not even through
// somebody else.
var neverInFetch = []string{
	"gocloud.dev", "cloud.google.com", "github.com/aws", "github.com/Azure", "github.com/sigstore/sigstore/pkg/signature/kms",
	"github.com/gabstv/go-bsdiff", "github.com/dsnet/compress", "go.yaml.in/yaml", "gopkg.in/yaml",
	"github.com/theupdateframework",
	module + "/signer", module + "/policy", module + "/keys", module + "/delta/diff", module + "/repo/store", module + "/repo/serve",
}

type goPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Module     *struct{ Path string }
}

func list(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Standard,Imports,Module"}, args...)...)
	cmd.Dir = "../.."
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var pkgs []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			return pkgs
		} else if err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
}

func TestPackageMap(t *testing.T) {
	standard := map[string]bool{}
	for _, p := range list(t, "std") {
		standard[p.ImportPath] = true
	}
	for _, goos := range []string{"linux", "windows", "darwin"} {
		t.Setenv("GOOS", goos)
		for _, p := range list(t, "./...") {
			name := strings.TrimPrefix(p.ImportPath, module+"/")
			rules, known := allowed[name]
			if !known {
				if !strings.HasPrefix(name, "cmd/") && !isTestOnly(name) {
					t.Errorf("%s is not in the package map", name)
				}
				continue
			}
			for _, imp := range p.Imports {
				if !standard[imp] && imp != "C" && !permitted(rules, imp) {
					t.Errorf("%s (%s) may not import %s", name, goos, imp)
				}
			}
		}
	}
}

// isTestOnly names the packages that only tests import, and the load test, which no release holds.
func isTestOnly(name string) bool {
	return slices.Contains([]string{"internal/crashfs", "internal/crashtest", "internal/endtoend", "internal/loadtest", "internal/testrepo",
		"internal/testserver", "repo/store/storetest"}, name)
}

func permitted(rules []string, imp string) bool {
	return slices.ContainsFunc(rules, func(rule string) bool {
		if below, ok := strings.CutSuffix(rule, "/..."); ok {
			return imp == below || strings.HasPrefix(imp, below+"/")
		}
		return imp == rule || imp == module+"/"+rule
	})
}

// TestTestPackagesStayInTests keeps test servers and fault harnesses out of programs.
func TestTestPackagesStayInTests(t *testing.T) {
	for _, p := range list(t, "-deps", "./cmd/...") {
		if isTestOnly(strings.TrimPrefix(p.ImportPath, module+"/")) {
			t.Errorf("a command links %s", p.ImportPath)
		}
	}
}

func TestFetchIsSmall(t *testing.T) {
	modules := map[string]bool{}
	for _, p := range list(t, "-deps", "./cmd/fetch") {
		for _, bad := range append([]string{module + "/repo$"}, neverInFetch...) {
			if strings.HasPrefix(p.ImportPath+"$", bad) {
				t.Errorf("fetch links %s", p.ImportPath)
			}
		}
		if p.Module != nil && p.Module.Path != module {
			modules[p.Module.Path] = true
		}
	}
	if len(modules) > 20 {
		t.Errorf("fetch links %d modules, 20 is the limit: %v", len(modules), modules)
	}
	out := filepath.Join(t.TempDir(), "fetch")
	cmd := exec.Command("go", "build", "-o", out, "./cmd/fetch")
	cmd.Dir = "../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, msg)
	}
	info, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	if info.Size() > 14_000_000 {
		t.Errorf("fetch has %d bytes, 14 MB is the limit", info.Size())
	}
	t.Logf("figure D17: fetch links %d modules and has %.1f MB; bounds 20 and 14", len(modules), float64(info.Size())/1e6)
}

// TestLibraryIsSmall bounds what a program links that embeds the verifier.
func TestLibraryIsSmall(t *testing.T) {
	modules := map[string]bool{}
	for _, p := range list(t, "-deps", "./fetcher/...") {
		if strings.HasPrefix(p.ImportPath, "github.com/spf13/cobra") {
			t.Errorf("the library links %s", p.ImportPath)
		}
		if p.Module != nil && p.Module.Path != module {
			modules[p.Module.Path] = true
		}
	}
	if len(modules) > 17 {
		t.Errorf("the library links %d modules, 17 is the limit: %v", len(modules), modules)
	}
	t.Logf("figure D17: the library links %d modules; bound 17", len(modules))
}
