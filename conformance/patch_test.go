// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"maps"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/waybill-project/waybill/conformance"
	"github.com/waybill-project/waybill/delta"
)

// waybillDelta applies patches with our own package.
type waybillDelta struct{}

func (waybillDelta) Apply(ctx context.Context, p *conformance.Patch) ([]byte, error) {
	info := delta.Info{Format: p.Format, BaseLength: p.Signed.BaseLength, ResultLength: p.Signed.ResultLength, PatchLength: p.Signed.PatchLength}
	if _, err := hex.Decode(info.BaseSHA256[:], []byte(p.Signed.BaseSHA256)); err != nil {
		return nil, err
	}
	if _, err := hex.Decode(info.ResultSHA256[:], []byte(p.Signed.ResultSHA256)); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err := delta.Apply(ctx, info, bytes.NewReader(p.Base), bytes.NewReader(p.Patch), &out, &delta.Limits{Memory: p.Memory})
	return out.Bytes(), err
}

func (waybillDelta) Classes(err error) []string {
	var out []string
	for class, rule := range map[string]error{
		conformance.Corrupt: delta.ErrCorrupt, conformance.BaseMismatch: delta.ErrBaseMismatch, conformance.ResultMismatch: delta.ErrResultMismatch,
		conformance.Unsupported: delta.ErrUnsupported, conformance.Memory: delta.ErrMemory,
	} {
		if errors.Is(err, rule) {
			out = append(out, class)
		}
	}
	if len(out) == 0 {
		return []string{"other"}
	}
	return out
}

func allPatches(t *testing.T) []conformance.Patch {
	t.Helper()
	list, err := conformance.Patches()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestWaybillPatches(t *testing.T) {
	conformance.RunPatches(t, waybillDelta{}, nil)
	list := allPatches(t)
	formats, honest := map[string]int{}, 0
	for _, p := range list {
		formats[p.Format]++
		honest += count(p.Expect == conformance.OK)
	}
	hostile := len(list) - honest
	t.Logf("figure D9: %d hostile patches and %d honest ones in %d formats, each with its class; goal 60", hostile, honest, len(formats))
	if hostile < 60 {
		t.Errorf("%d hostile patches", hostile)
	}
}

// TestWaybillPatchesAllocate wants no patch to cost more than what the format declares.
func TestWaybillPatchesAllocate(t *testing.T) {
	for _, p := range allPatches(t) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		result, _ := waybillDelta{}.Apply(t.Context(), &p)
		runtime.ReadMemStats(&after)
		// The test's own buffer grows to at most four times what it holds.
		if used := int64(after.TotalAlloc-before.TotalAlloc) - 4*int64(len(result)); used > 25<<20 {
			t.Errorf("%s/%s: allocated %d bytes", p.Format, p.Name, used)
		}
	}
}

// TestPatches wants every patch to be complete and every file to be of use.
func TestPatches(t *testing.T) {
	name := regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+)+$`)
	known := append(conformance.PatchClasses(), conformance.OK)
	used := map[string]bool{}
	for _, p := range allPatches(t) {
		if !name.MatchString(p.Name) || p.Shows == "" || p.Source == "" {
			t.Errorf("%s/%s: incomplete", p.Format, p.Name)
		}
		for class := range strings.SplitSeq(p.Expect, "|") {
			if !slices.Contains(known, class) {
				t.Errorf("%s/%s: class %q", p.Format, p.Name, class)
			}
		}
		for _, file := range []string{"base", "patch", "manifest.json"} {
			used["patches/"+p.Format+"/"+p.Name+"/"+file] = true
		}
		if len(p.Base)+len(p.Patch) > 160<<10 { // a primer that is learned in part has more than 64 KiB
			t.Errorf("%s/%s: %d bytes", p.Format, p.Name, len(p.Base)+len(p.Patch))
		}
	}
	files, _ := filepath.Glob("patches/*/*/*")
	for i := range files {
		files[i] = filepath.ToSlash(files[i])
	}
	if slices.Sort(files); !slices.Equal(files, slices.Sorted(maps.Keys(used))) {
		t.Errorf("%d files, %d used", len(files), len(used))
	}
}

// careless believes every patch; it accepts everything and makes nothing.
type careless struct{}

func (careless) Apply(context.Context, *conformance.Patch) ([]byte, error) { return nil, nil }
func (careless) Classes(error) []string                                    { return nil }

// fearful refuses everything.
type fearful struct{ careless }

func (fearful) Apply(context.Context, *conformance.Patch) ([]byte, error) {
	return nil, errors.New("no")
}

// Appliers that do nothing, or refuse everything, do not pass.
func TestPatchesMeanSomething(t *testing.T) {
	for name, applier := range map[string]conformance.Applier{"careless": careless{}, "fearful": fearful{}} {
		passed := map[bool]int{}
		for _, p := range allPatches(t) {
			if p.Check(t.Context(), applier) == nil {
				passed[p.Expect == conformance.OK]++
			}
		}
		t.Logf("%s: passes %d honest and %d other patches", name, passed[true], passed[false])
		if name == "careless" && passed[false] > 0 || name == "fearful" && passed[true] > 0 || passed[true] > 5 {
			t.Errorf("%s passes", name)
		}
	}
}

func TestReadPatchesRefuses(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"no JSON":    {"patches/f/a_b/manifest.json": {Data: []byte("{")}},
		"other name": {"patches/f/a_b/manifest.json": {Data: []byte(`{"name":"x","format":"f"}`)}},
		"no base":    {"patches/f/a_b/manifest.json": {Data: []byte(`{"name":"a_b","format":"f"}`)}},
	} {
		if _, err := conformance.ReadPatches(files); err == nil {
			t.Errorf("%s: read", name)
		}
	}
}
