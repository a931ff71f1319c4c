// SPDX-License-Identifier: Apache-2.0

// Package azure opens Azure Blob Storage containers as a store. It exists so
// that only programs that want this provider link its SDK.
//
// URLs are azblob://CONTAINER with the options of gocloud's driver, such as
// storage_account and prefix. Credentials come from the environment.
package azure

import (
	"context"
	"errors"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob"
	azblobblob "github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/waybill-project/waybill/repo/store"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // registers azblob://
)

// Driver is for store.Open.
func Driver() store.Driver {
	return store.Driver{
		Schemes:    []string{"azblob"},
		Open:       func(ctx context.Context, url string) (*blob.Bucket, error) { return blob.OpenBucket(ctx, url) },
		Conditions: conditions{},
	}
}

type conditions struct{}

func (conditions) Token(as func(any) bool) (string, error) {
	var tag *azcore.ETag
	var download azblobblob.DownloadStreamResponse
	var properties azblobblob.GetPropertiesResponse
	switch {
	case as(&download):
		tag = download.ETag
	case as(&properties):
		tag = properties.ETag
	default:
		return "", errors.New("not an Azure container")
	}
	if tag == nil {
		return "", errors.New("the server sends no ETag")
	}
	return string(*tag), nil
}

func (conditions) Unchanged(token string) func(func(any) bool) error {
	return func(as func(any) bool) error {
		var opts *azblob.UploadStreamOptions
		if !as(&opts) {
			return errors.New("the Azure driver hides its upload")
		}
		tag := azcore.ETag(token)
		opts.AccessConditions = &azblob.AccessConditions{
			ModifiedAccessConditions: &azblobblob.ModifiedAccessConditions{IfMatch: &tag},
		}
		return nil
	}
}

func (conditions) Lost(err error) bool {
	var response *azcore.ResponseError
	return errors.As(err, &response) &&
		(response.StatusCode == http.StatusPreconditionFailed || response.StatusCode == http.StatusConflict)
}

func (conditions) Absent(err error) bool { return bloberror.HasCode(err, bloberror.BlobNotFound) }
