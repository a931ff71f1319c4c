// SPDX-License-Identifier: Apache-2.0

package conformance_test

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/waybill-project/waybill/conformance"
)

// TestProgram drives our client as a child process, as one in any language is driven.
func TestProgram(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client.exe")
	if out, err := exec.Command("go", "build", "-o", path, "../cmd/waybill-conformance").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	conformance.Run(t, conformance.Program{path}, reasons(t, "testdata/waybill.txt"))
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
