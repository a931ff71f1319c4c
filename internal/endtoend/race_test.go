// SPDX-License-Identifier: Apache-2.0

//go:build unix

package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/waybill-project/waybill/internal/testserver"
)

// rounds is how often two machines publish at the same time.
const rounds = 10

// TestTwoMachines has two machines with the same keys publish in turn and at the
// same time: no release is lost, and the loser is told and succeeds when it
// tries again.
func TestTwoMachines(t *testing.T) {
	t.Run("folder", func(t *testing.T) { twoMachines(t, filepath.Join(t.TempDir(), "bucket")) })
	t.Run("s3", func(t *testing.T) {
		url, _ := testserver.S3(t)
		twoMachines(t, url)
	})
}

func twoMachines(t *testing.T, bucket string) {
	first := found(t, bucket)
	first.replace("waybill.yaml", "keep_releases: 10", "keep_releases: 50") // so that every one can be looked for
	second := first.twin()
	url := serve(t, bucket)
	var all []string
	for i := range 4 {
		p := []*publisher{first, second}[i%2]
		version := fmt.Sprintf("1.0.%d", i)
		p.release(version, p.writeScript(version, scriptSize/10))
		all = append(all, version)
	}
	all = append(all, staleChange(t, first, second)...)

	losses, retries := 0, 0
	for round := range rounds {
		versions := []string{fmt.Sprintf("2.%d.0", round), fmt.Sprintf("2.%d.1", round)}
		l, r := race(t, []*publisher{first, second}, versions)
		losses, retries = losses+l, retries+r
		all = append(all, versions...)
	}
	t.Logf("%d races: %d times a machine was told to try again, %d times it did so by itself", rounds, losses, retries)
	if losses+retries == 0 {
		t.Error("nobody ever lost a race: this is no test")
	}
	first.lists(all)
	first.exits(0, "0 problems", "waybill", "verify")
	e := newEndpoint(t, url, first.path("root.json"))
	for _, version := range []string{"1.0.0", "1.9.1", "2.0.0", "2.4.1", fmt.Sprintf("2.%d.1", rounds-1)} {
		e.update("--version", version)
		if have := e.version(); have != version {
			t.Errorf("installed is %s, want %s", have, version)
		}
	}
}

// staleChange publishes a staged change whose base has moved.
func staleChange(t *testing.T, first, second *publisher) []string {
	t.Helper()
	second.stage("1.9.0", second.writeScript("1.9.0", scriptSize/10))
	first.release("1.9.1", first.writeScript("1.9.1", scriptSize/10))
	r := second.exits(8, "conflict", "waybill", "publish", "--json")
	if f := decode[failure](t, r.stdout); f.Error.Code != 8 || !strings.Contains(f.Error.Hint, "stage the change again") {
		t.Errorf("the loser is told %+v", f)
	}
	must(t, os.Remove(second.path(".waybill/change.json")))
	second.stage("1.9.0", second.path("build/app-1.9.0"))
	second.ok("waybill", "publish")
	return []string{"1.9.0", "1.9.1"}
}

// race has machines publish a version each at the same time, and those that
// lose try again.
func race(t *testing.T, machines []*publisher, versions []string) (losses, retries int) {
	t.Helper()
	args := make([][]string, len(machines))
	for i, p := range machines {
		args[i] = []string{"waybill", "release", platform + "=" + p.writeScript(versions[i], scriptSize/10), "--name", "app", "--version", versions[i]}
	}
	results := make([]result, len(machines))
	var wg sync.WaitGroup
	for i, p := range machines {
		wg.Go(func() { results[i] = p.run(args[i]...) })
	}
	wg.Wait()
	for i, r := range results {
		retries += strings.Count(r.stderr, "starting again")
		switch r.code {
		case 0:
		case 8:
			losses++
			if !strings.Contains(r.stderr, "waybill: hint: another publisher") {
				t.Errorf("%s: the loser is told: %s", versions[i], r.stderr)
			}
			machines[i].ok(args[i]...)
		default:
			t.Fatalf("%s: status %d\n%s", versions[i], r.code, r.stderr)
		}
	}
	return losses, retries
}

// lists fails unless the channel has exactly these versions.
func (p *publisher) lists(want []string) {
	p.t.Helper()
	var have []string
	for _, rel := range decode[status](p.t, p.ok("waybill", "status", "--json")).Releases {
		have = append(have, rel.Version)
	}
	slices.Sort(have)
	want = slices.Sorted(slices.Values(want))
	if !slices.Equal(have, want) {
		p.t.Errorf("published are\n%v, want\n%v", have, want)
	}
}
