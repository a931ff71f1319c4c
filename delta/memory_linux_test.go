// SPDX-License-Identifier: Apache-2.0

package delta_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/dsnet/compress/bzip2"

	"github.com/waybill-project/waybill/delta"
)

const (
	memoryVar  = "DELTA_TEST_MEMORY"
	large      = 256 << 20 // bytes of the artifact
	mostMemory = 96 << 10  // KiB
)

// vast is a large file without the memory for it; the fresh one differs in the first byte of
// every stride.
type vast struct{ fresh bool }

const stride = 1 << 20

func (v vast) ReadAt(p []byte, off int64) (n int, err error) {
	if left := large - off; int64(len(p)) > left {
		p, err = p[:max(left, 0)], io.EOF
	}
	for i := range p {
		at := uint64(off) + uint64(i)
		p[i] = byte(at*0x9e37_79b9_7f4a_7c15>>56 ^ at>>13)
		if v.fresh && at%stride == 0 {
			p[i]++
		}
	}
	return len(p), err
}

func (v vast) sum(t *testing.T) (out [32]byte) {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(v, 0, large)); err != nil {
		t.Fatal(err)
	}
	copy(out[:], h.Sum(nil))
	return out
}

// Patching a large artifact takes little memory, as the kernel measures it in a process of its own
// that reads the patch from a file. The patch has one entry for every stride.
func TestApplyMemoryOfALargeArtifact(t *testing.T) {
	if path := os.Getenv(memoryVar); path != "" {
		applyInChild(t, path)
		return
	}
	path := t.TempDir() + "/patch"
	if err := os.WriteFile(path, largePatch(t), 0o600); err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0], "-test.run=^TestApplyMemoryOfALargeArtifact$", "-test.v")
	child.Env = append(os.Environ(), memoryVar+"="+path)
	out, err := child.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var kib int64
	_, rest, _ := strings.Cut(string(out), "peak=")
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	if kib > mostMemory {
		t.Errorf("%d KiB resident", kib)
	}
	t.Logf("figure D7: %.1f MiB resident at most while a delta of an artifact of %d MiB is applied; bound %d",
		float64(kib)/1024, large>>20, mostMemory>>10)
}

func largePatch(t *testing.T) []byte {
	var control bytes.Buffer
	for range large / stride {
		control.Write(number(stride))
		control.Write(number(0))
		control.Write(number(0))
	}
	one := make([]byte, stride)
	one[0] = 1
	var diff bytes.Buffer
	w, err := bzip2.NewWriter(&diff, &bzip2.WriterConfig{Level: bzip2.BestCompression})
	for i := 0; i < large/stride && err == nil; i++ {
		_, err = w.Write(one)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return parts{rawControl: control.Bytes(), packedDiff: diff.Bytes(), resultLength: large}.patch(t)
}

func applyInChild(t *testing.T, path string) {
	patch, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer patch.Close()
	stat, err := patch.Stat()
	if err != nil {
		t.Fatal(err)
	}
	info := delta.Info{Format: delta.BSDiff4, BaseLength: large, BaseSHA256: vast{}.sum(t),
		ResultLength: large, ResultSHA256: vast{fresh: true}.sum(t), PatchLength: stat.Size()}
	if err := delta.Apply(context.Background(), info, vast{}, patch, io.Discard, nil); err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	fmt.Println("peak=" + strings.TrimSpace(peak[:strings.Index(peak, "kB")]))
}
