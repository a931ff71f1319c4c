// SPDX-License-Identifier: Apache-2.0

// Package gcs opens Google Cloud Storage buckets as a store. It exists so that
// only programs that want this provider link its SDK.
//
// URLs are gs://BUCKET with the options of gocloud's driver, such as prefix.
// Credentials are the application default ones; anonymous=true does without.
package gcs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"

	"cloud.google.com/go/storage"
	"github.com/waybill-project/waybill/repo/store"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/gcsblob" // registers gs://
	"gocloud.dev/gcp"
	"google.golang.org/api/googleapi"
)

// Driver is for store.Open.
func Driver() store.Driver {
	return store.Driver{Schemes: []string{"gs"}, Open: open, Conditions: conditions{}}
}

// open asks for credentials first: the driver would print a warning to standard
// output and go on without.
func open(ctx context.Context, location string) (*blob.Bucket, error) {
	u, err := url.Parse(location)
	if err != nil {
		return nil, err
	}
	anonymous, _ := strconv.ParseBool(u.Query().Get("anonymous"))
	emulated := os.Getenv("STORAGE_EMULATOR_HOST") != "" || os.Getenv("STORAGE_EMULATOR_HOST_GRPC") != ""
	if !emulated {
		if _, err := gcp.DefaultCredentials(ctx); err != nil && !anonymous {
			return nil, fmt.Errorf("no credentials: %w", err)
		}
	}
	b, err := blob.OpenBucket(ctx, location)
	if err != nil {
		return nil, err
	}
	if err := checkBucket(ctx, b); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// checkBucket looks for the bucket because reads of an object do not tell a
// missing bucket from a missing object. Who may not list may still read.
func checkBucket(ctx context.Context, b *blob.Bucket) error {
	_, _, err := b.ListPage(ctx, blob.FirstPageToken, 1, nil)
	var api *googleapi.Error
	if errors.Is(err, storage.ErrBucketNotExist) || errors.As(err, &api) && api.Code == http.StatusNotFound {
		return fmt.Errorf("no such bucket: %w", err)
	}
	return nil
}

type conditions struct{}

func (conditions) Token(as func(any) bool) (string, error) {
	var reader *storage.Reader
	var attrs storage.ObjectAttrs
	var generation int64
	switch {
	case as(&reader):
		generation = reader.Attrs.Generation
	case as(&attrs):
		generation = attrs.Generation
	default:
		return "", errors.New("not a Cloud Storage bucket")
	}
	if generation == 0 {
		return "", errors.New("the server sends no generation")
	}
	return strconv.FormatInt(generation, 10), nil
}

func (conditions) Unchanged(token string) func(func(any) bool) error {
	return func(as func(any) bool) error {
		generation, err := strconv.ParseInt(token, 10, 64)
		if err != nil {
			return fmt.Errorf("not a generation: %q", token)
		}
		var object **storage.ObjectHandle
		if !as(&object) {
			return errors.New("the Cloud Storage driver hides its object")
		}
		*object = (*object).If(storage.Conditions{GenerationMatch: generation})
		return nil
	}
}

func (conditions) Lost(err error) bool {
	var api *googleapi.Error
	return errors.As(err, &api) && (api.Code == http.StatusPreconditionFailed || api.Code == http.StatusConflict)
}

// Absent does without what the driver adds to it: a refused permission.
func (conditions) Absent(err error) bool {
	return errors.Is(err, storage.ErrObjectNotExist)
}
