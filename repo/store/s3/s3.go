// SPDX-License-Identifier: Apache-2.0

// Package s3 opens S3 buckets as a store: Amazon's, and servers that keep its
// rules for conditional writes (versitygw, MinIO, Ceph, R2). It exists so that
// only programs that want S3 link its SDK.
//
// URLs are s3://BUCKET with the options of gocloud's driver, of which
// endpoint, region, use_path_style and prefix matter most. Credentials come
// from the SDK's usual places.
package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/waybill-project/waybill/repo/store"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob" // registers s3://
)

// Driver is for store.Open.
func Driver() store.Driver {
	return store.Driver{
		Schemes:    []string{"s3"},
		Open:       open,
		Conditions: conditions{},
	}
}

// abortTime is how long a failed upload may take to remove its parts.
const abortTime = 30 * time.Second

// open silences the SDK, which otherwise writes to standard error that it
// cannot check the checksum of an object uploaded in parts (we check our own),
// and lets cancelled uploads clean up.
func open(ctx context.Context, url string) (*blob.Bucket, error) {
	b, err := blob.OpenBucket(ctx, url)
	if err != nil {
		return nil, err
	}
	var client *awss3.Client
	if b.As(&client) {
		*client = *awss3.New(client.Options(), func(o *awss3.Options) {
			o.Logger = logging.Nop{}
			o.APIOptions = append(o.APIOptions, abortAnyway)
		})
	}
	return b, nil
}

// abortAnyway takes the caller's cancellation off AbortMultipartUpload: the
// upload manager passes on the context that ended the upload, and so would
// leave the parts where nobody sees them but the bill.
func abortAnyway(stack *middleware.Stack) error {
	if stack.ID() != "AbortMultipartUpload" {
		return nil
	}
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("abortAnyway", func(ctx context.Context,
		in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTime)
		defer cancel()
		return next.HandleInitialize(ctx, in)
	}), middleware.Before)
}

type conditions struct{}

func (conditions) Token(as func(any) bool) (string, error) {
	var tag *string
	var get awss3.GetObjectOutput
	var head awss3.HeadObjectOutput
	switch {
	case as(&get):
		tag = get.ETag
	case as(&head):
		tag = head.ETag
	default:
		return "", errors.New("not an S3 bucket")
	}
	if tag == nil {
		return "", errors.New("the server sends no ETag")
	}
	return *tag, nil
}

func (conditions) Unchanged(token string) func(func(any) bool) error {
	return func(as func(any) bool) error {
		var in *transfermanager.UploadObjectInput
		if !as(&in) {
			return fmt.Errorf("the S3 driver hides its upload")
		}
		in.IfMatch = &token
		return nil
	}
}

// Lost knows the answers to a failed condition: 412, 409 while another write
// is under way, and 404 for If-Match on an object that has gone.
func (conditions) Lost(err error) bool {
	var api smithy.APIError
	if errors.As(err, &api) {
		switch api.ErrorCode() {
		case "PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey":
			return true
		}
	}
	var response *smithyhttp.ResponseError
	return errors.As(err, &response) && (response.HTTPStatusCode() == http.StatusPreconditionFailed ||
		response.HTTPStatusCode() == http.StatusConflict)
}

func (conditions) Absent(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api) && (api.ErrorCode() == "NoSuchKey" || api.ErrorCode() == "NotFound")
}
