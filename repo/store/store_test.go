// SPDX-License-Identifier: Apache-2.0

package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/waybill-project/waybill/internal/testserver"
	"github.com/waybill-project/waybill/repo/store"
	"github.com/waybill-project/waybill/repo/store/azure"
	"github.com/waybill-project/waybill/repo/store/gcs"
	"github.com/waybill-project/waybill/repo/store/s3"
	"github.com/waybill-project/waybill/repo/store/storetest"
	"gocloud.dev/blob"
)

var drivers = []store.Driver{s3.Driver(), gcs.Driver(), azure.Driver()}

func open(t testing.TB, url string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), url, drivers...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func opener(url string) func(testing.TB) *store.Store {
	return func(t testing.TB) *store.Store { return open(t, url) }
}

func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "yet")
	storetest.Run(t, opener(dir), 10)
	left, err := os.ReadDir(filepath.Join(dir, "publisher", "tmp"))
	if err != nil || len(left) != 0 {
		t.Errorf("unfinished files: %v, %v", left, err)
	}
}

func TestMemory(t *testing.T) {
	s := open(t, "mem://")
	storetest.Run(t, func(testing.TB) *store.Store { return s }, 50)
}

func TestFaultyMemory(t *testing.T) {
	m := storetest.NewMemory()
	storetest.Run(t, func(testing.TB) *store.Store { return m.Store() }, 50)
}

func TestS3(t *testing.T) {
	url, dir := testserver.S3(t)
	storetest.Run(t, opener(url), 50)
	wantHeaders(t, url)
	wantNoBucket(t, strings.Replace(url, "releases", "mistyped", 1))
	wantNoUploads(t, url)
	if _, err := os.Stat(filepath.Join(dir, "metadata", "timestamp.json")); err != nil {
		t.Errorf("objects do not lie where the test server says: %v", err)
	}
}

func TestS3TLS(t *testing.T) {
	url, _ := testserver.S3TLS(t)
	storetest.Run(t, opener(url+"&prefix=channel/"), 5)
	wantHeaders(t, url+"&prefix=channel/")
}

func TestGCS(t *testing.T) {
	url := testserver.GCS(t)
	storetest.Run(t, opener(url), 50)
	wantHeaders(t, url)
	wantNoBucket(t, strings.Replace(url, "releases", "mistyped", 1))
}

func TestAzure(t *testing.T) {
	url := testserver.Azure(t)
	storetest.Run(t, opener(url), 50)
	wantHeaders(t, url)
	wantNoBucket(t, strings.Replace(url, "releases", "mistyped", 1))
}

// wantNoBucket makes sure that a missing bucket is not taken for an empty one.
func wantNoBucket(t *testing.T, url string) {
	t.Helper()
	s, err := store.Open(t.Context(), url, drivers...)
	if err != nil {
		return
	}
	defer s.Close()
	if data, token, err := s.Pointer(t.Context(), "metadata/timestamp.json", 10); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("pointer of a missing bucket: %q, %q, %v", data, token, err)
	}
	if err := put(t.Context(), s, "metadata/1.root.json", "root"); err == nil || errors.Is(err, fs.ErrExist) {
		t.Errorf("create in a missing bucket: %v", err)
	}
}

// wantNoUploads looks for uploads in parts that failed and were not given up:
// nobody sees them, and the provider charges for them.
func wantNoUploads(t *testing.T, url string) {
	t.Helper()
	b, err := blob.OpenBucket(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var client *awss3.Client
	if !b.As(&client) {
		t.Fatal("no S3 client")
	}
	name := "releases"
	got, err := client.ListMultipartUploads(t.Context(), &awss3.ListMultipartUploadsInput{Bucket: &name})
	if err != nil || len(got.Uploads) != 0 {
		t.Errorf("unfinished uploads: %+v, %v", got, err)
	}
}

// wantHeaders looks at what the suite has left behind.
func wantHeaders(t *testing.T, url string) {
	t.Helper()
	b, err := blob.OpenBucket(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for name, want := range map[string][2]string{
		"metadata/timestamp.json":        {"no-cache", "application/json"},
		"metadata/1.root.json":           {"public, max-age=31536000, immutable", "application/json"},
		"targets/large":                  {"public, max-age=31536000, immutable", "application/octet-stream"},
		"targets/app/1.0.0~a/x/0123.app": {"public, max-age=31536000, immutable", "application/octet-stream"},
		"publisher/list/a":               {"no-store", "application/octet-stream"},
	} {
		attrs, err := b.Attributes(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if got := [2]string{attrs.CacheControl, attrs.ContentType}; got != want {
			t.Errorf("headers of %s: %q, want %q", name, got, want)
		}
	}
}

func TestOpen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]string{
		"":                       "no path",
		file:                     "not a folder",
		"ftp://host/x":           "known are a path, azblob://, file://, gs://, mem://, s3://",
		"mem://name":             "unknown scheme",
		"file://host/x":          "want file:///path",
		"file:///x?metadata=1":   "want file:///path",
		"file://x":               "want file:///path",
		"s3://bucket?nonsense=1": "nonsense",
	} {
		s, err := store.Open(t.Context(), url, drivers...)
		if err == nil {
			s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("open %q: %v, want %q", url, err, want)
		}
	}
}
