// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"context"
	"errors"
	"flag"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/waybill-project/waybill/conformance"
)

var (
	client = flag.String("client", "", "command of a client to hold against the corpus in place of ours")
	known  = flag.String("known", "", "file that lists the cases in which that client is known to fail")
)

// TestProgram drives a client as a child process, ours or any other:
//
//	go test ./conformance -run TestProgram -client "python3 client.py" -known failures.txt
func TestProgram(t *testing.T) {
	if *client != "" {
		conformance.Run(t, conformance.Program(strings.Fields(*client)), reasons(t, *known, caseNames(t)))
		return
	}
	path := filepath.Join(t.TempDir(), "client.exe")
	if out, err := exec.Command("go", "build", "-o", path, "../cmd/waybill-conformance").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	conformance.Run(t, conformance.Program{path}, reasons(t, "testdata/waybill.txt", caseNames(t)))
}

func TestProgramThatDoesNotEndInOrder(t *testing.T) {
	for name, p := range map[string]conformance.Program{
		"other status": {"go", "no-such-verb"}, "not there": {filepath.Join(t.TempDir(), "nowhere")},
	} {
		err := p.Do(context.Background(), conformance.Command{Verb: conformance.Refresh, MetadataDir: t.TempDir(), Now: time.Now()})
		var crash *conformance.CrashError
		if !errors.As(err, &crash) || len(p.Classes(err)) > 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}
