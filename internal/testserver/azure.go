// SPDX-License-Identifier: Apache-2.0

package testserver

import (
	"context"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/azureblob" // registers azblob://
)

// The account that every Azurite has, as its documentation publishes it.
const (
	azuriteAccount = "devstoreaccount1"
	azuriteKey     = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
)

// Azure gives an azblob:// URL of an empty container on an Azurite.
func Azure(t testing.TB) (url string) {
	t.Helper()
	path := program(t, "WAYBILL_TEST_AZURITE", "azurite-blob", "npm install azurite@3.35.0")
	data := t.TempDir()
	address := start(t, path, func(host, port string) []string {
		return []string{"--blobHost", host, "--blobPort", port, "--location", data,
			"--silent", "--skipApiVersionCheck", "--disableTelemetry"}
	})
	t.Setenv("AZURE_STORAGE_ACCOUNT", azuriteAccount)
	t.Setenv("AZURE_STORAGE_KEY", azuriteKey)
	url = "azblob://" + bucketName + "?protocol=http&domain=" + address + "&localemu=true"
	makeContainer(t, url)
	return url
}

func makeContainer(t testing.TB, url string) {
	t.Helper()
	ctx := context.Background()
	b, err := blob.OpenBucket(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var client *container.Client
	if !b.As(&client) {
		t.Fatal("no Azure client")
	}
	if _, err := client.Create(ctx, nil); err != nil {
		t.Fatalf("create container: %v", err)
	}
}
