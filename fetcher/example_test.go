// SPDX-License-Identifier: Apache-2.0

package fetcher_test

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
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

// follow makes a client for the examples that keeps nothing.
func follow(source fetcher.Source) *fetcher.Client {
	root, err := os.ReadFile("testdata/repository/root.json")
	if err != nil {
		log.Fatal(err)
	}
	client, err := fetcher.New(root, "", source, &fetcher.Options{
		Ephemeral: true,
		Now:       func() time.Time { return time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC) }, // leave out
	})
	if err != nil {
		log.Fatal(err)
	}
	return client
}

const artifact = "app/1.0.0/linux-amd64/app"

// A file that was verified and cannot be swapped, without a path in between.
func ExampleClient_OpenVerified() {
	ctx := context.Background()
	client := follow(fetcher.NewDirSource("testdata/repository"))
	target, err := client.Target(ctx, artifact)
	if err != nil {
		log.Fatal(err)
	}
	file, err := client.OpenVerified(ctx, target)
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	data, err := io.ReadAll(file)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d bytes: %s", file.Size(), data)
	// Output: 25 bytes: hello from version 1.0.0
}

// An updater that exists already gets a http.Client that reads verified targets
// and nothing else. Its URLs stay what they are.
func ExampleNewTransport() {
	client := follow(fetcher.NewDirSource("testdata/repository"))
	transport, err := fetcher.NewTransport(client, &fetcher.TransportOptions{Base: "https://updates.example.com/"})
	if err != nil {
		log.Fatal(err)
	}
	defer transport.Close()
	updater := &http.Client{Transport: transport}

	for _, url := range []string{"https://updates.example.com/" + artifact, "https://updates.example.com/latest.json"} {
		resp, err := updater.Get(url)
		if err != nil {
			log.Fatal(err) // errors.As finds a *fetcher.VerifyError
		}
		data, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(resp.Status, len(data))
	}
	// Output:
	// 200 OK 25
	// 404 Not Found 0
}

// The same for a program that is not written in Go: a proxy on loopback, as `fetch serve`.
func ExampleTransport_ServeHTTP() {
	client := follow(fetcher.NewDirSource("testdata/repository"))
	transport, err := fetcher.NewTransport(client, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer transport.Close()
	server := httptest.NewServer(transport) // listens on 127.0.0.1
	defer server.Close()

	request, _ := http.NewRequest(http.MethodGet, server.URL+"/"+artifact, nil)
	request.Header.Set("Range", "bytes=0-4")
	resp, err := server.Client().Do(request)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	data, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.Status, resp.Header.Get("Content-Range"), string(data))
	// Output: 206 Partial Content bytes 0-4/25 hello
}

// A mirror that is down, and one that is not.
func ExampleNewMirrors() {
	mirrors := fetcher.NewMirrors(
		fetcher.NewDirSource("testdata/unmounted"),
		fetcher.NewDirSource("testdata/repository"),
	)
	target, err := follow(mirrors).Target(context.Background(), artifact)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(target.Name, target.Length)
	// Output: app/1.0.0/linux-amd64/app 25
}

// A repository in one file, carried on a stick.
func ExampleNewArchiveSource() {
	dir, err := os.MkdirTemp("", "stick")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "bundle.tar")
	out, err := os.Create(path)
	if err != nil {
		log.Fatal(err)
	}
	w := tar.NewWriter(out)
	if err := errors.Join(w.AddFS(os.DirFS("testdata/repository")), w.Close(), out.Close()); err != nil {
		log.Fatal(err)
	}

	bundle, err := fetcher.NewArchiveSource(path)
	if err != nil {
		log.Fatal(err)
	}
	defer bundle.Close()
	target, err := follow(bundle).Target(context.Background(), artifact)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(target.Name, target.Length)
	// Output: app/1.0.0/linux-amd64/app 25
}

// A bucket that wants a token, which may change from one request to the next.
func ExampleHTTPOptions() {
	bucket := http.FileServer(http.Dir("testdata/repository"))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer of good news" {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		bucket.ServeHTTP(w, r)
	}))
	defer server.Close()

	source, err := fetcher.NewHTTPSource(server.URL, &fetcher.HTTPOptions{
		Token: func(context.Context) (string, error) { return "of good news", nil },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	target, err := follow(source).Target(context.Background(), artifact)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(target.Name, target.Length)
	// Output: app/1.0.0/linux-amd64/app 25
}
