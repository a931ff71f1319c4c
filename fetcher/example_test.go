// SPDX-License-Identifier: Apache-2.0

package fetcher_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"github.com/waybill-project/waybill/fetcher"
)

// A program updates its view of a repository and downloads a file. Over the
// network, the source is made by NewHTTPSource.
func Example() {
	ctx := context.Background()
	state, err := os.MkdirTemp("", "state")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(state)
	root, err := os.ReadFile("testdata/repository/root.json") // usually embedded
	if err != nil {
		log.Fatal(err)
	}
	client, err := fetcher.New(root, state, fetcher.NewDirSource("testdata/repository"), &fetcher.Options{
		Now: func() time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) }, // leave out
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Refresh(ctx); err != nil {
		log.Fatal(err)
	}
	target, err := client.Target(ctx, "app/1.0.0/linux-amd64/app")
	if err != nil {
		log.Fatal(err)
	}
	dest := filepath.Join(state, "app")
	if err := client.Download(ctx, target, dest); err != nil {
		log.Fatal(err)
	}
	data, err := os.ReadFile(dest)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d verified bytes: %s", target.Length, data)
	// Output: 25 verified bytes: hello from version 1.0.0
}

// What to do depends on whose fault an error is.
func ExampleClass() {
	source := fetcher.NewDirSource("testdata/repository")
	root, err := os.ReadFile("testdata/repository/root.json")
	if err != nil {
		log.Fatal(err)
	}
	client, err := fetcher.New(root, "", source, &fetcher.Options{
		Ephemeral: true,
		Now:       func() time.Time { return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC) },
	})
	if err != nil {
		log.Fatal(err)
	}
	err = client.Refresh(context.Background())
	fmt.Println(fetcher.Class(err))
	fmt.Println(err)
	// Output:
	// expired
	// root version 1: expired 2026-04-01T12:00:00Z, clock says 2030-01-01T00:00:00Z
}
