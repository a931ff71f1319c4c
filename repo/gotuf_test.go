// SPDX-License-Identifier: Apache-2.0

package repo

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/theupdateframework/go-tuf/v2/metadata/config"
	"github.com/theupdateframework/go-tuf/v2/metadata/updater"
)

// TestGoTUFReadsOurRepository runs the stock client of go-tuf over what we
// publish, before and after a rotation of every key.
func TestGoTUFReadsOurRepository(t *testing.T) {
	w := newWorld(t)
	r := w.initialise()
	w.release(r, "1.0.0", "stable")
	w.release(r, "1.1.0", "stable")
	dir := t.TempDir()
	w.goTUF(dir, "1.1.0")
	w.root = []string{"dave", "erin"}
	w.roles = map[string]string{"targets": "r2", "snapshot": "s2", "timestamp": "t2", "channels": "c2", "deltas": "d2"}
	w.extra = []string{"release", "online"}
	w.must(w.rotate(nil, "alice", "bob", "dave", "erin"))
	w.release(w.open(), "1.2.0", "stable")
	w.goTUF(dir, "1.2.0")
	w.goTUF(t.TempDir(), "1.2.0")
}

func (w *world) goTUF(dir, version string) {
	w.t.Helper()
	server := httptest.NewServer(http.FileServer(http.Dir(w.bucket)))
	defer server.Close()
	root, err := os.ReadFile(filepath.Join(w.bucket, "metadata", "1.root.json"))
	w.must(err)
	cfg, err := config.New(server.URL+"/metadata", root)
	w.must(err)
	cfg.LocalMetadataDir, cfg.LocalTargetsDir = filepath.Join(dir, "metadata"), filepath.Join(dir, "targets")
	cfg.RemoteTargetsURL = server.URL + "/targets"
	w.must(os.MkdirAll(cfg.LocalMetadataDir, 0o700))
	w.must(os.MkdirAll(cfg.LocalTargetsDir, 0o700))
	up, err := updater.New(cfg)
	w.must(err)
	up.UnsafeSetRefTime(w.now)
	w.must(up.Refresh())
	for _, name := range []string{"app/" + version + "/linux-amd64/app", "app/channels/stable/linux-amd64.json"} {
		info, err := up.GetTargetInfo(name)
		w.must(err)
		_, _, err = up.DownloadTarget(info, "", "")
		w.must(err)
	}
}
