// SPDX-License-Identifier: Apache-2.0

//go:build unix

package endtoend

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waybill-project/waybill/internal/testserver"
)

// Three consecutive releases of a real program, oldest first.
var versions = []string{"0.28.0", "0.28.1", "0.28.2"}

// TestRealReleases takes an endpoint from one real release to the next by a
// delta, over three by a chain, and by a full download where its file was
// modified; on a folder and on S3.
func TestRealReleases(t *testing.T) {
	dir := realReleases(t)
	t.Run("folder", func(t *testing.T) { moveThroughReleases(t, dir, filepath.Join(t.TempDir(), "bucket")) })
	t.Run("s3", func(t *testing.T) {
		url, _ := testserver.S3(t)
		moveThroughReleases(t, dir, url)
	})
}

// realReleases is the folder that releases.sh filled.
func realReleases(t *testing.T) string {
	t.Helper()
	needsLinuxPrograms(t)
	if dir := os.Getenv("WAYBILL_RELEASES"); dir != "" {
		dir, err := filepath.Abs(dir)
		must(t, err)
		return dir
	}
	if !inCI() {
		t.Skip("no real releases: run releases.sh DIR and set WAYBILL_RELEASES=DIR")
	}
	cache, err := os.UserCacheDir()
	must(t, err)
	dir := filepath.Join(cache, "waybill-ci", "releases")
	if out, err := exec.Command("./releases.sh", dir).CombinedOutput(); err != nil {
		t.Fatalf("releases.sh: %v\n%s", err, out)
	}
	return dir
}

func moveThroughReleases(t *testing.T, dir, bucket string) {
	file := func(i int) string { return filepath.Join(dir, versions[i], "esbuild") }
	p := found(t, bucket)
	p.replace("waybill.yaml", "from_last: 3", "from_last: 1") // so that the third is two steps from the first
	url := serve(t, bucket)

	p.release(versions[0], file(0))
	var follower, sleeper, modified = newEndpoint(t, url, p.path("root.json")), newEndpoint(t, url, p.path("root.json")), newEndpoint(t, url, p.path("root.json"))
	for _, e := range []*endpoint{follower, sleeper, modified} {
		e.arrives(e.update(), "full", "nothing is installed", "", versions[0], file(0))
	}
	p.stage(versions[1], file(1))
	p.ok("waybill", "publish")
	follower.arrives(follower.update(), "direct", "", versions[0], versions[1], file(1))
	p.release(versions[2], file(2))
	sleeper.arrives(sleeper.update(), "chain", "", versions[0], versions[2], file(2))

	modified.write(modified.app, append(modified.read(modified.app), "modified"...), 0o755)
	o := modified.update()
	modified.arrives(o, "full", "", versions[0], versions[2], file(2))
	if len(o.Left) == 0 || !strings.Contains(o.Left[0].Reason, "the installed file is not the "+versions[0]) {
		t.Errorf("why there was no delta: %+v", o.Left)
	}
	if o := modified.update(); o.Changed {
		t.Errorf("an endpoint that is up to date: %+v", o)
	}
	p.exits(0, "0 problems", "waybill", "verify")
}

// arrives checks an update against what it had to be.
func (e *endpoint) arrives(o outcome, way, reason, from, to, file string) {
	e.t.Helper()
	e.t.Logf("%s -> %s: %s, fetched %d of %d bytes (%.2f%% saved), metadata %d bytes, because %s; left %+v",
		o.From, o.To, o.Way, o.Fetched, o.Full, o.Saved, o.Meta, o.Reason, o.Left)
	if !o.Changed || o.Way != way || o.From != from || o.To != to || !strings.Contains(o.Reason, reason) || o.Reason == "" {
		e.t.Errorf("got %+v; want way %s from %q to %s because of %q", o, way, from, to, reason)
	}
	if way == "full" && o.Fetched != o.Full || way != "full" && o.Fetched*10 > o.Full*8 {
		e.t.Errorf("%s fetched %d of %d bytes", way, o.Fetched, o.Full)
	}
	e.has(file)
	if have := e.version("--version"); have != to {
		e.t.Errorf("the installed program says %s, want %s", have, to)
	}
}
