// SPDX-License-Identifier: Apache-2.0

package fetcher

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const childVar = "FETCHER_TEST_MEMORY"

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// Memory is measured in a child process, as the kernel saw it. FETCHER_TEST_SIZE
// sets another size in MiB.
func TestDownloadMemory(t *testing.T) {
	if os.Getenv(childVar) != "" {
		downloadInChild(t)
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^TestDownloadMemory$", "-test.v")
	child.Env = append(os.Environ(), childVar+"=1")
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	_, rest, _ := strings.Cut(string(out), "peak=")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	if kib > 64<<10 {
		t.Errorf("%d KiB resident", kib)
	}
	t.Logf("figure D7: %.1f MiB resident at most in a download of %d MiB; bound 64", float64(kib)/1024, downloadMiB())
}

func downloadMiB() int64 {
	if mib, err := strconv.Atoi(os.Getenv("FETCHER_TEST_SIZE")); err == nil {
		return int64(mib)
	}
	return 128
}

func downloadInChild(t *testing.T) {
	size := downloadMiB() << 20
	sum := sha256.New()
	if _, err := io.CopyN(sum, zeros{}, size); err != nil {
		t.Fatal(err)
	}
	s := newSim(t)
	s.md["targets"]["targets"].(map[string]any)["big"] = map[string]any{
		"length": size, "hashes": map[string]any{"sha256": fmt.Sprintf("%x", sum.Sum(nil))},
	}
	s.release("targets")
	s.open = func(name string, _ Request) (*Response, error) {
		if !strings.HasPrefix(name, "targets/") {
			return nil, nil
		}
		return &Response{Body: io.NopCloser(io.LimitReader(zeros{}, size)), Size: size}, nil
	}
	e := s.endpoint()
	c := e.client()
	target, err := c.Target(context.Background(), "big")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Download(context.Background(), target, filepath.Join(e.dir, "big")); err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	fmt.Println("peak=" + strings.TrimSpace(peak[:strings.Index(peak, "kB")]))
}
