// SPDX-License-Identifier: Apache-2.0

package testserver

import (
	"net"
	"os"
	"path/filepath"
	"testing"
)

// GCS gives a gs:// URL of an empty bucket on a fake-gcs-server.
func GCS(t testing.TB) (url string) {
	t.Helper()
	path := program(t, "WAYBILL_TEST_FAKE_GCS_SERVER", "fake-gcs-server",
		"go install github.com/fsouza/fake-gcs-server@v1.56.1")
	data := t.TempDir()
	// A folder of the initial data becomes a bucket.
	if err := os.Mkdir(filepath.Join(data, bucketName), 0o755); err != nil {
		t.Fatal(err)
	}
	address := start(t, path, func(host, port string) []string {
		return []string{"-scheme", "http", "-host", host, "-port", port,
			"-public-host", net.JoinHostPort(host, port), "-backend", "memory", "-data", data}
	})
	t.Setenv("STORAGE_EMULATOR_HOST", address)
	return "gs://" + bucketName + "?anonymous=true"
}
