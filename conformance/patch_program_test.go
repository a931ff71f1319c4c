// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/conformance"
)

var (
	applier      = flag.String("applier", "", "command of a program that applies patches, to hold against the corpus in place of ours")
	knownPatches = flag.String("known-patches", "", "file that lists the patches with which that program is known to fail")
)

// TestProgramPatches drives a program that applies patches, ours or any other:
//
//	go test ./conformance -run TestProgramPatches -applier "python3 apply.py" -known-patches failures.txt
func TestProgramPatches(t *testing.T) {
	if *applier != "" {
		conformance.RunPatches(t, conformance.Program(strings.Fields(*applier)), reasons(t, *knownPatches, patchNames(t)))
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	conformance.RunPatches(t, conformance.Program{self}, nil)
}

// applyMain is such a program.
func applyMain(manifest, base, patch, result string) {
	var p conformance.Patch
	var err error
	read := func(path string) (data []byte) {
		if err == nil {
			data, err = os.ReadFile(path)
		}
		return data
	}
	facts := read(manifest)
	p.Base, p.Patch = read(base), read(patch)
	if err == nil {
		err = json.Unmarshal(facts, &p)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	out, err := waybillDelta{}.Apply(context.Background(), &p)
	if err == nil {
		err = os.WriteFile(result, out, 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		for _, class := range (waybillDelta{}).Classes(err) {
			fmt.Fprintln(os.Stderr, "class: "+class)
		}
		os.Exit(1)
	}
	os.Exit(0)
}
