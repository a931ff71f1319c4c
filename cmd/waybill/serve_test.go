// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

func TestServeEndsOnInterrupt(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "metadata"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "metadata", "1.root.json"), []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r, w := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"serve", "--repo", dir, "--listen", "127.0.0.1:0"}, nil, w, io.Discard, func(string) string { return "" })
	}()
	line, err := firstOutput(r)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.Get(regexp.MustCompile(`http://\S+`).FindString(line) + "/metadata/1.root.json")
	if err != nil {
		t.Fatal(err)
	}
	if answer.Body.Close(); answer.StatusCode != http.StatusOK {
		t.Fatal(answer.Status)
	}
	cancel()
	if code := <-ended; code != 0 {
		t.Fatalf("ended with %d", code)
	}
}
